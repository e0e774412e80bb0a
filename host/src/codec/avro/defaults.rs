//! The defaults of fields, from the JSON that schemas have for them (bytes are
//! characters up to U+00FF, a union's value says not which branch it is of, times are
//! numbers) to Avro binary.
//!
//! One that does not fit its type is no error until it is needed: registries hold such
//! schemas, and their records are whole without it.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use serde_json::Value;

use super::binary::{begin_block, end_block, put_long, put_prefixed};
use super::decode::DEEPEST;
use super::fault::Shortened;
use super::node::{Datum, FixedLogical, Form, Id, Node, Record, Union};
use super::text;

/// All that a schema's defaults may come to. They contain each other, so that a
/// short schema could ask for any number of bytes, and of attempts at unions.
const LARGEST: usize = 16 << 20;
const MOST_STEPS: usize = 1 << 20;

/// So many bytes that are copied or compared cost about as much as a value.
const STEP: usize = 64;

/// Writes each default to its field.
pub(super) fn fill(nodes: &mut [Node], texts: &HashMap<(Id, usize), &Value>) {
    let mut defaults = Defaults {
        nodes,
        texts,
        done: HashMap::new(),
        bytes: LARGEST,
        steps: MOST_STEPS,
        reached: 0,
    };
    // Types are named after they are defined: those that others contain come first, or
    // they lie inside of them.
    let mut places: Vec<_> = texts.keys().copied().collect();
    places.sort_unstable();
    let mut done = Vec::new();
    for place in places {
        let default = defaults.of(place, 0).map_err(|refusal| {
            let error = defaults.words(refusal);
            tracing::debug!(error, "a field's default can't be used");
            error
        });
        done.push((place, default));
    }
    for ((id, field), default) in done {
        if let Node::Record(record) = &mut nodes[id] {
            record.fields[field].default = Some(default);
        }
    }
}

/// Why there is no such default. Put into words once it is known that it matters: a
/// union tries its branches, and lets most of them fail.
#[derive(Debug, Clone, Copy)]
enum Refusal<'a> {
    /// The value is none of that type.
    Unfit(&'a Value, Id),
    /// An object without that field of a record.
    Lacking(&'a str),
    /// It contains itself.
    Endless,
    Deep,
    Large,
}

impl Refusal<'_> {
    /// Whether another branch of a union may be the one that was meant.
    fn leaves_others(self) -> bool {
        matches!(self, Self::Unfit(..) | Self::Lacking(_))
    }
}

struct Defaults<'a> {
    nodes: &'a [Node],
    texts: &'a HashMap<(Id, usize), &'a Value>,
    /// What is known of each default, wherever it stands; while it is being made, that
    /// whoever needs it is inside of it.
    done: HashMap<(Id, usize), Result<Datum, Refusal<'a>>>,
    bytes: usize,
    steps: usize,
    /// The deepest level so far of the default that is being made.
    reached: usize,
}

