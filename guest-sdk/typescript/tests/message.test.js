import assert from "node:assert/strict";
import { test } from "node:test";

import { Message } from "../lib/message.js";
import { Output, drop, fail, forward, message, output } from "../index.js";
import { int64Text, lower as lowerToClass } from "../lib/output.js";

/** The contract's verdict, without the classes that it is made of. */
const lower = (verdict) => structuredClone(lowerToClass(verdict));
const utf8 = (text) => new TextEncoder().encode(text);

test("null and empty are two things", () => {
  assert.throws(() => message({}).text(), { name: "Reject", message: "the value is null" });
  assert.throws(() => message({ value: "" }).keyText(), { name: "Reject", message: "the key is null" });
  assert.equal(message({ value: "" }).text(), "");
  assert.deepEqual(lower(output({ value: null, key: "" })).val.value, { tag: "null" });
  assert.deepEqual(lower(output({ value: null, key: "" })).val.key, { tag: "bytes", val: new Uint8Array() });
});

test("text that is not JSON rejects the record", () => {
  assert.deepEqual(message({ value: '{"a":[1]}' }).json(), { a: [1] });
  assert.throws(() => message({ value: "{" }).json(), ({ name, message: reason }) => name === "Reject" && reason.startsWith("the value is not JSON: "));
});

test("text that is not UTF-8 rejects the record and says where", () => {
  const text = (...bytes) => () => message({ value: Uint8Array.from(bytes) }).text();
  assert.throws(text(0x61, 0xff), { message: "the value is not UTF-8: invalid utf-8 sequence of 1 bytes from index 1" });
  assert.throws(text(0xe2, 0x82), { message: "the value is not UTF-8: incomplete utf-8 byte sequence from index 0" });
});

test("the last header of a name wins", () => {
  const given = message({ headers: [["trace", "1"], ["trace", "2"], { name: "none", value: null }] });
  assert.equal(given.headerText("trace"), "2");
  assert.deepEqual(given.header("trace"), utf8("2"));
  assert.equal(given.header("Trace"), null);
  assert.equal(given.headerText("Trace"), null);
  assert.equal(given.header("none"), null);
  assert.deepEqual(given.headers[0], { name: "trace", value: utf8("1") });
});

test("what a component has as text reads as bytes, and what it has as bytes as text", () => {
  const fields = ["another's", 0, "k", "v", [{ name: "a", value: "1" }], 0, { tag: "not-available" }];
  for (const given of [new Message(fields, 2), message({ key: "k", value: "v", headers: [["a", "1"]] })]) {
    assert.deepEqual([given.key, given.value, given.header("a")], [utf8("k"), utf8("v"), utf8("1")]);
    assert.deepEqual([given.keyText(), given.text(), given.headerText("a")], ["k", "v", "1"]);
    assert.deepEqual(given.headers, [{ name: "a", value: utf8("1") }]);
    assert.equal(given.value, given.value);
  }
});

test("64-bit integers keep every bit, as numbers or as the component's text", () => {
  for (const value of [0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const text = int64Text(value);
    const appended = new Message([null, null, [], text, { tag: "log-append-time", val: text }], 0);
    assert.deepEqual([appended.offset, appended.timestamp, appended.timestampType], [value, value, "log-append-time"]);
    const created = new Message([null, null, [], text, text], 0);
    assert.deepEqual([created.offset, created.timestamp, created.timestampType], [value, value, "create-time"]);
    assert.equal(message({ offset: value, timestamp: value }).timestamp, value);
    assert.equal(output({ timestamp: value }).timestamp, value);
    assert.equal(int64Text(value).length, 20);
  }
  assert.equal(message({ offset: 42 }).offset, 42n);
});

test("what does not fit into 64 bits, or is not exact, is refused", () => {
  for (const timestamp of [2n ** 63n, 2 ** 53, 1.5, NaN, new Date(NaN)]) {
    assert.throws(() => output({ timestamp }), RangeError);
  }
  for (const timestamp of ["1", {}, null]) {
    assert.throws(() => output({ timestamp }), TypeError);
  }
});

test("a timestamp is a date where it can be", () => {
  assert.equal(message({}).timestamp, null);
  assert.equal(message({}).date, null);
  assert.equal(message({ timestamp: new Date(5) }).date.getTime(), 5);
  assert.equal(message({ timestamp: 2n ** 60n }).date, null);
  assert.equal(message({ timestamp: 5 }).timestampType, "create-time");
  assert.equal(message({ timestamp: 5, timestampType: "log-append-time" }).timestamp, 5n);
  assert.equal(message({ timestamp: 0 }).timestamp, 0n);
});

test("what an output was not given is the source's", () => {
  const source = { tag: "source" };
  assert.deepEqual(lower(output()), {
    tag: "replace",
    val: { topic: undefined, partition: undefined, timestamp: undefined, key: source, value: source, headers: source },
  });
  assert.deepEqual(lower(output({ topic: "t", partition: 2, timestamp: -9, value: "é" })).val, {
    topic: "t",
    partition: 2,
    timestamp: "-0000000000000000009",
    key: source,
    value: { tag: "bytes", val: utf8("é") },
    headers: source,
  });
});

test("headers replace the source's, or are added to them", () => {
  const list = [{ name: "a", value: utf8("1") }, { name: "a", value: null }];
  assert.deepEqual(lower(output({ headers: [["a", "1"], ["a", null]] })).val.headers, { tag: "only", val: list });
  assert.deepEqual(lower(output({ appendHeaders: list })).val.headers, { tag: "append", val: list });
  assert.deepEqual(lower(output({ headers: [] })).val.headers, { tag: "only", val: [] });
  assert.throws(() => output({ headers: [], appendHeaders: [] }), TypeError);
});

test("what is no output is refused when it is made", () => {
  assert.throws(() => output({ vlaue: "" }), /an output has no vlaue/);
  assert.throws(() => output({ value: 1 }), /neither a Uint8Array, a string nor null: number/);
  assert.throws(() => output({ topic: 1 }), TypeError);
  for (const partition of [1.5, 2 ** 31, "1", null]) {
    assert.throws(() => output({ partition }), TypeError);
  }
  assert.throws(() => output({ headers: [[1, ""]] }), TypeError);
});

test("every verdict has its form in the contract, and nothing else is one", () => {
  assert.deepEqual(lower(forward), { tag: "forward" });
  assert.deepEqual(lower(drop), { tag: "drop" });
  assert.deepEqual(lower(fail("why \ud800")), { tag: "fail", val: "why \ufffd" });
  assert.deepEqual(lower([]), { tag: "expand", val: [] });
  assert.equal(lower([output(), output()]).val.length, 2);
  for (const wrong of [undefined, null, "text", {}, Promise.resolve(forward), [forward]]) {
    assert.throws(() => lower(wrong), TypeError);
  }
});

test("an output's own value can be read in a test", () => {
  assert.deepEqual(output({ value: '{"a":1}' }).json(), { a: 1 });
  assert.equal(output({ value: "é" }).text(), "é");
  assert.throws(() => output().text(), /the value is the source message's/);
  assert.throws(() => new Output({ value: null }).text(), /the value is null/);
});
