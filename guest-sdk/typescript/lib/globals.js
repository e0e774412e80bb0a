// What JavaScript at large expects of its surroundings and QuickJS has not, or has
// only for the moment of the build. It comes before the user's code in the bundle.

import { log as hostLog } from "millrace:plugin/log@0.1.0";
import { getEnvironment } from "wasi:cli/environment@0.2.12";
import { getRandomBytes } from "wasi:random/random@0.2.12";
import { readEnvironment } from "./env.js";
import { log, logTo } from "./log.js";
import { decode, decodeLossy, encode } from "./text.js";

const state = (globalThis.__millrace ??= {});
state.running = false;

// While the component is built, there is no host: what the code writes then was seen
// when the build tried it.
logTo((level, text) => {
  if (state.running) {
    hostLog(level, text);
  }
});

readEnvironment(() => {
  atRuntime("env()");
  return Object.fromEntries(getEnvironment());
});

function atRuntime(what) {
  if (!state.running) {
    throw new Error(`${what} is not there while the component is built: call it from init, a constructor or later`);
  }
}

globalThis.console = Object.freeze({
  trace: log.trace,
  debug: log.debug,
  log: log.info,
  info: log.info,
  warn: log.warn,
  error: log.error,
  assert(condition, ...parts) {
    if (!condition) {
      log.error("Assertion failed", ...parts);
    }
  },
});

globalThis.TextEncoder = class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    return encode(String(text));
  }
};

globalThis.TextDecoder = class TextDecoder {
  #fatal;
  #keepMark;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!/^\s*(unicode-1-1-utf-8|utf-?8|unicode11utf8|x-unicode20utf8|unicode20utf8)\s*$/i.test(label)) {
      throw new RangeError(`there is only utf-8 here, and no ${label}`);
    }
    this.#fatal = fatal;
    this.#keepMark = ignoreBOM;
  }

  get encoding() {
    return "utf-8";
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#keepMark;
  }

  decode(input = new Uint8Array(), { stream = false } = {}) {
    if (stream) {
      throw new TypeError("a TextDecoder decodes whole texts here, and no streams");
    }
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    let text;
    try {
      text = decode(bytes);
    } catch (error) {
      if (this.#fatal) {
        throw new TypeError(error.message);
      }
      text = decodeLossy(bytes);
    }
    return !this.#keepMark && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
};

// QuickJS's own was seeded by the build. This is sfc32 by Chris Doty-Humphrey.
let seed;
function random32() {
  if (seed === undefined) {
    atRuntime("Math.random()");
    seed = new Int32Array(getRandomBytes(16).buffer);
    for (let round = 0; round < 12; round += 1) {
      random32();
    }
  }
  const [a, b, c, counter] = seed;
  const result = (a + b + counter) | 0;
  seed[0] = b ^ (b >>> 9);
  seed[1] = c + (c << 3);
  seed[2] = ((c << 21) | (c >>> 11)) + result;
  seed[3] = counter + 1;
  return result >>> 0;
}
Math.random = () => ((random32() >>> 5) * 2 ** 26 + (random32() >>> 6)) / 2 ** 53;

const crypto = {
  getRandomValues(view) {
    atRuntime("crypto.getRandomValues()");
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(getRandomBytes(view.byteLength));
    return view;
  },
  randomUUID() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  },
};
globalThis.crypto = Object.freeze(crypto);

// QuickJS's own counts from the build. This one has the wall clock's steps.
let origin;
globalThis.performance = Object.freeze({
  now: () => Date.now() - (origin ??= Date.now()),
});
