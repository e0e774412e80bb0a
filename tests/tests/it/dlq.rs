//! `host dlq`: what a person sees of a dead-letter topic. The letters are
//! written by hand, byte for byte.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use millrace_tests::topics::unique;
use millrace_tests::{Broker, Client, Host, Record, shared_broker};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

use crate::pipeline::{SOON, assert_in_time, assert_says, error_of, expect_exit};

/// 2025-11-24T16:00:00Z.
const NOON: i64 = 1_764_000_000_000;

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// How long an unreachable cluster is waited for, and what a busy machine adds.
const REACH: Duration = Duration::from_secs(8 + 5);

/// A dead letter of this record, which was rejected so many seconds after noon.
fn dead(record: Record, offset: i64, after: i64, stage: &str, reason: &str) -> Record {
    record
        .header("millrace.stage", stage)
        .header("millrace.reason", reason)
        .header("millrace.topic", "orders")
        .header("millrace.partition", "3")
        .header("millrace.offset", offset.to_string())
        .header("millrace.timestamp", (NOON - 60_000).to_string())
        .header("millrace.pipeline", "clean")
        .header("millrace.plugin", "orders")
        .header("millrace.plugin-digest", DIGEST)
        .header("millrace.contract", "millrace:plugin@0.1.0")
        .header("millrace.attempts", "1")
        .header("millrace.version", "0.1.0")
        .header("millrace.time", format!("2025-11-24T16:00:{after:02}.000Z"))
        .at(NOON + after * 1000)
}

/// A topic of three partitions, the last of which stays empty.
struct Topic {
    client: Client,
    brokers: String,
    name: String,
}

impl Topic {
    fn new() -> Topic {
        let topic = Topic {
            client: shared_broker().client(),
            brokers: shared_broker().address(),
            name: unique("dead"),
        };
        topic.client.create_topic(&topic.name, 3);
        topic
    }

    /// Two letters with one reason and one with another in partition 0, between
    /// them a record that is none; one in partition 1, behind which stands a
    /// transaction's marker.
    fn filled() -> Topic {
        let topic = Topic::new();
        let letters = [
            dead(
                Record::value("{\"id\":1}").key("c1").header("trace", "abc"),
                41,
                1,
                "transform",
                "the amount is no number\nat column 7",
            ),
            Record::value("no letter").key("k").at(NOON + 2000),
            dead(
                Record::value([0, 255])
                    .key([255, 0])
                    .header("again", "1")
                    .null_header("again")
                    .header("again", [255])
                    .header("", ""),
                42,
                3,
                "transform",
                "the amount is no number\nat column 9",
            ),
            dead(Record::null(), 43, 4, "decode-value", "null is no order"),
        ];
        let letters = letters.map(|record| record.to_partition(0));
        topic.client.produce(&topic.name, letters);
        topic.write_in_transaction();
        topic
    }

    fn write_in_transaction(&self) {
        let producer = self.begin_transaction(1, NOON + 5000);
        producer.commit_transaction(SOON).expect("it is committed");
    }

    /// Writes one record in a transaction of its own, which stays open.
    fn begin_transaction(&self, partition: i32, at: i64) -> BaseProducer {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("transactional.id", unique(&self.name))
            // It stays open for as long as a test takes.
            .set("transaction.timeout.ms", "900000")
            .create()
            .expect("the configuration is valid");
        producer
            .init_transactions(SOON)
            .expect("the broker answers");
        producer.begin_transaction().expect("it is initialised");
        let record = BaseRecord::<(), str>::to(&self.name)
            .partition(partition)
            .timestamp(at)
            .payload("no letter either");
        producer.send(record).expect("the queue has room");
        producer.flush(SOON).expect("the broker answers");
        producer
    }

    fn dlq(&self, command: &str, more: &[&str]) -> Host {
        let arguments = ["dlq", command, &self.name, "--brokers", &self.brokers];
        Host::run(arguments.iter().chain(more))
    }

    /// The answer of a command that succeeds.
    #[track_caller]
    fn answer(&self, command: &str, more: &[&str]) -> String {
        let mut host = self.dlq(command, more);
        expect_exit(&mut host, 0);
        assert_eq!(host.stderr(), "");
        host.stdout()
    }

    /// The error of a command that fails with this status, and says nothing else.
    #[track_caller]
    fn error(&self, status: i32, command: &str, more: &[&str]) -> String {
        let mut host = self.dlq(command, more);
        let error = error_of(&mut host, status);
        assert_eq!(host.stdout(), "");
        error
    }
}

