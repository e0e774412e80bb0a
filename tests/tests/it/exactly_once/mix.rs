//! Records of which each comes to something else: outputs, none, several, in
//! several topics, a dead letter. And what must be in each topic afterwards:
//! what each record led to once, those of one key in order.

use std::collections::{BTreeMap, BTreeSet};

use millrace_tests::Record;

use crate::feeder::{Feeder, KEYS, record};
use crate::pipeline::Pipeline;

/// For a record of which the broker refuses the output, but only when it comes
/// there: whatever was under way in its transaction goes back with it.
const REFUSED: &[(&str, &str)] = &[("max.message.bytes", "3000")];

/// What [`Mix::with_late_refusals`] needs of `host`: where batches are
/// compressed, the broker alone sees how large they are.
pub const COMPRESSED: &[&str] = &["--set", "kafka.producer.compression.type=lz4"];

/// A topic, a record's number and an output's value.
type Expected = (String, usize, Vec<u8>);

/// By topic and key: the records' numbers and the outputs' values, in order.
type Contents = BTreeMap<(String, usize), Vec<(usize, Vec<u8>)>>;

/// Which record comes to what.
#[derive(Debug, Clone)]
pub struct Mix {
    output: String,
    dead: String,
    /// For some records, beside the output.
    other: String,
    /// For outputs that the broker refuses.
    late: Option<String>,
}

impl Mix {
    /// With a further output topic, which is made.
    pub fn of(pipeline: &Pipeline) -> Mix {
        let mix = Mix {
            output: pipeline.output.clone(),
            dead: pipeline.dead.clone(),
            other: format!("{}-other", pipeline.output),
            late: None,
        };
        pipeline.client.create_topic(&mix.other, 3);
        mix
    }

    /// Some outputs are refused by the broker, too: see [`COMPRESSED`].
    pub fn with_late_refusals(pipeline: &Pipeline) -> Mix {
        let late = format!("{}-late", pipeline.output);
        pipeline.client.create_topic_with(&late, 1, REFUSED);
        Mix {
            late: Some(late),
            ..Mix::of(pipeline)
        }
    }

    /// Feeds the pipeline steadily: see [`Feeder`].
    pub fn feed(&self, pipeline: &Pipeline, rate: usize) -> Feeder {
        let mix = self.clone();
        Feeder::start_with(pipeline, rate, move |number, partitions| {
            mix.record(number, partitions)
        })
    }

    /// The record with this number, which a header tells.
    pub fn record(&self, number: usize, partitions: usize) -> Record {
        let plain = record(number, partitions).header("number", number.to_string());
        let command = match number % 40 {
            3 => "drop".to_owned(),
            7 | 8 => format!("fail {number}"),
            11 => "expand 3".to_owned(),
            17 => format!("topics {} {}", self.output, self.other),
            23 if is_poison(number) => format!("panic {number}"),
            29 if self.is_late(number) => match &self.late {
                Some(late) => format!("topic {late}"),
                None => return plain,
            },
            _ => return plain,
        };
        let told = Record {
            value: Some(command.into()),
            ..plain
        };
        match self.is_late(number) {
            true => told.header("noise", noise()),
            false => told,
        }
    }

    fn is_late(&self, number: usize) -> bool {
        self.late.is_some() && number % 200 == 29
    }

    /// What the record with this number leads to.
    fn leads_to(&self, number: usize) -> Vec<Expected> {
        let own = self.record(number, 1).value.expect("it has one");
        let to = |topic: &str, value: &[u8]| (topic.to_owned(), number, value.to_vec());
        match number % 40 {
            3 => vec![],
            7 | 8 => vec![to(&self.dead, &own)],
            23 if is_poison(number) => vec![to(&self.dead, &own)],
            _ if self.is_late(number) => vec![to(&self.dead, &own)],
            11 => [b"0", b"1", b"2"].map(|v| to(&self.output, v)).into(),
            17 => [&self.output, &self.other].map(|t| to(t, &own)).into(),
            _ => vec![to(&self.output, &own)],
        }
    }

    /// All that something may go to.
    pub fn topics(&self) -> impl Iterator<Item = &String> {
        let always = [&self.output, &self.dead, &self.other];
        always.into_iter().chain(&self.late)
    }

    /// Asserts that what the first `written` records lead to is in each topic
    /// once, as a reader of committed records sees it, and nothing else; and that
    /// those of one key are in order.
    #[track_caller]
    pub fn assert_once(&self, pipeline: &Pipeline, written: usize) {
        let mut expected = Contents::new();
        for (topic, number, value) in (0..written).flat_map(|number| self.leads_to(number)) {
            let of_key = expected.entry((topic, number % KEYS)).or_default();
            of_key.push((number, value));
        }
        let mut found = Contents::new();
        for topic in self.topics() {
            for record in pipeline.client.read_all(topic) {
                let number = number_of(&record);
                let of_key = found.entry((topic.clone(), number % KEYS)).or_default();
                of_key.push((number, record.value.expect("it has one")));
            }
        }
        let wrong = differences(&expected, &found);
        assert!(
            wrong.is_empty(),
            "of {written} records, {} keys in the {} topics are not as they must be: {}",
            wrong.len(),
            self.topics().count(),
            wrong[..wrong.len().min(10)].join("\n")
        );
    }
}

/// Whether it breaks the plugin: to find out which one did it takes a while.
fn is_poison(number: usize) -> bool {
    number % 120 == 23
}

/// One line for each topic and key whose outputs are not the expected ones.
fn differences(expected: &Contents, found: &Contents) -> Vec<String> {
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differs = |key: &&(String, usize)| expected.get(*key) != found.get(*key);
    let describe = |key: &(String, usize)| {
        let numbers = |all: &Contents| -> Vec<usize> {
            let of_key = all.get(key).into_iter().flatten();
            of_key.map(|(number, _)| *number).collect()
        };
        let (expected, found) = (numbers(expected), numbers(found));
        let count = |all: &[usize], number| all.iter().filter(|n| **n == number).count();
        let lost = expected
            .iter()
            .filter(|n| count(&found, **n) < count(&expected, **n));
        let extra = found
            .iter()
            .filter(|n| count(&found, **n) > count(&expected, **n));
        format!(
            "{} key {}: lost {:?}, too often or wrong {:?} (else their order or values differ)",
            key.0,
            key.1,
            lost.collect::<Vec<_>>(),
            extra.collect::<Vec<_>>()
        )
    };
    keys.into_iter().filter(differs).map(describe).collect()
}

#[track_caller]
fn number_of(record: &Record) -> usize {
    let mut headers = record.headers.iter();
    let found = headers.find(|(name, _)| name == b"number");
    let value = found
        .and_then(|(_, value)| value.as_deref())
        .expect("as it was written");
    let text = std::str::from_utf8(value).expect("as it was written");
    text.parse().expect("as it was written")
}

/// Bytes that no codec makes smaller.
pub fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(8000)
    .collect()
}
