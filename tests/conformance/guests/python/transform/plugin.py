"""The conformance guest of a transform: see tests/conformance/README.md."""

import logging

import millrace
from millrace import Message, Output, Reject, Verdict

HEADERS: list[tuple[str, bytes | None]] = [
    ("a", b"1"),
    ("a", None),
    ("é", b"\x00\xff"),
    ("b", b""),
]
# The contract's own levels; by logging's the last three in `init`.
LEVELS = {
    "trace": millrace.log.trace,
    "debug": millrace.log.debug,
    "info": millrace.log.info,
    "warn": millrace.log.warn,
    "error": millrace.log.error,
}


class Unexpected(Exception):
    """Nobody means this one."""


@millrace.transform
class Conformance:
    def __init__(self, config: str) -> None:
        self.count = 0
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

    def transform(self, message: Message) -> Verdict:
        self.count += 1
        if message.value is None:
            return millrace.FORWARD
        word, space, argument = message.value.partition(b" ")
        match word:
            case b"forward":
                return millrace.FORWARD
            case b"drop":
                return millrace.DROP
            case b"same":
                return Output()
            case b"key":
                return Output(key=argument)
            case b"null-key":
                return Output(key=None)
            case b"value":
                return Output(value=argument)
            case b"null-value":
                return Output(value=None)
            case b"timestamp":
                return Output(timestamp=number(argument, 64))
            case b"topic":
                return Output(topic=text(argument))
            case b"partition":
                return Output(partition=number(argument, 32))
            case b"append":
                return Output(add_headers=HEADERS)
            case b"append-none":
                return Output(add_headers=[])
            case b"only":
                return Output(headers=HEADERS)
            case b"only-none":
                return Output(headers=[])
            case b"expand":
                count = number(argument, 64)
                if count < 0:
                    raise Reject("bad argument")
                return (Output(value=str(n)) for n in range(count))
            case b"each":
                return [Output(value=None), Output(topic="other"), Output(headers=HEADERS)]
            case b"fail":
                raise Reject(text(argument))
            case b"throw":
                raise Unexpected(text(argument))
            case b"log":
                level, _, line = text(argument).partition(" ")
                if level not in LEVELS:
                    raise Reject("bad argument")
                LEVELS[level](line)
                return millrace.FORWARD
            case b"describe":
                return Output(value=description(message))
            case b"echo":
                return Output(value=message.value, key=message.key, headers=message.headers)
            case b"count":
                return Output(value=str(self.count))
            case _:
                raise Reject(f"unknown command: {word.decode(errors='replace')}")


def text(argument: bytes) -> str:
    try:
        return argument.decode()
    except UnicodeDecodeError:
        raise Reject("bad argument") from None


def number(argument: bytes, bits: int) -> int:
    digits = argument.removeprefix(b"-")
    if not digits.isdigit():
        raise Reject("bad argument")
    value = int(argument)
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise Reject("bad argument")
    return value


def description(message: Message) -> str:
    timestamp: str = message.timestamp_type or "not-available"
    if message.timestamp is not None:
        timestamp += f":{int(message.timestamp)}"
    headers = ",".join(f"{name}={hexadecimal(value)}" for name, value in message.headers)
    return (
        f"topic={message.topic} partition={message.partition} offset={message.offset}"
        f" timestamp={timestamp} key={hexadecimal(message.key)} headers=[{headers}]"
    )


def hexadecimal(value: bytes | None) -> str:
    return "null" if value is None else f"0x{value.hex()}"
