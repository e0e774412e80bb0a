/**
 * Write Millrace plugins in TypeScript and JavaScript: a function, a class or an
 * object for each kind, as the module's default export.
 *
 * ```ts
 * import { drop, output, transform } from "#millrace";
 *
 * export default transform((message) =>
 *   message.value === null ? drop : output({ value: message.text().toUpperCase() }),
 * );
 * ```
 *
 * `null` is Kafka's null everywhere, which is not an empty payload. 64-bit integers are
 * bigints and keep every bit; where one is taken, a whole number or a `Date` does, too.
 */

/** What a key, a value or a header's value can be given as: text goes out in UTF-8. */
export type Payload = Uint8Array | string | null;

/** A header as it comes in. Names may repeat, and their order is kept. */
export interface Header {
  /** One that is not UTF-8 shows U+FFFD where it is not; a forwarded record keeps the bytes. */
  readonly name: string;
  readonly value: Uint8Array | null;
}

/** A header as it can be given. */
export type HeaderInit = readonly [name: string, value: Payload] | { readonly name: string; readonly value: Payload };

/** Who set a message's timestamp: nobody, its producer, or the broker. */
export type TimestampType = "not-available" | "create-time" | "log-append-time";

/** Where a message comes from. */
export interface Source {
  readonly topic: string;
  /** From 0. */
  readonly partition: number;
}

/** Which payload a codec has before it. */
export interface Place {
  /** The topic that it was read from, or goes to. */
  readonly topic: string;
  readonly field: "key" | "value";
}

/** One record as it was consumed, or as the plugin before this one sent it. */
export class Message {
  private constructor();

  readonly key: Uint8Array | null;
  /** `null` is a tombstone in a compacted topic. */
  readonly value: Uint8Array | null;
  readonly headers: readonly Header[];
  /** The offset in its partition, with every bit. */
  readonly offset: bigint;
  /** Milliseconds since 1970, with every bit; null where there is none. */
  readonly timestamp: bigint | null;
  readonly timestampType: TimestampType;
  /** The timestamp as a date; null where there is none, or beyond what a date can be. */
  readonly date: Date | null;

  /** The value's bytes. Rejects the record where it is null. */
  bytes(): Uint8Array;
  /** The value as text. Rejects the record where it is null or not UTF-8. */
  text(): string;
  /** The value, parsed as JSON: whatever is in there. Rejects as `text`, and where it is none. */
  json<T = any>(): T;
  /** The key as text. Rejects the record where it is null or not UTF-8. */
  keyText(): string;
  /** The last header of this name (as Kafka's `lastHeader`); null where there is none, or it is null. */
  header(name: string): Uint8Array | null;
  /** As `header`, as text. Rejects the record where it is not UTF-8. */
  headerText(name: string): string | null;
}

/** A message's parts for a unit test. What is left out is null, 0 or not there. */
export interface MessageInit {
  key?: Payload;
  value?: Payload;
  headers?: Iterable<HeaderInit>;
  offset?: bigint | number;
  timestamp?: bigint | number | Date | null;
  timestampType?: TimestampType;
}

/** A message for a unit test. */
export function message(fields?: MessageInit | Message): Message;

/** What an output has of its own. What is left out or undefined is the source message's. */
export interface OutputInit {
  /** The topic; left out, the pipeline's default (or what a plugin before this one named). */
  topic?: string | undefined;
  /** The partition, from 0; left out, the key's hash chooses. */
  partition?: number | undefined;
  /** Milliseconds since 1970; a number must be whole and below 2^53. */
  timestamp?: bigint | number | Date | undefined;
  key?: Payload | undefined;
  value?: Payload | undefined;
  /** These headers alone, in this order. */
  headers?: Iterable<HeaderInit> | undefined;
  /** The source message's headers, and these after them. */
  appendHeaders?: Iterable<HeaderInit> | undefined;
}

/** One record that goes out. */
export class Output {
  constructor(fields?: OutputInit);

  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly timestamp: bigint | undefined;
  readonly key: Uint8Array | null | undefined;
  readonly value: Uint8Array | null | undefined;
  readonly headers: readonly Header[] | undefined;
  readonly appendHeaders: readonly Header[] | undefined;

  /** Its own value's bytes: for unit tests. Throws where it has none. */
  bytes(): Uint8Array;
  /** Its own value as text: for unit tests. */
  text(): string;
  /** Its own value, parsed as JSON: for unit tests. */
  json<T = any>(): T;
}

/** One record in the message's place; `output()` sends it to the default topic as it came. */
export function output(fields?: OutputInit): Output;

/** The verdict of a rejected record. */
export class Fail {
  readonly reason: string;
}

/** Rejects the record with this reason, when it is returned. */
export function fail(reason: string): Fail;

declare const plain: unique symbol;
/** The record goes to the default topic unchanged. */
export const forward: { readonly tag: "forward"; readonly [plain]: true };
/** The record was filtered out on purpose. */
export const drop: { readonly tag: "drop"; readonly [plain]: true };

