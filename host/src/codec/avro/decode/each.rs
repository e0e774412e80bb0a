//! How much text a byte of data may become: what a schema makes of it, names and all.

use super::super::node::Id;
use super::super::op::{Branch, Bytes, Op, Part};
use super::{DEEPEST, EACH};

/// What a value without names may come to, in a byte of its own: an instant.
const PLAIN: usize = 32;

/// Beyond this a schema's own names are what is absurd.
const MOST: usize = 4096;

/// The most bytes of text that data of these operations comes to for each of its own,
/// roughly: the longest way of names to a value that is one byte, as an enum's is or a
/// null in a union.
pub(in super::super) fn text_each(ops: &[Op]) -> usize {
    let mut weights = Weights {
        ops,
        known: vec![None; ops.len()],
    };
    let heaviest = (0..ops.len()).map(|id| weights.of(id, 0)).max();
    heaviest.unwrap_or(EACH).clamp(EACH, MOST)
}

struct Weights<'a> {
    ops: &'a [Op],
    known: Vec<Option<usize>>,
}

impl Weights<'_> {
    fn of(&mut self, id: Id, depth: usize) -> usize {
        if depth > DEEPEST {
            return 0;
        }
        if let Some(known) = self.known[id] {
            return known;
        }
        // Who comes here again on the way needs endless data.
        self.known[id] = Some(0);
        let ops = self.ops;
        let weight = match &ops[id] {
            Op::Enum(symbols) => symbols.iter().flatten().map(Vec::len).max().unwrap_or(0),
            Op::Bytes(Bytes::Decimal(decimal))
            | Op::Fixed {
                shown: Bytes::Decimal(decimal),
                ..
            } => PLAIN + decimal.scale,
            // The branch's number is a byte, and what is in it mostly another one.
            Op::Union(branches) => PLAIN + branches.iter().map(tag).max().unwrap_or(0),
            Op::Branch(branch) => tag(branch) + self.of(branch.op, depth + 1),
            Op::Record(fields) => {
                let (mut added, mut longest) = (0_usize, 0);
                for part in &fields.parts {
                    match part {
                        Part::Skip { .. } => {}
                        Part::Show { before, op, .. } => {
                            longest = longest.max(before.len() + self.of(*op, depth + 1));
                        }
                        Part::Text { before, text, .. } => added += before.len() + text.len(),
                    }
                }
                added + longest
            }
            _ => PLAIN,
        };
        self.known[id] = Some(weight);
        weight
    }
}

fn tag(branch: &Branch) -> usize {
    branch.tag.as_ref().map_or(0, |tag| tag.before.len() + 1)
}
