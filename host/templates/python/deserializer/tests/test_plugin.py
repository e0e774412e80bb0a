import unittest

from millrace import Place, Reject

from plugin import decode

VALUE = Place("readings", "value")


class DeserializerTest(unittest.TestCase):
    def test_a_line_becomes_an_object(self) -> None:
        json = decode(b"sensor=a1 celsius=21.5\n", VALUE)
        self.assertEqual(json, '{"sensor":"a1","celsius":"21.5"}')

    def test_what_is_no_pair_fails_with_the_reason(self) -> None:
        with self.assertRaisesRegex(Reject, '^there is no = in "hot"$'):
            decode(b"sensor=a1 hot", VALUE)


if __name__ == "__main__":
    unittest.main()
