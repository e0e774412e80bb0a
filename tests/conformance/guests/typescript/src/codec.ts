// What the deserializer and the serializer of tests/conformance/README.md share.

import { type Place, encode, reject } from "#millrace";
import { command, text } from "./shared.js";

export function convert(payload: Uint8Array, { topic, field }: Place): Uint8Array {
  const [word, argument] = command(payload);
  if (word === "fail") {
    return reject(text(argument));
  }
  if (word === "throw") {
    throw new Error(text(argument));
  }
  return join(encode(`${field}:${topic}:`), payload);
}

export function join(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
