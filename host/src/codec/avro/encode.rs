//! From JSON text straight to Avro's bytes, type by type, without a tree in between.
//!
//! serde_json reads and calls a `Seed`'s visitor with what it finds; `scalar` says what
//! a string or a number is as an Avro type, `record` puts fields into their order.

mod key;
mod record;
mod scalar;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

use self::key::Key;
use self::scalar::Scalar;
use super::binary::{Input, begin_block, end_block, put_long, put_prefixed};
use super::decode::{DEEPEST, longest, most_values};
use super::defaults::index;
use super::fault::{Fault, Names, Outcome, Segment, Shortened};
use super::node::{FixedLogical, Form, Id, Kind, Node, Union};

/// Appends the datum that this JSON stands for; on an error, `into` is as it was.
pub(super) fn encode(nodes: &[Node], root: Id, json: &[u8], into: &mut Vec<u8>) -> Outcome {
    let start = into.len();
    let mut run = Run {
        nodes,
        longest: start.saturating_add(longest(json.len())),
        defaults: most_values(json.len()),
        depth: 0,
        message: None,
        path: Vec::new(),
        into,
    };
    let mut json = serde_json::Deserializer::from_slice(json);
    let seed = Seed {
        run: &mut run,
        node: root,
    };
    let outcome = seed.deserialize(&mut json).and_then(|()| json.end());
    let Run { message, path, .. } = run;
    outcome.map_err(|error| {
        into.truncate(start);
        // serde_json's own are about JSON; ours are about types, and without its line
        // and column.
        Fault::at(message.unwrap_or_else(|| error.to_string()), path)
    })
}

/// One run of `encode`.
struct Run<'a> {
    nodes: &'a [Node],
    into: &'a mut Vec<u8>,
    /// How long `into` may become by defaults.
    longest: usize,
    /// How many defaults may still be taken.
    defaults: usize,
    depth: usize,
    /// What went wrong, if it was not the JSON; serde's errors hold no more than a text
    /// that says where in the JSON it was.
    message: Option<String>,
    /// Where, the innermost first.
    path: Vec<Segment>,
}

impl<'a> Run<'a> {
    #[cold]
    fn fail<E: Error>(&mut self, message: impl Into<String>) -> E {
        self.message = Some(message.into());
        E::custom("")
    }

    /// The node that a JSON value of this kind is of: the union's branch, which is
    /// written, or the node itself.
    #[inline]
    fn taker<E: Error>(&mut self, id: Id, kind: Kind) -> Result<&'a Node, E> {
        let nodes = self.nodes;
        match &nodes[id] {
            Node::Union(union) => self.branch(union, kind),
            node => Ok(node),
        }
    }

    fn branch<E: Error>(&mut self, union: &'a Union, kind: Kind) -> Result<&'a Node, E> {
        let branch = match &union.form {
            Form::Plain(table) => table[kind as usize],
            Form::Named { null } if kind == Kind::Null => *null,
            Form::Named { .. } => {
                return Err(self.fail(unnamed(union, kind.article())));
            }
        };
        let Some(branch) = branch else {
            let names = Names(&union.names);
            return Err(self.fail(format!("expected one of {names}, found {}", kind.article())));
        };
        put_long(self.into, index(branch));
        Ok(&self.nodes[union.branches[branch]])
    }

    fn deeper<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fail(format!("nested deeper than {DEEPEST} levels")));
        }
        Ok(())
    }

    /// Remembers where an error came from.
    fn locate<T, E>(
        &mut self,
        outcome: Result<T, E>,
        segment: impl FnOnce() -> Segment,
    ) -> Result<T, E> {
        if outcome.is_err() {
            self.path.push(segment());
        }
        outcome
    }
}

fn unnamed(union: &Union, found: &str) -> String {
    let names = Names(&union.names);
    format!("expected {{\"name\": value}} with one of the names {names}, found {found}")
}

/// The next JSON value as a node's.
struct Seed<'r, 'a> {
    run: &'r mut Run<'a>,
    node: Id,
}

