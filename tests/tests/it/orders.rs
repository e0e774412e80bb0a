//! `plugins/orders`, the job that the benchmark runs, and what a bad order does
//! to it.

use millrace_tests::{Record, guest, plugin};
use serde_json::{Value, json};

use crate::pipeline::{Pipeline, assert_says, error_of, stop, texts};

fn order(id: u64, amount: &str, status: &str) -> Record {
    Record::value(format!(
        r#"{{"id":{id},"customer":"c{id:05}","amount":{amount},"currency":"EUR","status":"{status}","note":"n"}}"#
    ))
    .key(format!("c{id:05}"))
    .header("trace", id.to_string())
    .at(1_700_000_000_000 + i64::try_from(id).expect("small"))
    .to_partition(0)
}

#[test]
fn void_orders_are_dropped_and_the_others_get_their_cents() {
    let pipeline = Pipeline::new("orders", 1);
    let written = [
        order(1, "12.50", "paid"),
        order(2, "1", "void"),
        order(3, "0.005", "open"),
        order(4, "-3.999", "open"),
        order(5, "1e3", "void"),
        order(6, "1e3", "paid"),
    ];
    pipeline.feed(written.clone());

    let host = pipeline.start(&plugin("orders"), &[]);
    pipeline.wait_for_outputs(4);
    pipeline.wait_for_committed(&[(0, 6)]);
    stop(host);

    let read = pipeline.outputs();
    let cents: Vec<Value> = texts(&read)
        .into_iter()
        .map(|text| serde_json::from_str(text).expect("it is JSON"))
        .map(|order: Value| json!([order["id"], order["total_cents"], order["note"]]))
        .collect();
    assert_eq!(
        json!(cents),
        json!([
            [1, 1250, "n"],
            [3, 1, "n"],
            [4, -400, "n"],
            [6, 100_000, "n"]
        ])
    );
    // All but the value is as it came.
    for (read, written) in read.iter().zip([0, 2, 3, 5].map(|n| &written[n])) {
        assert_eq!(read.key, written.key);
        assert_eq!(read.headers, written.headers);
        assert_eq!(read.timestamp, written.timestamp);
    }
}

#[test]
fn a_bad_order_stops_the_run_and_the_next_one_resumes_there() {
    let pipeline = Pipeline::new("bad-order", 1);
    pipeline.feed([
        order(1, "1", "paid"),
        order(2, "2", "void"),
        order(3, "3", "paid"),
        Record::value("{\"id\":4}").to_partition(0),
        order(5, "5", "paid"),
    ]);

    for _ in 0..2 {
        let mut host = pipeline.start(&plugin("orders"), &[]);
        let error = error_of(&mut host, 1);
        assert_says(
            &error,
            &[
                "stage transform",
                &format!("topic {}, partition 0, offset 3", pipeline.input),
                "not an order",
                "customer",
            ],
        );
        // Nothing before it twice, nothing behind it.
        assert_eq!(pipeline.count(), Ok(2));
        assert_eq!(pipeline.committed_total(), 3);
    }

    let host = pipeline.start(&plugin("passthrough"), &[]);
    let read = pipeline.wait_for_outputs(4);
    stop(host);
    assert_eq!(texts(&read)[2], "{\"id\":4}");
    assert_eq!(read[3].key.as_deref(), Some(&b"c00005"[..]));
    assert_eq!(pipeline.count(), Ok(4));
}

#[test]
fn a_tombstone_is_no_order() {
    let pipeline = Pipeline::new("tombstone", 1);
    pipeline.feed([Record::null().key("c00001").to_partition(0)]);

    let mut host = pipeline.start(&plugin("orders"), &[]);

    let position = format!("topic {}, partition 0, offset 0", pipeline.input);
    assert_says(&error_of(&mut host, 1), &["stage transform", &position]);
}

#[test]
fn a_bad_record_of_one_partition_leaves_the_others_whole() {
    let pipeline = Pipeline::new("bad-partition", 3);
    let to =
        |partition, n: usize| Record::value(format!("{partition} {n}")).to_partition(partition);
    pipeline.feed((0..300).flat_map(|n| [to(0, n), to(2, n)]));
    pipeline.feed([
        Record::value("1 good").to_partition(1),
        Record::value("fail on purpose").to_partition(1),
        Record::value("1 behind").to_partition(1),
    ]);

    let mut host = pipeline.start(&guest("puppet"), &[]);
    let error = error_of(&mut host, 1);
    let position = format!("topic {}, partition 1, offset 1", pipeline.input);
    assert_says(&error, &["stage transform", &position, "on purpose"]);

    // What is in the output is committed, and what is not is not.
    let read = pipeline.outputs();
    for (partition, position) in pipeline.committed() {
        let prefix = format!("{partition} ");
        let mine = read.iter().filter(|r| r.text().starts_with(&prefix));
        assert_eq!(i64::try_from(mine.count()), Ok(position), "{partition}");
    }
}
