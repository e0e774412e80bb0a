import assert from "node:assert/strict";
import { test } from "node:test";

import * as inNode from "../lib/text.js";

// The same as in a component: base64 natively, and no TextDecoder.
const { TextDecoder, TextEncoder } = globalThis;
const taken = Object.getOwnPropertyDescriptors(Uint8Array.prototype).toBase64;
Uint8Array.prototype.toBase64 ??= function toBase64() {
  return Buffer.from(this.buffer, this.byteOffset, this.length).toString("base64");
};
Uint8Array.fromBase64 ??= (text) => Uint8Array.from(Buffer.from(text, "base64"));
delete globalThis.TextDecoder;
const inQuickJs = await import("../lib/text.js?without-text-decoder");
globalThis.TextDecoder = TextDecoder;
assert.equal(taken === undefined || typeof taken.value === "function", true);

const TEXTS = ["", "a", "é", "naïve", "…", "日本語", "😀", "\u0000\u007f\u0080\u07ff\u0800\uffff", "\ufeffmark", "x".repeat(100), `${"x".repeat(99)}é`, "ÿ".repeat(50)];

for (const [where, { decode, encode, decodeLossy }] of Object.entries({ inNode, inQuickJs })) {
  test(`${where}: text becomes UTF-8 and text again`, () => {
    for (const text of TEXTS) {
      const bytes = encode(text);
      assert.deepEqual(bytes, new TextEncoder().encode(text));
      assert.equal(decode(bytes), text);
      assert.equal(decodeLossy(bytes), text);
    }
  });

  test(`${where}: bytes at any place in their buffer are read`, () => {
    for (const text of TEXTS) {
      for (let offset = 0; offset < 5; offset += 1) {
        const bytes = encode(text);
        const buffer = new Uint8Array(offset + bytes.length + 3).fill(0xff);
        buffer.set(bytes, offset);
        assert.equal(decode(buffer.subarray(offset, offset + bytes.length)), text);
      }
    }
  });

  test(`${where}: half of a surrogate pair becomes U+FFFD`, () => {
    for (const text of ["\ud800", "a\udc00b", "\ud83d"]) {
      assert.deepEqual(encode(text), new TextEncoder().encode(text));
    }
  });

  test(`${where}: what is no UTF-8 is found where TextDecoder finds it`, () => {
    const pieces = [[0x61], [0xc3, 0xa9], [0x80], [0xc0, 0x80], [0xe0, 0x9f], [0xed, 0xa0, 0x80], [0xf0, 0x8f], [0xf4, 0x90], [0xf5], [0xff], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xf0, 0x9f, 0x98, 0x80]];
    const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    for (const first of pieces) {
      for (const second of pieces) {
        for (const third of pieces) {
          const bytes = Uint8Array.from([...first, ...second, ...third]);
          assert.equal(decodeLossy(bytes), lossy.decode(bytes));
          let expected;
          try {
            expected = strict.decode(bytes);
          } catch {
            assert.throws(() => decode(bytes), RangeError);
            continue;
          }
          assert.equal(decode(bytes), expected);
        }
      }
    }
  });
}

test("a fault is told as Rust tells it", () => {
  const reason = (...bytes) => {
    try {
      return inQuickJs.decode(Uint8Array.from(bytes));
    } catch (error) {
      return error.message;
    }
  };
  assert.equal(reason(0x61, 0xff), "invalid utf-8 sequence of 1 bytes from index 1");
  assert.equal(reason(0xe2, 0x82, 0x61), "invalid utf-8 sequence of 2 bytes from index 0");
  assert.equal(reason(0x61, 0xf0, 0x9f, 0x98), "incomplete utf-8 byte sequence from index 1");
});