impl<'a> Defaults<'a> {
    /// The default of a field that has one, at this level of JSON.
    fn of(&mut self, place: (Id, usize), depth: usize) -> Result<Datum, Refusal<'a>> {
        if let Some(done) = self.done.get(&place) {
            let default = done.clone()?;
            self.reach(depth + default.levels)?;
            return Ok(default);
        }
        let Node::Record(Record { fields, .. }) = &self.nodes[place.0] else {
            return Err(Refusal::Endless);
        };
        self.done.insert(place, Err(Refusal::Endless));
        let around = std::mem::replace(&mut self.reached, depth);
        let mut into = Vec::new();
        let value = self.texts[&place];
        let written = self.put(fields[place.1].node, value, &mut into, depth, false);
        let levels = self.reached - depth;
        self.reached = self.reached.max(around);
        let default = written.and_then(|()| {
            self.bytes = self.bytes.checked_sub(into.len()).ok_or(Refusal::Large)?;
            Ok(Datum {
                bytes: into.into(),
                levels,
            })
        });
        match &default {
            // It may be there where fewer levels are around it.
            Err(Refusal::Deep) if depth > 0 => drop(self.done.remove(&place)),
            _ => drop(self.done.insert(place, default.clone())),
        }
        default
    }

    /// Pays for one step, and for so many bytes.
    fn spend(&mut self, bytes: usize) -> Result<(), Refusal<'a>> {
        self.steps = self
            .steps
            .checked_sub(1 + bytes / STEP)
            .ok_or(Refusal::Large)?;
        Ok(())
    }

    fn reach(&mut self, depth: usize) -> Result<usize, Refusal<'a>> {
        if depth > DEEPEST {
            return Err(Refusal::Deep);
        }
        self.reached = self.reached.max(depth);
        Ok(depth)
    }

    /// Appends the value as this node's. `strict`: a record has no other keys than its
    /// fields.
    fn put(
        &mut self,
        id: Id,
        value: &'a Value,
        into: &mut Vec<u8>,
        depth: usize,
        strict: bool,
    ) -> Result<(), Refusal<'a>> {
        self.spend(value.as_str().map_or(0, str::len))?;
        if into.len() > self.bytes {
            return Err(Refusal::Large);
        }
        let nodes = self.nodes;
        let node = &nodes[id];
        let unfit = Refusal::Unfit(value, id);
        match (node, value) {
            (Node::Null, Value::Null) => {}
            (Node::Boolean, Value::Bool(value)) => into.push(u8::from(*value)),
            (Node::Int(_), Value::Number(number)) => {
                let number = number
                    .as_i64()
                    .and_then(|number| i32::try_from(number).ok());
                put_long(into, i64::from(number.ok_or(unfit)?));
            }
            (Node::Long(_), Value::Number(number)) => {
                put_long(into, number.as_i64().ok_or(unfit)?);
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
                into.extend_from_slice(&float.ok_or(unfit)?.to_le_bytes());
            }
            (Node::Double, value) => {
                let double = match value {
                    Value::Number(number) => number.as_f64(),
                    Value::String(name) => text::non_finite(name),
                    _ => None,
                };
                into.extend_from_slice(&double.ok_or(unfit)?.to_le_bytes());
            }
            (Node::String, Value::String(value)) => put_prefixed(into, value.as_bytes()),
            (Node::Bytes(_), Value::String(value)) => {
                put_prefixed(into, &latin_1(value).ok_or(unfit)?);
            }
            (Node::Fixed(fixed), Value::String(value)) => {
                let bytes = latin_1(value).filter(|bytes| bytes.len() == fixed.size);
                into.extend_from_slice(&bytes.ok_or(unfit)?);
                if fixed.logical == Some(FixedLogical::Duration) {
                    self.reach(depth + 1)?;
                }
            }
            (Node::Enum(of), Value::String(symbol)) => {
                put_long(into, index(*of.places.get(symbol).ok_or(unfit)?));
            }
            (Node::Array(items), Value::Array(values)) => {
                let depth = self.reach(depth + 1)?;
                let begun = begin_block(into);
                for value in values {
                    self.put(*items, value, into, depth, strict)?;
                }
                end_block(into, begun, index(values.len()));
                self.spend(into.len() - begun)?;
            }
            (Node::Map(of), Value::Object(values)) => {
                let depth = self.reach(depth + 1)?;
                let begun = begin_block(into);
                for (key, value) in values {
                    put_prefixed(into, key.as_bytes());
                    self.put(*of, value, into, depth, strict)?;
                }
                end_block(into, begun, index(values.len()));
                self.spend(into.len() - begun)?;
            }
            (Node::Record(record), Value::Object(values)) => {
                let depth = self.reach(depth + 1)?;
                let mut known = 0;
                for (place, field) in record.fields.iter().enumerate() {
                    self.spend(field.name.len())?;
                    if let Some(value) = values.get(&field.name) {
                        known += 1;
                        self.put(field.node, value, into, depth, strict)?;
                    } else if self.texts.contains_key(&(id, place)) {
                        let default = self.of((id, place), depth)?;
                        self.spend(default.bytes.len())?;
                        into.extend_from_slice(&default.bytes);
                        if into.len() > self.bytes {
                            return Err(Refusal::Large);
                        }
                    } else {
                        return Err(Refusal::Lacking(&field.name));
                    }
                }
                if strict && known < values.len() {
                    return Err(unfit);
                }
            }
            (Node::Union(union), value) => {
                // A branch that would leave something of the value out may still be
                // meant, but not before one that takes all of it.
                let passes: &[bool] = if strict { &[true] } else { &[true, false] };
                for strict in passes {
                    if self.put_branch(union, value, into, depth, *strict)? {
                        return Ok(());
                    }
                }
                return Err(unfit);
            }
            _ => return Err(unfit),
        }
        Ok(())
    }

    /// Appends the value as the first branch that takes it. Returns whether one does.
    fn put_branch(
        &mut self,
        union: &'a Union,
        value: &'a Value,
        into: &mut Vec<u8>,
        depth: usize,
        strict: bool,
    ) -> Result<bool, Refusal<'a>> {
        let (start, reached) = (into.len(), self.reached);
        for (branch, id) in union.branches.iter().enumerate() {
            put_long(into, index(branch));
            let named = match union.form {
                Form::Plain(_) => false,
                Form::Named { null } => null != Some(branch),
            };
            let written = self
                .reach(depth + usize::from(named))
                .and_then(|depth| self.put(*id, value, into, depth, strict));
            match written {
                Ok(()) => return Ok(true),
                Err(refusal) if refusal.leaves_others() => {
                    into.truncate(start);
                    self.reached = reached;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(false)
    }

    fn words(&self, refusal: Refusal<'_>) -> String {
        match refusal {
            Refusal::Unfit(value, id) => {
                let mut text = Beginning(String::new());
                // An error is the end of what is shown.
                let _ = write!(text, "{value}");
                let label = Shortened(self.nodes[id].label());
                format!("the default {} is no {label}", Shortened(&text.0))
            }
            Refusal::Lacking(field) => format!("the default has no {}", Shortened(field)),
            Refusal::Endless => "the default contains itself".to_owned(),
            Refusal::Deep => "the default is nested too deeply".to_owned(),
            Refusal::Large => "the schema's defaults are too large".to_owned(),
        }
    }
}

/// As much of a text as an error shows, and a little more.
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const ENOUGH: usize = 100;
        self.0.extend(text.chars().take(ENOUGH));
        if self.0.len() > ENOUGH {
            return Err(fmt::Error);
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
