"""The conformance guest of a deserializer: see tests/conformance/README.md."""

import logging

import millrace
from millrace import Place, Reject


class Unexpected(Exception):
    """Nobody means this one."""


@millrace.deserializer
class Conformance:
    def __init__(self, config: str) -> None:
        word, _, argument = config.partition(" ")
        if config == "log":
            millrace.log.trace("trace line")
            millrace.log.debug("debug line")
            logger = logging.getLogger()
            logger.info("info line")
            logger.warning("warn line")
            logger.error("error line")
        elif word == "refuse":
            raise Reject(argument)
        elif word == "throw":
            raise Unexpected(argument)
        elif config:
            raise Reject(f"unknown configuration: {config}")

    def deserialize(self, payload: bytes, place: Place) -> bytes:
        word, _, argument = payload.partition(b" ")
        if word == b"fail":
            raise Reject(text(argument))
        if word == b"throw":
            raise Unexpected(text(argument))
        return f"{place.field}:{place.topic}:".encode() + payload


def text(argument: bytes) -> str:
    try:
        return argument.decode()
    except UnicodeDecodeError:
        raise Reject("bad argument") from None
