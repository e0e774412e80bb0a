//! The end of what is to be read, where a run has one.

use super::Worker;
use crate::pipeline::ports::{Fatal, Judge, OffsetStore, Sink, Source};

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Whether everything that is to be read is done, here and by others. A lane
    /// that is done has its end as its position, which tells the others.
    pub(super) fn is_finished(&mut self) -> Result<bool, Fatal> {
        let mut done = true;
        for lane in &mut self.lanes {
            if lane.is_busy() || !lane.begun || lane.gap.is_some() {
                done = false;
            } else if let Some(end) = self.source.reached(lane.id) {
                lane.progress.reach(end);
            }
        }
        // What is done must count before the run ends with it. Asked last, because it
        // ends a transaction that others would still go into.
        Ok(done && self.source.is_finished()? && self.is_settled())
    }
}
