use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::pipeline::batch::Limits;
use crate::pipeline::policy::Policy;
use crate::pipeline::ports::{Failure, Fault, Outcome, Transform};
use crate::pipeline::worker::{Settings, Worker};
use crate::record::{Output, Payload, Timestamp, Verdict};
use crate::telemetry::Counters;

/// Traps at `poison`, forwards the rest, and notes what it is called with.
#[derive(Clone, Default)]
struct Plugin(Arc<Mutex<Calls>>);

/// The topic and the offsets of each.
type Calls = Vec<(String, Vec<i64>)>;

impl crate::pipeline::ports::Versioned for Plugin {}

impl Transform for Plugin {
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        let offsets = records.iter().map(Record::offset).collect();
        let mut calls = self.0.lock().unwrap();
        calls.push((partition.topic.to_string(), offsets));
        if records.iter().any(|it| it.value() == Some(b"poison")) {
            return Err(Fault::Broke("it trapped".to_owned()));
        }
        let verdict = |record: &R| match record.value() {
            Some(b"elsewhere") => Verdict::Replace(Output {
                topic: Some("forbidden".to_owned()),
                key: Payload::Null,
                ..Output::FORWARD
            }),
            _ => Verdict::Forward,
        };
        Ok(records.iter().map(verdict).collect())
    }
}

fn given(topic: &str, offset: i64, value: &str) -> Given {
    let value = Some(value.as_bytes().to_vec());
    Given {
        partition: TopicPartition::new(topic, 0),
        record: Held::new((None, value), Vec::new(), offset, Timestamp::Create(0)),
    }
}

/// What is said of each record, in their order, and the plugin's calls.
fn run(records: Vec<Given>, most: usize) -> (Vec<String>, Calls) {
    let plugin = Plugin::default();
    let said = Arc::<Mutex<Vec<String>>>::default();
    let into = Arc::clone(&said);
    let tap = move |partition: &TopicPartition, record: &dyn Record, outcome: Outcome<'_>| {
        let what = match outcome {
            Outcome::Judged(verdict) => verdict.name().to_owned(),
            Outcome::Rejected(rejected) => format!("{}: {}", rejected.stage, rejected.reason),
        };
        let line = format!("{} {} {what}", partition.topic, record.offset());
        into.lock().unwrap().push(line);
        Ok(())
    };
    let settings = Settings {
        batch: Limits {
            records: most,
            bytes: 1 << 20,
        },
        commit_interval: Duration::from_secs(1),
        drain: Duration::from_secs(1),
        default_topic: Some("out".into()),
        redirect: None,
        policy: Policy::Drop,
        breaker: None,
    };
    let forbid = |topic: &str| (topic == "forbidden").then(|| "it may not".to_owned());
    let ports = (
        GivenSource::new(records),
        Unsent::new(forbid),
        Unkept,
        plugin.clone(),
    );
    let outcome: Result<(), Failure> = Worker::new(
        ports,
        settings,
        Arc::new(Counters::default()),
        Some(Box::new(tap)),
    )
    .run(|| None);
    outcome.unwrap();
    let calls = std::mem::take(&mut *plugin.0.lock().unwrap());
    (std::mem::take(&mut *said.lock().unwrap()), calls)
}

#[test]
fn nothing_given_is_soon_done() {
    assert_eq!(run(Vec::new(), 10), (vec![], vec![]));
}

#[test]
fn records_come_in_their_order_and_a_call_has_consecutive_ones_of_one_partition() {
    let records = vec![
        given("a", 0, "x"),
        given("a", 5, "x"),
        given("b", 0, "x"),
        given("a", 6, "x"),
        given("a", 7, "x"),
        given("a", 8, "x"),
    ];
    let (said, calls) = run(records, 2);
    let wanted = ["a 0", "a 5", "b 0", "a 6", "a 7", "a 8"];
    assert_eq!(said, wanted.map(|place| format!("{place} forward")));
    let call = |topic: &str, offsets: &[i64]| (topic.to_owned(), offsets.to_vec());
    let wanted = [
        call("a", &[0, 5]),
        call("b", &[0]),
        call("a", &[6, 7]),
        call("a", &[8]),
    ];
    assert_eq!(calls, wanted);
}

#[test]
fn offsets_that_go_back_begin_a_call_of_their_own() {
    let records = vec![given("a", 7, "x"), given("a", 7, "x"), given("a", 3, "x")];
    let (said, calls) = run(records, 10);
    assert_eq!(said, ["a 7 forward", "a 7 forward", "a 3 forward"]);
    assert_eq!(calls.len(), 3);
}

#[test]
fn the_culprit_alone_fails() {
    let value = |n| if n == 37 { "poison" } else { "x" };
    let (said, _) = run((0..100).map(|n| given("a", n, value(n))).collect(), 1000);
    assert_eq!(said.len(), 100);
    for (n, said) in said.iter().enumerate() {
        let what = match n {
            37 => "transform: it trapped",
            _ => "forward",
        };
        assert_eq!(*said, format!("a {n} {what}"));
    }
}

#[test]
fn calls_grow_alike_each_time() {
    let records = || (0..1000).map(|n| given("a", n, "x")).collect();
    let (_, calls) = run(records(), 300);
    assert!(calls.iter().all(|(_, offsets)| offsets.len() <= 300));
    assert!(calls.iter().any(|(_, offsets)| offsets.len() > 100));
    assert_eq!(run(records(), 300).1, calls);
}

#[test]
fn an_output_that_may_not_go_there_fails_as_it_would_in_a_run() {
    let (said, _) = run(vec![given("a", 0, "elsewhere"), given("a", 1, "x")], 10);
    assert_eq!(said, ["a 0 produce: it may not", "a 1 forward"]);
}
