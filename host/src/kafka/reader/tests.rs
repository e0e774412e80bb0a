use anyhow::bail;
use rdkafka::ClientConfig;
use rdkafka::bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as NOT_LEADER;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::RDKafkaApiKey;

use super::*;
use crate::config::Settings;

type Mock = MockCluster<'static, DefaultProducerContext>;

/// A cluster with a topic of two partitions, the first of which holds these.
fn cluster(values: &[&str]) -> (Mock, Connection) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("dead", 2, 1).unwrap();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .create()
        .unwrap();
    for value in values {
        let record = BaseRecord::<(), str>::to("dead")
            .partition(0)
            .payload(value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(REACH).unwrap();
    let mut settings = Settings::default();
    let brokers = format!("kafka.brokers={}", cluster.bootstrap_servers());
    settings.set(&brokers).unwrap();
    (cluster, Connection::from_settings(&settings).unwrap())
}

fn error(outcome: Result<impl Sized, Fatal>) -> String {
    match outcome {
        Ok(_) => panic!("it is no error"),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn a_topic_is_read_to_its_end() {
    let (_cluster, connection) = cluster(&["a", "b", "c"]);
    let mut read = Vec::new();
    Reader::open(&connection, "dead")
        .unwrap()
        .read(Begin::Earliest, |partition, record| {
            let value = String::from_utf8(record.value().unwrap().to_vec())?;
            read.push((partition.to_string(), record.offset(), value));
            Ok(())
        })
        .unwrap();
    let wanted = [("a", 0), ("b", 1), ("c", 2)];
    assert_eq!(
        read,
        wanted.map(|(value, offset)| ("dead/0".to_owned(), offset, value.to_owned()))
    );
}

#[test]
fn one_record_is_found() {
    let (_cluster, connection) = cluster(&["a", "b", "c"]);
    let reader = Reader::open(&connection, "dead").unwrap();
    let held = reader.record(0, 1).unwrap();
    assert_eq!((held.offset(), held.value()), (1, Some(&b"b"[..])));
    assert_eq!((held.key(), held.headers()), (None, Vec::new()));
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let (_cluster, connection) = cluster(&["a"]);
    let record = |partition, offset| {
        let reader = Reader::open(&connection, "dead").unwrap();
        error(reader.record(partition, offset))
    };
    assert_eq!(
        record(0, 1),
        "topic dead, partition 0 does not hold offset 1: it begins at 0 and ends before 1"
    );
    assert_eq!(
        record(1, 0),
        "topic dead, partition 1 does not hold offset 0: it is empty, and goes on at 0"
    );
    assert_eq!(
        record(2, 0),
        "topic dead has no partition 2: its last one is 1"
    );
    assert_eq!(
        error(Reader::open(&connection, "deed")),
        "topic deed does not exist (the nearest existing name is dead)"
    );
}

#[test]
fn whoever_takes_the_records_can_end_the_reading() {
    let (_cluster, connection) = cluster(&["a", "b"]);
    let reader = Reader::open(&connection, "dead").unwrap();
    let outcome = reader.read(Begin::Earliest, |_, _| bail!("enough"));
    assert_eq!(error(outcome), "enough");
}

#[test]
fn a_partition_that_does_not_answer_is_named() {
    let (cluster, connection) = cluster(&["a"]);
    let reader = Reader {
        patience: Duration::from_millis(700),
        ..Reader::open(&connection, "dead").unwrap()
    };
    cluster.request_errors(RDKafkaApiKey::Fetch, &[NOT_LEADER; 1000]);
    let error = error(reader.read(Begin::Earliest, |_, _| Ok(())));
    assert!(
        error.starts_with(
            "nothing came of topic dead, partition 0 (at offset 0, which ends before 1) for 700ms"
        ),
        "{error}"
    );
}
