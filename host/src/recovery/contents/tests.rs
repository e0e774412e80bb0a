use super::*;

fn share(text: &str) -> Share {
    text.parse().unwrap()
}

fn claim(topics: &[(&str, i32)]) -> Claim {
    Claim {
        pipeline: "p".to_owned(),
        share: Share::ALL,
        topics: topics.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect(),
    }
}

fn at(offset: i64) -> Place {
    Place::At(NextOffset(offset))
}

fn of(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// Of topic `a`, two partitions that stand at 10 and 20.
fn begun() -> Contents {
    let mut contents = Contents::default().claimed_by(&claim(&[("a", 2)])).unwrap();
    contents.move_to(&of("a", 0), at(10)).unwrap();
    contents.move_to(&of("a", 1), at(20)).unwrap();
    contents
}

fn places(contents: &Contents) -> Vec<(String, Place)> {
    let places = contents.places.iter();
    places.map(|(p, place)| (p.to_string(), *place)).collect()
}

fn row(partition: &str, place: Place) -> (String, Place) {
    (partition.to_owned(), place)
}

#[test]
fn an_empty_store_is_the_next_pipelines_and_begins_at_the_start() {
    let contents = Contents::default()
        .claimed_by(&Claim {
            share: share("1-"),
            ..claim(&[("a", 3), ("b", 1)])
        })
        .unwrap();
    assert_eq!(contents.pipeline.as_deref(), Some("p"));
    assert_eq!(contents.share, Some(share("1-")));
    assert_eq!(
        contents.topics,
        BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 1)])
    );
    assert_eq!(
        places(&contents),
        [row("a/1", Place::Start), row("a/2", Place::Start)]
    );
}

#[test]
fn its_own_pipeline_finds_it_as_it_was() {
    assert_eq!(begun().claimed_by(&claim(&[("a", 2)])), Ok(begun()));
}

#[test]
fn partitions_that_came_later_begin_at_their_beginning() {
    let contents = begun().claimed_by(&claim(&[("a", 4)])).unwrap();
    assert_eq!(
        places(&contents),
        [
            row("a/0", at(10)),
            row("a/1", at(20)),
            row("a/2", Place::Beginning),
            row("a/3", Place::Beginning)
        ]
    );
    // Also where the run that found them ended before it began them.
    assert_eq!(contents.claimed_by(&claim(&[("a", 4)])), Ok(contents));
}

#[test]
fn only_partitions_of_the_share_are_new() {
    let mut contents = Contents::default()
        .claimed_by(&Claim {
            share: share("0,3"),
            ..claim(&[("a", 2)])
        })
        .unwrap();
    assert_eq!(contents.grow("a", 4), [of("a", 3)]);
    assert_eq!(contents.grow("a", 4), []);
    assert_eq!(contents.grow("a", 3), [], "a topic does not shrink");
    assert_eq!(contents.topics["a"], 4);
}

#[test]
fn another_pipeline_is_refused() {
    let other = Claim {
        pipeline: "q".to_owned(),
        ..claim(&[("a", 2)])
    };
    let misfit = begun().claimed_by(&other).unwrap_err();
    assert!(matches!(misfit, Misfit::OtherPipeline { .. }));
    let said = misfit.to_string();
    assert!(
        said.contains("pipeline p's") && said.contains("--name q"),
        "{said}"
    );
}

#[test]
fn other_topics_are_refused_whether_more_or_fewer() {
    let of_two = begun().claimed_by(&claim(&[("a", 2), ("b", 1)]));
    let Misfit::OtherTopics { known, asked } = of_two.unwrap_err() else {
        panic!("another misfit")
    };
    assert_eq!(
        (known.join(","), asked.join(",")),
        ("a".into(), "a,b".into())
    );
    let of_another = begun().claimed_by(&claim(&[("b", 1)])).unwrap_err();
    assert!(matches!(of_another, Misfit::OtherTopics { .. }));
    assert!(of_another.to_string().contains("--input b"));
}

#[test]
fn another_share_is_refused() {
    let other = Claim {
        share: share("0"),
        ..claim(&[("a", 2)])
    };
    let misfit = begun().claimed_by(&other).unwrap_err();
    assert!(matches!(misfit, Misfit::OtherShare { .. }));
    let said = misfit.to_string();
    assert!(
        said.contains("partitions all ") && said.contains("--partitions 0"),
        "{said}"
    );
}

