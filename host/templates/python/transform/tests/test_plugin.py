import unittest

import millrace
from millrace import Message, Output, Reject

from plugin import Plugin


def judge(config: str, value: str) -> millrace.Verdict:
    return Plugin(config).transform(Message(value=value))


class TransformTest(unittest.TestCase):
    def test_a_reading_gets_its_fahrenheit(self) -> None:
        verdict = judge("", '{"sensor":"a1","celsius":20}')
        self.assertEqual(verdict, Output(value='{"sensor":"a1","celsius":20,"fahrenheit":68.0}'))

    def test_a_reading_below_the_least_temperature_is_dropped(self) -> None:
        self.assertEqual(judge("5", '{"celsius":4.9}'), millrace.DROP)
        self.assertNotEqual(judge("5", '{"celsius":5}'), millrace.DROP)

    def test_what_is_no_reading_fails_with_the_reason(self) -> None:
        with self.assertRaisesRegex(Reject, "^a reading has a number in celsius$"):
            judge("", '{"celsius":"hot"}')
        with self.assertRaisesRegex(Reject, "^not JSON: "):
            judge("", "hot")

    def test_a_configuration_that_is_no_temperature_refuses_the_plugin(self) -> None:
        for config in ("warm", "nan", "inf", "1e999"):
            with self.assertRaisesRegex(Reject, f"^the configuration is no temperature: {config}$"):
                Plugin(config)


if __name__ == "__main__":
    unittest.main()
