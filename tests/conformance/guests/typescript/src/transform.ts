// The transform of tests/conformance/README.md.

import {
  type HeaderInit,
  type Message,
  type Source,
  type Verdict,
  drop,
  forward,
  log,
  output,
  reject,
  transform,
} from "#millrace";
import { badArgument, command, configure, integer, split, text } from "./shared.js";

const HEADERS: HeaderInit[] = [
  ["a", "1"],
  ["a", null],
  ["é", Uint8Array.of(0x00, 0xff)],
  ["b", ""],
];

class Conformance {
  #count = 0;

  constructor(config: string) {
    configure(config);
  }

  transform(message: Message, source: Source): Verdict {
    this.#count += 1;
    if (message.value === null) {
      return forward;
    }
    const [word, argument] = command(message.value);
    switch (word) {
      case "forward":
        return forward;
      case "drop":
        return drop;
      case "same":
        return output();
      case "key":
        return output({ key: argument ?? "" });
      case "null-key":
        return output({ key: null });
      case "value":
        return output({ value: argument ?? "" });
      case "null-value":
        return output({ value: null });
      case "timestamp":
        return output({ timestamp: integer(argument, 64) });
      case "topic":
        return output({ topic: text(argument) });
      case "partition":
        return output({ partition: Number(integer(argument, 32)) });
      case "append":
        return output({ appendHeaders: HEADERS });
      case "append-none":
        return output({ appendHeaders: [] });
      case "only":
        return output({ headers: HEADERS });
      case "only-none":
        return output({ headers: [] });
      case "expand": {
        const length = integer(argument, 32);
        return length < 0n ? badArgument() : Array.from({ length: Number(length) }, (_, at) => output({ value: String(at) }));
      }
      case "each":
        return [output({ value: null }), output({ topic: "other" }), output({ headers: HEADERS })];
      case "fail":
        return reject(text(argument));
      case "throw":
        throw new Error(text(argument));
      case "log": {
        const [level, line] = split(text(argument));
        if (!isLevel(level)) {
          return badArgument();
        }
        log[level](line);
        return forward;
      }
      case "describe":
        return output({ value: describe(message, source) });
      case "echo":
        return output({
          key: message.key,
          value: message.value,
          headers: message.headers.map(({ name, value }): HeaderInit => [name, value]),
        });
      case "count":
        return output({ value: String(this.#count) });
      default:
        return reject(`unknown command: ${word}`);
    }
  }
}

function isLevel(text: string): text is keyof typeof log {
  return Object.hasOwn(log, text);
}

function describe({ key, headers, offset, timestamp, timestampType }: Message, { topic, partition }: Source): string {
  const when = timestamp === null ? timestampType : `${timestampType}:${timestamp}`;
  const pairs = headers.map(({ name, value }) => `${name}=${hex(value)}`).join(",");
  return `topic=${topic} partition=${partition} offset=${offset} timestamp=${when} key=${hex(key)} headers=[${pairs}]`;
}

function hex(bytes: Uint8Array | null): string {
  return bytes === null ? "null" : `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export default transform(Conformance);
