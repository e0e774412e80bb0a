use super::*;
use crate::registry::Kind;

const REFRESH: Duration = Duration::from_secs(300);
const MISSING: Duration = Duration::from_secs(5);

const FEW: Limits = Limits {
    questions: 100,
    bytes: 1000,
};

fn table() -> Table {
    Table::limited(REFRESH, MISSING, FEW)
}

fn registered(id: u32, text: &str) -> Registered {
    Registered {
        id,
        kind: Kind::Avro,
        text: text.to_owned(),
        references: Vec::new(),
    }
}

fn ready(lookup: &Lookup) -> &Arc<Registered> {
    match lookup {
        Lookup::Ready(registered) => registered,
        other => panic!("{other:?}"),
    }
}

fn latest() -> Question {
    Question::Latest("s".into())
}

#[test]
fn a_question_is_asked_once_however_many_want_it() {
    let table = table();
    let now = Instant::now();
    let (found, ask) = table.look_up(Question::Id(7), now);
    assert_eq!(found, Lookup::Later(None));
    let question = Question::Id(7);
    assert_eq!(
        ask,
        Some(Ask {
            question,
            misses: 0
        })
    );
    assert_eq!(
        table.look_up(Question::Id(7), now),
        (Lookup::Later(None), None)
    );

    table.ready(&Question::Id(7), registered(7, "a"), now);
    let (found, ask) = table.look_up(Question::Id(7), now + REFRESH * 100);
    assert_eq!((ready(&found).id, ask), (7, None));
}

#[test]
fn a_fault_is_told_until_there_is_an_answer() {
    let table = table();
    let now = Instant::now();
    table.look_up(Question::Id(7), now);
    table.fault(&Question::Id(7), "down".into());
    let told = Lookup::Later(Some("down".into()));
    assert_eq!(table.look_up(Question::Id(7), now), (told, None));
    table.ready(&Question::Id(7), registered(7, "a"), now);
    ready(&table.look_up(Question::Id(7), now).0);
}

#[test]
fn what_is_missing_is_asked_again_after_a_while_if_somebody_asks() {
    let table = table();
    let now = Instant::now();
    table.look_up(Question::Id(7), now);
    table.missing(&Question::Id(7), "no".into(), now);
    let missing = Lookup::Missing("no".into());
    let almost = now + MISSING - Duration::from_millis(1);
    assert_eq!(table.look_up(Question::Id(7), almost), (missing, None));

    let (found, ask) = table.look_up(Question::Id(7), now + MISSING);
    assert_eq!(found, Lookup::Later(None));
    let question = Question::Id(7);
    assert_eq!(
        ask,
        Some(Ask {
            question,
            misses: 1
        }),
        "known to be missing"
    );
    assert_eq!(table.look_up(Question::Id(7), now + MISSING).1, None);
}

#[test]
fn the_old_latest_version_counts_while_it_is_looked_at_again() {
    let table = table();
    let now = Instant::now();
    table.look_up(latest(), now);
    table.ready(&latest(), registered(1, "a"), now);
    let (first, _) = table.look_up(latest(), now);

    let (found, ask) = table.look_up(latest(), now + REFRESH);
    assert_eq!((ready(&found).id, ask.is_some()), (1, true));
    table.fault(&latest(), "down".into());
    let (found, ask) = table.look_up(latest(), now + REFRESH);
    assert_eq!((ready(&found).id, ask.is_some()), (1, false));

    table.ready(&latest(), registered(1, "a"), now + REFRESH);
    let (found, _) = table.look_up(latest(), now + REFRESH);
    assert!(Arc::ptr_eq(ready(&first), ready(&found)), "nothing is new");

    let (_, ask) = table.look_up(latest(), now + REFRESH * 2);
    assert!(ask.is_some());
    table.ready(&latest(), registered(2, "b"), now + REFRESH * 2);
    assert_eq!(ready(&table.look_up(latest(), now + REFRESH * 2).0).id, 2);
}

#[test]
fn the_same_text_is_one_schema_to_register() {
    let table = table();
    let schema = |text: &str| NewSchema {
        kind: Kind::Json,
        text: text.to_owned(),
        references: Vec::new(),
    };
    assert_eq!(table.schema(&schema("a")), table.schema(&schema("a")));
    assert_ne!(table.schema(&schema("a")), table.schema(&schema("b")));
}

#[test]
fn beyond_the_limit_what_was_not_asked_for_longest_is_forgotten() {
    let table = table();
    let now = Instant::now();
    for id in 0..100 {
        table.look_up(Question::Id(id), now);
        table.missing(&Question::Id(id), "no".into(), now);
    }
    table.look_up(Question::Id(0), now);
    assert!(table.look_up(latest(), now).1.is_some());
    assert!(table.state().entries.len() < FEW.questions);
    assert_eq!(
        table.look_up(Question::Id(0), now).0,
        Lookup::Missing("no".into())
    );
    assert_eq!(table.look_up(Question::Id(1), now).0, Lookup::Later(None));
}

#[test]
fn beyond_the_limit_of_text_too_but_never_the_newest() {
    let table = table();
    let now = Instant::now();
    let text = "x".repeat(FEW.bytes / 2 + 1);
    for id in 0..2 {
        table.look_up(Question::Id(id), now);
        table.ready(&Question::Id(id), registered(id, &text), now);
    }
    assert_eq!(ready(&table.look_up(Question::Id(1), now).0).id, 1);
    assert_eq!(table.state().bytes, text.len());
    assert_eq!(table.look_up(Question::Id(0), now).0, Lookup::Later(None));
}

#[test]
fn with_every_place_open_a_further_question_waits() {
    let table = table();
    let now = Instant::now();
    for id in 0..100 {
        table.look_up(Question::Id(id), now);
    }
    assert_eq!(table.look_up(latest(), now), (Lookup::Later(None), None));
    for id in 0..2 {
        table.missing(&Question::Id(id), "no".into(), now);
    }
    assert!(table.look_up(latest(), now).1.is_some());
}
