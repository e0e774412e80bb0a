//! A JSON string, number, boolean or null as an Avro type.

use std::fmt;

use crate::codec::avro::binary::{put_long, put_prefixed};
use crate::codec::avro::decimal::{Decimal, Unscaled};
use crate::codec::avro::defaults::index;
use crate::codec::avro::fault::{Names, Shortened};
use crate::codec::avro::node::{Fixed, FixedLogical, IntLogical, Kind, LongLogical, Node};
use crate::codec::avro::text;
use crate::codec::avro::time::{self, Unfit, Unit};

/// The digits of a decimal that a JSON number holds for certain: it is a double on the
/// way.
const SAFE_DIGITS: usize = 15;

#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    /// Of 64 bits, with or without a sign.
    Integer(i128),
    Float(f64),
    Text(&'a str),
}

impl Scalar<'_> {
    pub fn kind(self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Boolean(_) => Kind::Boolean,
            Self::Integer(_) | Self::Float(_) => Kind::Number,
            Self::Text(_) => Kind::String,
        }
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "\"{}\"", Shortened(value)),
        }
    }
}

impl Kind {
    pub(super) fn article(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// What a node's JSON looks like, for messages.
pub(super) fn expected(node: &Node) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Boolean => "a boolean".to_owned(),
        Node::Int(None) => "an int".to_owned(),
        Node::Long(None) => "a long".to_owned(),
        Node::Int(Some(IntLogical::Date)) => "a date such as 2024-02-29".to_owned(),
        Node::Int(Some(IntLogical::TimeMillis)) | Node::Long(Some(LongLogical::TimeMicros)) => {
            "a time such as 13:45:00.123".to_owned()
        }
        Node::Long(Some(LongLogical::Instant { local: false, .. })) => {
            "an instant such as 2024-02-29T13:45:00.123Z".to_owned()
        }
        Node::Long(Some(LongLogical::Instant { local: true, .. })) => {
            "a local time such as 2024-02-29T13:45:00.123".to_owned()
        }
        Node::Float => "a float".to_owned(),
        Node::Double => "a double".to_owned(),
        Node::Bytes(None) => "bytes in base64".to_owned(),
        Node::Bytes(Some(_)) => "a decimal".to_owned(),
        Node::String => "a string".to_owned(),
        Node::Array(_) => "an array".to_owned(),
        Node::Map(_) => "an object".to_owned(),
        Node::Union(union) => format!("one of {}", Names(&union.names)),
        Node::Record(record) => format!("an object ({})", record.name.full),
        Node::Enum(of) => format!("a symbol of {}", of.name.full),
        Node::Fixed(fixed) => match fixed.logical {
            None => format!("{} bytes in base64", fixed.size),
            Some(FixedLogical::Decimal(_)) => "a decimal".to_owned(),
            Some(FixedLogical::Uuid) => "a hyphenated UUID".to_owned(),
            Some(FixedLogical::Duration) => "an object of months, days and millis".to_owned(),
        },
    }
}

/// Appends the value as this node's.
#[inline]
pub(super) fn put(into: &mut Vec<u8>, node: &Node, value: Scalar<'_>) -> Result<(), String> {
    let unfit = || format!("expected {}, found {value}", expected(node));
    match (node, value) {
        (Node::Null, Scalar::Null) => {}
        (Node::Boolean, Scalar::Boolean(value)) => into.push(u8::from(value)),
        (Node::Int(logical), value) => {
            let number = match (logical, value) {
                (Some(IntLogical::Date), Scalar::Text(text)) => {
                    time::date(text).map_err(|why| unfit_time(why, Unit::Millis, unfit))?
                }
                (Some(IntLogical::TimeMillis), Scalar::Text(text)) => {
                    time::time(text, Unit::Millis)
                        .map_err(|why| unfit_time(why, Unit::Millis, unfit))?
                }
                _ => integer(value, logical.is_none()).ok_or_else(unfit)?,
            };
            let number = i32::try_from(number)
                .map_err(|_| format!("{value} is outside of the range of an int"))?;
            put_long(into, i64::from(number));
        }
        (Node::Long(logical), value) => {
            let number = match (logical, value) {
                (Some(LongLogical::TimeMicros), Scalar::Text(text)) => {
                    time::time(text, Unit::Micros)
                        .map_err(|why| unfit_time(why, Unit::Micros, unfit))?
                }
                (Some(LongLogical::Instant { unit, local }), Scalar::Text(text)) => {
                    time::instant(text, *unit, *local)
                        .map_err(|why| unfit_time(why, *unit, unfit))?
                }
                _ => integer(value, logical.is_none()).ok_or_else(unfit)?,
            };
            put_long(into, number);
        }
        (Node::Float, value) => {
            let float = match value {
                Scalar::Integer(value) => Some(text::whole_float(value)),
                value => text::float(number(value).ok_or_else(unfit)?),
            };
            let float =
                float.ok_or_else(|| format!("{value} is outside of the range of a float"))?;
            into.extend_from_slice(&float.to_le_bytes());
        }
        (Node::Double, value) => {
            into.extend_from_slice(&number(value).ok_or_else(unfit)?.to_le_bytes());
        }
        (Node::String, Scalar::Text(text)) => put_prefixed(into, text.as_bytes()),
        (Node::Enum(of), Scalar::Text(symbol)) => {
            put_long(into, index(*of.places.get(symbol).ok_or_else(unfit)?));
        }
        (Node::Bytes(None), Scalar::Text(text)) => {
            let length = text::base64_length(text).ok_or_else(unfit)?;
            put_long(into, index(length));
            if !text::put_unbase64(into, text) {
                return Err(unfit());
            }
        }
        (Node::Bytes(Some(decimal)), value) => {
            let unscaled = unscaled(value, *decimal, unfit)?;
            put_prefixed(into, unscaled.bytes());
        }
        (Node::Fixed(fixed), value) => put_fixed(into, fixed, value, unfit)?,
        _ => return Err(unfit()),
    }
    Ok(())
}

