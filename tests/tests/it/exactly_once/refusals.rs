//! What exactly-once cannot go together with: said at the start, exit status 2.

use millrace_tests::guest;

use super::EXACTLY_ONCE;
use crate::pipeline::{Pipeline, assert_says, error_of};

#[test]
fn what_would_break_exactly_once_is_refused_with_the_reason() {
    let pipeline = Pipeline::new("refused", 1);
    let store = tempfile::tempdir().expect("a folder");
    let store = store.path().join("store");
    let store = store.to_str().expect("it is UTF-8");
    let cases: [(&[&str], &[&str]); 4] = [
        (
            &["--recovery", store],
            &["--recovery", "--guarantee", "transaction"],
        ),
        (
            &["--set", "kafka.consumer.isolation.level=read_uncommitted"],
            &["isolation.level", "--guarantee"],
        ),
        (
            &["--set", "kafka.producer.transactional.id=mine"],
            &["kafka.producer.transactional.id"],
        ),
        (
            &[
                "--set",
                "plugin.call=30s",
                "--set",
                "kafka.producer.transaction.timeout.ms=10000",
            ],
            &["plugin.call", "transaction.timeout.ms"],
        ),
    ];
    for (flags, says) in cases {
        let flags = [EXACTLY_ONCE, flags].concat();
        let mut host = pipeline.start(&guest("puppet"), &flags);
        let error = error_of(&mut host, 2);
        assert_says(&error, says);
    }
    assert_eq!(pipeline.count(), Ok(0));
}
