"""What an order is, what becomes of it, and what a bad one is told."""

import unittest

import millrace
from millrace import Message, Output, Reject

from plugin import clean

ORDER = (
    '{"id":1,"customer":"c00042","amount":12.50,"currency":"EUR","status":"paid","note":"…"}'
)


def cleaned(value: str) -> str:
    verdict = clean(Message(value=value))
    assert isinstance(verdict, Output) and isinstance(verdict.value, bytes), verdict
    return verdict.value.decode()


def reason(value: str | bytes | None) -> str:
    try:
        verdict = clean(Message(value=value))
    except Reject as reject:
        return str(reject)
    raise AssertionError(f"it is an order: {verdict}")


def cents(amount: str) -> str:
    return cleaned(ORDER.replace("12.50", amount)).rpartition(":")[2].rstrip("}")


class OrdersTest(unittest.TestCase):
    def test_a_paid_order_gets_its_cents_and_keeps_the_rest_as_it_was(self) -> None:
        self.assertEqual(
            clean(Message(value=ORDER)), Output(value=ORDER[:-1] + ',"total_cents":1250}')
        )

    def test_fields_may_stand_in_any_order_with_spaces_between_and_others_are_kept(self) -> None:
        text = (
            '{ "status": "new", "tags": [1, {"a": null}], "amount": 3,\n "id": 7, '
            '"customer": "\\u0063", "currency": "EUR" }'
        )
        self.assertEqual(cleaned(text + "\n"), text[:-1] + ',"total_cents":300}')

    def test_a_note_may_hold_anything(self) -> None:
        for note in ("12:30", '\\"amount\\":1', "\\\\", "total_cents", "\\ud800", "{}", "ü😀"):
            text = ORDER.replace("…", note)
            self.assertEqual(cleaned(text), text[:-1] + ',"total_cents":1250}')

    def test_a_void_order_is_dropped_however_its_status_is_written(self) -> None:
        for status in ("void", "\\u0076oid"):
            verdict = clean(Message(value=ORDER.replace("paid", status)))
            self.assertEqual(verdict, millrace.DROP)
        self.assertIn("total_cents", cleaned(ORDER.replace("paid", "VOID")))
        void = ORDER.replace("paid", "void").replace("12.50", "1e300")
        self.assertEqual(clean(Message(value=void)), millrace.DROP)

    def test_cents_are_rounded_half_away_from_zero_from_the_double(self) -> None:
        for amount, expected in {
            "0": "0",
            "-0.0": "0",
            "0.29": "29",  # 28.999999999999996
            "0.125": "13",  # exactly half
            "-0.125": "-13",
            "1.005": "100",  # the double is below 1.005: every language's double is
            "1e3": "100000",
            "90071992547409.92": "9007199254740992",
        }.items():
            self.assertEqual(cents(amount), expected)

    def test_an_amount_that_has_no_exact_cents_fails(self) -> None:
        for amount in ("1e300", "-1.25e20"):
            self.assertEqual(
                reason(ORDER.replace("12.50", amount)),
                f"not an order: amount {amount} is too large",
            )
        for amount in ("1e400", "1" * 400, "NaN", "Infinity", "-Infinity"):
            self.assertRegex(reason(ORDER.replace("12.50", amount)), "^not JSON: ")

    def test_a_null_value_fails(self) -> None:
        self.assertEqual(reason(None), "the value is null")

    def test_what_is_no_json_fails_and_says_where(self) -> None:
        self.assertEqual(reason(""), "not JSON: Expecting value at line 1 column 1")
        for text in ("{oops}", ORDER + "}", ORDER.replace("…", "\x01"), "\ufeff" + ORDER):
            self.assertRegex(reason(text), "^not JSON: .* at line 1 column [0-9]+$")
        for text in ("c00042", "note"):
            self.assertRegex(reason(ORDER.replace(text, "\\ud800")), "^not JSON: ")
        for text in ('"\\ud800"', '{"id":"\\ud800"}', "1" * 400, '{"id":1e400}'):
            self.assertRegex(reason(text), "^not JSON: ")
        self.assertRegex(reason("[" * 100_000), "^not JSON: ")

    def test_what_is_not_utf8_fails_and_says_where(self) -> None:
        self.assertEqual(
            reason(b'{"id":"\xff"}'), "not UTF-8: invalid utf-8 sequence of 1 bytes from index 7"
        )
        self.assertEqual(
            reason(b'{"\xe2\x82'), "not UTF-8: incomplete utf-8 byte sequence from index 2"
        )

    def test_what_is_no_order_fails_and_names_the_field(self) -> None:
        array = '[1,"c00042",12.50,"EUR","paid"'
        for text, expected in {
            "42": "invalid type: integer `42`, expected struct Order",
            "null": "invalid type: null, expected struct Order",
            array + ",{}]": "`total_cents` is already there",
            array + "]": "an array",
            ORDER.replace('"amount":12.50,', ""): "missing field `amount`",
            ORDER.replace("12.50", '"12.50"'): 'invalid type: string "12.50", expected f64',
            ORDER.replace("12.50", "null"): "invalid type: null, expected f64",
            ORDER.replace("12.50", "true"): "invalid type: boolean `true`, expected f64",
            ORDER.replace('"paid"', "7"): "invalid type: integer `7`, expected a string",
            ORDER.replace('"id":1', '"id":-1'): "invalid value: integer `-1`, expected u64",
            ORDER.replace('"id":1', '"id":1.5'): "invalid type: floating point `1.5`, expected u64",
            ORDER.replace('"id":1', '"id":-0'): "invalid type: floating point `-0.0`, expected u64",
            '{"id":-99999999999999999999}': "invalid type: floating point `-1e+20`, expected u64",
            '{"id":0.00001}': "invalid type: floating point `0.00001`, expected u64",
            '{"id":1.5e-7}': "invalid type: floating point `1.5e-7`, expected u64",
            '{"id":"\\u0000\\u0001\\t\\u007f\\"é"}': (
                'invalid type: string "\\0\\u{1}\\t\\u{7f}\\"é", expected u64'
            ),
            ORDER.replace('"id":1', '"id":true'): "invalid type: boolean `true`, expected u64",
        }.items():
            self.assertEqual(reason(text), f"not an order: {expected}")

    def test_an_order_that_was_cleaned_before_fails_even_with_null_cents(self) -> None:
        for total in ("1250", "null"):
            twice = ORDER.replace('"note"', f'"total_cents":{total},"note"')
            self.assertEqual(reason(twice), "not an order: `total_cents` is already there")

    def test_a_field_given_twice_fails(self) -> None:
        twice = ORDER.replace('"note"', '"amount":1,"note"')
        self.assertEqual(reason(twice), "not an order: duplicate field `amount`")


if __name__ == "__main__":
    unittest.main()
