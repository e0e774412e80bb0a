"""The host's log: `millrace.log.info("…")`. The host adds the plugin's name and digest.
In a unit test the lines go to stderr.

Python's own `logging` goes there, too, from INFO on unless the root logger is told
another level, and so does what is printed."""

import logging
import sys
from collections.abc import Callable


def trace(message: str) -> None:
    """For following single records."""
    _write("trace", message)


def debug(message: str) -> None:
    """For finding a fault."""
    _write("debug", message)


def info(message: str) -> None:
    """For what happens once in a while, as it should."""
    _write("info", message)


def warn(message: str) -> None:
    """For what is odd, with no data lost."""
    _write("warn", message)


def error(message: str) -> None:
    """For what needs a person."""
    _write("error", message)


def _to_stderr(level: str, message: str) -> None:
    print(f"{level}: {message}", file=sys.stderr)


_sink: Callable[[str, str], None] = _to_stderr


def _write(level: str, message: object) -> None:
    # The contract's text is UTF-8, and a str may hold half of a surrogate pair.
    _sink(level, str(message).encode("utf-8", "replace").decode())


class Handler(logging.Handler):
    """Leads `logging` to the host's log."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            _write(_level(record.levelno), text if record.name == "root" else f"{record.name}: {text}")
        except Exception:
            self.handleError(record)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    if number >= logging.INFO:
        return "info"
    return "debug" if number >= logging.DEBUG else "trace"
