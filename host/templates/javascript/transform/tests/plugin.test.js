import assert from "node:assert/strict";
import { test } from "node:test";

import { Fail, Output, drop } from "#millrace";
import plugin from "../src/plugin.js";

function judge(config, value) {
  return plugin.start(config).transform({ value });
}

/** The new value, as text. */
function value(verdict) {
  assert.ok(verdict instanceof Output);
  return verdict.text();
}

function reason(verdict) {
  assert.ok(verdict instanceof Fail);
  return verdict.reason;
}

test("a reading gets its fahrenheit", () => {
  const verdict = judge("", '{"sensor":"a1","celsius":20}');
  assert.equal(value(verdict), '{"sensor":"a1","celsius":20,"fahrenheit":68}');
});

test("a reading below the least temperature is dropped", () => {
  assert.equal(judge("5", '{"celsius":4.9}'), drop);
  assert.notEqual(judge("5", '{"celsius":5}'), drop);
});

test("what is no reading fails with the reason", () => {
  assert.equal(reason(judge("", '{"celsius":"hot"}')), "a reading has a number in celsius");
  assert.equal(reason(judge("", "null")), "a reading has a number in celsius");
  assert.match(reason(judge("", "hot")), /^the value is not JSON: /);
});

test("a configuration that is no temperature refuses the plugin", () => {
  for (const config of ["warm", "NaN", "Infinity", "1e999"]) {
    assert.throws(() => plugin.start(config), { message: `the configuration is no temperature: ${config}` });
  }
});
