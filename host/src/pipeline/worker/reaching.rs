//! What is passed where no record stands, and the end of what is to be read, where a
//! run has one.

use super::Worker;
use crate::pipeline::ports::{Fatal, Judge, OffsetStore, Sink, Source};

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Where all of a lane is done, its position is behind what is no record, too: that
    /// may go before the next record comes, and is no gap.
    pub(super) fn pass(&mut self) {
        for lane in self.lanes.iter_mut().filter(|lane| !lane.is_busy()) {
            if let Some(passed) = self.source.passed(lane.id) {
                lane.progress.reach(passed);
            }
        }
    }

    /// Whether everything that is to be read is done, here and by others. A lane
    /// that is done has its end as its position, which tells the others.
    pub(super) fn is_finished(&mut self) -> Result<bool, Fatal> {
        if !self.source.has_ends() {
            return Ok(false);
        }
        self.pass();
        let mut lanes = self.lanes.iter();
        let done = lanes.all(|lane| lane.begun && lane.gap.is_none() && !lane.is_busy());
        // What is done must count before the run ends with it. Asked last, because it
        // ends a transaction that others would still go into.
        Ok(done && self.source.is_finished()? && self.is_settled())
    }
}