#[test]
fn a_partition_that_was_seen_and_has_no_place_is_missing() {
    let mut contents = begun();
    contents.places.remove(&of("a", 1));
    let misfit = contents.claimed_by(&claim(&[("a", 2)])).unwrap_err();
    let missing = Misfit::PartitionMissing {
        partition: of("a", 1),
        known: 2,
    };
    assert_eq!(misfit, missing);
}

#[test]
fn a_topic_with_fewer_partitions_is_another_one() {
    let misfit = begun().claimed_by(&claim(&[("a", 1)])).unwrap_err();
    let fewer = Misfit::FewerPartitions {
        topic: "a".to_owned(),
        known: 2,
        now: 1,
    };
    assert_eq!(misfit, fewer);
}

#[test]
fn a_position_is_moved_only_where_there_is_one() {
    let mut contents = begun();
    assert_eq!(contents.move_to(&of("a", 0), at(5)), Ok(at(10)));
    assert_eq!(contents.places[&of("a", 0)], at(5));
    let unknown = Misfit::UnknownPartition(of("a", 2));
    assert_eq!(contents.move_to(&of("a", 2), at(5)), Err(unknown));
}

#[test]
fn what_is_forgotten_begins_at_the_start() {
    let mut contents = begun();
    contents.forget_topic("a").unwrap();
    assert_eq!(places(&contents), []);
    // Also where the topic has fewer partitions, or more.
    let contents = contents.claimed_by(&claim(&[("a", 1)])).unwrap();
    assert_eq!(places(&contents), [row("a/0", Place::Start)]);

    let mut contents = begun();
    contents.forget_all();
    let contents = contents.claimed_by(&claim(&[("a", 2)])).unwrap();
    assert_eq!(
        places(&contents),
        [row("a/0", Place::Start), row("a/1", Place::Start)]
    );
    let unknown = begun().forget_topic("b").unwrap_err();
    assert!(unknown.to_string().contains("there is a"), "{unknown}");
}

#[test]
fn other_topics_are_accepted_on_demand() {
    let mut contents = begun().claimed_by(&claim(&[("a", 2)])).unwrap();
    contents.set_topics(&["a".to_owned(), "b".to_owned()]);
    let both = contents.claimed_by(&claim(&[("a", 2), ("b", 1)])).unwrap();
    assert_eq!(
        places(&both),
        [
            row("a/0", at(10)),
            row("a/1", at(20)),
            row("b/0", Place::Start)
        ]
    );
    contents.set_topics(&["b".to_owned()]);
    let one = contents.claimed_by(&claim(&[("b", 1)])).unwrap();
    assert_eq!(places(&one), [row("b/0", Place::Start)]);
}

#[test]
fn another_share_is_accepted_on_demand() {
    let mut contents = begun();
    contents.set_share(share("1"));
    assert_eq!(places(&contents), [row("a/1", at(20))]);
    contents.set_share(share("0-"));
    assert_eq!(
        places(&contents),
        [row("a/0", Place::Start), row("a/1", at(20))]
    );
    let whole = Claim {
        share: share("0-"),
        ..claim(&[("a", 2)])
    };
    assert_eq!(contents.claimed_by(&whole), Ok(contents));
}

/// Of which partitions of topic `a` it is known of which topic they are.
#[track_caller]
fn assert_ids(contents: &Contents, wanted: &[i32]) {
    let numbers = contents.ids.keys().map(|partition| partition.partition);
    assert_eq!(numbers.collect::<Vec<_>>(), wanted);
}

#[test]
fn a_topics_id_goes_with_the_position_that_is_of_it() {
    let signed = || {
        let mut contents = begun();
        contents.put(of("a", 0), NextOffset(11), TopicId::read("id"));
        contents.put(of("a", 1), NextOffset(21), TopicId::read("id"));
        contents
    };
    assert_ids(&signed(), &[0, 1]);
    let mut contents = signed();
    contents.put(of("a", 0), NextOffset(12), None);
    assert_ids(&contents, &[1]);
    // Moved by hand, perhaps in a topic that was made again.
    contents.move_to(&of("a", 1), at(5)).unwrap();
    assert_ids(&contents, &[]);
    let mut contents = signed();
    contents.set_share(share("1"));
    assert_ids(&contents, &[1]);
    contents.forget_topic("a").unwrap();
    assert_ids(&contents, &[]);
    let mut contents = signed();
    contents.set_topics(&["b".to_owned()]);
    assert_ids(&contents, &[]);
    let mut contents = signed();
    contents.forget_all();
    assert_ids(&contents, &[]);
}
