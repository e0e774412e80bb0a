// What goes out: the verdicts, made by the user and turned into the contract's.

import { bytesOrNull, headerList, int64, kind } from "./message.js";
import { decode } from "./text.js";

/** A verdict that needs no more words. */
class Plain {
  constructor(tag) {
    this.tag = tag;
    Object.freeze(this);
  }
}

export const forward = new Plain("forward");
export const drop = new Plain("drop");

/** Returned to reject a record with this reason. */
export class Fail {
  constructor(reason) {
    this.reason = String(reason);
  }
}

export function fail(reason) {
  return new Fail(reason);
}

const NAMES = new Set(["topic", "partition", "timestamp", "key", "value", "headers", "appendHeaders"]);

/** One record that goes out; what is undefined is the source message's own. */
export class Output {
  constructor(fields = {}) {
    for (const name in fields) {
      if (!NAMES.has(name)) {
        throw new TypeError(`an output has no ${name}: it has ${[...NAMES].join(", ")}`);
      }
    }
    const { topic, partition, timestamp, key, value, headers, appendHeaders } = fields;
    if (topic !== undefined && typeof topic !== "string") {
      throw new TypeError(`the topic is no string: ${kind(topic)}`);
    }
    if (partition !== undefined && partition !== (partition | 0)) {
      throw new TypeError(`the partition is no whole number of 32 bits: ${String(partition)}`);
    }
    if (headers !== undefined && appendHeaders !== undefined) {
      throw new TypeError("an output has headers or appendHeaders, not both");
    }
    this.topic = topic;
    this.partition = partition;
    this.timestamp = timestamp === undefined ? undefined : int64(timestamp, "timestamp");
    this.key = key === undefined ? undefined : bytesOrNull(key, "key");
    this.value = value === undefined ? undefined : bytesOrNull(value, "value");
    this.headers = headers === undefined ? undefined : headerList(headers);
    this.appendHeaders = appendHeaders === undefined ? undefined : headerList(appendHeaders);
  }

  text() {
    return decode(this.bytes());
  }

  json() {
    return JSON.parse(this.text());
  }

  bytes() {
    if (!(this.value instanceof Uint8Array)) {
      throw new TypeError(`the value is ${this.value === null ? "null" : "the source message's"}`);
    }
    return this.value;
  }
}

export function output(fields) {
  return new Output(fields);
}

const FORWARD = { tag: "forward" };
const DROP = { tag: "drop" };
const SOURCE = { tag: "source" };
const NULL = { tag: "null" };

/** The contract's verdict of what a user's code returned; throws where it is none. */
export function lower(verdict) {
  if (verdict instanceof Output) {
    return { tag: "replace", val: lowerOutput(verdict) };
  }
  if (verdict === forward) {
    return FORWARD;
  }
  if (verdict === drop) {
    return DROP;
  }
  if (Array.isArray(verdict)) {
    return { tag: "expand", val: verdict.map(lowerElement) };
  }
  if (verdict instanceof Fail) {
    return { tag: "fail", val: verdict.reason.toWellFormed() };
  }
  throw new TypeError(
    `a verdict is forward, drop, output(…), fail(…) or an array of outputs, and this is ${
      verdict instanceof Promise ? "a promise: a plugin can't wait" : kind(verdict)
    }`,
  );
}

function lowerElement(element) {
  if (!(element instanceof Output)) {
    throw new TypeError(`an array of outputs has something else in it: ${kind(element)}`);
  }
  return lowerOutput(element);
}

function lowerOutput(output) {
  const { topic, timestamp, headers, appendHeaders } = output;
  return {
    topic: topic === undefined ? undefined : topic.toWellFormed(),
    partition: output.partition,
    timestamp: timestamp === undefined ? undefined : int64Text(timestamp),
    key: lowerPayload(output.key),
    value: lowerPayload(output.value),
    headers:
      headers !== undefined
        ? { tag: "only", val: headers }
        : appendHeaders !== undefined
          ? { tag: "append", val: appendHeaders }
          : SOURCE,
  };
}

function lowerPayload(payload) {
  return payload === undefined ? SOURCE : payload === null ? NULL : { tag: "bytes", val: payload };
}

/** A 64-bit number as the component takes it (build/exact64.js): a sign, 19 digits. */
export function int64Text(value) {
  return value < 0n ? `-${String(-value).padStart(19, "0")}` : `0${String(value).padStart(19, "0")}`;
}
