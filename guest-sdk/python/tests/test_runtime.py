"""What the host gets of a plugin."""

import unittest
from collections.abc import Callable
from typing import Any
from unittest import mock

import millrace
from millrace import Batch, Message, Output, Place, Reject, _plugin, _runtime
from millrace._errors import text_of


def started(plugin: Any, config: str = "") -> _runtime.Transform:
    with mock.patch.dict(_plugin.found, clear=True):
        millrace.transform(plugin)
        interface = _runtime.Transform()
        interface.start(config)
    return interface


def plain(verdict: Any) -> Any:
    """A verdict of the contract's as something to compare."""
    if isinstance(verdict, _runtime.Replace):
        return ("replace", output(verdict.value))
    if isinstance(verdict, _runtime.Expand):
        return ("expand", [output(wire) for wire in verdict.value])
    if isinstance(verdict, _runtime.Fail):
        return ("fail", verdict.value)
    return verdict


def output(wire: _runtime.WireOutput) -> dict[str, Any]:
    def payload(field: Any) -> Any:
        return field.value if isinstance(field, _runtime.PayloadBytes) else type(field).__name__

    headers = wire.headers
    return {
        "key": payload(wire.key),
        "value": payload(wire.value),
        "topic": wire.topic,
        "partition": wire.partition,
        "timestamp": wire.timestamp,
        "headers": (type(headers).__name__, getattr(headers, "value", None)),
    }


SOURCE = {
    "key": "Source",
    "value": "Source",
    "topic": None,
    "partition": None,
    "timestamp": None,
    "headers": ("HeadersSource", None),
}


def judged(plugin: Any, *values: Any) -> list[Any]:
    batch = Batch("numbers", 3, [Message(value) for value in values])
    return [plain(verdict) for verdict in started(plugin).process(batch)]


