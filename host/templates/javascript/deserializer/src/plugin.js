// Lines like `sensor=a1 celsius=21.5` to the JSON that a transform reads:
// {"sensor":"a1","celsius":"21.5"}.

import { decode, deserializer, reject } from "#millrace";

export default deserializer({
  /**
   * Once, at the start. What it throws refuses the plugin.
   * @param {string} config
   */
  init(config) {
    if (config !== "") {
      reject(`there is nothing to configure, and this was given: ${config}`);
    }
  },

  /**
   * For each payload. What it throws rejects its record alone, and says why.
   * @param {Uint8Array} payload
   * @returns {string}
   */
  deserialize(payload) {
    const pairs = decode(payload).split(/\s+/).filter((pair) => pair !== "");
    const fields = pairs.map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? reject(`there is no = in "${pair}"`) : [pair.slice(0, equals), pair.slice(equals + 1)];
    });
    return JSON.stringify(Object.fromEntries(fields));
  },
});
