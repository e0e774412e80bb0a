// The user's code behind one shape: a function, a class or an object becomes a
// `Plugin`, which is started with a configuration, and judges.

import { reasonOf } from "./errors.js";
import { bytesOrNull, kind, message as toMessage } from "./message.js";
import { Fail, lower } from "./output.js";
import { lowerText } from "./text.js";

/** What a user's class or object has for each interface, and for many at once. */
const METHODS = {
  transform: ["transform", "transformBatch"],
  deserializer: ["deserialize", "deserializeBatch"],
  serializer: ["serialize", "serializeBatch"],
};

const STARTED = {
  transform: (own) => new StartedTransform(own),
  deserializer: (own) => new StartedCodec(own, "deserialize"),
  serializer: (own) => new StartedCodec(own, "serialize"),
};

export class Plugin {
  #make;

  constructor(interfaceName, code) {
    this.kind = interfaceName;
    this.#make = maker(interfaceName, code);
  }

  start(config = "") {
    return STARTED[this.kind](this.#make(config));
  }
}

export const transform = (code) => new Plugin("transform", code);
export const deserializer = (code) => new Plugin("deserializer", code);
export const serializer = (code) => new Plugin("serializer", code);

function maker(interfaceName, code) {
  const [one, many] = METHODS[interfaceName];
  const fits = (own) => typeof own?.[one] === "function" || typeof own?.[many] === "function";
  if (typeof code === "function") {
    if (fits(code.prototype)) {
      return (config) => new code(config);
    }
    if (!/^class\b/.test(Function.prototype.toString.call(code))) {
      return () => ({ [one]: code });
    }
  } else if (fits(code)) {
    return (config) => {
      code.init?.(config);
      return code;
    };
  }
  throw new TypeError(`${interfaceName}() takes a function, or a class or an object that has ${one}`);
}

const SOURCE = Object.freeze({ topic: "test", partition: 0 });
const PLACE = Object.freeze({ topic: "test", field: "value" });

class StartedTransform {
  #own;

  constructor(own) {
    this.#own = own;
  }

  transform(message, source = SOURCE) {
    return this.transformBatch([message], source)[0];
  }

  transformBatch(messages, source = SOURCE) {
    const kept = (verdict) => (lower(verdict), verdict);
    return judge(this.#own, messages.map(toMessage), source, kept, (reason) => new Fail(reason));
  }

  /** The contract's `process`: raw messages in, the contract's verdicts out. */
  process(messages, source) {
    return judge(this.#own, messages, source, lower, (reason) => ({ tag: "fail", val: reason }));
  }
}

function judge(own, messages, source, done, failed) {
  return own.transformBatch === undefined
    ? each(messages, (message) => done(own.transform(message, source)), failed)
    : together(messages, (some) => own.transformBatch(some, source), done, failed);
}

class StartedCodec {
  #own;
  #one;
  #many;

  constructor(own, one) {
    this.#own = own;
    this.#one = one;
    this.#many = `${one}Batch`;
  }

  deserialize(payload, place = PLACE) {
    return this.deserializeBatch([payload], place)[0];
  }

  deserializeBatch(payloads, place = PLACE) {
    const bytes = payloads.map((payload) => bytesOrNull(payload, "payload"));
    return this.convert(bytes, place, kept, (reason) => new Fail(reason));
  }

  serialize(payload, place = PLACE) {
    return this.deserializeBatch([payload], place)[0];
  }

  serializeBatch(payloads, place = PLACE) {
    return this.deserializeBatch(payloads, place);
  }

  /** The contract's `deserialize` and `serialize`. */
  convert(payloads, place, done, failed) {
    const own = this.#own;
    const [one, many] = [this.#one, this.#many];
    return own[many] === undefined
      ? each(payloads, (payload) => done(own[one](payload, place)), failed)
      : together(payloads, (some) => own[many](some, place), done, failed);
  }
}

/** A codec's result in the contract's form; throws where it is none. */
export function lowerPayload(result) {
  if (typeof result === "string") {
    return lowerText(result);
  }
  if (result instanceof Uint8Array) {
    return result;
  }
  throw new TypeError(
    `a payload is a Uint8Array or a string, and this is ${
      result instanceof Promise ? "a promise: a plugin can't wait" : kind(result)
    }`,
  );
}

/** What a unit test gets. */
function kept(result) {
  return result instanceof Fail ? result : lowerPayload(result);
}

/** One after the other: what is thrown fails its own only. */
function each(inputs, convert, failed) {
  const length = inputs.length;
  const results = new Array(length);
  for (let at = 0; at < length; at += 1) {
    try {
      results[at] = convert(inputs[at]);
    } catch (thrown) {
      results[at] = failed(reasonOf(thrown));
    }
  }
  return results;
}

/**
 * All at once by the user's own batch function. Where that throws, each is tried
 * alone, so that one bad record fails alone here, too.
 */
function together(inputs, convert, done, failed) {
  let results;
  try {
    results = convert(inputs);
    if (!Array.isArray(results)) {
      throw new TypeError(`a batch's answer is an array, and this is ${kind(results)}`);
    }
  } catch (thrown) {
    return inputs.length === 1
      ? [failed(reasonOf(thrown))]
      : inputs.flatMap((input) => together([input], convert, done, failed));
  }
  return each(results, done, failed);
}
