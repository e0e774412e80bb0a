"""What comes in."""

import json
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from ._reject import Reject


class Header(NamedTuple):
    """One header of a record. Names may repeat, and their order is kept."""

    #: One that is not UTF-8 shows U+FFFD where it is not.
    name: str
    #: `None` is Kafka's null, which is not empty.
    value: bytes | None


def _no_json(constant: str) -> None:
    # NaN and its kin, which Python's parser takes.
    raise ValueError(f"{constant} is none of its numbers")


def headers_of(headers: Iterable[tuple[str, bytes | str | None]]) -> list[Header]:
    """Pairs as headers; a value that is text is encoded as UTF-8."""
    made = []
    for name, value in headers:
        if not isinstance(name, str):
            raise TypeError(f"a header's name is a str, not {type(name).__name__}")
        made.append(Header(name, bytes_of(value, "a header's value")))
    return made


def bytes_of(value: bytes | str | None, what: str) -> bytes | None:
    """A payload as bytes, or `None`; text is encoded as UTF-8."""
    if value is None or value.__class__ is bytes:
        return value  # type: ignore[return-value]
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{what} is bytes, str or None, not {type(value).__name__}")


class LogAppendTime(int):
    """A timestamp that the broker set when it appended the record."""

    __slots__ = ()


class Message:
    """One record as it was consumed, or as the plugin before this one sent it.

    A unit test makes one of what it is about: `Message(value="hello")`. Text is
    encoded as UTF-8.
    """

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "topic", "value")

    #: The key; `None` is Kafka's null, which is not empty.
    key: bytes | None
    #: The value; `None` is Kafka's null, a tombstone in a compacted topic.
    value: bytes | None
    #: The headers, in order. They are pairs, too: `for name, value in message.headers`.
    headers: list[Header]
    #: The offset in its partition.
    offset: int
    #: Milliseconds since 1970-01-01T00:00:00Z, or `None` where it has none.
    timestamp: int | None
    #: The topic that it comes from.
    topic: str
    #: Its partition, from 0.
    partition: int

    def __init__(
        self,
        value: bytes | str | None = None,
        *,
        key: bytes | str | None = None,
        headers: Iterable[tuple[str, bytes | str | None]] = (),
        offset: int = 0,
        timestamp: int | None = None,
        topic: str = "test",
        partition: int = 0,
    ) -> None:
        self.key = bytes_of(key, "a key")
        self.value = bytes_of(value, "a value")
        self.headers = headers_of(headers)
        self.offset = offset
        self.timestamp = timestamp
        self.topic = topic
        self.partition = partition

    @property
    def timestamp_type(self) -> Literal["create-time", "log-append-time"] | None:
        """Who set the timestamp: its producer, or the broker (a `LogAppendTime`)."""
        if self.timestamp is None:
            return None
        return "log-append-time" if isinstance(self.timestamp, LogAppendTime) else "create-time"

    @property
    def text(self) -> str:
        """The value as UTF-8 text. A null one, and one that is none, reject the record."""
        if self.value is None:
            raise Reject("the value is null")
        try:
            return self.value.decode()
        except UnicodeDecodeError as error:
            raise Reject(f"the value is not UTF-8: {error.reason} at byte {error.start}") from None

    def json(self) -> Any:
        """The value as JSON. One that is none rejects the record, and says where."""
        try:
            return json.loads(self.text, parse_constant=_no_json)
        except ValueError as error:
            raise Reject(f"not JSON: {error}") from None

    def header(self, name: str) -> bytes | None:
        """The value of the last header of this name, as Kafka's `lastHeader`: `None`
        where there is none, or where it is null."""
        for header in reversed(self.headers):
            if header.name == name:
                return header.value
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Message({self.value!r}, key={self.key!r}, headers={self.headers!r}, "
            f"offset={self.offset!r}, timestamp={self.timestamp!r}, topic={self.topic!r}, "
            f"partition={self.partition!r})"
        )


class Batch:
    """Consecutive messages of one topic partition, in offset order, never empty."""

    __slots__ = ("messages", "partition", "topic")

    #: The topic that they come from.
    topic: str
    #: Its partition, from 0.
    partition: int
    #: The messages.
    messages: list[Message]

    def __init__(self, topic: str, partition: int, messages: list[Message]) -> None:
        self.topic = topic
        self.partition = partition
        self.messages = messages

    def __repr__(self) -> str:
        return f"Batch({self.topic!r}, {self.partition!r}, {self.messages!r})"
