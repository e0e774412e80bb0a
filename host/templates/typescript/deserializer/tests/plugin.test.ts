import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, fail } from "#millrace";
import plugin from "../src/plugin.js";

test("a line becomes an object", () => {
  const json = plugin.start().deserialize("sensor=a1 celsius=21.5\n");
  assert.ok(json instanceof Uint8Array);
  assert.equal(decode(json), '{"sensor":"a1","celsius":"21.5"}');
});

test("what is no pair fails with the reason", () => {
  assert.deepEqual(plugin.start().deserialize("sensor=a1 hot"), fail('there is no = in "hot"'));
});

test("a configuration refuses the plugin", () => {
  assert.throws(() => plugin.start("upper"), /nothing to configure/);
});
