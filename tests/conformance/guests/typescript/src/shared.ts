// What the three guests have in common: their configuration, and how a payload is a
// command.

import { Reject, decode, log, reject } from "#millrace";

export function configure(config: string): void {
  const [command, argument] = split(config);
  if (config === "log") {
    log.trace("trace line");
    log.debug("debug line");
    log.info("info line");
    log.warn("warn line");
    log.error("error line");
  } else if (command === "refuse") {
    reject(argument);
  } else if (command === "throw") {
    throw new Error(argument);
  } else if (config !== "") {
    reject(`unknown configuration: ${config}`);
  }
}

/** The text before the first space and that behind it. */
export function split(text: string): [string, string] {
  const space = text.indexOf(" ");
  return space < 0 ? [text, ""] : [text.slice(0, space), text.slice(space + 1)];
}

const SPACE = 0x20;

/** A payload's first word, and all bytes behind the space: null where there is no space. */
export function command(payload: Uint8Array): [string, Uint8Array | null] {
  const space = payload.indexOf(SPACE);
  return space < 0
    ? [lossy(payload), null]
    : [lossy(payload.subarray(0, space)), payload.subarray(space + 1)];
}

function lossy(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** An argument as text. */
export function text(argument: Uint8Array | null): string {
  try {
    return decode(argument ?? badArgument());
  } catch {
    throw badArgument();
  }
}

/** An argument as a whole number of so many bits, signed. */
export function integer(argument: Uint8Array | null, bits: number): bigint {
  const digits = text(argument);
  const value = /^[+-]?[0-9]+$/.test(digits) ? BigInt(digits.replace(/^\+/, "")) : badArgument();
  return BigInt.asIntN(bits, value) === value ? value : badArgument();
}

export function badArgument(): never {
  throw new Reject("bad argument");
}
