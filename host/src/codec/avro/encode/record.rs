//! A JSON object as a record: fields that come in the schema's order are written where
//! they stay; the others behind, and put into their places at the end.

use std::ops::Range;

use serde::de::MapAccess;

use super::key::Key;
use super::{Run, Seed};
use crate::codec::avro::decode::DEEPEST;
use crate::codec::avro::fault::Segment;
use crate::codec::avro::node::Record;

/// Fields that did not come in their order.
struct Disordered {
    /// The field that was due when the first one did not.
    due: usize,
    /// Where the fields from there on begin.
    start: usize,
    /// Where each of those that came lies.
    ranges: Vec<Option<Range<usize>>>,
}

impl<'a> Run<'a> {
    pub(super) fn record<'de, A: MapAccess<'de>>(
        &mut self,
        record: &'a Record,
        mut values: A,
    ) -> Result<(), A::Error> {
        let mut due = 0;
        let mut disordered: Option<Disordered> = None;
        while let Some(found) = values.next_key_seed(Key(|name: &str| record.find(name, due)))? {
            let place = match found {
                Ok(place) => place,
                Err(name) => {
                    self.path.push(Segment::Field(name));
                    return Err(self.fail(format!("{} has no such field", record.name.full)));
                }
            };
            let begin = self.into.len();
            let twice = match &disordered {
                None => place < due,
                Some(of) => place < of.due || of.ranges[place].is_some(),
            };
            let field = &record.fields[place];
            if twice {
                self.path.push(Segment::Field(field.name.clone()));
                return Err(self.fail("there twice"));
            }
            if disordered.is_none() && place != due {
                disordered = Some(Disordered {
                    due,
                    start: begin,
                    ranges: vec![None; record.fields.len()],
                });
            }
            let seed = Seed {
                run: &mut *self,
                node: field.node,
            };
            let outcome = values.next_value_seed(seed);
            self.locate(outcome, || Segment::Field(field.name.clone()))?;
            match &mut disordered {
                None => due += 1,
                Some(of) => of.ranges[place] = Some(begin..self.into.len()),
            }
        }
        let Some(Disordered { due, start, ranges }) = disordered else {
            for place in due..record.fields.len() {
                let default = self.default(record, place, 0)?;
                self.into.extend_from_slice(default);
            }
            return Ok(());
        };
        let mut ordered = Vec::with_capacity(self.into.len() - start);
        for (place, range) in ranges.into_iter().enumerate().skip(due) {
            match range {
                Some(range) => ordered.extend_from_slice(&self.into[range]),
                None => {
                    let default = self.default(record, place, ordered.len())?;
                    ordered.extend_from_slice(default);
                }
            }
        }
        self.into.truncate(start);
        self.into.extend_from_slice(&ordered);
        Ok(())
    }

    /// What a field is that is missing, where so many bytes are still apart.
    fn default<E: serde::de::Error>(
        &mut self,
        record: &'a Record,
        place: usize,
        apart: usize,
    ) -> Result<&'a [u8], E> {
        let field = &record.fields[place];
        let why = match &field.default {
            // An object of two bytes can be as many defaults as the schema has.
            Some(Ok(_)) if self.defaults == 0 || self.into.len() + apart > self.longest => {
                "missing, and far more defaults than so little text should have".to_owned()
            }
            Some(Ok(default)) if self.depth + default.levels > DEEPEST => {
                format!("missing, and its default is nested deeper than {DEEPEST} levels")
            }
            Some(Ok(default)) => {
                self.defaults -= 1;
                return Ok(&default.bytes);
            }
            Some(Err(reason)) => format!("missing, and {reason}"),
            None => "missing, and it has no default".to_owned(),
        };
        self.path.push(Segment::Field(field.name.clone()));
        Err(self.fail(why))
    }
}

impl Record {
    /// The place of a field, which is mostly the one that is due; else its name.
    #[inline]
    fn find(&self, name: &str, due: usize) -> Result<usize, String> {
        if self.fields.get(due).is_some_and(|field| field.name == name) {
            return Ok(due);
        }
        self.places
            .get(name)
            .copied()
            .ok_or_else(|| name.to_owned())
    }
}
