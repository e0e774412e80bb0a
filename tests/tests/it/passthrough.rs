//! `plugins/passthrough`: whatever a record is, it comes out as it went in.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_tests::{Client, Isolation, Record, eventually, plugin, shared_broker};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::pipeline::{LONG, Pipeline, SOON, stop, texts};

#[test]
fn a_forward_keeps_every_byte() {
    let pipeline = Pipeline::new("bytes", 1);
    let written = [
        Record::null().at(1),
        Record::value("").key("").at(2),
        Record::null().key("tombstone").at(1_700_000_000_000),
        Record::value("no key").at(1_700_000_000_003),
        Record::value([0, 255, 254, 0])
            .key([255, 0])
            .at(1_600_000_000_000),
        Record::value(vec![0xab; 900_000]).key("large").at(5),
        Record::value("headers")
            .header("again", "1")
            .header("again", "2")
            .null_header("null")
            .header("empty", "")
            .header("", "no name")
            .header("naïve", "name in UTF-8")
            .header(b"\xff\xfe", b"\xfd\x00")
            .null_header("null")
            .header("again", "3")
            .at(1_700_000_000_002),
        Record::null()
            .header("only", "headers")
            .at(1_500_000_000_000),
    ];
    pipeline.feed(written.clone());

    let host = pipeline.start(&plugin("passthrough"), &[]);
    let read = pipeline.wait_for_outputs(written.len());
    stop(host);

    assert_eq!(read.len(), written.len());
    for (read, written) in read.iter().zip(&written) {
        assert!(read.content() == written.content(), "{read:?}\n{written:?}");
    }
    assert_eq!(pipeline.outputs(), read);
}

#[test]
fn records_of_one_partition_keep_their_order() {
    let pipeline = Pipeline::new("order", 4);
    const EACH: usize = 3000;
    let records = |partition: usize| {
        (0..EACH).map(move |n| {
            let partition = i32::try_from(partition).expect("small");
            Record::value(format!("{partition} {n}"))
                .key(format!("{partition}"))
                .to_partition(partition)
        })
    };
    (0..4).for_each(|partition| pipeline.feed(records(partition)));

    let host = pipeline.start(&plugin("passthrough"), &[]);
    let read = pipeline.wait_for_outputs(4 * EACH);
    stop(host);

    let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for text in texts(&read) {
        let (partition, n) = text.split_once(' ').expect("as it was written");
        by_source
            .entry(partition)
            .or_default()
            .push(n.parse().expect("as it was written"));
    }
    assert_eq!(by_source.len(), 4);
    for (partition, numbers) in by_source {
        assert!(
            numbers.iter().copied().eq(0..EACH),
            "partition {partition}: {numbers:?}"
        );
    }
}

#[test]
fn several_inputs_go_to_one_output() {
    let pipeline = Pipeline::new("inputs", 1);
    let second = format!("{}-2", pipeline.input);
    pipeline.client.create_topic(&second, 2);
    pipeline.feed([Record::value("one")]);
    pipeline.client.produce(
        &second,
        [
            Record::value("two").to_partition(0),
            Record::value("three").to_partition(1),
        ],
    );

    let host = pipeline.start(&plugin("passthrough"), &["--input", &second]);
    let read = pipeline.wait_for_outputs(3);
    stop(host);

    let mut read = texts(&read);
    read.sort_unstable();
    assert_eq!(read, ["one", "three", "two"]);
    assert_eq!(
        pipeline.client.committed(&pipeline.group, &second),
        BTreeMap::from([(0, 1), (1, 1)])
    );
}

#[test]
fn the_time_of_appending_becomes_the_outputs_time() {
    let pipeline = Pipeline::bare(shared_broker(), "append-time");
    let settings = [("message.timestamp.type", "LogAppendTime")];
    let client = &pipeline.client;
    client.create_topic_with(&pipeline.input, 1, &settings);
    client.create_topic(&pipeline.output, 1);
    pipeline.feed([Record::value("x").at(5)]);
    let appended = client.read_all(&pipeline.input)[0].timestamp.to_millis();

    let host = pipeline.start(&plugin("passthrough"), &[]);
    let read = pipeline.wait_for_outputs(1);
    stop(host);

    assert!(appended > Some(1_700_000_000_000));
    assert_eq!(read[0].timestamp.to_millis(), appended);
}

