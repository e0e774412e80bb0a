"""Clicks, as JSON, with a `user_agent` get a `client`: browser, system and device.
With the configuration `people`, those of robots are dropped."""

import json
from functools import lru_cache

import millrace
from millrace import Message, Output, Reject, Verdict
from ua_parser import Parser
from ua_parser.basic import Resolver
from ua_parser.loaders import load_builtins

# The rules are compiled when this module is imported: when the component is built.
PARSER = Parser(Resolver(load_builtins()))
ROBOT = "Spider"


@lru_cache(maxsize=10_000)
def client(user_agent: str) -> dict[str, str | None]:
    """What a browser says that it is; `None` for what is not known of it."""
    found = PARSER.parse(user_agent)
    browser, system, device = found.user_agent, found.os, found.device
    return {
        "browser": browser and browser.family,
        "version": browser and browser.major,
        "system": system and system.family,
        "device": device and device.family,
    }


@millrace.transform
class UserAgents:
    def __init__(self, config: str) -> None:
        if config not in ("", "people"):
            raise Reject(f"the configuration is people or nothing, and not {config}")
        self.people_only = config == "people"

    def transform(self, message: Message) -> Verdict:
        click = message.json()
        user_agent = click.get("user_agent") if isinstance(click, dict) else None
        if not isinstance(user_agent, str):
            raise Reject("a click has a text in user_agent")
        known = client(user_agent)
        if self.people_only and known["device"] == ROBOT:
            return millrace.DROP
        click["client"] = known
        text = json.dumps(click, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Output(value=text)
