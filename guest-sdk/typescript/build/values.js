// Values, whole and fast: a change to what componentize-qjs 0.4.5 made.
//
// Its runtime hands an s64 to JavaScript as a number, rounded beyond 2^53, and takes
// numbers only. Bytes are a Uint8Array, which QuickJS can only turn into text, and text
// into it, through base64.
//
// The part of a component that moves values between memory and the runtime is a module
// of its own (wit-dylib), which calls wit_dylib_push_… and wit_dylib_pop_… for each.
// Some of those calls are led to functions that are added here:
//
// - push s64: up to 2^53 as before; beyond it the runtime gets a text of 20 characters, a
//   sign ("-" or "0") and 19 decimal digits, which BigInt() reads.
// - pop s64: always such a text (`int64Text` in lib/output.js).
// - pop list<u8>: a Uint8Array as before, or an array with one string in it.
// - push list<u8>, of a transform's messages: where all bytes are ASCII the runtime gets
//   them as a string.
// - push record, of a transform's messages: instead of one object each, the batch's array
//   gets a message's five fields one after the other: key, value, headers, offset and
//   timestamp (just the number where the producer set it).
//
// Anything that is not as expected here is an error, and there is no component.

const PUSH = "wit_dylib_push_s64";
const POP = "wit_dylib_pop_s64";
const PUSH_LIST = "wit_dylib_push_list";
const POP_LIST = "wit_dylib_pop_list";
const PUSH_OPTION = "wit_dylib_push_option";
const PUSH_VARIANT = "wit_dylib_push_variant";
const APPEND = "wit_dylib_list_append";

/** The functions that are added, in order: whose type each has, and its body. */
const ADDED = [
  { type: PUSH, body: pushInt64 },
  { type: POP, body: popInt64 },
  { type: PUSH_LIST, body: pushBytes },
  { type: POP_LIST, body: popBytes },
  { type: PUSH_OPTION, body: pushPayload },
  { type: PUSH, body: pushOffset },
  { type: PUSH_VARIANT, body: pushTimestamp },
  { type: APPEND, body: nothing },
];

/**
 * What `process` calls, in order, to push a batch, and what it is to call instead: the
 * place in `ADDED`, or null for the call as it is.
 */
const BYTES = [["push_list", 2], ["push_u8", null], ["list_append", null], ["dealloc_bytes", null]];
const OPTION = (instead) => [...BYTES, ["push_option", instead], ["push_option", instead]];
const BATCH = [
  ["export_start", null], ["push_string", null], ["push_s32", null], ["push_list", null],
  ...OPTION(4), ...OPTION(4), // key and value
  ["push_list", null], ["push_string", null], ...OPTION(null), // headers
  ["push_record", null], ["list_append", null], ["dealloc_bytes", null],
  ["push_s64", 5], // offset
  ["push_variant", 6], ["push_s64", 0], ["push_variant", 6], ["push_s64", 0], ["push_variant", 6], // timestamp
  ["push_record", 7], ["list_append", 7], ["dealloc_bytes", null],
  ["push_record", null], ["export_call", null],
];

/** The component with those calls led elsewhere. */
export function mendValues(component) {
  let changed = 0;
  const walk = (bytes) =>
    mapSections(bytes, (id, content) => {
      if (id === 4) {
        return walk(content);
      }
      if (id === 1 && isConverter(content)) {
        changed += 1;
        return rewrite(content);
      }
      return content;
    });
  const done = walk(component);
  if (changed !== 1) {
    throw new Error(`componentize-qjs made ${changed} modules that convert values, and not 1: is it version 0.4.5?`);
  }
  return done;
}

/** A module or a component anew, each section's content through `change(id, content)`. */
function mapSections(bytes, change) {
  const reader = new Reader(bytes, 8);
  const parts = [bytes.subarray(0, 8)];
  while (!reader.done) {
    const id = reader.byte();
    const content = reader.take(reader.u32());
    const changed = change(id, content);
    parts.push(Uint8Array.of(id), leb(changed.length), changed);
  }
  return concat(parts);
}

function isConverter(module) {
  let found = false;
  mapSections(module, (id, content) => {
    if (id === 2) {
      const names = importsOf(content).map(({ name }) => name);
      found = names.includes(PUSH) && names.includes(POP);
    }
    return content;
  });
  return found;
}