impl Seed<'_, '_> {
    #[inline]
    fn scalar<E: Error>(self, value: Scalar<'_>) -> Result<(), E> {
        let node = self.run.taker(self.node, value.kind())?;
        scalar::put(self.run.into, node, value).map_err(|message| self.run.fail(message))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.run.nodes[self.node].label())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(Scalar::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Scalar::Integer(i128::from(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Scalar::Integer(i128::from(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let run = self.run;
        let Node::Array(items) = run.taker(self.node, Kind::Array)? else {
            let expected = scalar::expected(&run.nodes[self.node]);
            return Err(run.fail(format!("expected {expected}, found an array")));
        };
        run.deeper()?;
        let begun = begin_block(run.into);
        let mut count = 0;
        loop {
            let seed = Seed {
                run: &mut *run,
                node: *items,
            };
            let outcome = values.next_element_seed(seed);
            if run.locate(outcome, || Segment::Index(count))?.is_none() {
                break;
            }
            count += 1;
        }
        end_block(run.into, begun, index(count));
        run.depth -= 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, values: A) -> Result<(), A::Error> {
        let run = self.run;
        run.deeper()?;
        let nodes = run.nodes;
        if let Node::Union(union) = &nodes[self.node]
            && matches!(union.form, Form::Named { .. })
        {
            run.named(union, values)?;
        } else {
            match run.taker(self.node, Kind::Object)? {
                Node::Record(record) => run.record(record, values)?,
                Node::Map(of) => run.map(*of, values)?,
                Node::Fixed(fixed) if fixed.logical == Some(FixedLogical::Duration) => {
                    run.duration(values)?;
                }
                other => {
                    let expected = scalar::expected(other);
                    return Err(run.fail(format!("expected {expected}, found an object")));
                }
            }
        }
        run.depth -= 1;
        Ok(())
    }
}

impl<'a> Run<'a> {
    fn map<'de, A: MapAccess<'de>>(&mut self, of: Id, mut values: A) -> Result<(), A::Error> {
        let begun = begin_block(self.into);
        let mut count = 0;
        loop {
            let start = self.into.len();
            let put = |key: &str| put_prefixed(self.into, key.as_bytes());
            if values.next_key_seed(Key(put))?.is_none() {
                break;
            }
            let key = start..self.into.len();
            let seed = Seed {
                run: &mut *self,
                node: of,
            };
            if let Err(error) = values.next_value_seed(seed) {
                let key = Input::new(&self.into[key]).string().unwrap_or_default();
                let key = Segment::Key(key.to_owned());
                self.path.push(key);
                return Err(error);
            }
            count += 1;
        }
        end_block(self.into, begun, index(count));
        Ok(())
    }

    /// `{"name": value}`.
    fn named<'de, A: MapAccess<'de>>(
        &mut self,
        union: &'a Union,
        mut values: A,
    ) -> Result<(), A::Error> {
        let find = |name: &str| {
            union.names.iter().position(|of| of == name).ok_or_else(|| {
                format!(
                    "\"{}\" is none of the names {}",
                    Shortened(name),
                    Names(&union.names)
                )
            })
        };
        let branch = match values.next_key_seed(Key(find))? {
            Some(Ok(branch)) => branch,
            Some(Err(message)) => return Err(self.fail(message)),
            None => return Err(self.fail(unnamed(union, "an empty object"))),
        };
        put_long(self.into, index(branch));
        let seed = Seed {
            run: &mut *self,
            node: union.branches[branch],
        };
        let outcome = values.next_value_seed(seed);
        self.locate(outcome, || Segment::Key(union.names[branch].clone()))?;
        if values.next_key_seed(Key(|_: &str| ()))?.is_some() {
            return Err(self.fail("more than one name of a union's branches"));
        }
        Ok(())
    }

    /// `{"months": 1, "days": 2, "millis": 3}`, in whatever order.
    fn duration<'de, A: MapAccess<'de>>(&mut self, mut values: A) -> Result<(), A::Error> {
        const PARTS: [&str; 3] = ["months", "days", "millis"];
        let find = |name: &str| {
            PARTS
                .iter()
                .position(|part| *part == name)
                .ok_or_else(|| Segment::Field(name.to_owned()))
        };
        let mut numbers = [None; PARTS.len()];
        while let Some(part) = values.next_key_seed(Key(find))? {
            let part = match part {
                Ok(part) => part,
                Err(segment) => {
                    self.path.push(segment);
                    return Err(self.fail("no part of a duration"));
                }
            };
            let outcome = values.next_value::<u32>();
            let number = self.locate(outcome, || Segment::Field(PARTS[part].to_owned()))?;
            if numbers[part].replace(number).is_some() {
                self.path.push(Segment::Field(PARTS[part].to_owned()));
                return Err(self.fail("there twice"));
            }
        }
        for (name, number) in PARTS.into_iter().zip(numbers) {
            let Some(number) = number else {
                self.path.push(Segment::Field(name.to_owned()));
                return Err(self.fail("missing"));
            };
            self.into.extend_from_slice(&number.to_le_bytes());
        }
        Ok(())
    }
}
