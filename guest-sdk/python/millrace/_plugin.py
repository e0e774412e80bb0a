"""The decorators, and what they found."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, overload

from ._message import Batch, Message
from ._output import Verdict
from ._reject import Reject


class Place(NamedTuple):
    """Which payload it is. The topic is the one that it was read from or, when
    serializing, the one that it goes to."""

    topic: str
    #: The record's key, or its value.
    field: Literal["key", "value"]


class _Transform(Protocol):
    def __init__(self, config: str, /) -> None: ...
    def transform(self, message: Message, /) -> Verdict: ...


class _TransformBatch(Protocol):
    def __init__(self, config: str, /) -> None: ...
    def transform_batch(self, batch: Batch, /) -> Iterable[Verdict]: ...


class _Deserializer(Protocol):
    def __init__(self, config: str, /) -> None: ...
    def deserialize(self, payload: bytes, place: Place, /) -> bytes | str: ...


class _Serializer(Protocol):
    def __init__(self, config: str, /) -> None: ...
    def serialize(self, payload: bytes, place: Place, /) -> bytes | str: ...


_TransformFunction = TypeVar("_TransformFunction", bound=Callable[[Message], Verdict])
_TransformClass = TypeVar("_TransformClass", bound=type[_Transform] | type[_TransformBatch])
_CodecFunction = TypeVar("_CodecFunction", bound=Callable[[bytes, Place], bytes | str])
_DeserializerClass = TypeVar("_DeserializerClass", bound=type[_Deserializer])
_SerializerClass = TypeVar("_SerializerClass", bound=type[_Serializer])

#: What was decorated, by the kind's name in the contract.
found: dict[str, Any] = {}


@overload
def transform(plugin: _TransformClass) -> _TransformClass: ...
@overload
def transform(plugin: _TransformFunction) -> _TransformFunction: ...
def transform(plugin: Any) -> Any:
    """Makes a function or a class the plugin's transform.

    A function gets each message and returns its verdict. A class is made once, with the
    pipeline's `plugin.config` ("" where there is none), and judges each message by its
    method `transform(message)`. A method `transform_batch(batch)`, where there is one, is
    called with many at once instead, and returns one verdict a message, in order. What a
    plugin keeps between records is lost with its instance: a cache, no store.
    """
    return _find("transform", plugin, "transform", "transform_batch")


@overload
def deserializer(plugin: _DeserializerClass) -> _DeserializerClass: ...
@overload
def deserializer(plugin: _CodecFunction) -> _CodecFunction: ...
def deserializer(plugin: Any) -> Any:
    """Makes a function or a class the plugin's deserializer: from a format's bytes to what
    the transform reads, mostly JSON.

    A function gets each payload (never Kafka's null) and its `Place`, and returns bytes, or
    text that is encoded as UTF-8. A class is made once, with `decode.key_config` or
    `decode.value_config`, and has a method `deserialize(payload, place)`. A method
    `deserialize_batch(payloads, place)`, where there is one, is called with many of one
    place at once instead, and returns one result a payload, in order: bytes, text or a
    `Reject`.
    """
    return _find("deserializer", plugin, "deserialize", "deserialize_batch")


@overload
def serializer(plugin: _SerializerClass) -> _SerializerClass: ...
@overload
def serializer(plugin: _CodecFunction) -> _CodecFunction: ...
def serializer(plugin: Any) -> Any:
    """Makes a function or a class the plugin's serializer: from what the transform wrote to
    a format's bytes. As `deserializer`, the other way: `serialize(payload, place)`,
    `serialize_batch(payloads, place)`, `encode.key_config` and `encode.value_config`."""
    return _find("serializer", plugin, "serialize", "serialize_batch")


def _find(kind: str, plugin: Any, one: str, many: str) -> Any:
    if inspect.isclass(plugin):
        if not hasattr(plugin, one) and not hasattr(plugin, many):
            raise TypeError(f"@millrace.{kind}: {plugin.__name__} has no method {one}")
    elif not callable(plugin):
        raise TypeError(f"@millrace.{kind} is for a function or a class, not {plugin!r}")
    before = found.setdefault(kind, plugin)
    if before is not plugin and before.__qualname__ != plugin.__qualname__:
        raise TypeError(
            f"two things are @millrace.{kind}: {before.__qualname__} and {plugin.__qualname__}"
        )
    found[kind] = plugin
    return plugin


def made(kind: str, config: str, one: str, many: str) -> tuple[Any, Any]:
    """The plugin of this kind: what judges one, and what judges many or `None`."""
    plugin = found[kind]
    if inspect.isclass(plugin):
        instance = plugin(config)
        return getattr(instance, one, None), getattr(instance, many, None)
    if config:
        raise Reject(f"there is nothing to configure, and this was given: {config}")
    return plugin, None
