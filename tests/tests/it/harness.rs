//! The harness itself: what the other tests take for granted.

use std::time::Duration;

use millrace_tests::topics::unique;
use millrace_tests::{Broker, Record, eventually_ok, shared_broker};
use rdkafka::Timestamp;

const SOON: Duration = Duration::from_secs(120);

#[test]
fn a_record_comes_back_as_it_was_written() {
    let client = shared_broker().client();
    let topic = unique("round-trip");
    client.create_topic(&topic, 1);

    let written = [
        Record::null().at(1),
        Record::value("").key("").at(2),
        Record::null().key("tombstone").at(1_700_000_000_000),
        Record::value([0, 255, 254])
            .key([255, 0])
            .at(1_700_000_000_001),
        Record::value("headers")
            .header("again", "1")
            .header("again", "2")
            .null_header("null")
            .header("empty", "")
            .header("", "no name")
            .header(b"\xff\xfe", b"\xfd\x00")
            .header("again", "3")
            .at(1_700_000_000_002),
    ];
    client.produce(&topic, written.clone());

    let read = client.read_all(&topic);
    assert_eq!(
        read.iter().map(|record| record.offset).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
    for (read, written) in read.iter().zip(&written) {
        assert_eq!(read.content(), written.content());
    }
}

#[test]
fn a_topic_may_stamp_the_time_of_appending() {
    let client = shared_broker().client();
    let topic = unique("append-time");
    client.create_topic_with(&topic, 1, &[("message.timestamp.type", "LogAppendTime")]);

    client.produce(&topic, [Record::value("x").at(5)]);

    let read = client.read_all(&topic);
    assert!(matches!(read[0].timestamp, Timestamp::LogAppendTime(ms) if ms > 1_700_000_000_000));
}

#[test]
fn records_stay_in_the_partition_that_they_were_sent_to() {
    let client = shared_broker().client();
    let topic = unique("partitions");
    client.create_topic(&topic, 3);

    client.produce(
        &topic,
        (0..9).map(|n| Record::value(n.to_string()).to_partition(n % 3)),
    );

    let read = client.read_all(&topic);
    let read: Vec<_> = read
        .iter()
        .map(|record| (record.partition, record.text()))
        .collect();
    assert_eq!(read.len(), 9);
    assert_eq!(
        read[..4],
        [
            (Some(0), "0"),
            (Some(0), "3"),
            (Some(0), "6"),
            (Some(1), "1")
        ]
    );
    assert_eq!(client.watermarks(&topic), Ok(vec![(0, 3); 3]));
}

#[test]
fn every_codec_can_be_written_and_read() {
    let client = shared_broker().client();
    let topic = unique("codecs");
    client.create_topic(&topic, 1);

    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        let value = codec.repeat(100);
        client.produce_with(
            &[("compression.type", codec)],
            &topic,
            [Record::value(value)],
        );
    }

    let read = client.read_all(&topic);
    let read: Vec<_> = read.iter().map(Record::text).collect();
    assert_eq!(read, codecs.map(|codec| codec.repeat(100)));
}

#[test]
fn a_group_without_members_keeps_its_offsets() {
    let client = shared_broker().client();
    let (topic, group) = (unique("offsets"), unique("group"));
    client.create_topic(&topic, 2);
    client.produce(&topic, (0..5).map(|_| Record::value("x").to_partition(1)));

    assert!(client.committed(&group, &topic).is_empty());
    client.commit(&group, &topic, 1, 3);

    assert_eq!(
        client
            .committed(&group, &topic)
            .into_iter()
            .collect::<Vec<_>>(),
        [(1, 3)]
    );
    assert!(client.members(&group).is_empty());
}

#[test]
fn a_deleted_topic_is_gone() {
    let client = shared_broker().client();
    let topic = unique("deleted");
    client.create_topic(&topic, 1);
    client.grow_topic(&topic, 2);

    client.delete_topic(&topic);

    assert!(client.partitions(&topic).is_err());
}

#[test]
fn a_topic_that_nobody_created_does_not_exist() {
    let topic = unique("never-created");
    assert_eq!(
        shared_broker().client().partitions(&topic),
        Err(format!("there is no topic {topic}"))
    );
}

#[test]
fn a_broker_comes_back_with_its_data_however_it_went() {
    let mut broker = Broker::start();
    let client = broker.client();
    let topic = unique("kept");
    client.create_topic(&topic, 1);

    client.produce(&topic, [Record::value("before")]);
    broker.stop();
    broker.restart();
    client.produce(&topic, [Record::value("after a stop")]);
    broker.kill();
    broker.restart();
    client.produce(&topic, [Record::value("after a kill")]);

    let read = client.read_all(&topic);
    let read: Vec<_> = read.iter().map(Record::text).collect();
    assert_eq!(read, ["before", "after a stop", "after a kill"]);
}

#[test]
fn a_frozen_broker_does_not_answer_until_it_is_thawed() {
    let mut broker = Broker::start();

    broker.freeze();
    assert!(broker.answers(Duration::from_millis(300)).is_err());
    broker.thaw();
    eventually_ok(SOON, "the broker to answer again", || broker.answers(SOON));
}