#[test]
fn dead_letters_are_listed_by_what_happened() {
    let topic = Topic::filled();
    assert_eq!(
        topic.answer("list", &[]),
        "\
COUNT  NEWEST  FIRST                 LAST                  STAGE         PLUGIN           REASON
    2  0:2     2025-11-24T16:00:01Z  2025-11-24T16:00:03Z  transform     orders@9f86d081  the amount is no number
    1  0:3     2025-11-24T16:00:04Z  2025-11-24T16:00:04Z  decode-value  orders@9f86d081  null is no order
3 dead letters in 2 groups, and 2 records that are no dead letters
"
    );
}

#[test]
fn each_group_is_a_json_line() {
    let topic = Topic::filled();
    assert_eq!(
        topic.answer("list", &["--json"]),
        format!(
            r#"{{"count":2,"first":"2025-11-24T16:00:01.000Z","last":"2025-11-24T16:00:03.000Z","stage":"transform","plugin":"orders","digest":"{DIGEST}","pipeline":"clean","reason":"the amount is no number","partition":0,"offset":2}}
{{"count":1,"first":"2025-11-24T16:00:04.000Z","last":"2025-11-24T16:00:04.000Z","stage":"decode-value","plugin":"orders","digest":"{DIGEST}","pipeline":"clean","reason":"null is no order","partition":0,"offset":3}}
"#
        )
    );
}

#[test]
fn the_list_is_limited_to_a_stage_or_a_time() {
    let topic = Topic::filled();
    let list = topic.answer("list", &["--stage", "decode-value"]);
    assert_says(
        &list,
        &["    1  ", "1 dead letter in 1 group of stage decode-value"],
    );
    assert!(!list.contains("no number"), "{list}");

    // By the time of writing; in partition 1 nothing is late enough.
    for since in ["2025-11-24T17:00:03+01:00", "1764000003000"] {
        let list = topic.answer("list", &["--since", since]);
        assert_says(
            &list,
            &[
                "    1  0:2     2025",
                "    1  0:3     2025",
                "\n2 dead letters in 2 groups since 2025-11-24T16:00:03.000Z, and 1 record that",
            ],
        );
    }
    let nothing = topic.answer("list", &["--since", "1h"]);
    assert_says(&nothing, &["no dead letters in ", " since "]);
}

#[test]
fn what_a_transaction_did_not_commit_is_neither_listed_nor_waited_for() {
    let topic = Topic::new();
    let aborted = topic.begin_transaction(0, NOON);
    aborted.abort_transaction(SOON).expect("it is aborted");
    let letter = dead(Record::value("v"), 1, 1, "transform", "r").to_partition(0);
    topic.client.produce(&topic.name, [letter.clone()]);
    let _open = topic.begin_transaction(0, NOON);
    topic.client.produce(&topic.name, [letter]);

    let list = topic.answer("list", &[]);
    assert!(list.ends_with("\n1 dead letter in 1 group\n"), "{list}");
    let error = topic.error(1, "show", &["0:0"]);
    assert_says(&error, &["has no record at offset 0", "aborted"]);
    // Behind the open one nothing is known yet.
    let error = topic.error(1, "show", &["0:4"]);
    assert_says(&error, &["does not hold offset 4", "ends before 3"]);
}

#[test]
fn an_empty_topic_has_no_dead_letters() {
    let topic = Topic::new();
    let said = format!("no dead letters in {}\n", topic.name);
    assert_eq!(topic.answer("list", &[]), said);
    assert_eq!(topic.answer("list", &["--json"]), "");
}

#[test]
fn thousands_of_letters_in_many_partitions_are_all_counted() {
    let topic = Topic::new();
    topic.client.produce(
        &topic.name,
        (0..9000).map(|n| {
            let reason = format!("reason {}", n % 2);
            let after = i64::from(n % 60);
            dead(Record::value("v"), n.into(), after, "produce", &reason).to_partition(n % 3)
        }),
    );
    let list = topic.answer("list", &[]);
    let counts: Vec<_> = list.lines().skip(1).map(|line| &line[..5]).collect();
    assert_eq!(counts, [" 4500", " 4500", "9000 "]);
    assert_says(&list, &["\n9000 dead letters in 2 groups\n"]);
}