function importsOf(content) {
  const reader = new Reader(content);
  return Array.from({ length: reader.u32() }, () => {
    reader.name();
    const name = reader.name();
    const kind = reader.byte();
    const type = kind === 0 ? reader.u32() : undefined;
    if (kind === 1) {
      reader.byte();
    }
    if (kind === 1 || kind === 2) {
      if (reader.u32() & 1) {
        reader.u32();
      }
      reader.u32();
    }
    if (kind === 3) {
      reader.take(2);
    }
    return { name, kind, type };
  });
}

function rewrite(module) {
  let imports;
  let exports;
  let added;
  return mapSections(module, (id, content) => {
    if (id === 2) {
      imports = importsOf(content);
    } else if (id === 3) {
      const reader = new Reader(content);
      const count = reader.u32();
      const functions = imports.filter(({ kind }) => kind === 0);
      const typeOf = (name) => leb(functions.find((one) => one.name === name).type);
      added = functions.length + count;
      return concat([leb(count + ADDED.length), reader.rest(), ...ADDED.map(({ type }) => typeOf(type))]);
    } else if (id === 7) {
      exports = exportsOf(content);
    } else if (id === 10) {
      const index = (name, kind = 0) => {
        const at = imports.filter((one) => one.kind === kind).findIndex((one) => one.name === name);
        if (at < 0) {
          throw new Error(`componentize-qjs made a module that does not import ${name}`);
        }
        return at;
      };
      const reader = new Reader(content);
      const count = reader.u32();
      const bodies = Array.from({ length: count }, (_, at) => {
        const process = /^millrace:plugin\/transform@[^#]*#process$/.test(exports.get(added - count + at) ?? "");
        return redirect(reader.take(reader.u32()), (calls) => instead(calls, index, added, process));
      });
      bodies.push(...ADDED.map(({ body }) => body(index, added)));
      return concat([leb(count + ADDED.length), ...bodies.flatMap((body) => [leb(body.length), body])]);
    }
    return content;
  });
}

function exportsOf(content) {
  const reader = new Reader(content);
  const names = new Map();
  for (let count = reader.u32(); count > 0; count -= 1) {
    const name = reader.name();
    const kind = reader.byte();
    const at = reader.u32();
    if (kind === 0) {
      names.set(at, name);
    }
  }
  return names;
}

/** What to call in the place of each of a function's calls; undefined: what it calls. */
function instead(calls, index, added, process) {
  const popByte = index("wit_dylib_pop_u8");
  const chosen = calls.map((target, at) => {
    switch (target) {
      case index(PUSH):
        return added;
      case index(POP):
        return added + 1;
      case index(POP_LIST): // Then come cabi_realloc, pop_list_iter_next and the element.
        return calls[at + 3] === popByte ? added + 3 : undefined;
      default:
        return undefined;
    }
  });
  if (process) {
    BATCH.forEach(([name, place], at) => {
      if (calls[at] !== index(`wit_dylib_${name}`)) {
        throw new Error(`componentize-qjs made a process() that does not push a batch as is known here: ${name}`);
      }
      chosen[at] = place === null ? undefined : added + place;
    });
  }
  return chosen;
}

/** A function's body with other calls: `choose` gets the targets of all, in order. */
function redirect(body, choose) {
  const reader = new Reader(body);
  for (let groups = reader.u32(); groups > 0; groups -= 1) {
    reader.u32();
    reader.byte();
  }
  const calls = [];
  while (!reader.done) {
    const from = reader.at;
    const code = reader.byte();
    if (code === 0x10) {
      calls.push({ target: reader.u32(), from, to: reader.at });
    } else {
      skip(code, reader);
    }
  }
  const chosen = choose(calls.map(({ target }) => target));
  const parts = [];
  let copied = 0;
  calls.forEach(({ from, to }, at) => {
    if (chosen[at] !== undefined) {
      parts.push(body.subarray(copied, from), Uint8Array.from(call(chosen[at])));
      copied = to;
    }
  });
  return concat([...parts, body.subarray(copied)]);
}

/** Past what stands behind an instruction's first byte. */
function skip(code, reader) {
  if (code === 0x0e) {
    for (let labels = reader.u32() + 1; labels > 0; labels -= 1) {
      reader.u32();
    }
  } else if (code >= 0x28 && code <= 0x3e) {
    reader.u32(); // alignment
    reader.u32(); // offset
  } else if (code === 0x11) {
    reader.u32();
    reader.u32();
  } else if ((code >= 0x02 && code <= 0x04) || code === 0x0c || code === 0x0d || (code >= 0x20 && code <= 0x26) || code === 0x3f || code === 0x40 || code === 0x41 || code === 0x42 || code === 0xd2) {
    reader.leb();
  } else if (code === 0x43) {
    reader.take(4);
  } else if (code === 0x44) {
    reader.take(8);
  } else if (code === 0xfc) {
    const sub = reader.u32();
    if (sub > 7) {
      reader.u32();
      if (sub === 8 || sub === 10 || sub === 12 || sub === 14) {
        reader.u32();
      }
    }
  } else if (!(code <= 0x01 || code === 0x05 || code === 0x0b || code === 0x0f || code === 0x1a || code === 0x1b || (code >= 0x45 && code <= 0xc4))) {
    throw new Error(`componentize-qjs made code with an instruction that is not known here: 0x${code.toString(16)}`);
  }
}

const I32 = 0x7f;
const I64 = 0x7e;
const TWO_TO_53 = 2n ** 53n;

const get = (local) => [0x20, local];
const set = (local) => [0x21, local];
const i32 = (value) => [0x41, ...signed(BigInt(value))];
const i64 = (value) => [0x42, ...signed(value)];
const call = (index) => [0x10, ...leb(index)];
const VOID = 0x40;

/** (cx i32, value i64) → (); locals: text i32, at i32, rest i64 */
function pushInt64(index) {
  const [cx, value, text, at, rest] = [0, 1, 2, 3, 4];
  return Uint8Array.from([
    2, 2, I32, 1, I64,
    // What a double holds goes as ever: value + 2^53 <= 2^54, unsigned.
    ...get(value), ...i64(TWO_TO_53), 0x7c, ...i64(2n * TWO_TO_53), 0x58, // i64.add, i64.le_u
    0x04, VOID,
    ...get(cx), ...get(value), ...call(index(PUSH)), 0x0f,
    0x0b,
    ...i32(0), ...i32(0), ...i32(1), ...i32(20), ...call(index("cabi_realloc")), ...set(text),
    // The sign, and the value without it: -2^63 stays itself, and is read unsigned.
    ...get(text), ...i32(0x2d), ...i32(0x30), ...get(value), ...i64(0n), 0x53, 0x1b, 0x3a, 0, 0, // lt_s, select, store8
    ...i64(0n), ...get(value), 0x7d, ...get(value), ...get(value), ...i64(0n), 0x53, 0x1b, ...set(rest), // sub, lt_s, select
    ...i32(19), ...set(at),
    0x03, VOID,
    ...get(text), ...get(at), 0x6a, // i32.add
    ...get(rest), ...i64(10n), 0x82, 0xa7, ...i32(0x30), 0x6a, 0x3a, 0, 0, // rem_u, wrap, add, store8
    ...get(rest), ...i64(10n), 0x80, ...set(rest), // div_u
    ...get(at), ...i32(1), 0x6b, 0x22, at, 0x0d, 0, // sub, tee, br_if
    0x0b,
    ...get(cx), ...get(text), ...i32(20), ...call(index("wit_dylib_push_string")),
    0x0b,
  ]);
}

/** (cx i32) → i64; locals: text i32, at i32, value i64 */
function popInt64(index) {
  const [cx, text, at, value] = [0, 1, 2, 3];
  const stack = [...leb(index("__stack_pointer", 3))];
  return Uint8Array.from([
    2, 2, I32, 1, I64,
    0x23, ...stack, ...i32(16), 0x6b, 0x22, text, 0x24, ...stack, // 16 bytes of the stack, for the text's place
    ...get(cx), ...get(text), ...call(index("wit_dylib_pop_string")),
    ...i32(20), 0x47, 0x04, VOID, 0x00, 0x0b, // i32.ne: a trap where the length is another
    0x23, ...stack, ...i32(16), 0x6a, 0x24, ...stack,
    ...get(text), 0x28, 2, 0, ...set(text), // i32.load
    ...i32(1), ...set(at),
    0x03, VOID,
    ...get(value), ...i64(10n), 0x7e, // mul
    ...get(text), ...get(at), 0x6a, 0x2d, 0, 0, ...i32(0x30), 0x6b, 0xad, 0x7c, ...set(value), // load8_u, sub, extend_u, add
    ...get(at), ...i32(1), 0x6a, 0x22, at, ...i32(20), 0x47, 0x0d, 0, // add, tee, ne, br_if
    0x0b,
    ...i64(0n), ...get(value), 0x7d, ...get(value), ...get(text), 0x2d, 0, 0, ...i32(0x2d), 0x46, 0x1b, // sub, load8_u, eq, select
    0x0b,
  ]);
}

/** (cx i32, type i32, bytes i32, length i32) → whether it took the bytes; locals: at i32 */
function pushBytes(index) {
  const [cx, type, bytes, length, at] = [0, 1, 2, 3, 4];
  const HIGH = -0x7f7f7f7f7f7f7f80n; // 0x8080808080808080
  return Uint8Array.from([
    1, 1, I32,
    0x02, VOID, // left where a byte is not ASCII
    0x03, VOID, // eight bytes at a time
    ...get(at), ...i32(8), 0x6a, ...get(length), 0x4d, 0x04, VOID, // add, le_u, if
    ...get(bytes), ...get(at), 0x6a, 0x29, 0, 0, ...i64(HIGH), 0x83, 0x50, 0x45, 0x0d, 2, // i64.load, and, eqz, eqz, br_if
    ...get(at), ...i32(8), 0x6a, ...set(at), 0x0c, 1,
    0x0b, 0x0b,
    0x03, VOID, // and those that are left
    ...get(at), ...get(length), 0x49, 0x04, VOID, // lt_u, if
    ...get(bytes), ...get(at), 0x6a, 0x2d, 0, 0, ...i32(0x80), 0x4f, 0x0d, 2, // load8_u, ge_u, br_if
    ...get(at), ...i32(1), 0x6a, ...set(at), 0x0c, 1,
    0x0b, 0x0b,
    ...get(cx), ...get(bytes), ...get(length), ...call(index("wit_dylib_push_string")), ...i32(1), 0x0f,
    0x0b,
    ...get(cx), ...get(type), ...get(bytes), ...get(length), ...call(index(PUSH_LIST)),
    0x0b,
  ]);
}

/** (cx i32, type i32, place i32) → the length, with the bytes' address at `place`; locals: length i32 */
function popBytes(index) {
  const [cx, type, place, length] = [0, 1, 2, 3];
  return Uint8Array.from([
    1, 1, I32,
    ...get(cx), ...get(type), ...get(place), ...call(index(POP_LIST)), ...set(length),
    ...get(place), 0x28, 2, 0, 0x04, VOID, ...get(length), 0x0f, 0x0b, // the address is there: a Uint8Array's
    ...get(length), ...i32(1), 0x47, 0x04, VOID, 0x00, 0x0b, // a trap where it is no array of one
    ...get(cx), ...get(type), ...call(index("wit_dylib_pop_list_iter_next")),
    ...get(cx), ...get(place), ...call(index("wit_dylib_pop_string")), ...set(length),
    ...get(cx), ...get(type), ...call(index("wit_dylib_pop_list_iter")),
    ...get(length),
    0x0b,
  ]);
}

/** What is on top of the stack to the end of the list below it, whose type does not matter. */
const append = (index) => [...get(0), ...i32(0), ...call(index(APPEND))];

/** (cx i32, type i32, case i32) → (): a key or a value */
function pushPayload(index) {
  return Uint8Array.from([0, ...get(0), ...get(1), ...get(2), ...call(index(PUSH_OPTION)), ...append(index), 0x0b]);
}

/** (cx i32, value i64) → (): the headers, which are on the stack, and the offset */
function pushOffset(index, added) {
  return Uint8Array.from([0, ...append(index), ...get(0), ...get(1), ...call(added), ...append(index), 0x0b]);
}

/** (cx i32, type i32, case i32) → (): a timestamp; of case 1, create-time, its number alone */
function pushTimestamp(index) {
  return Uint8Array.from([
    0,
    ...get(2), ...i32(1), 0x47, 0x04, VOID, // ne, if
    ...get(0), ...get(1), ...get(2), ...call(index(PUSH_VARIANT)),
    0x0b,
    ...append(index),
    0x0b,
  ]);
}

/** (cx i32, type i32) → () */
function nothing() {
  return Uint8Array.of(0, 0x0b);
}

class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get done() {
    return this.at >= this.bytes.length;
  }

  byte() {
    return this.bytes[this.at++];
  }

  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  rest() {
    return this.take(this.bytes.length - this.at);
  }

  u32() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return value >>> 0;
      }
    }
  }

  leb() {
    while (this.byte() >= 0x80);
  }

  name() {
    return new TextDecoder().decode(this.take(this.u32()));
  }
}

function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value > 0);
  return Uint8Array.from(bytes);
}

function signed(value) {
  const bytes = [];
  for (;;) {
    const low = Number(BigInt.asUintN(7, value));
    value >>= 7n;
    if ((value === 0n && low < 0x40) || (value === -1n && low >= 0x40)) {
      return [...bytes, low];
    }
    bytes.push(low | 0x80);
  }
}

export function concat(parts) {
  return new Uint8Array(Buffer.concat(parts));
}
