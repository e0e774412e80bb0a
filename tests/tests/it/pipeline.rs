//! What the themes share: one test's pipeline (its topics, its group, the
//! `host run` that serves it), what came out, and what `host` said.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use millrace_tests::proxy::Proxy;
use millrace_tests::topics::unique;
use millrace_tests::{Broker, Client, Host, Mock, Record, Signal, eventually_ok, shared_broker};
use serde_json::Value;

/// For anything that takes a second or two on an idle machine.
pub const SOON: Duration = Duration::from_secs(120);

/// For what moves tens of thousands of records, or waits out a session.
pub const LONG: Duration = Duration::from_secs(300);

/// A member that went without a word is missed after two seconds, and a change
/// of the group is noticed after half a second.
pub const SHORT_SESSION: &[&str] = &[
    "--set",
    "kafka.consumer.session.timeout.ms=2000",
    "--set",
    "kafka.consumer.heartbeat.interval.ms=500",
];

/// The default session, but a change of the group is noticed soon.
pub const QUICK_HEARTBEAT: &[&str] = &["--set", "kafka.consumer.heartbeat.interval.ms=500"];

/// An input topic, an output topic, a dead-letter topic and a group that are one
/// test's alone.
#[derive(Debug, Clone)]
pub struct Pipeline {
    pub client: Client,
    pub brokers: String,
    pub input: String,
    pub output: String,
    pub dead: String,
    pub group: String,
}

impl Pipeline {
    /// On the shared broker, both topics with so many partitions.
    pub fn new(stem: &str, partitions: i32) -> Pipeline {
        let pipeline = Pipeline::bare(shared_broker(), stem);
        pipeline.client.create_topic(&pipeline.input, partitions);
        pipeline.client.create_topic(&pipeline.output, partitions);
        pipeline
    }

    /// On a broker of the test's own.
    pub fn on(broker: &Broker, stem: &str, partitions: i32) -> Pipeline {
        let pipeline = Pipeline::bare(broker, stem);
        pipeline.client.create_topic(&pipeline.input, partitions);
        pipeline.client.create_topic(&pipeline.output, partitions);
        pipeline
    }

    /// On the shared broker, with a dead-letter topic of so many partitions, too.
    pub fn with_dead_letters(stem: &str, partitions: i32) -> Pipeline {
        Pipeline::new(stem, partitions).and_dead_letters(partitions)
    }

    /// Makes the dead-letter topic.
    pub fn and_dead_letters(self, partitions: i32) -> Pipeline {
        self.client.create_topic(&self.dead, partitions);
        self
    }

    /// On a mock cluster whose broker 1 leads both topics and coordinates the
    /// group.
    pub fn mocked(mock: &Mock, stem: &str, partitions: i32) -> Pipeline {
        let pipeline = Pipeline::named(&mock.address(), stem);
        mock.create_topic(&pipeline.input, partitions, 1);
        mock.create_topic(&pipeline.output, partitions, 1);
        mock.coordinate(&pipeline.group, 1);
        pipeline
    }

    /// Names only: the topics are still to be made.
    pub fn bare(broker: &Broker, stem: &str) -> Pipeline {
        Pipeline::named(&broker.address(), stem)
    }

    fn named(brokers: &str, stem: &str) -> Pipeline {
        let stem = unique(stem);
        Pipeline {
            client: Client::new(brokers),
            brokers: brokers.to_owned(),
            input: format!("{stem}-in"),
            output: format!("{stem}-out"),
            dead: format!("{stem}-dead"),
            group: format!("{stem}-group"),
        }
    }

    /// The same for `host`, but with the broker's proxy in between.
    pub fn behind(self, proxy: &Proxy) -> Pipeline {
        let brokers = proxy.address();
        Pipeline { brokers, ..self }
    }

    /// `run` and its flags for this plugin.
    pub fn arguments(&self, plugin: &Path) -> Vec<String> {
        let plugin = plugin.to_str().expect("the target folder is UTF-8");
        [
            ("--plugin", plugin),
            ("--brokers", &self.brokers),
            ("--input", &self.input),
            ("--output", &self.output),
            ("--group", &self.group),
        ]
        .into_iter()
        .fold(vec!["run".to_owned()], |mut all, (flag, value)| {
            all.extend([flag.to_owned(), value.to_owned()]);
            all
        })
    }