fn put_fixed(
    into: &mut Vec<u8>,
    fixed: &Fixed,
    value: Scalar<'_>,
    unfit: impl Fn() -> String,
) -> Result<(), String> {
    match (fixed.logical, value) {
        (Some(FixedLogical::Decimal(decimal)), value) => {
            if !unscaled(value, decimal, unfit)?.put_fixed(into, fixed.size) {
                return Err(format!("{value} does not fit {} bytes", fixed.size));
            }
        }
        (Some(FixedLogical::Uuid), Scalar::Text(text)) => {
            into.extend_from_slice(&text::uuid(text).ok_or_else(unfit)?);
        }
        (None, Scalar::Text(text)) => {
            let length = text::base64_length(text).ok_or_else(&unfit)?;
            if length != fixed.size {
                return Err(format!(
                    "{length} bytes, where {} has {}",
                    fixed.name.full, fixed.size
                ));
            }
            if !text::put_unbase64(into, text) {
                return Err(unfit());
            }
        }
        _ => return Err(unfit()),
    }
    Ok(())
}

/// A whole number; also its digits in a string where that means nothing else, because
/// JavaScript's numbers don't hold every long.
fn integer(value: Scalar<'_>, digits: bool) -> Option<i64> {
    match value {
        Scalar::Integer(value) => i64::try_from(value).ok(),
        Scalar::Text(text) if digits => {
            let unsigned = text.strip_prefix('-').unwrap_or(text);
            let all = unsigned.bytes().all(|byte| byte.is_ascii_digit());
            if all { text.parse().ok() } else { None }
        }
        _ => None,
    }
}

fn number(value: Scalar<'_>) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "as JSON's own numbers lose it")]
        Scalar::Integer(value) => Some(value as f64),
        Scalar::Float(value) => Some(value),
        Scalar::Text(text) => text::non_finite(text),
        _ => None,
    }
}

fn unscaled(
    value: Scalar<'_>,
    decimal: Decimal,
    unfit: impl Fn() -> String,
) -> Result<Unscaled, String> {
    match value {
        Scalar::Text(text) => decimal.parse(text),
        Scalar::Integer(_) | Scalar::Float(_) => {
            // Of a fraction, the fewest digits that make this double. Of more than these,
            // others may have been meant: JavaScript rounds whole numbers, too.
            let text = match value {
                Scalar::Float(value) => value.to_string(),
                whole => whole.to_string(),
            };
            let digits = text.bytes().filter(u8::is_ascii_digit);
            let leading = digits.clone().take_while(|digit| *digit == b'0').count();
            if digits.count() - leading > SAFE_DIGITS {
                return Err(format!(
                    "{text} has more digits than a JSON number holds for certain; a string holds all"
                ));
            }
            decimal.parse(&text)
        }
        _ => Err(unfit()),
    }
}

fn unfit_time(why: Unfit, unit: Unit, unfit: impl Fn() -> String) -> String {
    match why {
        Unfit::Malformed => unfit(),
        Unfit::Finer => format!("{}: finer than a {}", unfit(), unit.name()),
        Unfit::OutOfRange => format!("{}: out of range", unfit()),
    }
}
