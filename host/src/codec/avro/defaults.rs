//! The defaults of fields, from the JSON that schemas have for them (bytes are
//! characters up to U+00FF, a union's value says not which branch it is of, times are
//! numbers) to Avro binary.
//!
//! One that does not fit its type is no error until it is needed: registries hold such
//! schemas, and their records are whole without it.

use std::collections::HashMap;

use serde_json::Value;

use super::binary::{begin_block, end_block, put_long, put_prefixed};
use super::node::{Id, Node, Record};
use super::text;

/// All that a schema's defaults may come to. They contain each other, so that a
/// short schema could ask for any number of bytes, and of attempts at unions.
const LARGEST: usize = 16 << 20;
const MOST_STEPS: usize = 1 << 20;

/// How deep the defaults of one field may lie inside each other.
const DEEPEST: usize = 120;

/// Writes each default to its field.
pub(super) fn fill(nodes: &mut [Node], texts: &HashMap<(Id, usize), &Value>) {
    let mut defaults = Defaults {
        nodes,
        texts,
        done: HashMap::new(),
        bytes: LARGEST,
        steps: MOST_STEPS,
    };
    // The last ones first: mostly those that others contain.
    let mut places: Vec<_> = texts.keys().copied().collect();
    places.sort_unstable();
    for place in places.into_iter().rev() {
        if let Err(error) = defaults.of(place, 0) {
            tracing::debug!(error, "a field's default can't be used");
        }
    }
    let done = defaults.done;
    for ((id, field), default) in done {
        if let Node::Record(record) = &mut nodes[id] {
            record.fields[field].default = Some(default);
        }
    }
}

struct Defaults<'a> {
    nodes: &'a [Node],
    texts: &'a HashMap<(Id, usize), &'a Value>,
    done: HashMap<(Id, usize), Result<Vec<u8>, String>>,
    bytes: usize,
    steps: usize,
}

impl Defaults<'_> {
    /// The default of a field that has one.
    fn of(&mut self, place: (Id, usize), depth: usize) -> Result<Vec<u8>, String> {
        if let Some(done) = self.done.get(&place) {
            return done.clone();
        }
        let Node::Record(Record { fields, .. }) = &self.nodes[place.0] else {
            return Err("not a record".to_owned());
        };
        // Whoever comes here again on the way is inside of itself.
        self.done
            .insert(place, Err("the default contains itself".to_owned()));
        let mut into = Vec::new();
        let written = self.put(fields[place.1].node, self.texts[&place], &mut into, depth);
        let default = written.and_then(|()| {
            self.bytes = self
                .bytes
                .checked_sub(into.len())
                .ok_or("the schema's defaults are too large")?;
            Ok(into)
        });
        self.done.insert(place, default.clone());
        default
    }

    fn put(
        &mut self,
        id: Id,
        value: &Value,
        into: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), String> {
        self.steps = self
            .steps
            .checked_sub(1)
            .filter(|_| into.len() <= self.bytes)
            .ok_or("the schema's defaults are too large")?;
        if depth > DEEPEST {
            return Err("the default is nested too deeply".to_owned());
        }
        let nodes = self.nodes;
        let node = &nodes[id];
        let unfit = || format!("the default {value} is no {}", node.label());
        match (node, value) {
            (Node::Null, Value::Null) => {}
            (Node::Boolean, Value::Bool(value)) => into.push(u8::from(*value)),
            (Node::Int(_), Value::Number(number)) => {
                let number = number
                    .as_i64()
                    .and_then(|number| i32::try_from(number).ok());
                put_long(into, i64::from(number.ok_or_else(unfit)?));
            }
            (Node::Long(_), Value::Number(number)) => {
                put_long(into, number.as_i64().ok_or_else(unfit)?);
            }
            (Node::Float, value) => {
                let float = match value {
                    Value::Number(number) if number.is_i64() => {
                        number.as_i64().map(|whole| text::whole_float(whole.into()))
                    }
                    Value::Number(number) => number.as_f64().and_then(text::float),
                    Value::String(name) => text::non_finite(name).and_then(text::float),
                    _ => None,
                };
                into.extend_from_slice(&float.ok_or_else(unfit)?.to_le_bytes());
            }
            (Node::Double, value) => {
                let double = match value {
                    Value::Number(number) => number.as_f64(),
                    Value::String(name) => text::non_finite(name),
                    _ => None,
                };
                into.extend_from_slice(&double.ok_or_else(unfit)?.to_le_bytes());
            }
            (Node::String, Value::String(value)) => put_prefixed(into, value.as_bytes()),
            (Node::Bytes(_), Value::String(value)) => {
                put_prefixed(into, &latin_1(value).ok_or_else(unfit)?);
            }
            (Node::Fixed(fixed), Value::String(value)) => {
                let bytes = latin_1(value).filter(|bytes| bytes.len() == fixed.size);
                into.extend_from_slice(&bytes.ok_or_else(unfit)?);
            }
            (Node::Enum(of), Value::String(symbol)) => {
                let place = *of.places.get(symbol).ok_or_else(unfit)?;
                put_long(into, index(place));
            }
            (Node::Array(items), Value::Array(values)) => {
                let begun = begin_block(into);
                for value in values {
                    self.put(*items, value, into, depth + 1)?;
                }
                end_block(into, begun, index(values.len()));
            }
            (Node::Map(of), Value::Object(values)) => {
                let begun = begin_block(into);
                for (key, value) in values {
                    put_prefixed(into, key.as_bytes());
                    self.put(*of, value, into, depth + 1)?;
                }
                end_block(into, begun, index(values.len()));
            }
            (Node::Record(record), Value::Object(values)) => {
                for (place, field) in record.fields.iter().enumerate() {
                    if let Some(value) = values.get(&field.name) {
                        self.put(field.node, value, into, depth + 1)?;
                    } else if self.texts.contains_key(&(id, place)) {
                        let default = self.of((id, place), depth + 1)?;
                        into.extend_from_slice(&default);
                    } else {
                        return Err(format!("the default has no {}", field.name));
                    }
                }
            }
            (Node::Union(union), value) => {
                let start = into.len();
                for (branch, id) in union.branches.iter().enumerate() {
                    put_long(into, index(branch));
                    if self.put(*id, value, into, depth).is_ok() {
                        return Ok(());
                    }
                    into.truncate(start);
                }
                return Err(unfit());
            }
            _ => return Err(unfit()),
        }
        Ok(())
    }
}

fn latin_1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

/// A count as Avro writes it.
pub(super) fn index(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
