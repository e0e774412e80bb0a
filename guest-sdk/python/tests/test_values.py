"""What comes in and what goes out."""

import unittest

import millrace
from millrace import Header, LogAppendTime, Message, Output, Reject


class MessageTest(unittest.TestCase):
    def test_text_is_encoded_and_null_is_not_empty(self) -> None:
        message = Message("ü", key="", headers=[("a", "1"), ("a", None), ("a", b"\xff")])
        self.assertEqual((message.value, message.key), (b"\xc3\xbc", b""))
        self.assertEqual(
            message.headers, [Header("a", b"1"), Header("a", None), Header("a", b"\xff")]
        )
        self.assertIsNone(Message().value)
        self.assertNotEqual(Message(), Message(""))

    def test_a_value_that_is_no_text_or_no_json_rejects_and_says_why(self) -> None:
        for message, reason in [
            (Message(), "the value is null"),
            (Message(b"a\xff"), "the value is not UTF-8: invalid start byte at byte 1"),
            (Message("{"), "not JSON: Expecting property name enclosed in double quotes: line 1"),
        ]:
            with self.assertRaises(Reject) as raised:
                message.json()
            self.assertTrue(str(raised.exception).startswith(reason), raised.exception)
        self.assertEqual(Message('{"a":[1]}').json(), {"a": [1]})

    def test_the_last_header_of_a_name_wins(self) -> None:
        message = Message(headers=[("trace", "1"), ("trace", "2"), ("null", "1"), ("null", None)])
        self.assertEqual(message.header("trace"), b"2")
        self.assertIsNone(message.header("null"))
        self.assertIsNone(message.header("Trace"))

    def test_a_timestamp_says_who_set_it(self) -> None:
        self.assertIsNone(Message().timestamp_type)
        self.assertEqual(Message(timestamp=-1).timestamp_type, "create-time")
        message = Message(timestamp=LogAppendTime(5))
        self.assertEqual((message.timestamp, message.timestamp_type), (5, "log-append-time"))


class OutputTest(unittest.TestCase):
    def test_what_is_not_given_is_the_sources(self) -> None:
        output = Output(topic="t")
        self.assertIs(output.value, millrace.SOURCE)
        self.assertIs(output.key, millrace.SOURCE)
        self.assertEqual(repr(output), "Output(topic='t')")
        self.assertEqual(repr(Output(value="v", key=None)), "Output(value=b'v', key=None)")

    def test_none_is_null_and_an_empty_value_is_not(self) -> None:
        self.assertEqual(Output(value="v"), Output(b"v"))
        self.assertNotEqual(Output(value=None), Output())
        self.assertNotEqual(Output(value=None), Output(value=""))

    def test_headers_are_added_or_replaced_and_not_both(self) -> None:
        self.assertEqual(Output(add_headers=[("a", "1")]).add_headers, [Header("a", b"1")])
        self.assertEqual(Output(headers=[]).headers, [])
        with self.assertRaises(TypeError):
            Output(headers=[], add_headers=[])

    def test_what_is_no_payload_is_a_type_error(self) -> None:
        for make in (
            lambda: Output(value=1),
            lambda: Output(key={}),
            lambda: Output(headers=[("a", 1)]),
            lambda: Output(headers=[(b"a", "1")]),
            lambda: Message(value=1.5),
        ):
            with self.assertRaises(TypeError):
                make()


if __name__ == "__main__":
    unittest.main()