    /// `host run` with this plugin and more flags.
    pub fn start(&self, plugin: &Path, more: &[&str]) -> Host {
        let mut command = Host::command();
        command.args(self.arguments(plugin)).args(more);
        Host::spawn(command)
    }

    /// Like [`Pipeline::start`], with the dead-letter topic.
    pub fn start_with_dead_letters(&self, plugin: &Path, more: &[&str]) -> Host {
        self.start(plugin, &[&["--dead-letter", &self.dead], more].concat())
    }

    /// Produces into the input.
    #[track_caller]
    pub fn feed(&self, records: impl IntoIterator<Item = Record>) {
        self.client.produce(&self.input, records);
    }

    /// Produces into the input's partition 0, in one batch of the protocol, so
    /// that they are read together.
    #[track_caller]
    pub fn feed_at_once<V: AsRef<[u8]>>(&self, values: impl IntoIterator<Item = V>) {
        let records = values
            .into_iter()
            .map(|value| Record::value(value).to_partition(0));
        self.client.produce_at_once(&self.input, records);
    }

    /// How many records the output holds (it has no holes; where there are
    /// transactions, their aborted records and their ends count, but nothing from
    /// the first open one on).
    pub fn count(&self) -> Result<usize, String> {
        let held: i64 = self
            .client
            .watermarks(&self.output)?
            .iter()
            .map(|(first, next)| next - first)
            .sum();
        Ok(usize::try_from(held).expect("a count is not negative"))
    }

    /// Waits until the output holds at least so many records.
    #[track_caller]
    pub fn wait_for_count(&self, wanted: usize, deadline: Duration) {
        let what = format!("{wanted} records in {}", self.output);
        eventually_ok(deadline, &what, || match self.count()? {
            count if count >= wanted => Ok(()),
            count => Err(format!("it holds {count}")),
        });
    }

    /// Waits until the output holds so many records, and returns all of them.
    #[track_caller]
    pub fn wait_for_outputs(&self, wanted: usize) -> Vec<Record> {
        self.wait_for_count(wanted, SOON);
        self.outputs()
    }

    /// All records of the output: by partition, then by offset.
    #[track_caller]
    pub fn outputs(&self) -> Vec<Record> {
        self.client.read_all(&self.output)
    }

    /// All dead letters: by partition, then by offset.
    #[track_caller]
    pub fn letters(&self) -> Vec<Record> {
        self.client.read_all(&self.dead)
    }

    /// The group's position in every partition of the input that has one.
    #[track_caller]
    pub fn committed(&self) -> BTreeMap<i32, i64> {
        self.client.committed(&self.group, &self.input)
    }

    /// How many records of the input the group has behind it (from offset 0,
    /// where the input has no holes).
    #[track_caller]
    pub fn committed_total(&self) -> usize {
        usize::try_from(self.committed().values().sum::<i64>()).expect("not negative")
    }

    /// Waits until the group has so many records of the input behind it.
    #[track_caller]
    pub fn wait_for_committed_total(&self, wanted: usize, deadline: Duration) {
        let what = format!("{wanted} committed records");
        eventually_ok(deadline, &what, || match self.committed_total() {
            found if found == wanted => Ok(()),
            found => Err(format!("{found} are")),
        });
    }

    /// Waits until the group is stable and has so many members.
    #[track_caller]
    pub fn wait_for_members(&self, wanted: usize) {
        let what = format!("{wanted} members in a stable group");
        eventually_ok(SOON, &what, || {
            let members = self.client.members(&self.group).len();
            let state = self.client.group_state(&self.group);
            match (members == wanted, &*state) {
                (true, "Stable") => Ok(()),
                _ => Err(format!("{members} members, {state}")),
            }
        });
    }

