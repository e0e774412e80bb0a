//! Records that flow while something happens to the pipeline, and what must be
//! true of the output afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use millrace_tests::{Record, eventually_ok};

use crate::pipeline::{Pipeline, SOON};

/// How many keys there are. All records of one are in one partition.
pub const KEYS: usize = 97;

/// The longest that one feeder writes: longer than any test that passes takes, where
/// the machine is slow, too.
const LONGEST: Duration = Duration::from_secs(1200);

/// For producers to librdkafka's mock cluster: of a request that failed with another
/// one behind it, the mock takes what is sent again under the producer's next epoch for
/// what it has already (librdkafka 2.12, `rd_kafka_mock_pid_check`), and loses it.
pub const ONE_IN_FLIGHT: &[(&str, &str)] = &[("max.in.flight.requests.per.connection", "1")];

/// Writes numbered records at a steady rate from a thread of its own until told
/// to end: `KEY NUMBER` under the key `KEY`, numbers rising from 0.
#[derive(Debug)]
pub struct Feeder {
    stop: Arc<AtomicBool>,
    /// There until it is waited for.
    thread: Option<JoinHandle<usize>>,
}

impl Drop for Feeder {
    /// What a test that fails leaves behind does not load the others.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Feeder {
    pub fn start(pipeline: &Pipeline, rate: usize) -> Feeder {
        Feeder::start_with(pipeline, rate, record)
    }

    /// Like [`Feeder::start`], with other records.
    pub fn start_with(
        pipeline: &Pipeline,
        rate: usize,
        record: impl Fn(usize, usize) -> Record + Send + 'static,
    ) -> Feeder {
        let client = pipeline.client.clone();
        let topic = pipeline.input.clone();
        let partitions = eventually_ok(SOON, "the input", || client.partitions(&topic));
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let partitions = usize::try_from(partitions).expect("a count");
            let begun = Instant::now();
            let mut count = 0;
            let records = std::iter::from_fn(|| {
                // Paced: what is due by now, then a nap.
                while count as f64 >= begun.elapsed().as_secs_f64() * rate as f64 {
                    if told.load(Ordering::Relaxed) || begun.elapsed() > LONGEST {
                        return None;
                    }
                    thread::sleep(Duration::from_millis(2));
                }
                let record = record(count, partitions);
                count += 1;
                Some(record)
            });
            client.produce_with(ONE_IN_FLIGHT, &topic, records);
            count
        });
        Feeder {
            stop,
            thread: Some(thread),
        }
    }

    /// Whether it has ended by itself: it writes for so long and no longer.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it, and returns how many records are in the input now.
    pub fn finish(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is waited for once");
        thread.join().expect("all could be written")
    }
}

/// The record with this number.
pub fn record(number: usize, partitions: usize) -> Record {
    let key = number % KEYS;
    Record::value(format!("{key} {number}"))
        .key(key.to_string())
        .to_partition(i32::try_from(key % partitions).expect("small"))
}

/// What the puppet is told to do with the records that it rejects.
fn command(number: usize) -> Option<&'static str> {
    match number % 40 {
        7 | 8 => Some("fail"),
        29 => Some("panic"),
        _ => None,
    }
}

/// The record with this number, which for some numbers the puppet rejects.
pub fn record_or_culprit(number: usize, partitions: usize) -> Record {
    let record = record(number, partitions);
    match command(number) {
        None => record,
        Some(command) => Record {
            value: Some(format!("{command} {}", record.text()).into()),
            ..record
        },
    }
}

/// Asserts that of `count` records every culprit is in the dead-letter topic and
/// every other one in the output, at least once and first in order, and nothing
/// where it should not be.
#[track_caller]
pub fn assert_culprits_apart(pipeline: &Pipeline, count: usize) {
    let is_culprit = |number| command(number).is_some();
    assert_in_order(&pipeline.outputs(), count, |number| !is_culprit(number));
    let mut letters = pipeline.letters();
    for letter in &mut letters {
        let (_, numbers) = letter.text().split_once(' ').expect("as it was written");
        letter.value = Some(numbers.into());
    }
    assert_in_order(&letters, count, is_culprit);
}

/// Asserts that each of `count` records is in the output exactly once, those of
/// one key in order.
#[track_caller]
pub fn assert_all_once_in_order(output: &[Record], count: usize) {
    assert_eq!(output.len(), count, "records in the output");
    assert_all_in_order(output, count);
}

/// Asserts that each of `count` records is in the output at least once, and that
/// the first occurrences of one key's are in order.
#[track_caller]
pub fn assert_all_in_order(output: &[Record], count: usize) {
    assert_in_order(output, count, |_| true);
}

/// The same of those of `count` records that belong there; there are no others.
#[track_caller]
fn assert_in_order(output: &[Record], count: usize, belongs: impl Fn(usize) -> bool) {
    let mut seen = vec![false; count];
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    for record in output {
        let (key, number) = numbered(record);
        assert!(belongs(number), "record {number} does not belong there");
        if std::mem::replace(&mut seen[number], true) {
            continue;
        }
        if let Some(before) = last.insert(key, number) {
            assert!(
                before < number,
                "key {key}: record {number} comes first behind {before} (partition {:?}, offset {})",
                record.partition,
                record.offset
            );
        }
    }
    let missing: Vec<_> = (0..count)
        .filter(|number| belongs(*number) && !seen[*number])
        .take(20)
        .collect();
    assert!(missing.is_empty(), "lost: {missing:?} and maybe more");
}

/// The key and the number of a record.
#[track_caller]
pub fn numbered(record: &Record) -> (usize, usize) {
    let (key, number) = record.text().split_once(' ').expect("as it was written");
    let parse = |text: &str| text.parse().expect("as it was written");
    (parse(key), parse(number))
}
