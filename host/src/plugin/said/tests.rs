use proptest::prelude::*;

use super::*;
use crate::telemetry;

/// Runs `body` and returns the messages that it logged at INFO and above.
fn logged(body: impl FnOnce()) -> Vec<String> {
    let lines = telemetry::logged::logged(body).into_iter();
    let message = |fields: serde_json::Value| fields["message"].as_str().unwrap().to_owned();
    lines.map(message).collect()
}

fn said() -> Said {
    Said::new(PluginId {
        name: Arc::from("talks"),
        digest: Arc::from("0123456789abcdef"),
    })
}

fn print(said: &Said, bytes: &[u8]) {
    said.lock().printed(Which::Stdout, bytes);
}

#[test]
fn lines_are_logged_however_they_are_cut_up() {
    let lines = logged(|| {
        let said = said();
        for bytes in [&b"on"[..], b"e\ntwo\n\n", b"three"] {
            print(&said, bytes);
        }
        said.lock().printed(Which::Stderr, b"another stream\n");
    });
    assert_eq!(lines, ["one", "two", "another stream", "three"]);
}

#[test]
fn a_flood_is_cut_and_counted_once_it_has_ended() {
    let lines = logged(|| {
        let said = said();
        for n in 0..5000 {
            print(&said, format!("line {n}\n").as_bytes());
        }
        said.logged(log::Level::Error, "one of the log");
        drop(said);
    });
    assert_eq!(lines.len(), 1001);
    assert_eq!(lines[999], "line 999");
    assert_eq!(lines[1000], "4001 more lines of the plugin were left out");
}

#[test]
fn a_call_after_the_window_tells_what_was_left_out() {
    let said = said();
    let lines = logged(|| {
        for _ in 0..1001 {
            print(&said, b"x\n");
        }
        said.call_begins();
        said.lock().tell_left_out(Instant::now() + WINDOW);
        said.lock().tell_left_out(Instant::now() + WINDOW);
    });
    assert_eq!(lines.len(), 1001);
    assert_eq!(lines[1000], "1 more lines of the plugin were left out");
}

#[test]
fn the_last_lines_are_kept_whether_they_were_logged_or_not() {
    let said = said();
    for n in 0..2000 {
        print(&said, format!("line {n}\n").as_bytes());
    }
    print(&said, b"without an end");
    let mut kept: Vec<String> = (1993..2000).map(|n| format!("line {n}")).collect();
    kept.push("without an end".to_owned());
    assert_eq!(said.lately(), kept);

    said.call_begins();
    assert!(said.lately().is_empty());
}

#[test]
fn a_line_that_nobody_wants_uses_up_nothing() {
    let lines = logged(|| {
        let said = said();
        for _ in 0..5000 {
            said.logged(log::Level::Debug, "too small");
        }
        said.logged(log::Level::Info, "an info");
    });
    assert_eq!(lines, ["an info"]);
}

#[test]
fn a_line_without_end_does_not_grow_without_end() {
    let lines = logged(|| {
        let said = said();
        for _ in 0..100 {
            print(&said, &[b'x'; 1000]);
        }
        assert_eq!(said.lock().unended[0].len(), LONGEST_LINE);
        print(&said, b"\n");
        said.logged(log::Level::Info, &"é".repeat(LONGEST_LINE));
    });
    assert_eq!(
        lines,
        ["x".repeat(LONGEST_LINE), "é".repeat(LONGEST_LINE / 2)]
    );
}

#[test]
fn more_at_once_than_the_stream_allows_is_a_trap() {
    let mut stream = Stream {
        which: Which::Stdout,
        said: said(),
    };
    let most = stream.check_write().unwrap();
    assert!(stream.write(vec![0; most].into()).is_ok());
    assert!(matches!(
        stream.write(vec![0; most + 1].into()),
        Err(StreamError::Trap(_))
    ));
    assert!(matches!(
        stream.write_zeroes(usize::MAX),
        Err(StreamError::Trap(_))
    ));
}

proptest! {
    #[test]
    fn no_bytes_break_it(chunks: Vec<Vec<u8>>) {
        let said = said();
        for chunk in &chunks {
            print(&said, chunk);
        }
        prop_assert!(said.lately().len() <= KEPT_LINES);
    }
}
