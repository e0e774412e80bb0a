use super::*;
use crate::pipeline::ports::LaneId;
use crate::pipeline::pulse::Standing;
use crate::record::{NextOffset, TopicPartition};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A worker that is watched, and the time.
struct Watched {
    pulse: Arc<Pulse>,
    stalls: Stalls,
    now: Instant,
}

impl Watched {
    fn new() -> Self {
        let pulse = Arc::new(Pulse::default());
        pulse.looks(true, std::iter::empty());
        Self {
            stalls: Stalls::new(TIMEOUT, [Arc::clone(&pulse)]),
            pulse,
            now: Instant::now(),
        }
    }

    fn stand(&self, lanes: &[Standing]) {
        self.pulse.looks(true, lanes.iter().cloned());
    }

    /// What is said in so many seconds, one look each.
    fn said_in(&mut self, seconds: u64) -> Vec<(Spot, u64, Stall)> {
        let mut said = Vec::new();
        for _ in 0..seconds {
            for news in self.stalls.look(self.now) {
                said.push((news.spot, news.long.as_secs(), news.what));
            }
            self.now += Duration::from_secs(1);
        }
        said
    }
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("orders", number)
}

/// Partition `number`, done up to `done`, all of which is stored.
fn lane(number: i32, done: i64, at: Option<Spot>) -> Standing {
    Standing {
        lane: LaneId(number.cast_unsigned()),
        partition: partition(number),
        done: NextOffset(done),
        at,
        stored: Some(NextOffset(done)),
        is_unstored: false,
    }
}

fn stands(number: i32, offset: i64, others: usize) -> Stall {
    Stall::Stands {
        at: Some(partition(number).at(offset)),
        others,
    }
}

#[test]
fn a_worker_with_nothing_to_do_says_nothing() {
    let mut watched = Watched::new();
    watched.stand(&[lane(0, 7, None), lane(1, 0, None)]);
    assert_eq!(watched.said_in(600), []);
}

#[test]
fn what_waits_and_moves_says_nothing() {
    let mut watched = Watched::new();
    for done in 0..20 {
        watched.stand(&[lane(0, done, Some(Spot::Producer))]);
        assert_eq!(watched.said_in(59), []);
    }
}

#[test]
fn what_stands_still_is_said_once_per_timeout_and_when_it_is_over() {
    let mut watched = Watched::new();
    watched.stand(&[lane(0, 7, Some(Spot::Producer)), lane(1, 3, None)]);
    let said = watched.said_in(150);
    assert_eq!(
        said,
        [
            (Spot::Producer, 60, stands(0, 7, 0)),
            (Spot::Producer, 120, stands(0, 7, 0)),
        ]
    );
    watched.stand(&[lane(0, 8, Some(Spot::Producer)), lane(1, 3, None)]);
    assert_eq!(watched.said_in(59), [(Spot::Producer, 150, Stall::IsOver)]);
}

#[test]
fn a_lane_that_stands_still_among_others_that_move_is_said() {
    let mut watched = Watched::new();
    let mut said = Vec::new();
    for done in 0..70 {
        watched.stand(&[
            lane(0, done, Some(Spot::Producer)),
            lane(1, 3, Some(Spot::Consumer)),
        ]);
        said.extend(watched.said_in(1));
    }
    assert_eq!(said, [(Spot::Consumer, 60, stands(1, 3, 0))]);
}

#[test]
fn lanes_that_hang_at_one_place_are_said_together() {
    let mut watched = Watched::new();
    watched.stand(&[lane(1, 5, Some(Spot::Producer))]);
    assert_eq!(watched.said_in(10), []);
    let all = [1, 0, 2].map(|number| lane(number, 5, Some(Spot::Producer)));
    watched.stand(&all);
    let said = watched.said_in(115);
    // The one that has waited longest; the others have not waited long at first.
    assert_eq!(
        said,
        [
            (Spot::Producer, 60, stands(1, 5, 0)),
            (Spot::Producer, 120, stands(1, 5, 2)),
        ]
    );
}

#[test]
fn a_call_that_does_not_return_is_said_and_nothing_else() {
    let mut watched = Watched::new();
    watched.stand(&[lane(0, 4, Some(Spot::Producer)), lane(1, 0, None)]);
    let pulse = Arc::clone(&watched.pulse);
    let call = pulse.call(Spot::Plugin, Some((LaneId(1), 9)));
    assert_eq!(watched.said_in(65), [(Spot::Plugin, 60, stands(1, 9, 0))]);
    drop(call);
    watched.stand(&[lane(0, 5, None), lane(1, 10, None)]);
    assert_eq!(watched.said_in(1), [(Spot::Plugin, 65, Stall::IsOver)]);
}

#[test]
fn calls_that_return_say_nothing() {
    let mut watched = Watched::new();
    watched.stand(&[lane(0, 4, None)]);
    let pulse = Arc::clone(&watched.pulse);
    for offset in 0..10 {
        let _call = pulse.call(Spot::Plugin, Some((LaneId(0), offset)));
        assert_eq!(watched.said_in(30), []);
    }
}

#[test]
fn a_stall_is_not_over_because_a_call_hides_it() {
    let mut watched = Watched::new();
    watched.stand(&[lane(0, 4, Some(Spot::Producer))]);
    assert_eq!(watched.said_in(70).len(), 1);
    let pulse = Arc::clone(&watched.pulse);
    let call = pulse.call(Spot::Plugin, Some((LaneId(0), 9)));
    assert_eq!(watched.said_in(30), []);
    drop(call);
    assert_eq!(
        watched.said_in(30),
        [(Spot::Producer, 120, stands(0, 4, 0))]
    );
}

#[test]
fn positions_that_are_not_stored_are_said_while_records_flow() {
    let mut watched = Watched::new();
    let mut said = Vec::new();
    for done in 100..170 {
        watched.stand(&[Standing {
            stored: Some(NextOffset(50)),
            is_unstored: true,
            ..lane(0, done, None)
        }]);
        said.extend(watched.said_in(1));
    }
    assert_eq!(said, [(Spot::Commit, 60, stands(0, 160, 0))]);
}

#[test]
fn a_group_that_gives_nothing_is_said() {
    let mut watched = Watched::new();
    watched.pulse.looks(false, std::iter::empty());
    let nothing = Stall::Stands {
        at: None,
        others: 0,
    };
    assert_eq!(watched.said_in(100), [(Spot::Consumer, 60, nothing)]);
    watched.pulse.looks(true, std::iter::empty());
    assert_eq!(watched.said_in(1), [(Spot::Consumer, 100, Stall::IsOver)]);
}
