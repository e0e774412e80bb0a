//! A topic whose offsets have every kind of hole.

use std::time::Duration;

use millrace_tests::{Record, Transaction, eventually, eventually_ok, plugin, shared_broker};

use crate::pipeline::{LONG, Pipeline, SOON};

/// The record at offset n has this timestamp plus n seconds.
pub const NOON: i64 = 1_764_000_000_000;

/// What stands in each partition: the values are `PARTITION NUMBER`.
///
/// ```text
/// 0  numbers 0 to 9
/// 1  nothing
/// 2  numbers 4 to 9: those before were deleted
/// 3  numbers 0 to 2 in a transaction, and its marker
/// 4  numbers 0 and 1, and an aborted transaction
/// 5  numbers 0 and 1, and a transaction that is open
/// ```
pub struct Holes {
    pub pipeline: Pipeline,
    _open: Transaction,
}

/// Where each partition ends, for whoever reads committed records.
pub const ENDS: [(i32, i64); 6] = [(0, 10), (1, 0), (2, 10), (3, 4), (4, 4), (5, 2)];

pub fn record(partition: i32, number: i64) -> Record {
    Record::value(format!("{partition} {number}"))
        .key(partition.to_string())
        .at(NOON + number * 1000)
        .to_partition(partition)
}

impl Holes {
    pub fn new(stem: &str) -> Holes {
        let pipeline = Pipeline::new(stem, 6);
        let (client, input) = (&pipeline.client, &pipeline.input);
        for (partition, count) in [(0, 10), (2, 10), (4, 2), (5, 2)] {
            pipeline.feed((0..count).map(|number| record(partition, number)));
        }
        client.truncate(input, 2, 4);
        client
            .begin(input, (0..3).map(|number| record(3, number)))
            .commit();
        client.begin(input, [record(4, 2)]).abort();
        let open = client.begin(input, [record(5, 2)]);
        // Transactions have ended before their ends stand in their partitions.
        eventually_ok(SOON, "the partitions' ends", || {
            let found = client.watermarks(input)?;
            match found
                .iter()
                .map(|(_, next)| *next)
                .eq(ENDS.map(|(_, end)| end))
            {
                true => Ok(()),
                false => Err(format!("{found:?}")),
            }
        });
        Holes {
            pipeline,
            _open: open,
        }
    }

    /// The log of a run up to the end, and the values that it wrote: sorted.
    #[track_caller]
    pub fn run_to_the_end(&self, more: &[&str]) -> (String, Vec<String>) {
        let more = [&["--until", "end"], more].concat();
        let mut host = self.pipeline.start(&plugin("passthrough"), &more);
        crate::pipeline::expect_exit(&mut host, 0);
        (host.stderr(), self.values())
    }

    #[track_caller]
    pub fn values(&self) -> Vec<String> {
        let outputs = self.pipeline.outputs();
        let mut values: Vec<String> = outputs.iter().map(|r| r.text().to_owned()).collect();
        values.sort_unstable();
        values
    }
}

/// The values of these numbers of these partitions: sorted.
pub fn values(of: &[(i32, std::ops::Range<i64>)]) -> Vec<String> {
    let numbers = of.iter().flat_map(|(partition, numbers)| {
        let value = move |number| format!("{partition} {number}");
        numbers.clone().map(value)
    });
    let mut values: Vec<String> = numbers.collect();
    values.sort_unstable();
    values
}

/// A pipeline whose input is compacted: of 100 numbers under three keys the last
/// ones, then `between` at offset 100 and `last` at 101.
pub fn compacted(stem: &str) -> Pipeline {
    let pipeline = Pipeline::bare(shared_broker(), stem);
    let client = &pipeline.client;
    client.create_topic_with(
        &pipeline.input,
        1,
        &[
            ("cleanup.policy", "compact"),
            ("min.cleanable.dirty.ratio", "0.001"),
            ("segment.ms", "1000"),
            ("min.compaction.lag.ms", "0"),
        ],
    );
    client.create_topic(&pipeline.output, 1);
    pipeline.feed((0..100).map(|n| {
        Record::value(format!("{n}"))
            .key(format!("{}", n % 3))
            .at(NOON + n * 1000)
    }));
    pipeline.feed([Record::value("between").key("b").at(NOON + 200_000)]);
    pipeline.feed([Record::value("last").key("l").at(NOON + 300_000)]);
    eventually(LONG, "the topic's compaction", || {
        std::thread::sleep(Duration::from_millis(100));
        (client.read_all(&pipeline.input).len() == 5).then_some(())
    });
    pipeline
}
