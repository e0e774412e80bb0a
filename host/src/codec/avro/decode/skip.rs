//! Passing over what the reader's schema doesn't have.

use super::super::fault::{Fault, Outcome};
use super::super::node::Id;
use super::super::op::{Op, Part};
use super::Run;

impl Run<'_> {
    /// Passes over one value of the writer's. Only its lengths are looked at; but it
    /// counts as values, and its depth as depth.
    pub(super) fn skip(&mut self, id: Id) -> Outcome {
        self.account()?;
        let ops = self.ops;
        match &ops[id] {
            Op::Null => {}
            Op::Boolean => drop(self.input.take(1)?),
            Op::Int(_) | Op::Long(_) | Op::Enum(_) => drop(self.input.long()?),
            Op::Float { .. } => drop(self.input.take(4)?),
            Op::Double => drop(self.input.take(8)?),
            Op::String { .. } | Op::Bytes(_) => drop(self.input.prefixed()?),
            Op::Fixed { size, .. } => drop(self.input.take(*size)?),
            Op::Array(items) => self.skip_blocks(*items, false)?,
            Op::Map(values) => self.skip_blocks(*values, true)?,
            Op::Record(fields) => {
                self.deeper()?;
                for part in &fields.parts {
                    if let Part::Show { op, .. } | Part::Skip { op, .. } = part {
                        self.skip(*op)?;
                    }
                }
                self.depth -= 1;
            }
            Op::Union(branches) => {
                let branch = self.chosen(branches, "branches")?;
                self.skip(branch.op)?;
            }
            Op::Branch(branch) => self.skip(branch.op)?,
            Op::Impossible(reason) => return Err(Fault::new(reason.as_str())),
        }
        Ok(())
    }

    fn skip_blocks(&mut self, items: Id, keyed: bool) -> Outcome {
        self.deeper()?;
        loop {
            let (count, size) = self.input.block()?;
            if count == 0 {
                break;
            }
            if let Some(size) = size {
                self.input.take(size)?;
                continue;
            }
            for _ in 0..count {
                if keyed {
                    self.input.prefixed()?;
                }
                self.skip(items)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }
}
