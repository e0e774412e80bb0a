// Text and bytes: UTF-8, strictly, and fast where there is no TextDecoder (QuickJS).
// There a loop over bytes costs 40 ns each; what is native is base64, and so text goes
// through that. Most never comes here: see build/values.js.

/** What QuickJS has natively and Node 20 has not. */
const native = typeof Uint8Array.prototype.toBase64 === "function" && typeof TextDecoder === "undefined";

const decoder = native ? null : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = native ? null : new TextEncoder();

/**
 * The text that these bytes are in UTF-8; a byte order mark stays in it. Throws an
 * error that says where they are none.
 */
export const decode = native ? decodeNative : decodeByDecoder;

/** Text in UTF-8; half of a surrogate pair becomes U+FFFD. */
export const encode = native ? encodeNative : (text) => encoder.encode(text);

/**
 * Text as a component hands it out as bytes: an array with it, which build/values.js
 * makes UTF-8 of without a detour. In Node, its bytes.
 */
export const lowerText = native ? (text) => [text.toWellFormed()] : encode;

function decodeByDecoder(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new RangeError(fault(bytes));
  }
}

function decodeNative(bytes) {
  const latin1 = atob(bytes.toBase64());
  if (isAscii(bytes)) {
    return latin1;
  }
  try {
    return decodeURIComponent(escape(latin1));
  } catch {
    throw new RangeError(fault(bytes));
  }
}

function encodeNative(text) {
  try {
    const bytes = Uint8Array.fromBase64(btoa(text));
    if (isAscii(bytes)) {
      return bytes;
    }
  } catch {
    // It has characters beyond U+00FF.
  }
  return Uint8Array.fromBase64(btoa(unescape(encodeURIComponent(text.toWellFormed()))));
}

/** Whether all bytes are below 0x80: four at a time where they lie well. */
export function isAscii(bytes) {
  const length = bytes.length;
  let at = 0;
  let any = 0;
  if ((bytes.byteOffset & 3) === 0 && length >= 16) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length >> 2);
    const count = words.length;
    let word = 0;
    for (; word + 8 <= count; word += 8) {
      any |=
        words[word] | words[word + 1] | words[word + 2] | words[word + 3] |
        words[word + 4] | words[word + 5] | words[word + 6] | words[word + 7];
    }
    for (; word < count; word += 1) {
      any |= words[word];
    }
    at = count << 2;
  }
  for (; at < length; at += 1) {
    any |= bytes[at];
  }
  return (any & 0x80808080) === 0;
}

/**
 * Where the first sequence lies that is no UTF-8, and how long it is (0: the bytes end
 * in the middle of one): the Unicode Standard's maximal subpart, as TextDecoder and
 * Rust count. Null where all is well.
 */
export function firstFault(bytes, from = 0) {
  const length = bytes.length;
  let at = from;
  while (at < length) {
    const lead = bytes[at];
    if (lead < 0x80) {
      at += 1;
      continue;
    }
    let more = lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    if (more < 0) {
      return { at, length: 1 };
    }
    let low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    let high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    let next = at + 1;
    for (; more > 0; more -= 1, next += 1, low = 0x80, high = 0xbf) {
      if (next >= length) {
        return { at, length: 0 };
      }
      if (bytes[next] < low || bytes[next] > high) {
        return { at, length: next - at };
      }
    }
    at = next;
  }
  return null;
}

function fault(bytes) {
  const { at, length } = firstFault(bytes);
  return length === 0
    ? `incomplete utf-8 byte sequence from index ${at}`
    : `invalid utf-8 sequence of ${length} bytes from index ${at}`;
}

/** As `decode`, with U+FFFD for each sequence that is no UTF-8. */
export function decodeLossy(bytes) {
  let text = "";
  let from = 0;
  for (;;) {
    const wrong = firstFault(bytes, from);
    if (wrong === null) {
      return text + decode(bytes.subarray(from));
    }
    text += `${decode(bytes.subarray(from, wrong.at))}\ufffd`;
    if (wrong.length === 0) {
      return text;
    }
    from = wrong.at + wrong.length;
  }
}
