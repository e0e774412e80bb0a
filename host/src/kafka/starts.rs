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
    /// the run lasted, and had so many partitions then.
    ///
    /// # Errors
    ///
    /// Where `stored` is asked for; where an offset is, and the broker does not
    /// hold it; at the order to stop.
    pub fn resolve(
        &self,
        ask: &Ask,
        partition: &TopicPartition,
        remade: Option<i32>,
    ) -> Result<NextOffset, Fatal> {
        let start = self.start(partition, remade)?;
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

    fn start(&self, partition: &TopicPartition, remade: Option<i32>) -> Result<Start, Fatal> {
        let topic = |(topic, _): &&(String, i32)| **topic == *partition.topic;
        let known = self.known.iter().find(topic).map(|(_, count)| *count);
        if remade
            .or(known)
            .is_some_and(|count| partition.partition >= count)
        {
            return Ok(Start::Earliest);
        }
        if remade.is_none() {
            return Ok(self.starts.of(partition));
        }
        Ok(
            match gaps::remade(self.on_gap, &self.keeper, &partition.topic)? {
                OnGap::Latest => Start::Latest,
                OnGap::Stop | OnGap::Earliest => Start::Earliest,
            },
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn start(remade: Option<i32>, number: i32) -> Start {
        let beginnings = Beginnings {
            starts: Start::Timestamp(1).into(),
            known: vec![("a".to_owned(), 3)],
            on_gap: OnGap::Latest,
            keeper: Keeper::Group("g".to_owned()),
        };
        let start = beginnings.start(&TopicPartition::new("a", number), remade);
        start.expect("it does not end the run")
    }

    #[test]
    fn a_partition_that_appears_later_is_read_from_its_beginning() {
        assert_eq!(start(None, 2), Start::Timestamp(1));
        assert_eq!(start(None, 3), Start::Earliest);
    }

    /// Also where the old topic had one of that number.
    #[test]
    fn so_is_one_that_appears_in_a_topic_that_was_made_again() {
        assert_eq!(start(Some(1), 0), Start::Latest);
        assert_eq!(start(Some(1), 1), Start::Earliest);
        assert_eq!(start(Some(5), 4), Start::Latest);
        assert_eq!(start(Some(5), 5), Start::Earliest);
    }
}
