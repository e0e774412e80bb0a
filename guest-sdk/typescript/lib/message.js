// What comes in: reading a message, and making one for a unit test.

import { Reject } from "./errors.js";
import { decode, encode, lowerText } from "./text.js";

/** What a date can be, in milliseconds from 1970, either way. */
const DATES = 8_640_000_000_000_000n;

/** How many fields of a batch's list are one message. */
export const FIELDS = 5;

export class Message {
  #fields;
  #at;
  #value;
  #headers;

  /**
   * Five fields of a batch, from `at`: key, value, headers, offset and timestamp. Payloads
   * are strings where they are ASCII, numbers beyond 2^53 are decimal text, and a
   * timestamp that the producer set is the number alone (build/values.js).
   */
  constructor(fields, at) {
    this.#fields = fields;
    this.#at = at;
  }

  get key() {
    return toBytes(this.#fields[this.#at]);
  }

  get value() {
    return (this.#value ??= toBytes(this.#fields[this.#at + 1]));
  }

  get headers() {
    return (this.#headers ??= this.#fields[this.#at + 2].map(({ name, value }) => ({ name, value: toBytes(value) })));
  }

  get offset() {
    return BigInt(this.#fields[this.#at + 3]);
  }

  get timestamp() {
    const given = this.#fields[this.#at + 4];
    return given.tag === "not-available" ? null : BigInt(given.val ?? given);
  }

  get timestampType() {
    return this.#fields[this.#at + 4].tag ?? "create-time";
  }

  get date() {
    const { timestamp } = this;
    return timestamp === null || timestamp > DATES || timestamp < -DATES ? null : new Date(Number(timestamp));
  }

  text() {
    const value = this.#fields[this.#at + 1];
    return typeof value === "string" ? value : read(value, "value");
  }

  json() {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Reject(`the value is not JSON: ${error.message}`);
    }
  }

  bytes() {
    return this.value ?? missing("value");
  }

  keyText() {
    return read(this.#fields[this.#at], "key");
  }

  header(name) {
    const value = this.#last(name);
    return value === undefined ? null : toBytes(value);
  }

  headerText(name) {
    const value = this.#last(name) ?? null;
    return value === null ? null : read(value, `header ${name}`);
  }

  #last(name) {
    return this.#fields[this.#at + 2].findLast((header) => header.name === name)?.value;
  }
}

function toBytes(payload) {
  return typeof payload === "string" ? encode(payload) : payload;
}

function missing(what) {
  throw new Reject(`the ${what} is null`);
}

function read(payload, what) {
  if (typeof payload === "string") {
    return payload;
  }
  try {
    return decode(payload ?? missing(what));
  } catch (error) {
    throw error instanceof Reject ? error : new Reject(`the ${what} is not UTF-8: ${error.message}`);
  }
}

/** A message for a unit test: what is left out is null, 0 or not there. */
export function message(fields = {}) {
  if (fields instanceof Message) {
    return fields;
  }
  const { key = null, value = null, headers = [], offset = 0n, timestamp = null } = fields;
  const { timestampType = timestamp === null ? "not-available" : "create-time" } = fields;
  const millis = timestamp === null ? 0n : int64(timestamp, "timestamp");
  return new Message(
    [
      bytesOrNull(key, "key"),
      bytesOrNull(value, "value"),
      headerList(headers),
      int64(offset, "offset"),
      timestampType === "create-time" ? millis : { tag: timestampType, val: millis },
    ],
    0,
  );
}

/** A payload: bytes, text, or Kafka's null. */
export function bytesOrNull(payload, what) {
  if (payload === null || payload instanceof Uint8Array) {
    return payload;
  }
  if (typeof payload === "string") {
    return encode(payload);
  }
  throw new TypeError(`the ${what} is neither a Uint8Array, a string nor null: ${kind(payload)}`);
}

/** Headers as the contract has them, from `[name, value]` or `{ name, value }`. */
export function headerList(headers) {
  const list = [];
  for (const header of headers) {
    const isPair = Array.isArray(header);
    const name = isPair ? header[0] : header.name;
    const value = isPair ? header[1] : header.value;
    if (typeof name !== "string") {
      throw new TypeError(`a header's name is no string: ${kind(name)}`);
    }
    list.push({ name: name.toWellFormed(), value: typeof value === "string" ? lowerText(value) : bytesOrNull(value, `header ${name}`) });
  }
  return list;
}

/** A signed 64-bit number as a bigint. A number must be whole and exact, a date valid. */
export function int64(value, what) {
  if (value instanceof Date) {
    value = value.getTime();
  }
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) {
      throw new RangeError(`the ${what} is no whole number up to 2^53 (beyond it, a bigint is): ${value}`);
    }
    return BigInt(value);
  }
  if (typeof value !== "bigint") {
    throw new TypeError(`the ${what} is neither a bigint, a number nor a Date: ${kind(value)}`);
  }
  if (BigInt.asIntN(64, value) !== value) {
    throw new RangeError(`the ${what} does not fit into 64 bits: ${value}`);
  }
  return value;
}

export function kind(value) {
  if (value === null || value === undefined) {
    return String(value);
  }
  return typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
}
