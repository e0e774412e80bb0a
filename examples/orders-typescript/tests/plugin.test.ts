import assert from "node:assert/strict";
import { test } from "node:test";

import { Fail, Output, drop, encode, output } from "#millrace";
import plugin from "../src/plugin.js";

const ORDER = '{"id":1,"customer":"c00042","amount":12.50,"currency":"EUR","status":"paid","note":"…"}';

const started = plugin.start();
const judge = (value: string | Uint8Array | null) => started.transform({ value });

function cleaned(value: string): string {
  const verdict = judge(value);
  assert.ok(verdict instanceof Output, verdict instanceof Fail ? verdict.reason : "dropped");
  return verdict.text();
}

function reason(value: string | Uint8Array | null): string {
  const verdict = judge(value);
  assert.ok(verdict instanceof Fail);
  return verdict.reason;
}

const cents = (amount: string) => cleaned(ORDER.replace("12.50", amount)).replace(/^.*:(.*)\}$/, "$1");

test("a paid order gets its cents and keeps the rest as it was", () => {
  assert.equal(cleaned(ORDER), `${ORDER.slice(0, -1)},"total_cents":1250}`);
  const bare = ORDER.replace(',"note":"…"', "");
  assert.equal(cleaned(bare), `${bare.slice(0, -1)},"total_cents":1250}`);
});

test("fields may stand in any order with spaces between, and others are kept", () => {
  const order =
    '{ "status": "new", "tags": [1, {"a": null}], "amount": 3,\n "id": 7, "customer": "\\u0063", "currency": "EUR" }';
  assert.equal(cleaned(`${order}\n`), `${order.slice(0, -1)},"total_cents":300}`);
});

test("key, headers, timestamp and topic are the source's", () => {
  assert.deepEqual(judge(ORDER), output({ value: cleaned(ORDER) }));
});

test("a void order is dropped however its status is written", () => {
  for (const status of ["void", "\\u0076oid"]) {
    assert.equal(judge(ORDER.replace("paid", status)), drop);
  }
  assert.ok(judge(ORDER.replace("paid", "VOID")) instanceof Output);
});

test("cents are rounded half away from zero from the double", () => {
  assert.equal(cents("0"), "0");
  assert.equal(cents("-0.0"), "0");
  assert.equal(cents("0.29"), "29");
  assert.equal(cents("0.125"), "13");
  assert.equal(cents("-0.125"), "-13");
  assert.equal(cents("1.005"), "100");
  assert.equal(cents("1e3"), "100000");
  assert.equal(cents("0.0049999999999999996"), "0");
  assert.equal(cents("90071992547409.92"), "9007199254740992");
});

test("an amount that has no exact cents fails", () => {
  assert.equal(reason(ORDER.replace("12.50", "1e300")), "not an order: amount 1e300 is too large");
  assert.match(reason(ORDER.replace("12.50", "1e400")), /^not JSON: number out of range/);
});

test("a null value fails", () => {
  assert.equal(reason(null), "the value is null");
});

test("what is no JSON fails", () => {
  for (const text of ["", "{oops}", `${ORDER}}`, "\ufeff{}", "1e400", '{"id":1e400}']) {
    assert.match(reason(text), /^not JSON: /);
  }
  const bytes = encode('{"id":"?"}');
  bytes[7] = 0xff;
  assert.equal(reason(bytes), "not UTF-8: invalid utf-8 sequence of 1 bytes from index 7");
});

test("half a surrogate pair fails only where it is read", () => {
  const half = '"\\ud800"';
  assert.ok(judge(ORDER.replace('"…"', `[${half}]`)) instanceof Output);
  for (const part of ['"c00042"', '"note"']) {
    assert.match(reason(ORDER.replace(part, half)), /^not JSON: lone surrogate/);
  }
  assert.match(reason(half), /^not JSON: lone surrogate/);
});

