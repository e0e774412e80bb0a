// The host's log; in Node, stderr.

let write = (level, text) => globalThis.process?.stderr.write(`${level}: ${text}\n`);

/** Where lines go from now on: `(level, text)`. */
export function logTo(sink) {
  write = sink;
}

function line(level) {
  return (...parts) => write(level, parts.map(show).join(" ").toWellFormed());
}

export const log = Object.freeze({
  trace: line("trace"),
  debug: line("debug"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
});

/** One value of a line, as `console` shows them: text as it is, the rest as JSON. */
function show(value) {
  if (typeof value === "string") {
    return value;
  }
  if (value instanceof Error) {
    return `${value.name}: ${value.message}`;
  }
  if (typeof value === "object" && value !== null) {
    try {
      return JSON.stringify(value, plain);
    } catch {
      // A ring, or its own toJSON threw.
    }
  }
  return typeof value === "bigint" ? `${value}n` : String(value);
}

function plain(_key, value) {
  return typeof value === "bigint" ? `${value}n` : value;
}
