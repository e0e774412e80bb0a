//! An input that is itself written in transactions: what was aborted is not
//! consumed, and what is still open is waited for.

use millrace_tests::{Record, eventually_ok, plugin};

use super::{EXACTLY_ONCE, wait_for_visible};
use crate::pipeline::{Pipeline, SOON, stop, texts};

#[test]
fn an_aborted_record_of_the_input_is_not_consumed() {
    let pipeline = Pipeline::new("input", 1);
    let (client, input) = (&pipeline.client, &pipeline.input);
    let writer = client.transactional(&format!("{input}-writer"));
    let values = |stem: &'static str| (0..10).map(move |n| Record::value(format!("{stem} {n}")));

    writer.begin();
    writer.produce(input, values("first"));
    assert_eq!(writer.commit(), Ok(()));
    writer.begin();
    writer.produce(input, values("aborted"));
    assert_eq!(writer.abort(), Ok(()));
    writer.begin();
    writer.produce(input, values("open"));
    pipeline.feed(values("behind the open one"));

    let host = pipeline.start(&plugin("passthrough"), EXACTLY_ONCE);
    // Behind ten records and a marker, ten and a marker: all that is decided.
    let decided = wait_for_visible(&pipeline, 10);
    assert!(texts(&decided).iter().all(|text| text.starts_with("first")));
    assert_eq!(writer.abort(), Ok(()));
    writer.begin();
    writer.produce(input, values("last"));
    assert_eq!(writer.commit(), Ok(()));
    // Each ten, and a marker behind all but the plain ones.
    let last = 10 + 1 + 10 + 1 + 10 + 10 + 1 + 10;
    eventually_ok(SOON, "the last record", || {
        match pipeline.committed().get(&0) {
            // Behind the last record, or behind its marker.
            Some(next) if *next >= last => Ok(()),
            next => Err(format!("{next:?}")),
        }
    });
    stop(host);

    let expected: Vec<_> = ["first", "behind the open one", "last"]
        .into_iter()
        .flat_map(|stem| (0..10).map(move |n| format!("{stem} {n}")))
        .collect();
    assert_eq!(texts(&pipeline.outputs()), expected);
}
