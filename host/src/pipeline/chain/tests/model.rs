//! The chain against a model that copies everything: each link in turn gets whole
//! records, and whole records are what comes out.

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;

/// An output with all that it is, and which of it is still the record's own.
#[derive(Debug, Clone, PartialEq)]
struct Whole {
    topic: Option<String>,
    partition: Option<i32>,
    message: FakeRecord,
    timestamp: Option<i64>,
    own_key: bool,
    own_value: bool,
    own_headers: bool,
}

impl Whole {
    fn of(record: &FakeRecord) -> Self {
        Self {
            topic: None,
            partition: None,
            message: record.clone(),
            timestamp: None,
            own_key: true,
            own_value: true,
            own_headers: true,
        }
    }

    /// What goes out if this was the message.
    fn after(&self, output: &Output) -> Self {
        let mut whole = self.clone();
        if output.topic.is_some() {
            whole.topic.clone_from(&output.topic);
            whole.partition = None;
        }
        if output.partition.is_some() {
            whole.partition = output.partition;
        }
        if let Some(ms) = output.timestamp {
            whole.timestamp = Some(ms);
            whole.message.timestamp = Timestamp::Create(ms);
        }
        let payload = |payload: &Payload, whole: &mut Option<Vec<u8>>, own: &mut bool| {
            match payload {
                Payload::Source => return,
                Payload::Null => *whole = None,
                Payload::Bytes(bytes) => *whole = Some(bytes.clone()),
            }
            *own = false;
        };
        payload(&output.key, &mut whole.message.key, &mut whole.own_key);
        payload(
            &output.value,
            &mut whole.message.value,
            &mut whole.own_value,
        );
        if !output.headers.keep_source() {
            whole.message.headers.clear();
            whole.own_headers = false;
        }
        let more = output.headers.own().iter().cloned();
        let more = more.map(|header| (header.name, header.value));
        whole.message.headers.extend(more);
        whole
    }

    /// What the chain's output comes to, given its record.
    fn resolved(output: &Output, record: &FakeRecord) -> Self {
        Self::of(record).after(output)
    }
}

/// What links of these verdicts make of one record, or why it fails.
fn model(tables: &[Vec<Verdict>], record: &FakeRecord) -> Result<Vec<Whole>, String> {
    let mut all = vec![Whole::of(record)];
    for (table, name) in tables.iter().zip(["a", "b", "c"]) {
        let mut next = Vec::new();
        for whole in &all {
            let verdict = choose(table, &whole.message);
            if let (Verdict::Fail(why), true) = (verdict, tables.len() > 1) {
                return Err(format!("plugin {name}: {why}"));
            }
            let outputs = verdict.outputs().ok_or("alone")?;
            next.extend(outputs.iter().map(|output| whole.after(output)));
        }
        all = next;
    }
    Ok(all)
}

/// A verdict that depends on all that a plugin sees.
fn choose<'a>(table: &'a [Verdict], message: &FakeRecord) -> &'a Verdict {
    let mut hasher = DefaultHasher::new();
    let FakeRecord {
        offset,
        key,
        value,
        headers,
        timestamp,
        ..
    } = message;
    (offset, key, value, headers, timestamp.millis()).hash(&mut hasher);
    &table[usize::try_from(hasher.finish() % 1_000).unwrap() % table.len()]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..6)
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        3 => Just(Payload::Source),
        1 => Just(Payload::Null),
        2 => bytes().prop_map(Payload::Bytes),
    ]
}

fn headers() -> impl Strategy<Value = OutputHeaders> {
    let header =
        (bytes(), prop::option::of(bytes())).prop_map(|(name, value)| OwnedHeader { name, value });
    let own = prop::collection::vec(header, 0..3);
    (0..4, own).prop_map(|(kind, own)| match kind {
        0 => OutputHeaders::Append(own),
        1 => OutputHeaders::Only(own),
        _ => OutputHeaders::Source,
    })
}

fn output() -> impl Strategy<Value = Output> {
    let topic = prop::option::of(prop::sample::select(vec!["t".to_owned(), "u".to_owned()]));
    let partition = prop::option::of(0..3i32);
    let timestamp = prop::option::of(0..9i64);
    (topic, partition, timestamp, payload(), payload(), headers()).prop_map(
        |(topic, partition, timestamp, key, value, headers)| Output {
            topic,
            partition,
            timestamp,
            key,
            value,
            headers,
        },
    )
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Forward),
        1 => Just(Verdict::Drop),
        4 => output().prop_map(Verdict::Replace),
        3 => prop::collection::vec(output(), 0..4).prop_map(Verdict::Expand),
        1 => "[a-z]{1,3}".prop_map(Verdict::Fail),
    ]
}

fn record() -> impl Strategy<Value = FakeRecord> {
    let headers = prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3);
    (
        0..5i64,
        prop::option::of(bytes()),
        prop::option::of(bytes()),
        headers,
    )
        .prop_map(|(offset, key, value, headers)| FakeRecord {
            key,
            value,
            headers,
            ..FakeRecord::new(1, offset)
        })
}

proptest! {
    #[test]
    fn a_chain_does_what_its_links_do_one_by_one(
        records in prop::collection::vec(record(), 1..6),
        tables in prop::collection::vec(prop::collection::vec(any_verdict(), 1..6), 1..4),
        most in 1usize..8,
        most_bytes in 1usize..64,
    ) {
        let batch = Limits { records: most, bytes: most_bytes };
        let links: Vec<_> = tables
            .iter()
            .cloned()
            .map(|table| says(move |message| choose(&table, message).clone()))
            .collect();
        let calls: Vec<_> = links.iter().map(|link| Rc::clone(&link.calls)).collect();
        let mut chain = chain(links);
        chain.bounds.batch = batch;
        let verdicts = chain.process(&partition(1), &records).unwrap();
        prop_assert_eq!(verdicts.len(), records.len());
        for (verdict, record) in verdicts.iter().zip(&records) {
            let found = match verdict {
                Verdict::Fail(_) if tables.len() == 1 => Err("alone".to_owned()),
                Verdict::Fail(why) => Err(why.clone()),
                _ => {
                    let outputs = verdict.outputs().unwrap().iter();
                    Ok(outputs.map(|output| Whole::resolved(output, record)).collect::<Vec<_>>())
                }
            };
            prop_assert_eq!(found, model(&tables, record));
        }
        // Later calls are within their limits, and of no fewer messages than they could be.
        for calls in calls.iter().skip(1) {
            for call in calls.borrow().iter() {
                prop_assert_eq!(batch.cut(call), call.len());
            }
        }
    }
}
