"""The plugin behind the contract's functions: what the host sends as the SDK's types,
and back, and exceptions as reasons.

The classes here have the names of what componentize-py generates from the contract, and
take their places (`_component`): what it makes for each message and reads of each verdict
are these. So nothing is copied from one set of types to another, which would cost as much
as all the rest.
"""

import gc
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from . import _plugin
from ._errors import text_of
from ._message import Batch, Header, LogAppendTime, Message, bytes_of, headers_of
from ._output import DROP, FORWARD, SOURCE, Output, Source
from ._plugin import Place
from ._reject import Reject

T = TypeVar("T")
FIELDS = ("key", "value")


# What comes in. A constructor need not be a class, and one that is written in C is faster:
# int() is that very int, and type(None)() is None.


def message(
    key: bytes | None,
    value: bytes | None,
    headers: list[Header],
    offset: int,
    timestamp: int | None,
    new: Callable[[type[Message]], Message] = object.__new__,
    cls: type[Message] = Message,
) -> Message:
    made = new(cls)
    made.key = key
    made.value = value
    made.headers = headers
    made.offset = offset
    made.timestamp = timestamp
    return made


# What goes out.


class Holder(Generic[T]):
    """A case of a variant that has a payload."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


class PayloadNull:
    __slots__ = ()


class PayloadBytes(Holder[bytes]):
    __slots__ = ()


class HeadersSource:
    __slots__ = ()


class HeadersAppend(Holder[list[Header]]):
    __slots__ = ()


class HeadersOnly(Holder[list[Header]]):
    __slots__ = ()


class WireOutput:
    """The contract's output, with a place for the bytes that its key and value may be."""

    __slots__ = ("headers", "key", "key_bytes", "partition", "timestamp", "topic", "value", "value_bytes")

    topic: str | None
    partition: int | None
    timestamp: int | None
    key: Source | PayloadNull | PayloadBytes
    value: Source | PayloadNull | PayloadBytes
    headers: HeadersSource | HeadersAppend | HeadersOnly

    def __init__(self) -> None:
        self.key_bytes = PayloadBytes(b"")
        self.value_bytes = PayloadBytes(b"")


class Replace(Holder[WireOutput]):
    __slots__ = ()


class Expand(Holder[list[WireOutput]]):
    __slots__ = ()


class Fail(Holder[str]):
    __slots__ = ()


class Ok(Holder[Any]):
    """The good case of a result. The other one is componentize-py's own `Err`."""

    __slots__ = ()


PAYLOAD_NULL = PayloadNull()
HEADERS_SOURCE = HeadersSource()

S32 = range(-(2**31), 2**31)
S64 = range(-(2**63), 2**63)


def fill(wire: WireOutput, output: Output) -> None:
    """Writes an output into the contract's. What it can't be raises, here and not where it
    is lowered, which would be a trap."""
    value = output.value
    if value.__class__ is bytes:
        wire.value_bytes.value = value  # type: ignore[assignment]
        wire.value = wire.value_bytes
    elif value is SOURCE:
        wire.value = SOURCE
    else:
        wire.value = payload(value, "a value")
    key = output.key
    wire.key = SOURCE if key is SOURCE else payload(key, "a key")
    topic = output.topic
    if topic is not None:
        if not isinstance(topic, str):
            raise TypeError(f"a topic is a str or None, not {type(topic).__name__}")
        topic.encode()
    wire.topic = topic
    partition = output.partition
    if partition is not None:
        check(partition, S32, "a partition")
    wire.partition = partition
    timestamp = output.timestamp
    if timestamp is not None:
        check(timestamp, S64, "a timestamp")
    wire.timestamp = timestamp
    if output.headers is not None:
        wire.headers = HeadersOnly(checked(output.headers))
    elif output.add_headers is not None:
        wire.headers = HeadersAppend(checked(output.add_headers))
    else:
        wire.headers = HEADERS_SOURCE


def payload(value: Any, what: str) -> PayloadNull | PayloadBytes:
    made = bytes_of(value, what)
    return PAYLOAD_NULL if made is None else PayloadBytes(made)


def check(number: Any, numbers: range, what: str) -> None:
    if not isinstance(number, int):
        raise TypeError(f"{what} is an int or None, not {type(number).__name__}")
    if number not in numbers:
        raise OverflowError(f"{what} has {numbers.stop.bit_length()} bits: {number}")


