import json
import unittest

import millrace
from millrace import Message, Output, Reject

from plugin import UserAgents

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def judge(user_agent: object, config: str = "") -> millrace.Verdict:
    value = json.dumps({"page": "/ü", "user_agent": user_agent}, ensure_ascii=False)
    return UserAgents(config).transform(Message(value=value))


class UserAgentsTest(unittest.TestCase):
    def test_a_click_gets_its_client_and_keeps_the_rest(self) -> None:
        verdict = judge(IPHONE)
        assert isinstance(verdict, Output) and isinstance(verdict.value, bytes)
        client = {
            "browser": "Mobile Safari",
            "version": "17",
            "system": "iOS",
            "device": "iPhone",
        }
        self.assertEqual(
            json.loads(verdict.value), {"page": "/ü", "user_agent": IPHONE, "client": client}
        )

    def test_what_is_not_known_is_null(self) -> None:
        verdict = judge("?")
        assert isinstance(verdict, Output) and isinstance(verdict.value, bytes)
        self.assertEqual(set(json.loads(verdict.value)["client"].values()), {None})

    def test_robots_are_dropped_where_people_are_asked_for(self) -> None:
        self.assertIsInstance(judge(ROBOT), Output)
        self.assertIs(judge(ROBOT, "people"), millrace.DROP)
        self.assertIsInstance(judge(IPHONE, "people"), Output)

    def test_what_is_no_click_is_rejected(self) -> None:
        for user_agent in (None, 7, ["x"]):
            with self.assertRaisesRegex(Reject, "^a click has a text in user_agent$"):
                judge(user_agent)

    def test_another_configuration_refuses_the_plugin(self) -> None:
        with self.assertRaises(Reject):
            UserAgents("robots")


if __name__ == "__main__":
    unittest.main()
