use super::super::ports;
use super::*;
use crate::pipeline::fakes::{FakeRecord, partition};
use crate::record::OwnedHeader;

/// Says this of every record; breaks where it has nothing to say.
struct Says(Vec<Verdict>);

impl Versioned for Says {}

impl Transform for Says {
    fn process<R: Record>(
        &mut self,
        _: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        let said = |record: &R| {
            let offset = usize::try_from(record.offset()).unwrap();
            let verdict = self.0.get(offset).cloned();
            verdict.ok_or_else(|| Fault::Broke(format!("nothing at {offset}")))
        };
        records.iter().map(said).collect()
    }

    fn discard(&mut self) {}
}

fn value(text: &str) -> Verdict {
    Verdict::Replace(Output {
        value: Payload::Bytes(text.into()),
        ..Output::FORWARD
    })
}

fn headers(headers: OutputHeaders) -> Verdict {
    Verdict::Replace(Output {
        headers,
        ..Output::FORWARD
    })
}

/// `[records, differ, broke]`, after both judged all records at once.
fn compared(own: Vec<Verdict>, shadows: Vec<Verdict>) -> [u64; 3] {
    let records: Vec<_> = (0..own.len())
        .map(|offset| FakeRecord::new(0, offset.try_into().unwrap()))
        .collect();
    let count = Arc::<Compared>::default();
    let shadow = Shadow::new(Says(shadows), Arc::clone(&count), Duration::MAX);
    let mut both = Shadowed::new(Says(own.clone()), Some(shadow));
    let verdicts = both.process(&partition(0), &records).unwrap();
    assert_eq!(verdicts, own, "the shadow changes nothing");
    [count.records(), count.differ(), count.broke()]
}

fn how(own: &Verdict, shadow: &Verdict) -> Option<String> {
    difference(&FakeRecord::new(0, 7), own, shadow)
}

#[test]
fn differences_are_counted_record_by_record() {
    let own = vec![Verdict::Forward, Verdict::Drop, value("a"), value("b")];
    assert_eq!(compared(own.clone(), own.clone()), [4, 0, 0]);
    let shadows = vec![Verdict::Forward, Verdict::Forward, value("a"), value("c")];
    assert_eq!(compared(own, shadows), [4, 2, 0]);
}

#[test]
fn a_shadow_that_breaks_costs_only_itself() {
    let own = vec![Verdict::Forward, Verdict::Forward, Verdict::Drop];
    assert_eq!(
        compared(own, vec![Verdict::Forward, Verdict::Drop]),
        [3, 1, 1]
    );
    // The rest of a batch that breaks it again and again is not shown to it.
    assert_eq!(compared(vec![Verdict::Drop; 100], Vec::new()), [3, 0, 3]);
}

#[test]
fn what_is_interrupted_says_nothing() {
    struct Interrupted;
    impl Versioned for Interrupted {}
    impl Transform for Interrupted {
        fn process<R: Record>(
            &mut self,
            _: &TopicPartition,
            _: &[R],
        ) -> Result<Vec<Verdict>, Fault> {
            Err(Fault::Fatal(ports::Interrupted.into()))
        }
        fn discard(&mut self) {}
    }
    let count = Arc::<Compared>::default();
    let shadow = Shadow::new(Interrupted, Arc::clone(&count), Duration::MAX);
    let mut both = Shadowed::new(Says(vec![Verdict::Drop]), Some(shadow));
    both.process(&partition(0), &[FakeRecord::new(0, 0)])
        .unwrap();
    assert_eq!((count.records(), count.broke()), (0, 0));
}

/// It is left alone for a while, and what takes too long is broken off.
#[test]
fn a_shadow_that_breaks_does_not_hold_up_the_other() {
    let record = |offset| [FakeRecord::new(0, offset)];
    let count = Arc::<Compared>::default();
    let shadow = Shadow::new(Says(Vec::new()), Arc::clone(&count), Duration::MAX);
    let own = Says(vec![Verdict::Drop; 2]);
    let mut both = Shadowed::new(own, Some(shadow));
    both.process(&partition(0), &record(0)).unwrap();
    assert_eq!((count.records(), count.broke()), (1, 1));
    both.process(&partition(0), &record(1)).unwrap();
    assert_eq!(count.records(), 1, "it rests");

    let count = Arc::<Compared>::default();
    let shadow = Shadow::new(
        Says(vec![Verdict::Drop]),
        Arc::clone(&count),
        Duration::ZERO,
    );
    let own = Says(vec![Verdict::Drop; 2]);
    let mut both = Shadowed::new(own, Some(shadow));
    let two = [FakeRecord::new(0, 0), FakeRecord::new(0, 1)];
    both.process(&partition(0), &two).unwrap();
    assert_eq!(count.records(), 0, "the time of the batch is over");
}

