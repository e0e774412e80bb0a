// What goes out: the verdicts, made by the user in the contract's own form.

import { headerList, int64, kind } from "./message.js";
import { decode, encode, lowerText } from "./text.js";

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
    this.tag = "fail";
    this.val = String(reason).toWellFormed();
  }

  get reason() {
    return this.val;
  }
}

export function fail(reason) {
  return new Fail(reason);
}

const SOURCE = Object.freeze({ tag: "source" });
const NULL = Object.freeze({ tag: "null" });
const NAMES = new Set(["topic", "partition", "timestamp", "key", "value", "headers", "appendHeaders"]);

/** One record that goes out. It is the contract's `replace`, and reads as the user wrote it. */
export class Output {
  constructor(fields) {
    let topic;
    let partition;
    let timestamp;
    let key = SOURCE;
    let value = SOURCE;
    let headers = SOURCE;
    for (const name in fields) {
      const given = fields[name];
      switch (given === undefined && NAMES.has(name) ? "undefined" : name) {
        case "value":
          value = payload(given, name);
          break;
        case "key":
          key = payload(given, name);
          break;
        case "topic":
          topic = topicName(given);
          break;
        case "partition":
          partition = partitionNumber(given);
          break;
        case "timestamp":
          timestamp = int64Text(int64(given, name));
          break;
        case "headers":
        case "appendHeaders":
          if (headers !== SOURCE) {
            throw new TypeError("an output has headers or appendHeaders, not both");
          }
          headers = { tag: name === "headers" ? "only" : "append", val: headerList(given) };
          break;
        case "undefined":
          break;
        default:
          throw new TypeError(`an output has no ${name}: it has ${[...NAMES].join(", ")}`);
      }
    }
    this.tag = "replace";
    this.val = { topic, partition, timestamp, key, value, headers };
  }

  get topic() {
    return this.val.topic;
  }

  get partition() {
    return this.val.partition;
  }

  get timestamp() {
    const { timestamp } = this.val;
    return timestamp === undefined ? undefined : BigInt(timestamp);
  }

  get key() {
    return bytesOf(this.val.key);
  }

  get value() {
    return bytesOf(this.val.value);
  }

  get headers() {
    const { tag, val } = this.val.headers;
    return tag === "only" ? val.map(readHeader) : undefined;
  }

  get appendHeaders() {
    const { tag, val } = this.val.headers;
    return tag === "append" ? val.map(readHeader) : undefined;
  }

  text() {
    return decode(this.bytes());
  }

  json() {
    return JSON.parse(this.text());
  }

  bytes() {
    const { value } = this;
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(`the value is ${value === null ? "null" : "the source message's"}`);
    }
    return value;
  }
}

export function output(fields) {
  return new Output(fields);
}

function topicName(topic) {
  if (typeof topic !== "string") {
    throw new TypeError(`the topic is no string: ${kind(topic)}`);
  }
  return topic.toWellFormed();
}

function partitionNumber(partition) {
  if (partition !== (partition | 0)) {
    throw new TypeError(`the partition is no whole number of 32 bits: ${String(partition)}`);
  }
  return partition;
}

function payload(value, what) {
  if (typeof value === "string") {
    return { tag: "bytes", val: lowerText(value) };
  }
  if (value instanceof Uint8Array) {
    return { tag: "bytes", val: value };
  }
  if (value === null) {
    return NULL;
  }
  throw new TypeError(`the ${what} is neither a Uint8Array, a string nor null: ${kind(value)}`);
}

function bytesOf({ tag, val }) {
  return tag === "source" ? undefined : tag === "null" ? null : raised(val);
}

function readHeader({ name, value }) {
  return { name, value: raised(value) };
}

/** What `lowerText` made, as bytes. */
function raised(value) {
  return Array.isArray(value) ? encode(value[0]) : value;
}

const NO_OUTPUTS = Object.freeze([]);

/** The contract's verdict of what a user's code returned; throws where it is none. */
export function lower(verdict) {
  if (verdict instanceof Output || verdict === forward || verdict === drop || verdict instanceof Fail) {
    return verdict;
  }
  if (Array.isArray(verdict)) {
    return { tag: "expand", val: verdict.length === 0 ? NO_OUTPUTS : verdict.map(lowerElement) };
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
  return element.val;
}

/** A 64-bit number as the component takes it (build/values.js): a sign, 19 digits. */
export function int64Text(value) {
  return value < 0n ? `-${String(-value).padStart(19, "0")}` : `0${String(value).padStart(19, "0")}`;
}
