// The JSON that a transform wrote, {"sensor":"a1","celsius":21.5}, to lines like
// `sensor=a1 celsius=21.5`.

import { decode, reject, serializer } from "#millrace";

export default serializer({
  /** Once, at the start. What it throws refuses the plugin. */
  init(config: string) {
    if (config !== "") {
      reject(`there is nothing to configure, and this was given: ${config}`);
    }
  },

  /** For each payload. What it throws rejects its record alone, and says why. */
  serialize(payload: Uint8Array): string {
    const fields: unknown = JSON.parse(decode(payload));
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
      return reject("this is no JSON object");
    }
    const pairs = Object.entries(fields).map(([name, value]) => {
      if (typeof value === "object" && value !== null) {
        return reject(`${name} holds more than one value`);
      }
      const pair = `${name}=${value}`;
      return /\s/.test(pair) ? reject(`${name} has a space in it`) : pair;
    });
    return pairs.join(" ");
  },
});
