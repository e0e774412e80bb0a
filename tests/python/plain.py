"""Python's values as JSON, and back.

What JSON has no word for is an object of one name that begins with `$`:
`{"$decimal": "1.20"}`, `{"$bytes": "AAEC"}`, `{"$date": "2024-02-29"}`. Both
directions know all of them, so that what a test writes is what it reads.
"""

import base64
import math
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID


def to_python(value):
    """The Python value that this JSON stands for."""
    if isinstance(value, list):
        return [to_python(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name in FROM_JSON:
            return FROM_JSON[name](inner)
    return {name: to_python(inner) for name, inner in value.items()}


FROM_JSON = {
    "$bytes": base64.b64decode,
    "$date": date.fromisoformat,
    "$datetime": datetime.fromisoformat,
    "$decimal": Decimal,
    "$float": float,
    "$time": time.fromisoformat,
    "$uuid": UUID,
    # A union's branch by its name, as fastavro takes and gives it.
    "$branch": lambda pair: (pair[0], to_python(pair[1])),
}


def to_json(value):
    """The JSON that stands for this Python value."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case datetime():  # before date, which it is too
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case time():
            return {"$time": value.isoformat()}
        case Decimal():
            return {"$decimal": format(value, "f")}
        case UUID():
            return {"$uuid": str(value)}
        case list():
            return [to_json(item) for item in value]
        case (name, inner):
            return {"$branch": [name, to_json(inner)]}
        case dict():
            return {name: to_json(inner) for name, inner in value.items()}
    raise TypeError(f"no JSON for a {type(value).__name__}: {value!r}")