class TransformTest(unittest.TestCase):
    def test_every_message_gets_its_verdict_in_order_and_an_exception_fails_its_own_only(
        self,
    ) -> None:
        def at_least_ten(message: Message) -> millrace.Verdict:
            assert (message.topic, message.partition) == ("numbers", 3)
            if message.value == b"":
                raise Reject("no number")
            return millrace.FORWARD if int(message.text) >= 10 else millrace.DROP

        verdicts = judged(at_least_ten, "12", "x", "7", "", b"\xff", "10")
        self.assertEqual(verdicts[0], millrace.FORWARD)
        self.assertTrue(
            verdicts[1][1].startswith("ValueError: invalid literal for int()"), verdicts[1]
        )
        self.assertEqual(
            verdicts[2:],
            [
                millrace.DROP,
                ("fail", "no number"),
                ("fail", "the value is not UTF-8: invalid start byte at byte 0"),
                millrace.FORWARD,
            ],
        )

    def test_an_output_goes_out_as_it_was_given(self) -> None:
        def every(message: Message) -> millrace.Verdict:
            if message.value == b"source":
                return Output()
            if message.value == b"null":
                return Output(value=None, key=None, headers=[])
            return Output(
                value="v",
                key=b"\xff",
                topic="t",
                partition=2**31 - 1,
                timestamp=-(2**63),
                add_headers=[("é", None)],
            )

        everything = {
            "key": b"\xff",
            "value": b"v",
            "topic": "t",
            "partition": 2**31 - 1,
            "timestamp": -(2**63),
            "headers": ("HeadersAppend", [("é", None)]),
        }
        null = SOURCE | {
            "key": "PayloadNull",
            "value": "PayloadNull",
            "headers": ("HeadersOnly", []),
        }
        # The outputs of a call are used again in the next one, and nothing may be left.
        transform = started(every)
        for values in (["", "source", "null"], ["null", "", "source"], ["source", "null", ""]):
            batch = Batch("t", 0, [Message(value) for value in values])
            expected = {"": everything, "source": SOURCE, "null": null}
            self.assertEqual(
                [plain(verdict) for verdict in transform.process(batch)],
                [("replace", expected[value]) for value in values],
            )

    def test_a_list_and_a_generator_are_several_outputs(self) -> None:
        def several(message: Message) -> Any:
            for letter in message.text:
                if letter == "!":
                    raise Reject("no letter")
                yield Output(value=letter)

        a, b = (SOURCE | {"value": letter} for letter in (b"a", b"b"))
        self.assertEqual(
            judged(several, "ab", "", "a!"),
            [("expand", [a, b]), ("expand", []), ("fail", "no letter")],
        )
        self.assertEqual(judged(lambda _: [Output("a")], "x"), [("expand", [a])])
        self.assertEqual(judged(lambda _: (), "x"), [("expand", [])])

    def test_what_is_no_verdict_fails_and_says_so(self) -> None:
        what = "TypeError: a verdict is FORWARD, DROP, an Output or several, not "
        for verdict, name in [(None, "None"), ("text", "str"), (b"", "bytes"), (1, "int")]:
            self.assertEqual(judged(lambda _: verdict, "x"), [("fail", what + name)])
        self.assertEqual(
            judged(lambda _: ["a"], "x"),
            [("fail", "TypeError: a verdict's outputs are Output, not str")],
        )

    def test_what_the_contract_can_not_say_fails_its_own_record(self) -> None:
        def set_later(name: str, value: Any) -> Callable[[Message], Output]:
            def plugin(_: Message) -> Output:
                output = Output()
                setattr(output, name, value)
                return output

            return plugin

        for name, value, reason in [
            ("partition", 2**31, "OverflowError: a partition has 32 bits: 2147483648"),
            ("partition", "1", "TypeError: a partition is an int or None, not str"),
            ("timestamp", 1.5, "TypeError: a timestamp is an int or None, not float"),
            ("timestamp", 2**63, "OverflowError: a timestamp has 64 bits: 9223372036854775808"),
            ("topic", b"t", "TypeError: a topic is a str or None, not bytes"),
            ("topic", "\ud800", "UnicodeEncodeError: 'utf-8' codec can't encode"),
            ("value", 5, "TypeError: a value is bytes, str or None, not int"),
            ("key", [], "TypeError: a key is bytes, str or None, not list"),
            ("headers", [("\udfff", b"")], "UnicodeEncodeError: 'utf-8' codec can't encode"),
            ("add_headers", [("a", 1)], "TypeError: a header's value is bytes, str or None"),
        ]:
            [(verdict, text)] = judged(set_later(name, value), "x")
            self.assertEqual(verdict, "fail")
            self.assertTrue(text.startswith(reason), text)

    def test_a_class_gets_the_configuration_and_a_function_has_none(self) -> None:
        class Configured:
            def __init__(self, config: str) -> None:
                self.config = config

            def transform(self, message: Message) -> Output:
                return Output(value=self.config)

        batch = Batch("t", 0, [Message("x")])
        [verdict] = started(Configured, "c").process(batch)
        self.assertEqual(plain(verdict), ("replace", SOURCE | {"value": b"c"}))
        with self.assertRaisesRegex(Reject, "there is nothing to configure, .*: c$"):
            started(lambda message: millrace.DROP, "c")

    def test_a_batch_hook_judges_all_at_once_and_alone_after_an_exception(self) -> None:
        calls = []

        class Together:
            def __init__(self, config: str) -> None:
                pass

            def transform_batch(self, batch: Batch) -> list[millrace.Verdict]:
                calls.append(len(batch.messages))
                assert batch.messages[0].topic == batch.topic == "numbers"
                return [
                    Reject("no") if message.value == b"no" else Output(str(1 // int(message.text)))
                    for message in batch.messages
                ]

        one = ("replace", SOURCE | {"value": b"1"})
        self.assertEqual(judged(Together, "1", "no", "1"), [one, ("fail", "no"), one])
        verdicts = judged(Together, "1", "0", "1")
        self.assertEqual((verdicts[0], verdicts[2]), (one, one))
        self.assertTrue(verdicts[1][1].startswith("ZeroDivisionError: "), verdicts[1])
        self.assertEqual(calls, [3, 3, 1, 1, 1])

    def test_sys_exit_is_no_way_out(self) -> None:
        self.assertTrue(judged(lambda _: exit(3), "x")[0][1].startswith("SystemExit: 3"))

    def test_two_transforms_are_one_too_many(self) -> None:
        with mock.patch.dict(_plugin.found, clear=True):
            millrace.transform(lambda message: millrace.DROP)
            with self.assertRaisesRegex(TypeError, "two things are @millrace.transform"):
                millrace.transform(len)


class CodecTest(unittest.TestCase):
    def converted(self, plugin: Any, *payloads: bytes) -> list[Any]:
        with mock.patch.dict(_plugin.found, clear=True):
            millrace.deserializer(plugin)
            interface = _runtime.Deserializer(lambda reason: ("err", reason))
            interface.start("")
        results = interface.convert("numbers", "key", list(payloads))
        return [result.value if isinstance(result, _runtime.Ok) else result for result in results]

    def test_each_payload_gets_its_result_and_a_bad_one_fails_alone(self) -> None:
        def digits(payload: bytes, place: Place) -> bytes | str:
            assert place == Place("numbers", "key")
            if payload == b"no":
                raise Reject("no digits")
            return payload.hex() if payload else b""

        self.assertEqual(
            self.converted(digits, b"\x01\xff", b"no", b""), [b"01ff", ("err", "no digits"), b""]
        )
        reason = ("err", "TypeError: a result is bytes or str, not None")
        self.assertEqual(self.converted(lambda payload, place: None, b""), [reason])

    def test_a_batch_hook_converts_all_at_once_and_alone_after_an_exception(self) -> None:
        class Halves:
            def __init__(self, config: str) -> None:
                pass

            def deserialize(self, payload: bytes, place: Place) -> bytes:
                raise AssertionError("the other one is called")

            def deserialize_batch(self, payloads: list[bytes], place: Place) -> list[Any]:
                return [Reject("odd") if int(n) % 2 else str(int(n) // 2) for n in payloads]

        self.assertEqual(self.converted(Halves, b"4", b"3"), [b"2", ("err", "odd")])
        results = self.converted(Halves, b"4", b"x")
        self.assertEqual(results[0], b"2")
        self.assertTrue(results[1][1].startswith("ValueError: "), results[1])


class ReasonTest(unittest.TestCase):
    def raised(self, raising: Callable[[], Any]) -> str:
        try:
            raising()
        except BaseException as error:
            return text_of(error)
        raise AssertionError("nothing was raised")

    def test_a_reject_is_its_text_and_nothing_else(self) -> None:
        def reject() -> None:
            try:
                int("x")
            except ValueError as error:
                raise Reject("why\nnot") from error

        self.assertEqual(self.raised(reject), "why\nnot")

    def test_another_exception_has_its_type_its_frames_and_its_causes(self) -> None:
        class Odd(Exception):
            pass

        def inner() -> None:
            raise Odd("one") from ValueError("two")

        first, again = (self.raised(inner) for _ in range(2))
        self.assertRegex(
            first,
            r"\AOdd: one\n"
            r'(  File "[^"\n]+", line \d+, in \S+\n    .+\n)+'
            r'  File "[^"\n]+", line \d+, in inner\n'
            r'    raise Odd\("one"\) from ValueError\("two"\)\n'
            r"caused by ValueError: two\Z",
        )
        self.assertEqual(first, again)

    def test_a_reason_has_a_bound_and_no_addresses(self) -> None:
        def deep(number: int) -> None:
            if number == 0:
                raise ValueError(f"{object()} {'ü' * 5000}")
            deep(number - 1)

        text = self.raised(lambda: deep(50))
        self.assertTrue(text.startswith("ValueError: <object object> üü"), text)
        self.assertLessEqual(len(text.encode()), 2048)

    def test_half_of_a_surrogate_pair_and_a_broken_str_are_no_trap(self) -> None:
        class Broken(Exception):
            def __str__(self) -> str:
                raise ValueError

        def broken() -> None:
            raise Broken

        def half() -> None:
            raise Reject("\ud800")

        self.assertEqual(self.raised(broken), "Broken")
        self.assertEqual(self.raised(half), "?")


if __name__ == "__main__":
    unittest.main()