test("what is no order fails and names the field", () => {
  assert.equal(reason("42"), "not an order: invalid type: integer `42`, expected struct Order");
  assert.equal(reason('"a\\n"'), 'not an order: invalid type: string "a\\n", expected struct Order');
  assert.equal(reason("null"), "not an order: invalid type: null, expected struct Order");
  const list = '1,"c00042",12.50,"EUR","paid"';
  assert.equal(reason(`[${list},{}]`), "not an order: `total_cents` is already there");
  assert.equal(reason(`[${list}]`), "not an order: an array");
  assert.equal(reason("[1]"), "not an order: invalid length 1, expected struct Order with 6 elements");
  assert.equal(reason("{}"), "not an order: missing field `id`");
  const wrong = (from: string, to: string) => reason(ORDER.replace(from, to)).replace("not an order: ", "");
  assert.equal(wrong('"amount":12.50,', ""), "missing field `amount`");
  assert.equal(wrong("12.50", '"12.50"'), 'invalid type: string "12.50", expected f64');
  assert.equal(wrong("12.50", "null"), "invalid type: null, expected f64");
  assert.equal(wrong("12.50", "[1,{}]"), "invalid type: sequence, expected f64");
  assert.equal(wrong('"paid"', "7"), "invalid type: integer `7`, expected a string");
  assert.equal(wrong('"paid"', "7.5"), "invalid type: floating point `7.5`, expected a string");
  assert.equal(wrong('"paid"', "1e21"), "invalid type: floating point `1e+21`, expected a string");
  assert.equal(wrong('"paid"', "true"), "invalid type: boolean `true`, expected a string");
  assert.equal(wrong('"id":1', '"id":-1'), "invalid value: integer `-1`, expected u64");
  assert.equal(wrong('"id":1', '"id":1.0'), "invalid type: floating point `1.0`, expected u64");
  assert.equal(wrong('"id":1', '"id":1.5'), "invalid type: floating point `1.5`, expected u64");
  assert.equal(wrong('"id":1', '"id":1e0'), "invalid type: floating point `1.0`, expected u64");
  assert.equal(wrong('"id":1', '"id":{}'), "invalid type: map, expected u64");
});

test("an id has 64 bits", () => {
  assert.ok(judge(ORDER.replace('"id":1', '"id":18446744073709551615')) instanceof Output);
  assert.match(reason(ORDER.replace('"id":1', '"id":18446744073709551616')), /^not an order: invalid type: floating point/);
});

test("an order that was cleaned before fails, even with null cents", () => {
  for (const total of ["1250", "null"]) {
    const twice = ORDER.replace('"note"', `"total_cents":${total},"note"`);
    assert.equal(reason(twice), "not an order: `total_cents` is already there");
  }
});

test("a field given twice fails", () => {
  for (const [name, value] of Object.entries({ id: 1, customer: '"c00042"', amount: 12.5, currency: '"EUR"', status: '"paid"' })) {
    assert.equal(reason(ORDER.replace('"note"', `"${name}":${value},"note"`)), `not an order: duplicate field \`${name}\``);
    assert.equal(reason(ORDER.replace("}", `, "${name}" : ${value} }`)), `not an order: duplicate field \`${name}\``);
  }
  assert.equal(reason(ORDER.replace('"note"', '"\\u0061mount":1,"note"')), "not an order: duplicate field `amount`");
});

test("what is taken to be an order at a glance is none where only the length is right", () => {
  assert.equal(cleaned('{"id":1,"customer":"","amount":0,"currency":"","status":""}'), '{"id":1,"customer":"","amount":0,"currency":"","status":"","total_cents":0}');
  assert.equal(cleaned(ORDER.replace("12.50", " 1.50")), ORDER.replace("12.50", " 1.50").replace(/\}$/, ',"total_cents":150}'));
  assert.match(reason(ORDER.replace('"id":1', '"id":1E2')), /floating point `100\.0`/);
});