#[test]
fn a_letter_is_shown_beside_its_original() {
    let topic = Topic::filled();
    assert_eq!(
        topic.answer("show", &["0:0"]),
        format!(
            r#"stage      transform
reason     the amount is no number
           at column 7
from       topic orders, partition 3, offset 41
timestamp  2025-11-24T15:59:00.000Z (1763999940000)
time       2025-11-24T16:00:01.000Z
pipeline   clean
plugin     orders
digest     {DIGEST}
contract   millrace:plugin@0.1.0
attempts   1
host       0.1.0

key        "c1"
headers    ["trace","abc"]
value      8 bytes of text

{{"id":1}}
"#
        )
    );
    let binary = topic.answer("show", &["0:2"]);
    let (_, record) = binary.split_once("\n\n").expect("two parts");
    assert_eq!(
        record,
        r#"key        {"base64":"/wA="}
headers    ["again","1"]
           ["again",null]
           ["again",{"base64":"/w=="}]
           ["",""]
value      2 bytes, in base64

AP8=
"#
    );
    let null = topic.answer("show", &["0:3"]);
    let (_, record) = null.split_once("\n\n").expect("two parts");
    assert_eq!(
        record,
        "key        null\nheaders    none\nvalue      null\n"
    );
}

#[test]
fn a_letters_line_is_the_original_record() {
    let topic = Topic::filled();
    let name = &topic.name;
    let because = |reason: &str, stage: &str, second: i64, offset: i64| {
        format!(
            r#""dead_letter":{{"stage":"{stage}","reason":"{reason}","pipeline":"clean","plugin":"orders","digest":"{DIGEST}","contract":"millrace:plugin@0.1.0","attempts":1,"version":"0.1.0","time":"2025-11-24T16:00:0{second}.000Z","topic":"{name}","partition":0,"offset":{offset},"value_omitted":null}}"#
        )
    };
    let why = because("the amount is no number\\nat column 9", "transform", 3, 2);
    assert_eq!(
        topic.answer("show", &["0:2", "--json"]),
        format!(
            r#"{{"topic":"orders","partition":3,"offset":42,"timestamp":1763999940000,"key":{{"base64":"/wA="}},"value":{{"base64":"AP8="}},"headers":[["again","1"],["again",null],["again",{{"base64":"/w=="}}],["",""]],{why}}}
"#
        )
    );
    let why = because("null is no order", "decode-value", 4, 3);
    assert_eq!(
        topic.answer("show", &["0:3", "--json"]),
        format!(
            r#"{{"topic":"orders","partition":3,"offset":43,"timestamp":1763999940000,"key":null,"value":null,"headers":[],{why}}}
"#
        )
    );
}

#[test]
fn a_record_that_is_no_dead_letter_is_shown_as_what_it_is() {
    let topic = Topic::filled();
    let name = &topic.name;
    assert_eq!(
        topic.answer("show", &["0:1"]),
        format!(
            r#"no dead letter  it does not say where it is from
at              topic {name}, partition 0, offset 1
timestamp       2025-11-24T16:00:02.000Z (1764000002000)

key             "k"
headers         none
value           9 bytes of text

no letter
"#
        )
    );
    assert_eq!(
        topic.answer("show", &["0:1", "--json"]),
        format!(
            r#"{{"topic":"{name}","partition":0,"offset":1,"timestamp":1764000002000,"key":"k","value":"no letter","headers":[],"dead_letter":null}}
"#
        )
    );
}

#[test]
fn what_is_not_there_is_an_error_that_tells_what_is() {
    let topic = Topic::filled();
    let name = &topic.name;
    for (place, error) in [
        (
            "0:4",
            format!(
                "error: topic {name}, partition 0 does not hold offset 4: it begins at 0 and ends \
                 before 4"
            ),
        ),
        (
            "1:1",
            format!(
                "error: topic {name}, partition 1 has no record at offset 1: it was compacted away, \
                 is of an aborted transaction, or is a transaction's marker (it begins at 0 and ends \
                 before 2)"
            ),
        ),
        (
            "2:0",
            format!(
                "error: topic {name}, partition 2 does not hold offset 0: it is empty, and goes on \
                 at 0"
            ),
        ),
        (
            "3:0",
            format!("error: topic {name} has no partition 3: its last one is 2"),
        ),
    ] {
        assert_eq!(topic.error(1, "show", &[place]), error);
    }
    let absent = Topic {
        name: format!("{name}-x"),
        ..topic
    };
    for command in [("list", &[][..]), ("show", &["0:0"][..])] {
        let error = absent.error(1, command.0, command.1);
        let nearest = format!("(the nearest existing name is {name})");
        assert_says(&error, &["-x does not exist", &nearest]);
    }
}

#[test]
fn a_broker_that_is_away_or_hangs_is_an_error_soon() {
    let mut broker = Broker::start();
    let topic = Topic {
        client: broker.client(),
        brokers: broker.address(),
        name: "dead".to_owned(),
    };
    topic.client.create_topic("dead", 1);
    let failing = |topic: &Topic| {
        assert_in_time(REACH, || {
            let begun = Instant::now();
            let error = topic.error(1, "list", &[]);
            assert_says(&error, &[&topic.brokers, "could be reached"]);
            begun.elapsed()
        });
    };
    broker.freeze();
    failing(&topic);
    broker.thaw();
    broker.kill();
    failing(&topic);
}

