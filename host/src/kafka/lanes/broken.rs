//! Lanes whose next record is not there: retention took it, or the topic is another
//! one of the same name.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::{Offset, TopicPartitionList};

use super::{Lane, Lanes, Reading};
use crate::config::OnGap;
use crate::kafka::context::Consumer;
use crate::kafka::gaps;
use crate::kafka::places::held;
use crate::pipeline::ports::{Fatal, Gap, LaneId, SourceEvent};
use crate::record::NextOffset;
use crate::telemetry;

/// The longest that one question for what the broker holds waits, and how soon it is
/// asked again.
const ASK: Duration = Duration::from_secs(1);
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Why nothing is read from a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its position lies behind the end of the run, and maybe behind the
    /// partition's.
    Perhaps,
    /// The broker does not have this offset.
    Gone(i64),
    /// The topic was made again.
    Remade,
    /// Its worker was told where it goes on.
    Told,
}

impl Lanes {
    /// The next gap that the worker was not told of.
    ///
    /// # Errors
    ///
    /// Where a gap ends the run (`input.on_gap`). Then there are no more: the end's
    /// last commits hear of none.
    pub fn next_gap(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        if self.ended {
            return Ok(None);
        }
        let gap = self.look_for_a_gap();
        self.ended = gap.is_err();
        gap
    }

    fn look_for_a_gap(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        self.look_at_topics()?;
        if !self.suspicious || self.ask_again.is_some_and(|again| Instant::now() < again) {
            return Ok(None);
        }
        self.ask_again = None;
        let Reading {
            keeper,
            on_gap,
            lineage,
        } = &self.reading;
        for lane in &mut self.lanes {
            let Some(mut broken) = lane.broken.filter(|broken| *broken != Broken::Told) else {
                continue;
            };
            let partition = &lane.partition;
            let held = match held(&self.consumer, partition, ASK) {
                Ok(held) => held,
                Err(error) => {
                    let what = format!("what the broker holds of {partition} is asked for");
                    telemetry::waiting(&what, &error.to_string());
                    self.ask_again = Some(Instant::now() + ASK_AGAIN);
                    continue;
                }
            };
            if broken == Broken::Perhaps && held.has(lane.next) {
                lane.broken = None;
                continue;
            }
            // A new topic is most often shorter than the old one.
            lineage.inputs.look();
            if lineage.is_broken(partition) {
                broken = Broken::Remade;
            }
            lane.broken = Some(Broken::Told);
            let to = match broken {
                Broken::Remade => match gaps::remade(*on_gap, keeper, &partition.topic)? {
                    OnGap::Latest => held.next,
                    OnGap::Stop | OnGap::Earliest => held.first,
                },
                // It was refused for something that has passed.
                Broken::Gone(offset) if held.has(offset) => offset,
                Broken::Gone(offset) => gaps::go_on(*on_gap, keeper, partition, offset, held)?,
                Broken::Perhaps | Broken::Told => {
                    gaps::go_on(*on_gap, keeper, partition, lane.next, held)?
                }
            };
            let gap = Gap {
                to: NextOffset(to),
                first: held.first,
                remade: broken == Broken::Remade,
            };
            return Ok(Some(SourceEvent::Gap(lane.id, gap)));
        }
        self.suspicious = self.ask_again.is_some();
        Ok(None)
    }

    /// Which lanes' topics are others than those that their positions are of.
    fn look_at_topics(&mut self) -> Result<(), Fatal> {
        let lineage = &self.reading.lineage;
        let changes = lineage.inputs.changes();
        if changes != std::mem::replace(&mut self.changes, changes)
            && let Some(topic) = lineage.inputs.a_remade_one()
        {
            gaps::remade(self.reading.on_gap, &self.reading.keeper, &topic)?;
            self.opened = true;
        }
        if std::mem::take(&mut self.opened) {
            for lane in &mut self.lanes {
                if lineage.is_broken(&lane.partition) {
                    lane.broken = Some(Broken::Remade);
                    self.suspicious = true;
                }
            }
        }
        Ok(())
    }

    /// [`Source::jump`](crate::pipeline::ports::Source::jump).
    ///
    /// librdkafka does not seek in a partition whose position is gone (its fetching
    /// has ended), so the partition is assigned anew. A revoke that librdkafka is
    /// about to tell of would take this for its answer: then what is given up is
    /// drained a little late, and what it had not committed is read again.
    pub fn jump(&mut self, id: LaneId, position: NextOffset) -> Result<(), Fatal> {
        let Some(index) = self.lanes.iter().position(|lane| lane.id == id) else {
            return Ok(());
        };
        let lane = &mut self.lanes[index];
        self.reading.lineage.adopt(&lane.partition);
        lane.broken = None;
        lane.seek(position.0);
        let eager = matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager);
        let assigned = match eager {
            // Its assignments are whole ones.
            true => {
                list(&self.consumer, self.lanes.iter_mut()).map(|all| self.consumer.assign(&all))
            }
            false => list(&self.consumer, [&mut self.lanes[index]].into_iter()).map(|one| {
                self.consumer.incremental_unassign(&one)?;
                self.consumer.incremental_assign(&one)
            }),
        };
        let assigned = assigned.and_then(|assigned| assigned.map_err(Fatal::new));
        assigned.with_context(|| {
            format!(
                "{} can't be read from {position} on",
                self.lanes[index].partition
            )
        })
    }
}

/// Where these lanes are read on. What was fetched ahead comes again.
fn list<'a>(
    consumer: &Consumer,
    lanes: impl Iterator<Item = &'a mut Lane>,
) -> Result<TopicPartitionList, Fatal> {
    let mut list = TopicPartitionList::new();
    for lane in lanes {
        // What is no record may be gone by now.
        lane.seek(lane.passed(consumer));
        list.add_partition_offset(
            &lane.partition.topic,
            lane.partition.partition,
            Offset::Offset(lane.next),
        )?;
    }
    Ok(list)
}