/** What becomes of a message. An array goes out in its order; an empty one is `drop`. */
export type Verdict = typeof forward | typeof drop | Output | readonly Output[] | Fail;

/** Thrown to reject a record, or refuse a configuration, with exactly this text. */
export class Reject extends Error {
  constructor(reason: string);
}

/** Throws a `Reject`. Any other error is told with its type and where it came from. */
export function reject(reason: string): never;

/** Judges one message. What it throws rejects this one alone. */
export type TransformFunction = (message: Message, source: Source) => Verdict;

/** What a transform's class or object has: one of the two. */
export type Transform =
  | { transform(message: Message, source: Source): Verdict; transformBatch?: undefined }
  | {
      transform?(message: Message, source: Source): Verdict;
      /**
       * Judges consecutive messages of one partition: exactly one verdict a message, in
       * order. Where it throws, each message is tried in a batch of its own, so it must
       * not change their bytes in place.
       */
      transformBatch(messages: readonly Message[], source: Source): readonly Verdict[];
    };

/** Converts one payload, which may be empty but never null. What it throws rejects its record alone. */
export type CodecFunction = (payload: Uint8Array, place: Place) => Uint8Array | string;

/** What a deserializer's class or object has: one of the two. */
export type Deserializer =
  | { deserialize: CodecFunction; deserializeBatch?: undefined }
  | {
      deserialize?: CodecFunction;
      /** Exactly one result a payload, in order; `fail(…)` for one that can't be converted. */
      deserializeBatch(payloads: readonly Uint8Array[], place: Place): readonly (Uint8Array | string | Fail)[];
    };

/** What a serializer's class or object has: one of the two. */
export type Serializer =
  | { serialize: CodecFunction; serializeBatch?: undefined }
  | {
      serialize?: CodecFunction;
      /** Exactly one result a payload, in order; `fail(…)` for one that can't be converted. */
      serializeBatch(payloads: readonly Uint8Array[], place: Place): readonly (Uint8Array | string | Fail)[];
    };

/**
 * A function; or a class, one of which is made of the configuration; or an object, whose
 * `init` gets it. The configuration is the pipeline's text for this plugin ("" where there
 * is none), and what its constructor or `init` throws refuses the plugin.
 */
export type Code<Function, Type> = Function | (new (config: string) => Type) | (Type & { init?(config: string): void });

/** A plugin: what a plugin's module exports by default (or an array of several kinds). */
export interface Plugin<Started> {
  readonly kind: "transform" | "deserializer" | "serializer";
  /** Starts it as the host does: for unit tests. Throws where it refuses the configuration. */
  start(config?: string): Started;
}

/** A transform at work in a unit test: with a `Fail` for what was thrown, as the host sees it. */
export interface StartedTransform {
  transform(message: MessageInit | Message, source?: Source): Verdict;
  transformBatch(messages: readonly (MessageInit | Message)[], source?: Source): Verdict[];
}

/** A deserializer at work in a unit test. */
export interface StartedDeserializer {
  deserialize(payload: Uint8Array | string, place?: Place): Uint8Array | Fail;
  deserializeBatch(payloads: readonly (Uint8Array | string)[], place?: Place): (Uint8Array | Fail)[];
}

/** A serializer at work in a unit test. */
export interface StartedSerializer {
  serialize(payload: Uint8Array | string, place?: Place): Uint8Array | Fail;
  serializeBatch(payloads: readonly (Uint8Array | string)[], place?: Place): (Uint8Array | Fail)[];
}

/** A plugin that transforms records. */
export function transform(code: Code<TransformFunction, Transform>): Plugin<StartedTransform>;
/** A plugin that decodes a format: to what the transform reads, mostly JSON. */
export function deserializer(code: Code<CodecFunction, Deserializer>): Plugin<StartedDeserializer>;
/** A plugin that encodes a format, of what the transform wrote. */
export function serializer(code: Code<CodecFunction, Serializer>): Plugin<StartedSerializer>;

/**
 * The host's log, which adds the plugin's name. Objects show as JSON. In Node the lines go
 * to stderr. `console` writes there, too.
 */
export const log: {
  /** For following single records. */
  trace(...parts: unknown[]): void;
  /** For finding a fault. */
  debug(...parts: unknown[]): void;
  /** For what happens once in a while, as it should. */
  info(...parts: unknown[]): void;
  /** For what is odd, with no data lost. */
  warn(...parts: unknown[]): void;
  /** For what needs a person. */
  error(...parts: unknown[]): void;
};

/** An environment variable that the pipeline allows (`--allow env:NAME`), or undefined. */
export function env(name: string): string | undefined;

/** The text that these bytes are in UTF-8. Throws a RangeError that says where they are none. */
export function decode(bytes: Uint8Array): string;
/** Text in UTF-8; half of a surrogate pair becomes U+FFFD. */
export function encode(text: string): Uint8Array;
