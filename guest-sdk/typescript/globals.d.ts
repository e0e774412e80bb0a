/**
 * What a plugin finds beside the language itself: for a tsconfig's `files`. Everything
 * else of Node and of browsers (process, Buffer, fetch, setTimeout, URL) is not there.
 */

/** Writes to the host's log: `log` is `info`. */
declare const console: {
  trace(...parts: unknown[]): void;
  debug(...parts: unknown[]): void;
  log(...parts: unknown[]): void;
  info(...parts: unknown[]): void;
  warn(...parts: unknown[]): void;
  error(...parts: unknown[]): void;
  assert(condition: unknown, ...parts: unknown[]): void;
};

/** UTF-8 only. */
declare class TextEncoder {
  readonly encoding: string;
  encode(text?: string): Uint8Array;
}

/** UTF-8 only, whole texts only. */
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBufferView | ArrayBuffer): string;
}

/** From the host's random numbers: a fixed seed, or real ones with `--allow random`. */
declare const crypto: {
  getRandomValues<T extends ArrayBufferView>(view: T): T;
  randomUUID(): string;
};

/** Milliseconds since the first call, by the host's clock, as `Date.now()`. */
declare const performance: { now(): number };

declare function atob(text: string): string;
declare function btoa(text: string): string;
declare function queueMicrotask(callback: () => void): void;
