"""Readings of sensors, as JSON: `{"sensor":"a1","celsius":21.5}` gets its `fahrenheit`.
The plugin's configuration is the least temperature that goes on (none: all do)."""

import json
import math

import millrace
from millrace import Message, Output, Reject, Verdict


@millrace.transform
class Plugin:
    def __init__(self, config: str) -> None:
        """Once, at the start. An exception refuses the plugin."""
        self.least = temperature(config) if config else -math.inf

    def transform(self, message: Message) -> Verdict:
        """For each record. An exception rejects this one alone, and says why."""
        reading = message.json()
        celsius = reading.get("celsius") if isinstance(reading, dict) else None
        if not isinstance(celsius, (int, float)) or isinstance(celsius, bool):
            raise Reject("a reading has a number in celsius")
        if celsius < self.least:
            return millrace.DROP
        reading["fahrenheit"] = celsius * 1.8 + 32.0
        text = json.dumps(reading, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Output(value=text)


def temperature(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Reject(f"the configuration is no temperature: {text}")
    return number
