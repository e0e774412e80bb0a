import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { reject, transform } from "../index.js";
import { reasonOf } from "../lib/errors.js";
import { readMappings } from "../lib/stack.js";

afterEach(() => {
  delete globalThis.__millrace;
});

test("a source map's mappings are read", () => {
  assert.deepEqual(readMappings("AAAA,EACE;;ADAA"), [[[0, 0, 0, 0], [2, 0, 1, 2]], [], [[0, -1, 1, 2]]]);
});

test("a stack shows the user's own files, and not the SDK's", () => {
  // Line 1 of the bundle is the SDK's, line 2 the user's.
  globalThis.__millrace = { map: { offset: 1, sources: ["sdk:lib/plugin.js", "src/plugin.ts"], mappings: "AAAA;ACIE,IAAI" } };
  const error = new TypeError("no price");
  error.stack = "    at price (/x.js:3:6)\n    at <anonymous> (/x.js:3:2)\n    at map (native)\n    at each (/x.js:2:1)\n";
  assert.equal(reasonOf(error), "TypeError: no price\n  at price (src/plugin.ts:5:7)\n  at src/plugin.ts:5:3");
});

test("a record that was rejected on purpose has no stack", () => {
  globalThis.__millrace = { map: { offset: 0, sources: ["a.js"], mappings: "AAAA" } };
  assert.equal(transform(() => reject("why")).start().transform({}).reason, "why");
});
