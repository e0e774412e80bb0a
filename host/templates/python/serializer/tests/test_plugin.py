import unittest

from millrace import Place, Reject

from plugin import encode

VALUE = Place("readings", "value")


class SerializerTest(unittest.TestCase):
    def test_an_object_becomes_a_line(self) -> None:
        line = encode(b'{"sensor":"a1","celsius":21.5,"ok":true}', VALUE)
        self.assertEqual(line, "sensor=a1 celsius=21.5 ok=true")

    def test_what_fits_into_no_line_fails_with_the_reason(self) -> None:
        for json, reason in {
            b'{"a":[1]}': "a holds more than one value",
            b'{"a":"b c"}': "a has a space in it",
            b"21.5": "a reading is an object",
        }.items():
            with self.assertRaisesRegex(Reject, f"^{reason}$"):
                encode(json, VALUE)

    def test_what_is_no_json_fails(self) -> None:
        with self.assertRaisesRegex(ValueError, "^Expecting value"):
            encode(b"hot", VALUE)


if __name__ == "__main__":
    unittest.main()
