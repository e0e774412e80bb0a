import assert from "node:assert/strict";
import { test } from "node:test";

import { Fail, Reject, decode, deserializer, drop, fail, forward, message, output, reject, serializer, transform } from "../index.js";
import { reasonOf } from "../lib/errors.js";
import { pluginsOf, serve } from "../lib/runtime.js";

globalThis.__millrace = {};

const utf8 = (text) => new TextEncoder().encode(text);
const raw = (value) => [null, utf8(value), [], 7, 5];
const batch = (...values) => ({ topic: "numbers", partition: 3, messages: values.flatMap(raw) });

/** Rejects a value that is no number, else drops or forwards by the limit. */
class AtLeast {
  constructor(config) {
    this.least = Number(config);
    if (Number.isNaN(this.least)) {
      reject(`the limit is no number: ${config}`);
    }
  }

  transform(given, source) {
    assert.deepEqual(source, { topic: "numbers", partition: 3 });
    const number = Number(given.text());
    if (Number.isNaN(number)) {
      throw new TypeError("no number");
    }
    return number >= this.least ? forward : drop;
  }
}

test("every message gets its verdict in order, and an error fails its own only", () => {
  const { transform: served } = serve(transform(AtLeast));
  served.init("10");
  assert.deepEqual(structuredClone(served.process(batch("12", "x", "7"))), [
    { tag: "forward" },
    { tag: "fail", val: "TypeError: no number" },
    { tag: "drop" },
  ]);
});

test("a configuration is refused with the reason alone, or with an error's type", () => {
  const { transform: served } = serve(transform(AtLeast));
  assert.throws(() => served.init("ten"), { payload: "the limit is no number: ten" });
  const { transform: broken } = serve(transform({ init: (config) => config.none.at, transform: () => drop }));
  assert.throws(() => broken.init(""), ({ payload }) => payload.startsWith("TypeError: "));
  assert.throws(() => transform(AtLeast).start("ten"), Reject);
});

test("a plugin is a function, a class or an object", () => {
  const forms = [
    () => forward,
    function judge() {
      return forward;
    },
    class {
      transform() {
        return forward;
      }
    },
    { transform: () => forward },
    { transformBatch: (messages) => messages.map(() => forward) },
  ];
  for (const form of forms) {
    assert.equal(transform(form).start().transform({ value: "" }), forward);
  }
  for (const wrong of [undefined, {}, class {}, { deserialize() {} }]) {
    assert.throws(() => transform(wrong), TypeError);
  }
});

test("each start of a class is another", () => {
  const counter = transform(
    class {
      count = 0;
      transform() {
        return output({ value: String((this.count += 1)) });
      }
    },
  );
  const [one, other] = [counter.start(), counter.start()];
  assert.deepEqual(one.transformBatch([message(), {}]).map((verdict) => verdict.text()), ["1", "2"]);
  assert.equal(other.transform({}).text(), "1");
});

test("a batch that throws is tried again message by message", () => {
  const sizes = [];
  const { transform: served } = serve(
    transform({
      transformBatch(messages) {
        sizes.push(messages.length);
        return messages.map((one) => (one.text() === "bad" ? reject("bad one") : forward));
      },
    }),
  );
  served.init("");
  assert.deepEqual(structuredClone(served.process(batch("a", "bad", "c"))), [
    { tag: "forward" },
    { tag: "fail", val: "bad one" },
    { tag: "forward" },
  ]);
  assert.deepEqual(sizes, [3, 1, 1, 1]);
});

test("what a unit test gets for something thrown is what the host is told", () => {
  const started = transform((given) => {
    if (given.text() === "why") {
      return fail("why");
    }
    throw new RangeError("too far");
  }).start();
  assert.deepEqual(started.transform({ value: "why" }), new Fail("why"));
  assert.deepEqual(started.transform({ value: "" }), fail("RangeError: too far"));
});

test("one class may deserialize and serialize, and a bad payload fails alone", () => {
  class Hex {
    constructor(config) {
      if (config !== "") {
        reject(`it takes no configuration, and got ${config}`);
      }
    }

    deserialize(payload, place) {
      assert.deepEqual(place, { topic: "numbers", field: "key" });
      return Buffer.from(payload).toString("hex");
    }

    serialize(payload) {
      return /^([0-9a-f]{2})*$/.test(decode(payload)) ? new Uint8Array(Buffer.from(decode(payload), "hex")) : reject("no digits");
    }
  }
  const served = serve([deserializer(Hex), serializer(Hex)]);
  served.deserializer.init("");
  served.serializer.init("");
  assert.deepEqual(served.deserializer.deserialize("numbers", "key", [Uint8Array.of(1, 255), new Uint8Array()]), [
    { tag: "ok", val: utf8("01ff") },
    { tag: "ok", val: utf8("") },
  ]);
  assert.deepEqual(served.serializer.serialize("out", "value", [utf8("x"), utf8("01ff")]), [
    { tag: "err", val: "no digits" },
    { tag: "ok", val: Uint8Array.of(1, 255) },
  ]);
  assert.throws(() => served.serializer.init("upper"), { payload: "it takes no configuration, and got upper" });
});

test("a codec's batch function may fail one of many, and what is no payload fails", () => {
  const { serializer: served } = serve(serializer({ serializeBatch: ([first]) => [first, fail("second"), 3] }));
  served.init("");
  const [ok, second, third] = served.serialize("t", "value", [utf8("a"), utf8("b"), utf8("c")]);
  assert.deepEqual(ok, { tag: "ok", val: utf8("a") });
  assert.deepEqual(second, { tag: "err", val: "second" });
  assert.equal(third.val, "TypeError: a payload is a Uint8Array or a string, and this is number");
});

test("a default export that is no plugin is refused", () => {
  for (const wrong of [undefined, {}, [], () => forward, [transform(() => drop), transform(() => drop)]]) {
    assert.throws(() => pluginsOf(wrong), TypeError);
  }
});

test("a reason is an error's type, its message and its causes", () => {
  const cause = new RangeError("5 is too many");
  assert.equal(reasonOf(new TypeError("no price", { cause })), "TypeError: no price: RangeError: 5 is too many");
  assert.equal(reasonOf(new Error("")), "Error");
  assert.equal(reasonOf(new Reject("a\ud800")), "a\ufffd");
  assert.equal(reasonOf("text"), "text");
  assert.equal(reasonOf(undefined), "undefined");
  assert.equal(reasonOf(Object.create(null)), "object");
  assert.ok(reasonOf(new Error("é".repeat(5000))).length < 1600);
});
