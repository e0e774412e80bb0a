//! JSON text: what `decode` writes strings, numbers and bytes with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Appends a JSON string.
pub(super) fn put_string(into: &mut Vec<u8>, text: &str) {
    into.push(b'"');
    put_escaped(into, text);
    into.push(b'"');
}

fn put_escaped(into: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        into.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => into.extend_from_slice(b"\\\""),
            b'\\' => into.extend_from_slice(b"\\\\"),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            _ => {
                let digits = [hex(byte >> 4), hex(byte & 0xf)];
                into.extend_from_slice(b"\\u00");
                into.extend_from_slice(&digits);
            }
        }
    }
    into.extend_from_slice(&bytes[plain..]);
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit & 0xf)]
}

/// Appends a finite number.
pub(super) fn put_number(into: &mut Vec<u8>, number: impl Serialize) {
    serde_json::to_writer(into, &number).expect("a number is JSON, and a Vec takes every byte");
}

/// Appends a double. What JSON has no number for is a string.
pub(super) fn put_double(into: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        put_number(into, number);
    } else {
        put_non_finite(into, number);
    }
}

/// Appends a float with as many digits as it takes to be this float again.
pub(super) fn put_float(into: &mut Vec<u8>, number: f32) {
    if number.is_finite() {
        put_number(into, number);
    } else {
        put_non_finite(into, f64::from(number));
    }
}

fn put_non_finite(into: &mut Vec<u8>, number: f64) {
    into.extend_from_slice(if number.is_nan() {
        b"\"NaN\""
    } else if number > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    });
}

/// The number that such a string stands for.
pub(super) fn non_finite(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The float next to a whole number: rounded once, not by way of a double.
#[expect(clippy::cast_precision_loss, reason = "rounded, as is meant")]
pub(super) fn whole_float(number: i128) -> f32 {
    number as f32
}

/// The float that this JSON number is meant as. It was read as a double: where that
/// lies in the middle between two floats, the fewest digits that make it decide, which
/// are those of every float that `put_float` wrote; others may be rounded twice. None
/// where it is too large; what is not finite stays so.
pub(super) fn float(number: f64) -> Option<f32> {
    /// The bits of a double's fraction that a float lacks, and the middle of them.
    const LACKED: u64 = 0x1fff_ffff;
    const MIDDLE: u64 = 0x1000_0000;
    let between = number.to_bits() & LACKED == MIDDLE;
    let subnormal = number.abs() < f64::from(f32::MIN_POSITIVE) && number != 0.0;
    let float = if between || subnormal {
        number.to_string().parse().ok()?
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "rounded, as is meant")]
        let rounded = number as f32;
        rounded
    };
    (float.is_finite() || !number.is_finite()).then_some(float)
}

/// Appends bytes in base64, as a JSON string.
pub(super) fn put_base64(into: &mut Vec<u8>, bytes: &[u8]) {
    into.push(b'"');
    let start = into.len();
    // Four characters for three bytes or the rest of them.
    into.resize(start + bytes.len().div_ceil(3) * 4, 0);
    STANDARD
        .encode_slice(bytes, &mut into[start..])
        .expect("the length is that of padded base64");
    into.push(b'"');
}

/// How many bytes this is the base64 of, if it is base64 at all.
pub(super) fn base64_length(text: &str) -> Option<usize> {
    let padding = text.bytes().rev().take_while(|&byte| byte == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    Some(text.len() / 4 * 3 - padding)
}

/// Appends the bytes that this base64 stands for: `base64_length` of them. Returns
/// whether it is base64; where not, what was appended means nothing.
pub(super) fn put_unbase64(into: &mut Vec<u8>, text: &str) -> bool {
    let start = into.len();
    into.resize(start + text.len().div_ceil(4) * 3, 0);
    match STANDARD.decode_slice(text, &mut into[start..]) {
        Ok(length) => {
            into.truncate(start + length);
            true
        }
        Err(_) => false,
    }
}

/// Appends 16 bytes as hyphenated hex, in quotes.
pub(super) fn put_uuid(into: &mut Vec<u8>, bytes: [u8; 16]) {
    into.push(b'"');
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            into.push(b'-');
        }
        into.extend_from_slice(&[hex(byte >> 4), hex(byte & 0xf)]);
    }
    into.push(b'"');
}

/// The 16 bytes of a hyphenated UUID.
pub(super) fn uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 || [8, 13, 18, 23].iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let mut digits = text.iter().filter(|&&byte| byte != b'-');
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = digit(*digits.next()?)? << 4 | digit(*digits.next()?)?;
    }
    digits.next().is_none().then_some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
