use super::*;

fn input(assignments: &[&str]) -> Result<Input, String> {
    let mut settings = Settings::default();
    for assignment in ["input.topics=orders,re.turns"].iter().chain(assignments) {
        settings.set(assignment).unwrap();
    }
    Input::from_settings(&settings, "clean").map_err(|error| error.to_string())
}

fn error(assignments: &[&str]) -> String {
    input(assignments).unwrap_err()
}

#[test]
fn a_start_is_said_of_all_of_a_topic_or_of_a_partition() {
    let starts = input(&[
        "input.start=latest",
        "input.start.re.turns=timestamp:2026-11-24T16:00:00Z",
        "input.start.orders/0=offset:42",
    ])
    .unwrap()
    .starts;
    let of = |topic: &str, number| starts.of(&TopicPartition::new(topic, number));
    assert_eq!(of("orders", 0), Start::Offset(42));
    assert_eq!(of("orders", 1), Start::Latest);
    assert_eq!(of("re.turns", 0), Start::Timestamp(1_795_536_000_000));
    assert_eq!(starts.named().collect::<Vec<_>>(), [("orders", 0)]);
    assert!(!starts.may_be_stored());
}

#[test]
fn a_star_stands_for_every_other_partition() {
    let starts = input(&["input.start.*=stored", "input.start.orders=earliest"])
        .unwrap()
        .starts;
    let of = |topic: &str| starts.of(&TopicPartition::new(topic, 0));
    assert_eq!(
        (of("orders"), of("re.turns")),
        (Start::Earliest, Start::Stored)
    );
    assert!(starts.may_be_stored());
}

#[test]
fn what_is_said_of_all_partitions_replaces_what_was_said_of_one() {
    let starts = input(&["input.start.orders/0=offset:42", "input.start=latest"])
        .unwrap()
        .starts;
    assert_eq!(starts, Start::Latest.into());
}

#[test]
fn a_wrong_start_names_its_place_and_what_there_is() {
    assert_eq!(
        error(&["input.start=newest"]),
        "input.start (--set): \"newest\" is no start: there are earliest, latest, stored, \
         offset:N and timestamp:T"
    );
    assert!(error(&["input.start=offset:-1"]).contains("a whole number from 0"));
    assert!(error(&["input.start=timestamp:yesterday"]).contains("RFC 3339"));
    assert_eq!(
        error(&["input.start.refunds/0=latest"]),
        "input.start.refunds/0 (--set): refunds is no input topic: write \"TOPIC/PARTITION\", \
         \"TOPIC\", or \"*\" for all others"
    );
    assert!(error(&["input.start.orders/x=latest"]).contains("no partition's number"));
}

#[test]
fn a_timestamp_may_be_milliseconds_or_of_any_offset() {
    for text in [
        "timestamp:1795536000000",
        "timestamp:2026-11-24T16:00:00Z",
        "timestamp:2026-11-24T18:00:00.000+02:00",
    ] {
        assert_eq!(
            text.parse(),
            Ok(Start::Timestamp(1_795_536_000_000)),
            "{text}"
        );
    }
}

#[test]
fn an_end_is_known_when_the_run_starts() {
    let until = |text: &str| input(&[&format!("input.until={text}")]).map(|input| input.until);
    assert_eq!(until("end"), Ok(Until::End));
    assert_eq!(until("offset:7"), Ok(Until::Offset(7)));
    assert_eq!(until("timestamp:7"), Ok(Until::Timestamp(7)));
    assert_eq!(until("forever"), Ok(Until::Forever));
    assert!(
        until("timestamp:9999-01-01T00:00:00Z")
            .unwrap_err()
            .contains("future")
    );
    assert!(
        until("tomorrow")
            .unwrap_err()
            .contains("forever, end, offset:N and timestamp:T")
    );
}

#[test]
fn a_share_is_numbers_and_ranges() {
    let share: Share = "0-3, 8,10-".parse().unwrap();
    let held: Vec<i32> = (0..13).filter(|n| share.holds(*n)).collect();
    assert_eq!(held, [0, 1, 2, 3, 8, 10, 11, 12]);
    assert_eq!(share.to_string(), "8,0-3,10-");
    assert!(Share::ALL.holds(7));
    for wrong in ["", "a", "3-1", "-1", "1,,2"] {
        assert!(
            wrong
                .parse::<Share>()
                .unwrap_err()
                .contains("names no partitions"),
            "{wrong}"
        );
    }
}

#[test]
fn a_gap_has_three_answers() {
    assert_eq!(input(&[]).unwrap().on_gap, OnGap::Stop);
    assert_eq!(
        input(&["input.on_gap=latest"]).unwrap().on_gap,
        OnGap::Latest
    );
    assert!(error(&["input.on_gap=skip"]).contains("stop, earliest and latest"));
}

#[test]
fn an_instance_id_is_what_kafka_takes() {
    assert_eq!(
        input(&["input.instance_id=pod-1"])
            .unwrap()
            .instance_id
            .as_deref(),
        Some("pod-1")
    );
    assert!(error(&["input.instance_id=pod 1"]).contains("input.instance_id"));
}
