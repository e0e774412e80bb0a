//! Which logical type a schema's attributes make of a type. One that the
//! specification calls invalid there, or that it doesn't know, is none: the type
//! counts as it is.

use serde_json::{Map, Value};

use super::decimal::{self, Decimal};
use super::node::{FixedLogical, IntLogical, LongLogical, Node};
use super::time::Unit;

/// A duration: three little-endian numbers of 32 bits.
pub(super) const DURATION: usize = 12;

const UUID: usize = 16;

/// This primitive with its logical type, if it has one.
pub(super) fn of_primitive(node: &Node, attributes: &Map<String, Value>) -> Option<Node> {
    let name = attributes.get("logicalType")?.as_str()?;
    match node {
        Node::Int(None) => {
            let logical = match name {
                "date" => IntLogical::Date,
                "time-millis" => IntLogical::TimeMillis,
                _ => return None,
            };
            Some(Node::Int(Some(logical)))
        }
        Node::Long(None) => {
            let instant = |unit, local| LongLogical::Instant { unit, local };
            let logical = match name {
                "time-micros" => LongLogical::TimeMicros,
                "timestamp-millis" => instant(Unit::Millis, false),
                "timestamp-micros" => instant(Unit::Micros, false),
                "timestamp-nanos" => instant(Unit::Nanos, false),
                "local-timestamp-millis" => instant(Unit::Millis, true),
                "local-timestamp-micros" => instant(Unit::Micros, true),
                "local-timestamp-nanos" => instant(Unit::Nanos, true),
                _ => return None,
            };
            Some(Node::Long(Some(logical)))
        }
        Node::Bytes(None) if name == "decimal" => Some(Node::Bytes(Some(decimal(attributes)?))),
        _ => None,
    }
}

/// The logical type of a fixed of this size.
pub(super) fn of_fixed(size: usize, attributes: &Map<String, Value>) -> Option<FixedLogical> {
    match attributes.get("logicalType")?.as_str()? {
        "duration" if size == DURATION => Some(FixedLogical::Duration),
        "uuid" if size == UUID => Some(FixedLogical::Uuid),
        // 10^precision - 1 has to fit next to the sign; larger ones than any decimal
        // needs are bytes.
        "decimal" if size <= decimal::LONGEST => {
            let decimal = decimal(attributes)?;
            let bits = (size * 8).saturating_sub(1) as f64;
            let digits = (bits * std::f64::consts::LOG10_2).floor();
            (decimal.precision as f64 <= digits).then_some(FixedLogical::Decimal(decimal))
        }
        _ => None,
    }
}

fn decimal(attributes: &Map<String, Value>) -> Option<Decimal> {
    let number = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let precision = number(attributes.get("precision")?)?;
    let scale = attributes.get("scale").map_or(Some(0), number)?;
    let valid = (1..=decimal::LONGEST).contains(&precision) && scale <= precision;
    valid.then_some(Decimal { precision, scale })
}