#[test]
fn every_codec_is_read() {
    let pipeline = Pipeline::new("codecs", 1);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        pipeline.client.produce_with(
            &[("compression.type", codec)],
            &pipeline.input,
            [Record::value(codec.repeat(1000))],
        );
    }

    let host = pipeline.start(&plugin("passthrough"), &[]);
    let read = pipeline.wait_for_outputs(codecs.len());
    stop(host);

    assert_eq!(texts(&read), codecs.map(|codec| codec.repeat(1000)));
}

#[test]
fn every_codec_is_written() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let pipeline = Pipeline::new("compressed", 1);
        pipeline.feed((0..100).map(|n| Record::value(format!("{n:0100}"))));

        let set = format!("kafka.producer.compression.type={codec}");
        let host = pipeline.start(&plugin("passthrough"), &["--set", &set]);
        let read = pipeline.wait_for_outputs(100);
        stop(host);

        assert!(
            read.iter()
                .enumerate()
                .all(|(n, record)| record.text() == format!("{n:0100}"))
        );
    }
}

/// What to do with the transaction that records were written in.
#[derive(Clone, Copy)]
enum End {
    Commit,
    Abort,
}

fn in_transaction(brokers: &str, topic: &str, values: &[&str], end: End) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("transactional.id", topic)
        .create()
        .expect("the configuration is valid");
    producer
        .init_transactions(SOON)
        .expect("the broker answers");
    producer.begin_transaction().expect("it is initialised");
    for value in values {
        let record = BaseRecord::<(), str>::to(topic).partition(0).payload(value);
        producer.send(record).expect("the queue has room");
    }
    // An abort would take back what is not sent yet.
    producer.flush(SOON).expect("the broker answers");
    match end {
        End::Commit => producer.commit_transaction(SOON),
        End::Abort => producer.abort_transaction(SOON),
    }
    .expect("the broker answers");
}

#[test]
fn records_of_aborted_transactions_stay_out() {
    let pipeline = Pipeline::new("transactions", 1);
    let (brokers, input) = (&pipeline.brokers, &pipeline.input);
    in_transaction(brokers, input, &["aborted first"], End::Abort);
    in_transaction(brokers, input, &["1", "2"], End::Commit);
    in_transaction(brokers, input, &["aborted 1", "aborted 2"], End::Abort);
    pipeline.feed([Record::value("3").to_partition(0)]);
    in_transaction(brokers, input, &["4"], End::Commit);
    in_transaction(brokers, input, &["aborted last"], End::Abort);
    let everything = pipeline.client.read_all_with(input, Isolation::Uncommitted);
    assert_eq!(everything.len(), 8);

    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_outputs(4);
    stop(host);

    assert_eq!(texts(&pipeline.outputs()), ["1", "2", "3", "4"]);
    // At least behind the last record that came out; the markers and aborted
    // records behind it have nothing to commit.
    let last = everything.iter().find(|record| record.text() == "4");
    let committed = pipeline.committed()[&0];
    assert!(committed > last.expect("it was written").offset);

    // And the next run has nothing left to do but what is new.
    pipeline.feed([Record::value("5").to_partition(0)]);
    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_outputs(5);
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_topic_with_holes_is_read_to_its_end() {
    let pipeline = Pipeline::bare(shared_broker(), "compacted");
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
    let at = |n: i64| 1_700_000_000_000 + n;
    // Each key many times: only the last one stays. The last record is two
    // segments later, which closes those before it.
    pipeline.feed((0..100).map(|n| {
        Record::value(format!("{n}"))
            .key(format!("{}", n % 3))
            .at(at(n))
    }));
    pipeline.feed([Record::value("between").key("between").at(at(60_000))]);
    pipeline.feed([Record::value("last").key("last").at(at(120_000))]);
    let kept = wait_for_holes(client, &pipeline.input);

    let host = pipeline.start(&plugin("passthrough"), &[]);
    let read = pipeline.wait_for_outputs(kept.len());
    pipeline.wait_for_committed(&[(0, 102)]);
    stop(host);

    assert_eq!(texts(&read), texts(&kept));
    assert_eq!(texts(&kept), ["97", "98", "99", "between", "last"]);
}

/// Waits for the broker to compact; returns what is left.
fn wait_for_holes(client: &Client, topic: &str) -> Vec<Record> {
    const LEFT: usize = 5;
    eventually(LONG, "the topic's compaction", || {
        std::thread::sleep(Duration::from_millis(100));
        Some(client.read_all(topic)).filter(|records| records.len() == LEFT)
    })
}
