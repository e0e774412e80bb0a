"""Write Millrace plugins in Python: one decorator a kind.

    import millrace

    @millrace.transform
    def shout(message: millrace.Message) -> millrace.Verdict:
        if message.value is None:
            return millrace.DROP
        return millrace.Output(value=message.text.upper())

A unit test is plain Python, without a host and without Wasm:

    assert shout(millrace.Message(value="hello")) == millrace.Output(value="HELLO")

What fails fails its own record alone: `millrace.Reject("why")` with exactly that
text, any other exception with its type, its message and its traceback.
"""

from . import log
from ._message import Batch, Header, LogAppendTime, Message
from ._output import DROP, FORWARD, SOURCE, Output, Verdict
from ._plugin import Place, deserializer, serializer, transform
from ._reject import Reject

__all__ = [
    "DROP",
    "FORWARD",
    "SOURCE",
    "Batch",
    "Header",
    "LogAppendTime",
    "Message",
    "Output",
    "Place",
    "Reject",
    "Verdict",
    "deserializer",
    "log",
    "serializer",
    "transform",
]
