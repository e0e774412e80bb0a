"""The JSON that a transform wrote, `{"sensor":"a1","celsius":21.5}`, to lines like
`sensor=a1 celsius=21.5`."""

import json

import millrace
from millrace import Place, Reject


@millrace.serializer
def encode(payload: bytes, place: Place) -> str:
    """For each payload. An exception rejects its record alone, and says why."""
    fields = json.loads(payload)
    if not isinstance(fields, dict):
        raise Reject("a reading is an object")
    pairs = []
    for name, value in fields.items():
        if isinstance(value, (dict, list)):
            raise Reject(f"{name} holds more than one value")
        text = value if isinstance(value, str) else json.dumps(value)
        pair = f"{name}={text}"
        if pair.split() != [pair]:
            raise Reject(f"{name} has a space in it")
        pairs.append(pair)
    return " ".join(pairs)
