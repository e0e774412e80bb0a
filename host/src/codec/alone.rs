//! A codec of the user's without a transform: what it makes of a record's value stands
//! in for the verdict.

use super::coded::latest;
use crate::pipeline::ports::{Convert, Halt, Judge, Versioned};
use crate::record::{Field, Judged, Output, Payload, Record, Stage, TopicPartition, Verdict};

/// See the module's words.
pub struct Alone<C> {
    codec: C,
    /// At which it would stand in a pipeline.
    stage: Stage,
}

impl<C: Convert> Alone<C> {
    pub fn new(codec: C, stage: Stage) -> Self {
        Self { codec, stage }
    }
}

impl<C> Versioned for Alone<C> {}

impl<C: Convert> Judge for Alone<C> {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        let payloads: Vec<&[u8]> = records.iter().filter_map(Record::value).collect();
        let topic = &partition.topic;
        let made = self
            .codec
            .convert(topic, Field::Value, &payloads, latest(records));
        let made = made.map_err(|fault| Halt::Fault(self.stage, fault))?;
        // One result a payload: the codec's port says so.
        let mut made = made.into_iter();
        let judged = records.iter().map_while(|record| {
            // A null never gets to a codec.
            let Some(_) = record.value() else {
                return Some(Verdict::Forward.into());
            };
            Some(match made.next()? {
                Err(why) => Judged::failed(self.stage, why),
                Ok(bytes) => Verdict::Replace(Output {
                    value: Payload::Bytes(bytes),
                    ..Output::FORWARD
                })
                .into(),
            })
        });
        Ok(judged.collect())
    }

    fn encode<R: Record>(&mut self, _: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        Ok(judged.len())
    }

    fn discard(&mut self) {
        self.codec.discard();
    }
}
