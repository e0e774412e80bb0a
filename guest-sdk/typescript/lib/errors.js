// How a record is rejected, and what is told of an error that nobody meant.

import { frames } from "./stack.js";

/** Thrown to reject a record, or to refuse a configuration, with just this text. */
export class Reject extends Error {
  constructor(reason) {
    super(reason);
    this.name = "Reject";
  }
}

export function reject(reason) {
  throw new Reject(reason);
}

/** Well below the 2 KiB of a reason: a record's own words may be in it. */
const LONGEST = 1500;

/**
 * What the host is told of something thrown: a `Reject`'s text; of any other error its
 * type, its message and the user's own functions that it came through, each on a line.
 */
export function reasonOf(thrown) {
  if (thrown instanceof Reject) {
    try {
      return String(thrown.message).toWellFormed();
    } catch {
      return "Error";
    }
  }
  if (!(thrown instanceof Error)) {
    return shown(thrown);
  }
  let text = headline(thrown);
  for (let cause = thrown.cause, depth = 0; cause !== undefined && depth < 4; depth += 1) {
    text += `: ${cause instanceof Error ? headline(cause) : shown(cause)}`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  text = cut(text);
  for (const frame of frames(thrown)) {
    const more = `\n  at ${frame}`;
    if (text.length + more.length > LONGEST) {
      break;
    }
    text += more;
  }
  return text.toWellFormed();
}

function headline(error) {
  try {
    const { name, message } = error;
    return message === "" ? String(name) : `${String(name)}: ${String(message)}`;
  } catch {
    return "Error";
  }
}

/** Something that is no error, and was thrown all the same. */
function shown(thrown) {
  let text;
  try {
    text = String(thrown);
  } catch {
    text = typeof thrown;
  }
  return cut(text).toWellFormed();
}

function cut(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
