use std::cell::RefCell;
use std::rc::Rc;

use super::held::MOST_HELD;
use super::*;
use crate::pipeline::fakes::{FakeRecord, partition};
use crate::record::{Output, OutputHeaders, OwnedHeader, Payload, Timestamp};

mod model;

const BOUNDS: Bounds = Bounds {
    batch: Limits {
        records: 1000,
        bytes: 1 << 20,
    },
    time: Duration::MAX,
};

/// The calls of a link, each as the messages that it was given.
type Calls = Rc<RefCell<Vec<Vec<FakeRecord>>>>;

/// A link that says what a function says, and remembers.
struct Says {
    says: Box<dyn Fn(&FakeRecord) -> Verdict>,
    fault: Option<fn() -> Fault>,
    calls: Calls,
    discarded: Rc<RefCell<usize>>,
}

impl crate::pipeline::ports::Versioned for Says {}

impl Transform for Says {
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        assert_eq!(*partition, super::tests::partition(1));
        let messages: Vec<_> = records.iter().map(|record| copied(record)).collect();
        let verdicts = messages.iter().map(&self.says).collect();
        self.calls.borrow_mut().push(messages);
        match self.fault {
            Some(fault) => Err(fault()),
            None => Ok(verdicts),
        }
    }

    fn discard(&mut self) {
        *self.discarded.borrow_mut() += 1;
    }
}

/// All that a plugin may know of a record.
fn copied<R: Record>(record: &R) -> FakeRecord {
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    FakeRecord {
        partition: 1,
        offset: record.offset(),
        key: owned(record.key()),
        value: owned(record.value()),
        headers: record
            .headers()
            .into_iter()
            .map(|header| (header.name.to_vec(), owned(header.value)))
            .collect(),
        timestamp: record.timestamp(),
    }
}

fn says(says: impl Fn(&FakeRecord) -> Verdict + 'static) -> Says {
    Says {
        says: Box::new(says),
        fault: None,
        calls: Calls::default(),
        discarded: Rc::default(),
    }
}

/// Links that are called a, b, c.
fn chain(links: impl IntoIterator<Item = Says>) -> Chain<Says> {
    let mut links = links.into_iter().zip(["a", "b", "c"]);
    let mut next = || {
        links.next().map(|(transform, name)| Link {
            name: name.into(),
            transform,
        })
    };
    let first = next().unwrap();
    Chain::new(first, std::iter::from_fn(next).collect(), BOUNDS)
}

fn records(count: i64) -> Vec<FakeRecord> {
    (0..count)
        .map(|offset| FakeRecord::new(1, offset))
        .collect()
}

/// What becomes of so many records.
fn verdicts(links: impl IntoIterator<Item = Says>, count: i64) -> Vec<Verdict> {
    chain(links)
        .process(&partition(1), &records(count))
        .unwrap()
}

/// What becomes of one record.
fn verdict(links: impl IntoIterator<Item = Says>) -> Verdict {
    let [verdict] = verdicts(links, 1).try_into().unwrap();
    verdict
}

fn always(verdict: Verdict) -> Says {
    says(move |_| verdict.clone())
}

fn valued(value: impl Into<Vec<u8>>) -> Output {
    Output {
        value: Payload::Bytes(value.into()),
        ..Output::FORWARD
    }
}

fn to_topic(topic: &str, partition: Option<i32>) -> Output {
    Output {
        topic: Some(topic.to_owned()),
        partition,
        ..Output::FORWARD
    }
}

fn to_partition(partition: i32) -> Output {
    Output {
        partition: Some(partition),
        ..Output::FORWARD
    }
}

fn expand(values: &[&str]) -> Verdict {
    Verdict::Expand(values.iter().map(|value| valued(*value)).collect())
}

fn value(message: &FakeRecord) -> &[u8] {
    message.value.as_deref().unwrap()
}

#[test]
fn one_link_is_that_link() {
    let said = [
        Verdict::Forward,
        Verdict::Expand(Vec::new()),
        Verdict::Fail("no".to_owned()),
    ];
    for said in said {
        // No signature, and nothing is put in another form.
        assert_eq!(verdict([always(said.clone())]), said);
    }
}

#[test]
fn what_all_forward_is_forwarded() {
    let forward = || always(Verdict::Forward);
    assert_eq!(verdict([forward(), forward(), forward()]), Verdict::Forward);
}

