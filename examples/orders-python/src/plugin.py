"""Cleans orders, as JSON: `void` ones are dropped, the others get `total_cents` and go out
as they came otherwise (with a note, or whatever else they have).

`clean` takes the common order, and is fast; what has anything unusual about it goes to
`order`, which reads it again, slowly and exactly, and finds the reason if it is none.
"""

import json
import math
import sys
from decimal import Decimal
from typing import Any

import millrace
from millrace import Message, Output, Reject, Verdict

FIELDS = ("id", "customer", "amount", "currency", "status")
U64 = 2**64
EXACT = 2.0**53

# An integer may be as long as its record.
sys.set_int_max_str_digits(0)


def refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


scan = json.JSONDecoder(parse_constant=refused).scan_once


@millrace.transform
def clean(message: Message) -> Verdict:
    value = message.value
    if value is None:
        raise Reject("the value is null")
    try:
        text = value.decode()
        fields, end = scan(text, 0)
        amount = fields["amount"]
        if amount.__class__ is int:
            amount = float(amount)
        # As many colons as fields: none is given twice, there are no objects in it, and
        # no backslash means no halves of surrogate pairs.
        common = (
            end == len(text)
            and text.count(":") == len(fields)
            and "\\" not in text
            and "total_cents" not in fields
            and amount.__class__ is float
            and amount - amount == 0.0  # It is finite.
            and fields["id"].__class__ is int
            and 0 < fields["id"] < U64
            and fields["customer"].__class__ is str
            and fields["currency"].__class__ is str
            and (status := fields["status"]).__class__ is str
        )
    except (ArithmeticError, LookupError, RecursionError, StopIteration, TypeError, ValueError):
        common = False
    if not common:
        text = utf8(value)
        amount, status = order(text)
        value = text.rstrip().encode()
    if status == "void":
        return millrace.DROP
    # The text is kept, not written anew: nothing of it changes, and it's faster.
    return Output(value=b'%b,"total_cents":%d}' % (value[:-1], cents(amount)))


def cents(amount: float) -> int:
    """Rounded half away from zero."""
    exact = amount * 100.0
    if not -EXACT <= exact <= EXACT:
        raise Reject(f"not an order: amount {scientific(amount)} is too large")
    whole = int(exact)
    part = exact - whole
    return whole + 1 if part >= 0.5 else whole - 1 if part <= -0.5 else whole


def scientific(number: float) -> str:
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    return f"{'-' if sign else ''}{point}e{int(exponent) + len(text) - 1}"


def utf8(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        at = f"from index {error.start}"
        if error.reason == "unexpected end of data":
            raise Reject(f"not UTF-8: incomplete utf-8 byte sequence {at}") from None
        size = error.end - error.start
        raise Reject(f"not UTF-8: invalid utf-8 sequence of {size} bytes {at}") from None


class Object(list[tuple[str, Any]]):
    """An object's fields as they stand there, those that are given twice, too."""


class Integer(str):
    """An integer as it stands there."""

    def fits(self) -> bool:
        """Into 64 bits; -0 is a double's."""
        return self != "-0" and -(2**63) <= int(self) < U64


exactly = json.JSONDecoder(
    object_pairs_hook=Object, parse_int=Integer, parse_constant=refused
)


def order(text: str) -> tuple[float, str]:
    """The amount and the status of an order that was read exactly."""
    if text[:1] == "\ufeff":
        raise Reject("not JSON: expected value at line 1 column 1")
    try:
        read = exactly.decode(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno} column {error.colno}"
        raise Reject(f"not JSON: {error.msg} at {at}") from None
    except ValueError as error:
        raise Reject(f"not JSON: {error}") from None
    except RecursionError:
        raise Reject("not JSON: recursion limit exceeded") from None
    if isinstance(read, Object):
        fields = named(read)
        if missing := [name for name in FIELDS if name not in fields]:
            raise Reject(f"not an order: missing field `{missing[0]}`")
        return fields["amount"], fields["status"]
    if isinstance(read, list):
        for name, value in zip(FIELDS, read):
            checked(name, value)
        if len(read) < len(FIELDS):
            expected = "struct Order with 6 elements"
            raise Reject(f"not an order: invalid length {len(read)}, expected {expected}")
        if len(read) > len(FIELDS):
            raise Reject("not an order: `total_cents` is already there")
        raise Reject("not an order: an array")
    raise invalid(sound(read), "struct Order")


def named(pairs: Object) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        sound(name)
        if name == "total_cents":
            raise Reject("not an order: `total_cents` is already there")
        if name in FIELDS:
            if name in fields:
                raise Reject(f"not an order: duplicate field `{name}`")
            fields[name] = checked(name, value)
    return fields


def checked(name: str, value: Any) -> Any:
    """The field's value, if it is what the field holds."""
    sound(value)
    if name == "id":
        if not isinstance(value, Integer) or not value.fits():
            raise invalid(value, "u64")
        if int(value) < 0:
            raise Reject(f"not an order: invalid value: integer `{value}`, expected u64")
        return int(value)
    if name == "amount":
        if not isinstance(value, (Integer, float)):
            raise invalid(value, "f64")
        return float(value)
    if isinstance(value, Integer) or not isinstance(value, str):
        raise invalid(value, "a string")
    return value


def sound(value: Any) -> Any:
    """The value, if it is JSON for those, too, who read it: no number that no double can be,
    and no half of a surrogate pair."""
    if isinstance(value, (Integer, float)):
        if math.isinf(float(value)):
            raise Reject("not JSON: number out of range")
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise Reject("not JSON: lone surrogate in hex escape")
    return value


def invalid(value: Any, expected: str) -> Reject:
    return Reject(f"not an order: invalid type: {kind(value)}, expected {expected}")


# As Rust's Debug shows ASCII.
ESCAPES = {
    **{code: f"\\u{{{code:x}}}" for code in (*range(0x20), 0x7F)},
    **str.maketrans({"\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r"}),
    **str.maketrans({'"': '\\"', "\\": "\\\\"}),
}


def kind(value: Any) -> str:
    if isinstance(value, Integer) and value.fits():
        return f"integer `{value}`"
    if isinstance(value, (Integer, float)):
        return f"floating point `{floating(float(value))}`"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{'true' if value else 'false'}`"
    if isinstance(value, str):
        return f'string "{value.translate(ESCAPES)}"'
    return "map" if isinstance(value, Object) else "sequence"


def floating(number: float) -> str:
    if 1e-5 <= abs(number) < 1e-4:
        return f"{Decimal(repr(number)):f}"
    return repr(number).replace("e-0", "e-")
