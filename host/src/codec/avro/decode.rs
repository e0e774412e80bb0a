//! Runs operations over one datum: from Avro's bytes straight to JSON text.
//!
//! Nobody vouches for the bytes. What they claim reserves nothing; how deep they nest,
//! how many values they are and how much text they become has limits that follow from
//! how many bytes they are.

mod each;
mod skip;

pub(super) use self::each::text_each;
use super::binary::Input;
use super::fault::{Fault, Outcome, Segment};
use super::logical;
use super::node::Id;
use super::op::{Branch, Bytes, Fields, Number, Op, Part};
use super::text;
use super::time;

/// How deep JSON nests at most, read or written: serde_json, which plugins read it
/// with, stops at 128.
pub(super) const DEEPEST: usize = 120;

/// What a datum may come to for each of its bytes, in values and in bytes of text (more
/// of them where the schema has long names, see `each`); and what a small one may. (Five
/// bytes can be a hundred million nulls, and one can be a null behind a long name.)
const EACH: usize = 64;
const VALUES: usize = 1 << 18;
const TEXT: usize = 1 << 20;

/// How long so much JSON may become by defaults, and how many of them it may ask for.
pub(super) fn longest(json: usize) -> usize {
    json.saturating_mul(EACH).max(TEXT)
}
pub(super) fn most_values(bytes: usize) -> usize {
    bytes.saturating_mul(EACH).max(VALUES)
}

/// Appends the JSON of all of `bytes`, each of them no more than `text_each` of text; on
/// an error, `into` is as it was.
pub(super) fn decode(
    (ops, root): (&[Op], Id),
    text_each: usize,
    bytes: &[u8],
    into: &mut Vec<u8>,
) -> Outcome {
    let start = into.len();
    let mut run = Run {
        ops,
        input: Input::new(bytes),
        longest: start.saturating_add(bytes.len().saturating_mul(text_each).max(TEXT)),
        values: most_values(bytes.len()),
        depth: 0,
        into,
    };
    let outcome = run.value(root).and_then(|()| match run.input.left() {
        0 => Ok(()),
        left => Err(Fault::new(format!("{left} bytes behind the value"))),
    });
    if outcome.is_err() {
        into.truncate(start);
    }
    outcome
}

struct Run<'a> {
    ops: &'a [Op],
    input: Input<'a>,
    into: &'a mut Vec<u8>,
    /// How long `into` may become.
    longest: usize,
    /// How many values may still come.
    values: usize,
    depth: usize,
}

impl<'a> Run<'a> {
    fn value(&mut self, id: Id) -> Outcome {
        self.account()?;
        let ops = self.ops;
        match &ops[id] {
            Op::Null => self.into.extend_from_slice(b"null"),
            Op::Boolean => {
                let text: &[u8] = if self.boolean()? { b"true" } else { b"false" };
                self.into.extend_from_slice(text);
            }
            Op::Int(number) => {
                let value = self.input.int()?;
                self.put_number(i64::from(value), *number);
            }
            Op::Long(number) => {
                let value = self.input.long()?;
                self.put_number(value, *number);
            }
            Op::Float { double } => {
                let value = f32::from_le_bytes(self.input.array()?);
                if *double {
                    text::put_double(self.into, f64::from(value));
                } else {
                    text::put_float(self.into, value);
                }
            }
            Op::Double => {
                let value = f64::from_le_bytes(self.input.array()?);
                text::put_double(self.into, value);
            }
            Op::String { base64: false } => {
                let value = self.input.string()?;
                text::put_string(self.into, value);
            }
            Op::String { base64: true } => {
                let value = self.input.string()?;
                text::put_base64(self.into, value.as_bytes());
            }
            Op::Bytes(shown) => {
                let bytes = self.input.prefixed()?;
                self.put_bytes(bytes, *shown)?;
            }
            Op::Fixed { size, shown } => {
                let bytes = self.input.take(*size)?;
                self.put_bytes(bytes, *shown)?;
            }
            Op::Enum(symbols) => {
                let symbol = self.chosen(symbols, "symbols")?;
                match symbol {
                    Ok(text) => self.into.extend_from_slice(text),
                    Err(reason) => return Err(Fault::new(reason.as_str())),
                }
            }
            Op::Array(items) => self.array(*items)?,
            Op::Map(values) => self.map(*values)?,
            Op::Record(fields) => {
                self.deeper()?;
                match &fields.order {
                    None => self.record(fields)?,
                    Some(order) => self.reordered(fields, order)?,
                }
                self.depth -= 1;
            }
            Op::Union(branches) => {
                let branch = self.chosen(branches, "branches")?;
                self.branch(branch)?;
            }
            Op::Branch(branch) => self.branch(branch)?,
            Op::Impossible(reason) => return Err(Fault::new(reason.as_str())),
        }
        Ok(())
    }

    /// One value more.
    #[inline]
    fn account(&mut self) -> Outcome {
        if self.values == 0 || self.into.len() > self.longest {
            return Err(Fault::new(
                "far more values or text than so few bytes should be",
            ));
        }
        self.values -= 1;
        Ok(())
    }