#[test]
fn verdicts_that_send_the_same_are_the_same() {
    let own = [OwnedHeader::new("a", "1")];
    for (a, b) in [
        (Verdict::Forward, Verdict::Replace(Output::FORWARD)),
        (Verdict::Forward, Verdict::Expand(vec![Output::FORWARD])),
        (Verdict::Forward, value("value 7")),
        (Verdict::Drop, Verdict::Expand(Vec::new())),
        (
            headers(OutputHeaders::Source),
            headers(OutputHeaders::Only(Vec::new())),
        ),
        (
            headers(OutputHeaders::Append(own.to_vec())),
            headers(OutputHeaders::Only(own.to_vec())),
        ),
        (
            Verdict::Forward,
            Verdict::Replace(Output {
                timestamp: Some(1007),
                ..Output::FORWARD
            }),
        ),
        (Verdict::Fail("why".into()), Verdict::Fail("why".into())),
    ] {
        assert_eq!(how(&a, &b), None, "{a:?}, {b:?}");
    }
}

#[test]
fn a_difference_says_what_it_is() {
    let with = |change: fn(&mut Output)| {
        let mut output = Output::FORWARD;
        change(&mut output);
        Verdict::Replace(output)
    };
    let long = "x".repeat(100);
    for (a, b, said) in [
        (
            Verdict::Forward,
            Verdict::Drop,
            "forward, and the shadow: drop".to_owned(),
        ),
        (
            Verdict::Fail("no price".into()),
            value("a"),
            "fail (no price), and the shadow: replace".to_owned(),
        ),
        (
            Verdict::Fail("a".into()),
            Verdict::Fail("b".into()),
            "fail (a), and the shadow: fail (b)".to_owned(),
        ),
        (
            value("a"),
            value("b"),
            r#"value "a", and the shadow's "b""#.to_owned(),
        ),
        (
            value("a"),
            value(&long),
            format!(
                r#"value "a", and the shadow's "{}"… (100 bytes)"#,
                "x".repeat(80)
            ),
        ),
        (
            value(&format!("{long}1")),
            value(&format!("{long}22")),
            format!(
                r#"value …"{0}1", and the shadow's …"{0}22""#,
                "x".repeat(20)
            ),
        ),
        (
            Verdict::Forward,
            with(|output| output.key = Payload::Null),
            r#"key "key", and the shadow's null"#.to_owned(),
        ),
        (
            Verdict::Forward,
            with(|output| output.topic = Some("other".to_owned())),
            r#"topic None, and the shadow's Some("other")"#.to_owned(),
        ),
        (
            Verdict::Forward,
            with(|output| output.partition = Some(3)),
            "partition None, and the shadow's Some(3)".to_owned(),
        ),
        (
            Verdict::Forward,
            with(|output| output.timestamp = Some(5)),
            "timestamp Some(1007), and the shadow's Some(5)".to_owned(),
        ),
        (
            Verdict::Forward,
            headers(OutputHeaders::Append(vec![OwnedHeader::new("a", "1")])),
            r#"headers [], and the shadow's ["a"="1"]"#.to_owned(),
        ),
        (
            Verdict::Expand(vec![Output::FORWARD; 2]),
            Verdict::Expand(vec![
                Output::FORWARD,
                Output {
                    value: Payload::Null,
                    ..Output::FORWARD
                },
            ]),
            r#"output 1: value "value 7", and the shadow's null"#.to_owned(),
        ),
        (
            Verdict::Expand(vec![Output::FORWARD; 2]),
            Verdict::Drop,
            "expand to 2, and the shadow: drop".to_owned(),
        ),
    ] {
        assert_eq!(how(&a, &b), Some(said));
    }
}