#[test]
fn a_link_gets_the_outputs_of_the_one_before_in_one_batch_and_in_order() {
    let first = says(|message| match message.offset {
        0 => expand(&["x", "y"]),
        1 => Verdict::Drop,
        2 => Verdict::Forward,
        3 => Verdict::Fail("no".to_owned()),
        _ => Verdict::Replace(valued("z")),
    });
    let second = always(Verdict::Forward);
    let calls = Rc::clone(&second.calls);
    let verdicts = verdicts([first, second], 5);
    let calls = calls.borrow();
    let [call] = &calls[..] else {
        panic!("{} calls", calls.len());
    };
    let seen: Vec<_> = call.iter().map(|m| (m.offset, value(m))).collect();
    let expected: [(i64, &[u8]); 4] = [(0, b"x"), (0, b"y"), (2, b"value 2"), (4, b"z")];
    assert_eq!(seen, expected);
    assert_eq!(
        verdicts,
        [
            expand(&["x", "y"]),
            Verdict::Drop,
            Verdict::Forward,
            Verdict::Fail("plugin a: no".to_owned()),
            Verdict::Replace(valued("z")),
        ]
    );
}

#[test]
fn a_message_is_its_source_where_the_output_leaves_it_alone() {
    let header = |name: &str| OwnedHeader::new(name, "1");
    let first = says(move |message| {
        Verdict::Replace(match message.offset {
            0 => Output {
                timestamp: Some(7),
                key: Payload::Null,
                headers: OutputHeaders::Append(vec![header("more")]),
                ..Output::FORWARD
            },
            _ => Output {
                headers: OutputHeaders::Only(vec![header("only")]),
                ..valued("v")
            },
        })
    });
    let second = always(Verdict::Forward);
    let calls = Rc::clone(&second.calls);
    let mut records = records(2);
    for record in &mut records {
        record.timestamp = Timestamp::LogAppend(5);
        record.headers = vec![(b"own".to_vec(), None)];
    }
    let mut chain = chain([first, second]);
    chain.process(&partition(1), &records).unwrap();
    let one = Some(b"1".to_vec());
    let expected = [
        FakeRecord {
            key: None,
            headers: vec![(b"own".to_vec(), None), (b"more".to_vec(), one.clone())],
            timestamp: Timestamp::Create(7),
            ..records[0].clone()
        },
        FakeRecord {
            value: Some(b"v".to_vec()),
            headers: vec![(b"only".to_vec(), one)],
            ..records[1].clone()
        },
    ];
    assert_eq!(*calls.borrow(), [expected]);
}

#[test]
fn a_topic_is_carried_on_with_its_partition_until_another_one_is_named() {
    let sent = |first: Output, second: Output| {
        let links = [first, second].map(|output| always(Verdict::Replace(output)));
        match verdict(links) {
            Verdict::Replace(output) => (output.topic, output.partition),
            other => panic!("{other:?}"),
        }
    };
    let t = |topic: &str| Some(topic.to_owned());
    let left = Output::FORWARD;
    assert_eq!(
        sent(to_topic("t", Some(2)), left.clone()),
        (t("t"), Some(2))
    );
    assert_eq!(
        sent(to_topic("t", Some(2)), to_partition(1)),
        (t("t"), Some(1))
    );
    assert_eq!(
        sent(to_topic("t", Some(2)), to_topic("u", None)),
        (t("u"), None)
    );
    assert_eq!(
        sent(to_topic("t", None), to_topic("u", Some(3))),
        (t("u"), Some(3))
    );
    assert_eq!(sent(to_partition(2), left), (None, Some(2)));
    assert_eq!(sent(to_partition(2), to_topic("u", None)), (t("u"), None));
}

#[test]
fn a_drop_of_one_output_leaves_the_others() {
    let drop_x = || {
        says(|message| match value(message) {
            b"x" => Verdict::Drop,
            _ => Verdict::Forward,
        })
    };
    let first = || always(expand(&["x", "y", "x"]));
    assert_eq!(verdict([first(), drop_x()]), expand(&["y"]));
    assert_eq!(verdict([first(), always(Verdict::Drop)]), Verdict::Drop);
    let none = always(Verdict::Expand(Vec::new()));
    assert_eq!(verdict([first(), none]), Verdict::Drop);
}

#[test]
fn what_is_dropped_goes_no_further() {
    let last = always(Verdict::Forward);
    let calls = Rc::clone(&last.calls);
    let links = [always(Verdict::Drop), last];
    assert_eq!(verdicts(links, 3), vec![Verdict::Drop; 3]);
    assert!(calls.borrow().is_empty());
}

#[test]
fn one_failed_output_fails_its_record_alone_with_the_first_reason() {
    let second = says(|message| match value(message) {
        b"y" => Verdict::Fail("no y".to_owned()),
        b"z" => Verdict::Fail("no z".to_owned()),
        _ => Verdict::Forward,
    });
    let first = says(|message| match message.offset {
        1 => expand(&["x", "y", "z"]),
        _ => expand(&["x", "v"]),
    });
    let last = always(Verdict::Forward);
    let calls = Rc::clone(&last.calls);
    assert_eq!(
        verdicts([first, second, last], 3),
        [
            expand(&["x", "v"]),
            Verdict::Fail("plugin b: no y".to_owned()),
            expand(&["x", "v"]),
        ]
    );
    // What failed goes no further either.
    assert_eq!(calls.borrow()[0].len(), 4);
}

