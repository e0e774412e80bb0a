use super::*;

/// Runs `body` and returns the messages that it logged, with what was left out.
fn logged(body: impl FnOnce()) -> Vec<(String, Option<u64>)> {
    let lines = telemetry::logged::logged(body).into_iter();
    let line = |fields: serde_json::Value| {
        let message = fields["message"].as_str().unwrap().to_owned();
        (message, fields["left_out"].as_u64())
    };
    lines.map(line).collect()
}

fn asked(what: &str, left_out: Option<u64>) -> (String, Option<u64>) {
    let message = format!("waiting: the schema registry is asked for {what}");
    (message, left_out)
}

fn again() -> (String, Option<u64>) {
    ("the schema registry answers again".to_owned(), None)
}

#[test]
fn the_first_fault_is_said_then_one_from_time_to_time_and_the_end_once() {
    let begun = Instant::now();
    let mut health = Health::new();
    let said = logged(|| {
        health.fails(true, "a", "down", begun);
        health.fails(true, "b", "down", begun);
        health.fails(false, "a", "down", begun);
        health.fails(false, "b", "down", begun + SAY);
        health.recovers(begun + SAY);
        health.recovers(begun + SAY);
    });
    assert_eq!(said, [asked("a", None), asked("b", Some(2)), again()]);
}

#[test]
fn faults_that_come_and_go_are_not_said_each_time() {
    let begun = Instant::now();
    let mut health = Health::new();
    let said = logged(|| {
        for _ in 0..10 {
            health.fails(true, "a", "down", begun);
            health.recovers(begun);
        }
        health.fails(true, "a", "down", begun + SAY);
        health.recovers(begun + SAY);
    });
    let wanted = [asked("a", None), again(), asked("a", Some(9)), again()];
    assert_eq!(said, wanted);
}

#[test]
fn a_fault_that_is_not_over_for_all_is_not_over() {
    let begun = Instant::now();
    let mut health = Health::new();
    let said = logged(|| {
        health.fails(true, "a", "down", begun);
        health.fails(true, "b", "denied", begun);
        health.recovers(begun);
    });
    assert_eq!(said, [asked("a", None)]);
}
