import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, fail } from "#millrace";
import plugin from "../src/plugin.js";

test("an object becomes a line", () => {
  const line = plugin.start().serialize('{"sensor":"a1","celsius":21.5,"ok":true}');
  assert.ok(line instanceof Uint8Array);
  assert.equal(decode(line), "sensor=a1 celsius=21.5 ok=true");
});

test("what fits into no line fails with the reason", () => {
  const encode = (json) => plugin.start().serialize(json);
  assert.deepEqual(encode('{"a":[1]}'), fail("a holds more than one value"));
  assert.deepEqual(encode('{"a":"b c"}'), fail("a has a space in it"));
  assert.deepEqual(encode("21.5"), fail("this is no JSON object"));
});

test("a configuration refuses the plugin", () => {
  assert.throws(() => plugin.start("upper"), /nothing to configure/);
});