#[test]
fn a_record_that_became_many_goes_in_several_calls() {
    let second = || says(|message| Verdict::Replace(valued([value(message), b"!"].concat())));
    let first = || always(expand(&["aa", "bb", "cc", "dd", "ee"]));
    let counts = |batch| {
        let second = second();
        let calls = Rc::clone(&second.calls);
        let mut chain = chain([first(), second]);
        chain.bounds.batch = batch;
        let verdicts = chain.process(&partition(1), &records(2)).unwrap();
        let expected = expand(&["aa!", "bb!", "cc!", "dd!", "ee!"]);
        assert_eq!(verdicts, [expected.clone(), expected]);
        calls.borrow().iter().map(Vec::len).collect::<Vec<_>>()
    };
    let (records, bytes) = (1000, 1000);
    assert_eq!(counts(Limits { records: 4, bytes }), [4, 4, 2]);
    // A message has a key of 3 bytes.
    assert_eq!(counts(Limits { records, bytes: 15 }), [3, 3, 3, 1]);
    assert_eq!(counts(Limits { records, bytes: 1 }), [1; 10]);
}

#[test]
fn a_fault_of_one_link_is_the_whole_calls_and_all_begin_afresh() {
    for broken in 0..3 {
        let mut links = [(); 3].map(|()| always(Verdict::Forward));
        links[broken].fault = Some(|| Fault::TimedOut("plugin x took long".to_owned()));
        let discarded: Vec<_> = links.iter().map(|l| Rc::clone(&l.discarded)).collect();
        let calls: Vec<_> = links.iter().map(|l| Rc::clone(&l.calls)).collect();
        let fault = chain(links)
            .process(&partition(1), &records(2))
            .unwrap_err();
        assert!(matches!(&fault, Fault::TimedOut(why) if why == "plugin x took long"));
        for link in 0..3 {
            assert_eq!(*discarded[link].borrow(), 1, "link {link}, {broken} broke");
            let called = usize::from(link <= broken);
            assert_eq!(
                calls[link].borrow().len(),
                called,
                "link {link}, {broken} broke"
            );
        }
    }
}

#[test]
fn a_discard_reaches_all() {
    let links = [(); 3].map(|()| always(Verdict::Forward));
    let discarded: Vec<_> = links.iter().map(|l| Rc::clone(&l.discarded)).collect();
    Transform::discard(&mut chain(links));
    assert!(discarded.iter().all(|discarded| *discarded.borrow() == 1));
}

#[test]
fn a_chain_that_has_used_up_its_time_makes_no_further_call() {
    let second = always(Verdict::Forward);
    let calls = Rc::clone(&second.calls);
    let mut chain = chain([always(Verdict::Forward), second]);
    chain.bounds.time = Duration::ZERO;
    let fault = chain.process(&partition(1), &records(1)).unwrap_err();
    assert!(
        matches!(&fault, Fault::TimedOut(why) if why.contains("plugin b was not done")),
        "{fault}"
    );
    assert!(calls.borrow().is_empty());
}

#[test]
fn outputs_that_multiply_are_a_fault_before_they_fill_the_memory() {
    let large = valued(vec![b'x'; MOST_HELD / 8]);
    let first = || always(Verdict::Replace(large.clone()));
    let copies = |count| always(Verdict::Expand(vec![Output::FORWARD; count]));
    // Eight of them, of which one is no copy.
    let mut more = chain([first(), copies(9)]);
    let fault = more.process(&partition(1), &records(1)).unwrap_err();
    let expected = format!("plugin b made more than {MOST_HELD} bytes, with the plugins before it");
    assert!(
        matches!(&fault, Fault::Broke(why) if *why == expected),
        "{fault}"
    );
    let Verdict::Expand(outputs) = verdict([first(), copies(7)]) else {
        panic!("no expansion");
    };
    assert_eq!(outputs, vec![large.clone(); 7]);
    // Nothing is copied of what a later link makes anew, and of the record itself.
    let anew = always(Verdict::Expand(vec![valued("y"); 100]));
    assert!(matches!(verdict([first(), anew]), Verdict::Expand(all) if all.len() == 100));
    let own = always(Verdict::Forward);
    assert!(matches!(verdict([own, copies(100)]), Verdict::Expand(all) if all.len() == 100));
}
