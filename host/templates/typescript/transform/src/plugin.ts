// Readings of sensors, as JSON: {"sensor":"a1","celsius":21.5} gets its fahrenheit.
// The plugin's configuration is the least temperature that goes on (none: all do).

import { type Message, type Verdict, drop, output, reject, transform } from "#millrace";

class Readings {
  readonly least: number;

  /** Once, at the start. What it throws refuses the plugin. */
  constructor(config: string) {
    this.least = config === "" ? -Infinity : Number(config);
    if (config !== "" && !Number.isFinite(this.least)) {
      reject(`the configuration is no temperature: ${config}`);
    }
  }

  /** For each record. What it throws rejects this one alone, and says why. */
  transform(message: Message): Verdict {
    const reading = message.json<{ celsius?: unknown } | null>();
    const celsius = reading?.celsius;
    if (typeof celsius !== "number" || !Number.isFinite(celsius)) {
      return reject("a reading has a number in celsius");
    }
    if (celsius < this.least) {
      return drop;
    }
    // Integers beyond 2^53 were rounded by JSON.parse: the SDK's README has what to do.
    return output({ value: JSON.stringify({ ...reading, fahrenheit: celsius * 1.8 + 32 }) });
  }
}

export default transform(Readings);
