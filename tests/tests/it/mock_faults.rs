//! Faults that are injected into librdkafka's mock cluster: requests that fail, a
//! coordinator that moves, a broker that is slow. Nothing is lost, and
//! order is kept.

use std::time::Duration;

use millrace_tests::mock::Error::{self, *};
use millrace_tests::mock::Request;
use millrace_tests::{Host, Mock, Record, eventually, plugin};

use crate::feeder::{Feeder, assert_all_in_order, assert_all_once_in_order};
use crate::pipeline::{LONG, Pipeline, assert_says, stop};

/// Short, but longer than the mock lets a group's first member wait.
const SESSION: &[&str] = &[
    "--set",
    "kafka.consumer.session.timeout.ms=12000",
    "--set",
    "kafka.consumer.heartbeat.interval.ms=500",
];

/// For the mock's sake: see [`ONE_IN_FLIGHT`](crate::feeder::ONE_IN_FLIGHT).
const ONE_IN_FLIGHT: &[&str] = &[
    "--set",
    "kafka.producer.max.in.flight.requests.per.connection=1",
];

/// A pipeline at work on a cluster of three brokers, fed all the while.
struct AtWork {
    mock: Mock,
    pipeline: Pipeline,
    feeder: Feeder,
    host: Host,
}

impl AtWork {
    fn start(stem: &str) -> AtWork {
        let mock = Mock::start(3);
        let pipeline = Pipeline::mocked(&mock, stem, 2);
        let feeder = Feeder::start(&pipeline, 300);
        let flags = [&["--commit-interval", "100ms"], SESSION, ONE_IN_FLIGHT].concat();
        let host = pipeline.start(&plugin("passthrough"), &flags);
        pipeline.wait_for_flow(50);
        AtWork {
            mock,
            pipeline,
            feeder,
            host,
        }
    }

    /// Lets the next requests fail, one after another, and records flow on.
    #[track_caller]
    fn fail(&self, request: Request, errors: &[Error]) {
        self.mock.fail(request, errors);
        let committed = self.pipeline.committed_total();
        self.pipeline.wait_for_flow(50);
        let what = format!("commits after {errors:?}");
        eventually(LONG, &what, || {
            (self.pipeline.committed_total() > committed).then_some(())
        });
    }

    /// Everything that was written is committed, and the end is a good one: what
    /// is in the output, how much was written, and what `host` said.
    #[track_caller]
    fn finish(self) -> (Vec<Record>, usize, String) {
        let written = self.feeder.finish();
        self.pipeline.wait_for_committed_total(written, LONG);
        let said = stop(self.host);
        assert_eq!(self.pipeline.committed_total(), written);
        (self.pipeline.outputs(), written, said)
    }
}

#[test]
fn commits_that_fail_are_made_again() {
    let work = AtWork::start("commit-errors");
    for error in [
        RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,
        RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE,
        RD_KAFKA_RESP_ERR__TRANSPORT,
    ] {
        work.fail(Request::OffsetCommit, &[error; 3]);
    }
    let (outputs, written, said) = work.finish();
    assert_says(&said, &["a commit failed; it is made again"]);
    assert_all_once_in_order(&outputs, written);
}

/// The member is not one any more, and joins again.
#[test]
fn commits_and_heartbeats_of_a_member_that_is_none_any_more_lose_nothing() {
    let work = AtWork::start("no-member");
    for error in [
        RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    ] {
        work.fail(Request::OffsetCommit, &[error; 2]);
        work.fail(Request::Heartbeat, &[error]);
    }
    let (outputs, written, _) = work.finish();
    assert_all_in_order(&outputs, written);
}

#[test]
fn a_coordinator_that_moves_is_followed() {
    let work = AtWork::start("coordinator-moves");
    for broker in [2, 3, 1] {
        work.mock.coordinate(&work.pipeline.group, broker);
        work.fail(Request::Heartbeat, &[RD_KAFKA_RESP_ERR_NOT_COORDINATOR]);
    }
    // It is out of reach for a while.
    work.mock.coordinate(&work.pipeline.group, 3);
    work.fail(Request::OffsetCommit, &[RD_KAFKA_RESP_ERR__TRANSPORT; 10]);
    let (outputs, written, _) = work.finish();
    assert_all_in_order(&outputs, written);
}

#[test]
fn outputs_that_fail_on_their_way_go_out_again_in_order() {
    let work = AtWork::start("produce-errors");
    for error in [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        RD_KAFKA_RESP_ERR__TRANSPORT,
    ] {
        // The feeder's own requests fail, too, and are made again.
        work.fail(Request::Produce, &[error; 4]);
    }
    let (outputs, written, _) = work.finish();
    assert_all_in_order(&outputs, written);
}

#[test]
fn a_slow_broker_loses_nothing() {
    let work = AtWork::start("slow-broker");
    work.mock.delay(1, Duration::from_millis(100));
    work.pipeline.wait_for_flow(200);
    work.mock.delay(1, Duration::ZERO);
    let (outputs, written, _) = work.finish();
    assert_all_in_order(&outputs, written);
}

#[test]
fn fetches_and_questions_that_fail_are_made_again() {
    let work = AtWork::start("fetch-errors");
    for (request, error) in [
        (Request::Fetch, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION),
        (Request::Fetch, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART),
        (Request::Fetch, RD_KAFKA_RESP_ERR__TRANSPORT),
        (Request::Metadata, RD_KAFKA_RESP_ERR__TRANSPORT),
        (Request::Heartbeat, RD_KAFKA_RESP_ERR__TRANSPORT),
    ] {
        work.fail(request, &[error; 3]);
    }
    let (outputs, written, _) = work.finish();
    assert_all_in_order(&outputs, written);
}
