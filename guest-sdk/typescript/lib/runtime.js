// A plugin behind the contract's functions. The build makes an entry of it; nothing of
// this runs in Node.

import { reasonOf } from "./errors.js";
import { FIELDS, Message } from "./message.js";
import { Fail } from "./output.js";
import { lowerPayload } from "./plugin.js";

/** The plugins of a module's default export. */
export function pluginsOf(exported) {
  const plugins = Array.isArray(exported) ? exported : [exported];
  const kinds = plugins.map((plugin) => plugin?.kind);
  // By their looks: the build asks this of another copy of the SDK.
  if (plugins.length === 0 || !plugins.every((plugin) => plugin?.kind in SERVED && typeof plugin.start === "function")) {
    throw new TypeError(
      "the default export is no plugin: export default transform(…), deserializer(…), serializer(…), or an array of them",
    );
  }
  if (new Set(kinds).size < kinds.length) {
    throw new TypeError(`the default export has two of a kind: ${kinds.join(", ")}`);
  }
  return plugins;
}

/** The contract's interfaces, by their names, served by these plugins. */
export function serve(exported) {
  return Object.fromEntries(pluginsOf(exported).map((plugin) => [plugin.kind, SERVED[plugin.kind](plugin)]));
}

const SERVED = {
  transform(plugin) {
    let started;
    return {
      init(config) {
        started = start(plugin, config);
      },
      process({ topic, partition, messages }) {
        const count = messages.length / FIELDS;
        const read = new Array(count);
        for (let at = 0; at < count; at += 1) {
          read[at] = new Message(messages, at * FIELDS);
        }
        return started.process(read, Object.freeze({ topic, partition }));
      },
    };
  },
  deserializer: (plugin) => codec(plugin, "deserialize"),
  serializer: (plugin) => codec(plugin, "serialize"),
};

function codec(plugin, name) {
  let started;
  return {
    init(config) {
      started = start(plugin, config);
    },
    [name]: (topic, field, payloads) =>
      started.convert(payloads, Object.freeze({ topic, field }), lowerResult, lowerFault),
  };
}

function lowerResult(result) {
  return result instanceof Fail ? lowerFault(result.reason) : { tag: "ok", val: lowerPayload(result) };
}

function lowerFault(reason) {
  return { tag: "err", val: reason.toWellFormed() };
}

function start(plugin, config) {
  globalThis.__millrace.running = true;
  try {
    return plugin.start(config);
  } catch (thrown) {
    throw { payload: reasonOf(thrown) };
  }
}
