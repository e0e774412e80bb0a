"""Lines like `sensor=a1 celsius=21.5` to the JSON that a transform reads:
`{"sensor":"a1","celsius":"21.5"}`."""

import json

import millrace
from millrace import Place, Reject


@millrace.deserializer
def decode(payload: bytes, place: Place) -> str:
    """For each payload. An exception rejects its record alone, and says why."""
    fields = {}
    for pair in payload.decode().split():
        name, equals, value = pair.partition("=")
        if not equals:
            raise Reject(f'there is no = in "{pair}"')
        fields[name] = value
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
