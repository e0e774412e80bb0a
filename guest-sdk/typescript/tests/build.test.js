import assert from "node:assert/strict";
import { test } from "node:test";

import { mendValues } from "../build/values.js";

test("a component whose values can't be mended is refused", () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);
  assert.throws(() => mendValues(empty), /made 0 modules that convert values/);
});