#[test]
fn a_broker_that_hangs_while_it_is_read_is_an_error_that_names_the_partition() {
    let mut broker = Broker::start();
    let topic = Topic {
        client: broker.client(),
        brokers: broker.address(),
        name: "dead".to_owned(),
    };
    topic.client.create_topic("dead", 1);
    // Each record a batch, and each batch a fetch: the reading takes its time.
    topic.client.produce_with(
        &[("batch.num.messages", "1")],
        "dead",
        (0..5000).map(|_| Record::value("v")),
    );
    let mut command = Host::command();
    command.args(["dlq", "list", "dead", "--brokers", &topic.brokers]);
    command.args(["--set", "kafka.consumer.fetch.message.max.bytes=1"]);
    command.args(["--set", "kafka.consumer.debug=fetch"]);
    command.env("RUST_LOG", "debug");
    let mut host = Host::spawn(command);
    host.wait_for_log("Fetch topic dead [0] at offset 1", SOON);

    broker.freeze();
    let begun = Instant::now();
    let error = error_of(&mut host, 1);
    let took = begun.elapsed();
    broker.thaw();
    assert!(took < REACH, "{took:?}");
    assert_says(
        &error,
        &[
            "nothing came of topic dead, partition 0 (at offset ",
            "for 8s",
        ],
    );
}

#[test]
fn the_brokers_stand_in_a_flag_the_environment_or_a_pipeline_file() {
    let topic = Topic::filled();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("pipeline.toml");
    let text = format!(
        "plugin.path = 'gone.wasm'\ninput.topics = ['orders']\nkafka.brokers = '{}'\n\
         [kafka.consumer]\n'fetch.min.bytes' = 1",
        topic.brokers
    );
    std::fs::write(&file, text).expect("it can be written");
    let run = |brokers: Option<&str>, more: &[&str]| {
        let mut command = Host::command();
        command.args(["dlq", "list", &topic.name]).args(more);
        if let Some(brokers) = brokers {
            command.env("MILLRACE_BROKERS", brokers);
        }
        let mut host = Host::spawn(command);
        expect_exit(&mut host, 0);
        host.stdout()
    };
    let wanted = topic.answer("list", &[]);
    let (file, brokers) = (file.to_str().expect("it is UTF-8"), &*topic.brokers);
    let set = format!("kafka.brokers={brokers}");
    assert_eq!(run(None, &["--config", file]), wanted);
    assert_eq!(run(Some(brokers), &[]), wanted);
    assert_eq!(run(Some("nowhere:1"), &["--set", &set]), wanted);
}

#[test]
fn wrong_usage_is_told_with_what_is_right() {
    let topic = Topic {
        client: shared_broker().client(),
        brokers: "nowhere:1".to_owned(),
        name: "dead".to_owned(),
    };
    for (command, more, says) in [
        ("show", &["1"][..], "write PARTITION:OFFSET, such as 0:42"),
        ("show", &[][..], "<PARTITION:OFFSET>"),
        ("list", &["--stage", "transfrom"][..], "'transform'"),
        ("list", &["--stage", "x"][..], "decode-key, decode-value"),
        ("list", &["--since", "today"][..], "such as 2h"),
        (
            "list",
            &["--set", "kafka.consumer.acks=1"][..],
            "acks can't be set",
        ),
    ] {
        let error = topic.error(2, command, more);
        assert_says(&error, &[says]);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let topic = Topic::new();
    // More than a pipe holds.
    let value = "x".repeat(500_000);
    let letter = dead(Record::value(value), 1, 1, "transform", "r").to_partition(0);
    topic.client.produce(&topic.name, [letter]);
    let mut command = Host::command();
    let arguments = [
        "dlq",
        "show",
        &topic.name,
        "0:0",
        "--brokers",
        &topic.brokers,
    ];
    command.args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 5]).expect("it begins");
    drop(stdout);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_line_can_be_read_by_another_command() {
    let topic = Topic::filled();
    for place in ["0:0", "0:1", "0:2", "0:3", "1:0"] {
        let line = topic.answer("show", &[place, "--json"]);
        assert_eq!(line.lines().count(), 1);
        let line: Value = serde_json::from_str(&line).expect("it is JSON");
        assert!(line["topic"].is_string() && line["headers"].is_array());
    }
}