    fn deeper(&mut self) -> Outcome {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_deep());
        }
        Ok(())
    }

    fn boolean(&mut self) -> Outcome<bool> {
        match self.input.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Fault::new(format!("a boolean of {other}"))),
        }
    }

    /// What an index that comes next chooses.
    fn chosen<T>(&mut self, among: &'a [T], what: &str) -> Outcome<&'a T> {
        let index = self.input.long()?;
        usize::try_from(index)
            .ok()
            .and_then(|index| among.get(index))
            .ok_or_else(|| {
                let count = among.len();
                Fault::new(format!("number {index} of {count} {what}"))
            })
    }

    fn branch(&mut self, branch: &'a Branch) -> Outcome {
        let Some(tag) = &branch.tag else {
            return self.value(branch.op);
        };
        self.deeper()?;
        self.into.extend_from_slice(&tag.before);
        self.value(branch.op)
            .map_err(|fault| fault.within(Segment::Key(tag.name.clone())))?;
        self.into.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn record(&mut self, fields: &'a Fields) -> Outcome {
        self.into.push(b'{');
        for part in &fields.parts {
            self.part(part)?;
        }
        self.into.push(b'}');
        Ok(())
    }

    /// A record whose fields the reader has in another order than they come: they are
    /// written as they come, and then put in their places.
    fn reordered(&mut self, fields: &'a Fields, order: &[usize]) -> Outcome {
        let start = self.into.len();
        let mut ends = Vec::with_capacity(fields.parts.len() + 1);
        ends.push(0);
        for part in &fields.parts {
            self.part(part)?;
            ends.push(self.into.len() - start);
        }
        let written = self.into.split_off(start);
        self.into.push(b'{');
        for (place, part) in order.iter().enumerate() {
            if place > 0 {
                self.into.push(b',');
            }
            self.into
                .extend_from_slice(&written[ends[*part]..ends[*part + 1]]);
        }
        self.into.push(b'}');
        Ok(())
    }

    #[inline]
    fn part(&mut self, part: &'a Part) -> Outcome {
        match part {
            Part::Show { name, before, op } => {
                self.into.extend_from_slice(before);
                self.value(*op)
                    .map_err(|fault| fault.within(Segment::Field(name.clone())))
            }
            Part::Skip { name, op } => self
                .skip(*op)
                .map_err(|fault| fault.within(Segment::Field(name.clone()))),
            Part::Text {
                name,
                before,
                text,
                levels,
            } => {
                if self.depth + levels > DEEPEST {
                    return Err(too_deep().within(Segment::Field(name.clone())));
                }
                self.into.extend_from_slice(before);
                self.into.extend_from_slice(text);
                Ok(())
            }
        }
    }

    fn array(&mut self, items: Id) -> Outcome {
        self.deeper()?;
        self.into.push(b'[');
        let mut index = 0;
        loop {
            let (count, _) = self.input.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                if index > 0 {
                    self.into.push(b',');
                }
                self.value(items)
                    .map_err(|fault| fault.within(Segment::Index(index)))?;
                index += 1;
            }
        }
        self.into.push(b']');
        self.depth -= 1;
        Ok(())
    }

    fn map(&mut self, values: Id) -> Outcome {
        self.deeper()?;
        self.into.push(b'{');
        let mut first = true;
        loop {
            let (count, _) = self.input.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                if !first {
                    self.into.push(b',');
                }
                first = false;
                let key = self.input.string()?;
                text::put_string(self.into, key);
                self.into.push(b':');
                self.value(values)
                    .map_err(|fault| fault.within(Segment::Key(key.to_owned())))?;
            }
        }
        self.into.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn put_number(&mut self, value: i64, number: Number) {
        let written = match number {
            Number::Plain => false,
            #[expect(
                clippy::cast_precision_loss,
                reason = "the promotion that was asked for"
            )]
            Number::Float => return text::put_float(self.into, value as f32),
            #[expect(
                clippy::cast_precision_loss,
                reason = "the promotion that was asked for"
            )]
            Number::Double => return text::put_double(self.into, value as f64),
            Number::Date => time::put_date(self.into, value),
            Number::Time(unit) => time::put_time(self.into, value, unit),
            Number::Instant { unit, local } => time::put_instant(self.into, value, unit, local),
        };
        if !written {
            text::put_number(self.into, value);
        }
    }

    fn put_bytes(&mut self, bytes: &[u8], shown: Bytes) -> Outcome {
        match shown {
            Bytes::Base64 => text::put_base64(self.into, bytes),
            Bytes::Utf8 => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| Fault::new("the bytes, read as a string, are not UTF-8"))?;
                text::put_string(self.into, text);
            }
            Bytes::Decimal(decimal) => decimal.put_text(self.into, bytes).map_err(Fault::new)?,
            Bytes::Uuid => text::put_uuid(self.into, sized(bytes)?),
            Bytes::Duration => {
                self.deeper()?;
                let [months, days, millis] = duration(sized(bytes)?);
                for (name, number) in [
                    ("{\"months\":", months),
                    (",\"days\":", days),
                    (",\"millis\":", millis),
                ] {
                    self.into.extend_from_slice(name.as_bytes());
                    text::put_number(self.into, number);
                }
                self.into.push(b'}');
                self.depth -= 1;
            }
        }
        Ok(())
    }
}

#[cold]
fn too_deep() -> Box<Fault> {
    Fault::new(format!("nested deeper than {DEEPEST} levels"))
}

fn sized<const N: usize>(bytes: &[u8]) -> Outcome<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| Fault::new(format!("{} bytes where {N} are needed", bytes.len())))
}

/// Months, days and milliseconds.
fn duration(bytes: [u8; logical::DURATION]) -> [u32; 3] {
    let number =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [number(0), number(4), number(8)]
}
