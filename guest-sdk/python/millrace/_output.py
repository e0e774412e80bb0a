"""What goes out: outputs and verdicts."""

from collections.abc import Iterable
from typing import Final, TypeAlias, final

from ._message import Header, bytes_of, headers_of
from ._reject import Reject


@final
class Source:
    """The type of `SOURCE`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "millrace.SOURCE"


@final
class Forward:
    """The type of `FORWARD`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "millrace.FORWARD"


@final
class Drop:
    """The type of `DROP`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "millrace.DROP"


#: As a key or a value of an output: the source message's own, unchanged.
SOURCE: Final = Source()
#: The message goes to the default topic unchanged: key, value, headers, timestamp.
FORWARD: Final = Forward()
#: It was filtered out on purpose. Nothing goes out, and that is no error.
DROP: Final = Drop()


class Output:
    """One record that goes out. What is not given is the source message's."""

    __slots__ = ("add_headers", "headers", "key", "partition", "timestamp", "topic", "value")

    #: The value; `None` is Kafka's null.
    value: bytes | None | Source
    #: The key; `None` is Kafka's null.
    key: bytes | None | Source
    #: These headers instead of the source's (none of them: an empty list), or `None`.
    headers: list[Header] | None
    #: These headers after the source's, or `None`.
    add_headers: list[Header] | None
    #: The topic; `None` is the pipeline's default topic.
    topic: str | None
    #: The partition, from 0; `None` lets the key's hash choose.
    partition: int | None
    #: Milliseconds since the epoch; `None` is the source's.
    timestamp: int | None

    def __init__(
        self,
        value: bytes | str | None | Source = SOURCE,
        *,
        key: bytes | str | None | Source = SOURCE,
        headers: Iterable[tuple[str, bytes | str | None]] | None = None,
        add_headers: Iterable[tuple[str, bytes | str | None]] | None = None,
        topic: str | None = None,
        partition: int | None = None,
        timestamp: int | None = None,
    ) -> None:
        if value.__class__ is not bytes and value is not SOURCE:
            value = bytes_of(value, "a value")  # type: ignore[arg-type]
        if key is not SOURCE:
            key = bytes_of(key, "a key")  # type: ignore[arg-type]
        if headers is not None:
            if add_headers is not None:
                raise TypeError("an output has headers or add_headers, and not both")
            headers = headers_of(headers)
        elif add_headers is not None:
            add_headers = headers_of(add_headers)
        self.value = value  # type: ignore[assignment]
        self.key = key  # type: ignore[assignment]
        self.headers = headers
        self.add_headers = add_headers  # type: ignore[assignment]
        self.topic = topic
        self.partition = partition
        self.timestamp = timestamp

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Output):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        given = [f"value={self.value!r}"] if self.value is not SOURCE else []
        given += [f"key={self.key!r}"] if self.key is not SOURCE else []
        for name in ("headers", "add_headers", "topic", "partition", "timestamp"):
            value = getattr(self, name)
            given += [f"{name}={value!r}"] if value is not None else []
        return f"Output({', '.join(given)})"


#: What becomes of a message: `FORWARD`, `DROP`, an output in its place, several in this
#: order (a list, or what a generator yields; none is `DROP`), or a reason to reject it,
#: which is mostly raised.
Verdict: TypeAlias = Forward | Drop | Output | Iterable[Output] | Reject
