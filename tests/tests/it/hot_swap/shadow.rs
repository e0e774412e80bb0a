//! `--shadow`: a second plugin judges the same records, and nothing of it is sent.

use millrace_tests::{Record, plugin};

use super::{lines, wait_for_lines};
use crate::pipeline::{LONG, Pipeline, stop};

#[test]
fn a_shadow_says_where_it_differs_and_sends_nothing() {
    let pipeline = Pipeline::new("shadow", 1);
    let order = |id: u32, status: &str| {
        format!(
            r#"{{"id":{id},"customer":"c1","amount":1.5,"currency":"EUR","status":"{status}"}}"#
        )
    };
    let values = [order(1, "paid"), order(2, "void"), "no order".to_owned()];
    pipeline.feed(values.iter().map(Record::value));
    let shadow = plugin("orders").display().to_string();
    let host = pipeline.start(&plugin("passthrough"), &["--shadow", &shadow]);
    pipeline.wait_for_count(3, LONG);
    wait_for_lines(&host, "the shadow differs", 3);

    let said: Vec<_> = lines(&host, "the shadow differs")
        .iter()
        .map(|line| (line["offset"].as_i64(), line["how"].to_string()))
        .collect();
    for (offset, (at, how)) in (0..).zip(&said) {
        let expected = [
            "total_cents",
            "forward, and the shadow: drop",
            "fail (not JSON",
        ];
        let index = usize::try_from(offset).expect("small");
        assert_eq!(*at, Some(offset), "{said:?}");
        assert!(how.contains(expected[index]), "{how}");
    }
    pipeline.wait_for_committed_total(3, LONG);
    let stderr = stop(host);
    assert!(
        stderr.contains(r#""records":3,"differ":3,"broke":0"#),
        "{stderr}"
    );
    let outputs: Vec<_> = pipeline.outputs().into_iter().map(|it| it.value).collect();
    let sent: Vec<_> = values
        .iter()
        .map(|value| Some(value.clone().into_bytes()))
        .collect();
    assert_eq!(outputs, sent);
}
