"""The contract's exports, for componentize-py: `millrace.build` makes a component of this
module. Nothing of it is there in a unit test.

componentize-py looks its generated classes up when this module is imported. By then, the
SDK's own have taken their places.
"""

import encodings.ascii
import encodings.cp1252
import encodings.idna
import encodings.latin_1
import encodings.utf_16
import encodings.utf_16_be
import encodings.utf_16_le
import logging
import os

# What the standard library imports only when it needs it: in a component there are no
# files to import from.
import _strptime  # noqa: F401
import componentize_py_types
import wit_world.imports.log as host_log
import wit_world.imports.types as generated
from componentize_py_types import Err

from . import _errors, _output, _runtime, log
from ._message import Batch, Header, LogAppendTime

generated.Batch = Batch
generated.Header = Header
generated.Message = _runtime.message
generated.Timestamp_CreateTime = int
generated.Timestamp_LogAppendTime = LogAppendTime
generated.Timestamp_NotAvailable = type(None)
generated.Output = _runtime.WireOutput
generated.OutputHeaders_Append = _runtime.HeadersAppend
generated.OutputHeaders_Only = _runtime.HeadersOnly
generated.OutputHeaders_Source = _runtime.HeadersSource
generated.Payload_Bytes = _runtime.PayloadBytes
generated.Payload_Null = _runtime.PayloadNull
generated.Payload_Source = _output.Source
generated.Verdict_Drop = _output.Drop
generated.Verdict_Expand = _runtime.Expand
generated.Verdict_Fail = _runtime.Fail
generated.Verdict_Forward = _output.Forward
generated.Verdict_Replace = _runtime.Replace
# The constructor of an enum gets the case's number.
generated.Field = _runtime.FIELDS.__getitem__
componentize_py_types.Ok = _runtime.Ok

_LEVELS = {level.name.lower(): level for level in host_log.Level}


def _to_host(level: str, message: str) -> None:
    host_log.log(_LEVELS[level], message)


def prepare(plugin_file: str) -> None:
    """Once, when the component is made and all of the plugin is imported."""
    _errors.root(os.path.dirname(plugin_file))
    _errors.keep_sources()
    log._sink = _to_host
    root = logging.getLogger()
    root.addHandler(log.Handler())
    root.setLevel(logging.INFO)
    _runtime.settle()


def _start(interface: _runtime.Transform | _runtime.Codec, config: str) -> None:
    try:
        interface.start(config)
    except BaseException as error:
        raise Err(_errors.text_of(error)) from None
    _runtime.settle()


class _Transform(_runtime.Transform):
    def init(self, config: str) -> None:
        _start(self, config)


class _Deserializer(_runtime.Deserializer):
    def init(self, config: str) -> None:
        _start(self, config)

    def deserialize(self, topic: str, field: str, payloads: list[bytes]) -> list[object]:
        return self.convert(topic, field, payloads)


class _Serializer(_runtime.Serializer):
    def init(self, config: str) -> None:
        _start(self, config)

    def serialize(self, topic: str, field: str, payloads: list[bytes]) -> list[object]:
        return self.convert(topic, field, payloads)


_transform = _Transform()
_deserializer = _Deserializer(Err)
_serializer = _Serializer(Err)


# componentize-py calls these once for each function that the interface has.


def Transform() -> _Transform:  # noqa: N802
    return _transform


def Deserializer() -> _Deserializer:  # noqa: N802
    return _deserializer


def Serializer() -> _Serializer:  # noqa: N802
    return _serializer