    /// Waits until the output holds so many more records than now.
    #[track_caller]
    pub fn wait_for_flow(&self, more: usize) {
        // The first answer may take until the broker is back.
        let before = eventually_ok(SOON, "the output's size", || self.count());
        self.wait_for_count(before + more, SOON);
    }

    /// Waits until the group's positions are these.
    #[track_caller]
    pub fn wait_for_committed(&self, wanted: &[(i32, i64)]) {
        let wanted = BTreeMap::from_iter(wanted.iter().copied());
        eventually_ok(SOON, &format!("the positions {wanted:?}"), || {
            match self.committed() {
                found if found == wanted => Ok(()),
                found => Err(format!("they are {found:?}")),
            }
        });
    }
}

/// SIGTERM, and the good end that follows.
#[track_caller]
pub fn stop(mut host: Host) -> String {
    host.signal(Signal::TERM);
    expect_exit(&mut host, 0);
    host.stderr()
}

/// Waits for the end by itself, with this status, and without a panic of host.
#[track_caller]
pub fn expect_exit(host: &mut Host, status: i32) {
    let exit = host.wait_exit(SOON);
    assert_eq!(
        exit.code(),
        Some(status),
        "host: {exit}, {}",
        printed_error(host)
    );
    let panic = host.stderr().lines().any(|line| {
        // What a plugin says of its own panic comes as a log line.
        line.starts_with("thread '") && line.contains("panicked")
    });
    assert!(!panic, "host panicked");
}

/// Waits for an end with this status and returns the error that was printed:
/// what stderr holds from `error: ` on.
#[track_caller]
pub fn error_of(host: &mut Host, status: i32) -> String {
    expect_exit(host, status);
    let error = printed_error(host);
    assert!(!error.is_empty(), "no error is printed");
    error
}

/// What stderr holds from `error: ` on.
fn printed_error(host: &Host) -> String {
    let stderr = host.stderr();
    let lines = stderr.lines();
    let error: Vec<_> = lines
        .skip_while(|line| !line.starts_with("error: "))
        .collect();
    error.join("\n")
}

/// That something is done in time. What a busy machine adds is not host's: the best of
/// three tries counts, and the others are made only where they are needed.
#[track_caller]
pub fn assert_in_time(limit: Duration, mut attempt: impl FnMut() -> Duration) {
    let mut took = Vec::new();
    for _ in 0..3 {
        took.push(attempt());
        if took.iter().any(|it| *it < limit) {
            return;
        }
    }
    panic!("none of {took:?} is within {limit:?}");
}

/// Asserts that a message holds all of these, each named where it is missing.
#[track_caller]
pub fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

/// What a dead letter says under `millrace.NAME`, of which it has one.
#[track_caller]
pub fn told<'a>(letter: &'a Record, name: &str) -> &'a str {
    let full = format!("millrace.{name}");
    let found: Vec<_> = letter
        .headers
        .iter()
        .filter(|(name, _)| name == full.as_bytes())
        .collect();
    let [(_, Some(value))] = found[..] else {
        panic!("{full} is not there once: {:?}", letter.headers)
    };
    std::str::from_utf8(value).expect("it is text")
}

/// Where a dead letter's record was read: partition and offset.
#[track_caller]
pub fn origin(letter: &Record) -> (i32, i64) {
    let number = |name| told(letter, name).parse::<i64>().expect("a number");
    let partition = i32::try_from(number("partition")).expect("a partition");
    (partition, number("offset"))
}

/// The log's lines so far. What is no JSON (the error at the end) is left out.
pub fn log(host: &Host) -> Vec<Value> {
    parsed(&host.stderr())
}

fn parsed(stderr: &str) -> Vec<Value> {
    let lines = stderr.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The lines that this plugin wrote, printed or logged: level and text.
pub fn said_by(plugin: &str, stderr: &str) -> Vec<(String, String)> {
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    parsed(stderr)
        .iter()
        .filter(|line| line["target"] == "plugin")
        .filter(|line| text(line, "plugin").split('@').next() == Some(plugin))
        .map(|line| (text(line, "level"), text(line, "message")))
        .collect()
}

/// The values as text.
#[track_caller]
pub fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(Record::text).collect()
}
