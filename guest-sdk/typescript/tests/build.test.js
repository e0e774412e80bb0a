import assert from "node:assert/strict";
import { test } from "node:test";

import { exact64 } from "../build/exact64.js";

test("a component whose 64-bit integers can't be made whole is refused", () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);
  assert.throws(() => exact64(empty), /made 0 modules that convert 64-bit integers/);
});
