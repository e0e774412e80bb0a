//! Where partitions begin that have no stored position, as numbers: what is stored
//! and read is never "the end", which moves.

use anyhow::anyhow;

use super::gaps;
use super::keeper::Keeper;
use super::places::{at_time, held};
use super::positions::{ASK, Ask};
use crate::config::{OnGap, Start, Starts};
use crate::pipeline::ports::Fatal;
use crate::record::{NextOffset, TopicPartition};

/// How `input.start` is followed.
#[derive(Debug, Clone)]
pub struct Beginnings {
    pub starts: Starts,
    /// How many partitions each topic had when the run began: one that appears
    /// later is read from its beginning, whatever `starts` says.
    pub known: Vec<(String, i32)>,
    pub on_gap: OnGap,
    /// Who keeps the positions.
    pub keeper: Keeper,
}

impl Beginnings {
    /// The number of a partition's start. `remade`: its topic was made again while
    /// the run lasted.
    ///
    /// # Errors
    ///
    /// Where `stored` is asked for; where an offset is, and the broker does not
    /// hold it; at the order to stop.
    pub fn resolve(
        &self,
        ask: &Ask,
        partition: &TopicPartition,
        remade: bool,
    ) -> Result<NextOffset, Fatal> {
        let start = match remade {
            true => match gaps::remade(self.on_gap, &self.keeper, &partition.topic)? {
                OnGap::Latest => Start::Latest,
                OnGap::Stop | OnGap::Earliest => Start::Earliest,
            },
            false => self.start(partition),
        };
        let held = || {
            let what = format!("what the broker holds of {partition} is asked for");
            ask.until_answered(&what, |consumer| held(consumer, partition, ASK))
        };
        let offset = match start {
            Start::Stored => return Err(self.nothing_stored(partition)),
            Start::Earliest => held()?.first,
            Start::Latest => held()?.next,
            Start::Offset(offset) => match held()? {
                held if held.has(offset) => offset,
                held => gaps::begin(self.on_gap, partition, offset, held)?,
            },
            Start::Timestamp(time) => {
                let what = format!("where {partition} was at the time of input.start is asked for");
                let found =
                    ask.until_answered(&what, |consumer| at_time(consumer, partition, time, ASK))?;
                match found {
                    Some(offset) => offset,
                    None => held()?.next,
                }
            }
        };
        Ok(NextOffset(offset))
    }

    fn start(&self, partition: &TopicPartition) -> Start {
        let topic = |(topic, _): &&(String, i32)| **topic == *partition.topic;
        let known = self.known.iter().find(topic);
        match known.is_none_or(|(_, count)| partition.partition < *count) {
            true => self.starts.of(partition),
            false => Start::Earliest,
        }
    }

    fn nothing_stored(&self, partition: &TopicPartition) -> Fatal {
        anyhow!(
            "{} has no stored position for topic {}, partition {}, and input.start is \"stored\": \
             start it once with --start earliest or --start latest",
            self.keeper,
            partition.topic,
            partition.partition,
        )
    }
}
