// An order, member by member: what makes a JSON text none, in the words of Rust's serde.

import { reject } from "#millrace";

const EXPECTED = { id: "u64", customer: "a string", amount: "f64", currency: "a string", status: "a string" };
const FIELDS = Object.keys(EXPECTED) as (keyof typeof EXPECTED)[];
const MOST = 2n ** 64n - 1n;

/** The order in this text, which is JSON; rejects it with the first thing that is wrong. */
export function expectOrder(text: string): { amount: number; status: string } {
  const scanner = new Scanner(text);
  const first = scanner.peek();
  if (first === "[") {
    refuseArray(scanner);
  }
  if (first !== "{") {
    const token = scanner.value();
    parse(token);
    noOrder(`invalid type: ${unexpected(token)}, expected struct Order`);
  }
  const found = new Map<string, unknown>();
  for (const name of scanner.members()) {
    if (name === "total_cents") {
      noOrder("`total_cents` is already there");
    }
    if (!Object.hasOwn(EXPECTED, name)) {
      scanner.value();
      continue;
    }
    if (found.has(name)) {
      noOrder(`duplicate field \`${name}\``);
    }
    found.set(name, expect(name as keyof typeof EXPECTED, scanner));
  }
  for (const name of FIELDS) {
    if (!found.has(name)) {
      noOrder(`missing field \`${name}\``);
    }
  }
  return { amount: found.get("amount") as number, status: found.get("status") as string };
}

/** Rust takes the fields in an array, too, and only then sees that it is one. */
function refuseArray(scanner: Scanner): never {
  let length = 0;
  for (const _ of scanner.elements()) {
    if (length === FIELDS.length) {
      noOrder("`total_cents` is already there");
    }
    expect(FIELDS[length]!, scanner);
    length += 1;
  }
  noOrder(length < FIELDS.length ? `invalid length ${length}, expected struct Order with 6 elements` : "an array");
}

/** One field's value, if it is what it should be. */
function expect(name: keyof typeof EXPECTED, scanner: Scanner): unknown {
  const token = scanner.value();
  const value = parse(token);
  const fits =
    EXPECTED[name] === "a string"
      ? typeof value === "string"
      : typeof value === "number" && (name === "amount" || isWhole(token));
  if (fits) {
    return value;
  }
  const what = name === "id" && isWhole(token, true) ? "value" : "type";
  return noOrder(`invalid ${what}: ${unexpected(token)}, expected ${EXPECTED[name]}`);
}

/** A value that is read: no number that no double can be, and no half of a surrogate pair. */
function parse(token: string): unknown {
  const value: unknown = JSON.parse(token);
  if (value === Infinity || value === -Infinity) {
    reject("not JSON: number out of range");
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    reject("not JSON: lone surrogate in hex escape");
  }
  return value;
}

/** Whether these digits are an integer as Rust reads one: of 64 bits, and not -0. */
function isWhole(token: string, negative = false): boolean {
  if (!/^-?[0-9]+$/.test(token) || token === "-0") {
    return false;
  }
  const value = BigInt(token);
  return negative ? value < 0n && value >= -(2n ** 63n) : value >= 0n && value <= MOST;
}

function unexpected(token: string): string {
  switch (token[0]) {
    case "{":
      return "map";
    case "[":
      return "sequence";
    case '"':
      return `string ${quoted(JSON.parse(token))}`;
    case "n":
      return "null";
    case "t":
    case "f":
      return `boolean \`${token}\``;
    default:
      return isWhole(token) || isWhole(token, true) ? `integer \`${token}\`` : `floating point \`${shown(Number(token))}\``;
  }
}

/** A text as Rust's `{:?}` shows it, as far as it is ASCII. */
function quoted(text: string): string {
  const short: Record<string, string> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0" };
  const escaped = text.replace(
    /["\\\u0000-\u001f\u007f]/g,
    (c) => short[c] ?? `\\u{${c.charCodeAt(0).toString(16)}}`,
  );
  return `"${escaped}"`;
}

/** A double with a point, or an exponent where it is far from 1. */
function shown(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-5)) {
    return value.toExponential();
  }
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

function noOrder(why: string): never {
  return reject(`not an order: ${why}`);
}

/** Reads along a text that is known to be JSON. */
class Scanner {
  #at = 0;

  constructor(readonly text: string) {}

  /** The next character that is no white space. */
  peek(): string {
    this.#match(/[ \t\n\r]*/y);
    return this.text[this.#at]!;
  }

  /** The next value's text. */
  value(): string {
    const first = this.peek();
    if (first !== "{" && first !== "[") {
      return this.#match(/"(?:[^"\\]|\\.)*"|[^\s,\]}]+/y);
    }
    const start = this.#at;
    let depth = 0;
    do {
      const token = this.#match(/"(?:[^"\\]|\\.)*"|[{}[\]]|[^"{}[\]]+/y);
      depth += token === "{" || token === "[" ? 1 : token === "}" || token === "]" ? -1 : 0;
    } while (depth > 0);
    return this.text.slice(start, this.#at);
  }

  /** The names of an object's members; each one's value is to be read. */
  *members(): Generator<string> {
    for (const _ of this.elements()) {
      const name = parse(this.value()) as string;
      this.peek();
      this.#at += 1; // the colon
      yield name;
    }
  }

  /** Comes to each element between brackets; each one is to be read. */
  *elements(): Generator<void> {
    this.peek();
    this.#at += 1;
    while (this.peek() !== "}" && this.peek() !== "]") {
      yield;
      if (this.peek() === ",") {
        this.#at += 1;
      }
    }
    this.#at += 1;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)![0];
    this.#at += found.length;
    return found;
  }
}