def checked(headers: Iterable[tuple[str, Any]]) -> list[Header]:
    made = headers_of(headers)
    for header in made:
        header.name.encode()
    return made


def expanded(outputs: Iterable[Output]) -> Expand:
    wires = []
    for output in outputs:
        if output.__class__ is not Output and not isinstance(output, Output):
            raise TypeError(f"a verdict's outputs are Output, not {type(output).__name__}")
        wire = WireOutput()
        fill(wire, output)
        wires.append(wire)
    return Expand(wires)


def lowered(verdict: Any) -> Any:
    """Any verdict, as the contract has it."""
    if isinstance(verdict, Output):
        replace = Replace(WireOutput())
        fill(replace.value, verdict)
        return replace
    if verdict is FORWARD or verdict is DROP:
        return verdict
    if isinstance(verdict, Reject):
        return Fail(text_of(verdict))
    if isinstance(verdict, Iterable) and not isinstance(
        verdict, (str, bytes, bytearray, memoryview, dict, set)
    ):
        return expanded(verdict)
    raise TypeError(
        "a verdict is FORWARD, DROP, an Output or several, not "
        + ("None" if verdict is None else type(verdict).__name__)
    )


class Transform:
    """The interface `transform`, but for how `init` says no."""

    def __init__(self) -> None:
        #: What replaces the messages of a call, made once: the host has read it when the
        #: next call comes.
        self._replaces: list[Replace] = []

    def start(self, config: str) -> None:
        self._one, self._many = _plugin.made(
            "transform", config, "transform", "transform_batch"
        )

    def process(self, batch: Batch) -> list[Any]:
        topic, partition, messages = batch.topic, batch.partition, batch.messages
        for message in messages:
            message.topic = topic
            message.partition = partition
        if self._many is not None:
            return self._together(batch)
        replaces = self._replaces
        while len(replaces) < len(messages):
            replaces.append(Replace(WireOutput()))
        judge = self._one
        verdicts: list[Any] = []
        append = verdicts.append
        for message, replace in zip(messages, replaces):
            try:
                verdict = judge(message)
                if verdict.__class__ is Output:
                    fill(replace.value, verdict)
                    append(replace)
                elif verdict is FORWARD or verdict is DROP:
                    append(verdict)
                else:
                    append(lowered(verdict))
            except BaseException as error:
                append(Fail(text_of(error)))
        return verdicts

    def _together(self, batch: Batch) -> list[Any]:
        messages = batch.messages
        try:
            verdicts = list(self._many(batch))
        except BaseException as error:
            if len(messages) == 1:
                return [Fail(text_of(error))]
            # Which message it was shows when each stands alone.
            alone = (Batch(batch.topic, batch.partition, [message]) for message in messages)
            return [verdict for batch in alone for verdict in self._together(batch)]
        return [attempted(verdict) for verdict in verdicts]


def attempted(verdict: Any) -> Any:
    try:
        return lowered(verdict)
    except BaseException as error:
        return Fail(text_of(error))


class Codec:
    """The interfaces `deserializer` and `serializer`, but for how `init` says no."""

    kind: str
    one: str

    def __init__(self, err: Callable[[str], Any]) -> None:
        self._err = err

    def start(self, config: str) -> None:
        self._one, self._many = _plugin.made(self.kind, config, self.one, self.one + "_batch")

    def convert(self, topic: str, field: str, payloads: list[bytes]) -> list[Any]:
        place = Place(topic, field)  # type: ignore[arg-type]
        if self._many is None:
            return [self._converted(self._one, payload, place) for payload in payloads]
        try:
            results = list(self._many(payloads, place))
        except BaseException as error:
            if len(payloads) == 1:
                return [self._err(text_of(error))]
            # Which payload it was shows when each stands alone.
            return [self.convert(topic, field, [payload])[0] for payload in payloads]
        return [self._converted(lambda result, _: result, result, place) for result in results]

    def _converted(self, convert: Callable[[Any, Place], Any], payload: Any, place: Place) -> Any:
        try:
            result = convert(payload, place)
            if result.__class__ is bytes:
                return Ok(result)
            if isinstance(result, Reject):
                raise result
            if result is None:
                raise TypeError("a result is bytes or str, not None")
            return Ok(bytes_of(result, "a result"))
        except BaseException as error:
            return self._err(text_of(error))


class Deserializer(Codec):
    kind, one = "deserializer", "deserialize"


class Serializer(Codec):
    kind, one = "serializer", "serialize"


def settle() -> None:
    """What is there stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
