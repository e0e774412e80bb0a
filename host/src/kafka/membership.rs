//! Whether a member of a group still has, or may still get, its place in it.
//! What librdkafka (2.12, `rdkafka_cgrp.c`) does when it has not: after a fatal
//! error it never joins again; after any other one it asks again, without end.

use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode;

/// Why a group never takes this member as it is, and what to do, where the answer
/// to its request says so. Others may pass: authorisation is given, a coordinator
/// moves, a rebalance ends.
pub(super) fn never_takes(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as code;
    Some(match code {
        code::FencedInstanceId | code::UnreleasedInstanceId => {
            "another process runs with the same --instance-id (input.instance_id): give each \
             process one of its own"
        }
        code::InconsistentGroupProtocol | code::UnknownProtocol => {
            "the group's other members use another assignment strategy or protocol: set \
             partition.assignment.strategy in [kafka.consumer] to theirs, or choose another \
             --group (input.group)"
        }
        code::UnsupportedAssignor => {
            "the broker does not know group.remote.assignor: leave it out of [kafka.consumer]"
        }
        code::InvalidSessionTimeout => {
            "session.timeout.ms is not between the broker's group.min.session.timeout.ms and \
             group.max.session.timeout.ms"
        }
        code::InvalidGroupId => {
            "the broker takes no such name: choose another --group (input.group)"
        }
        code::GroupMaxSizeReached => {
            "the group has as many members as the broker's group.max.size: start fewer workers"
        }
        _ => return None,
    })
}

/// Whether an answer to a question to the group's coordinator only says that
/// there is none: an outage, which is waited out.
pub(super) fn is_outage(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as code;
    matches!(
        code,
        code::OperationTimedOut
            | code::TimedOutQueue
            | code::BrokerTransportFailure
            | code::AllBrokersDown
            | code::Resolve
            | code::WaitingForCoordinator
            | code::CoordinatorNotAvailable
            | code::CoordinatorLoadInProgress
            | code::NotCoordinator
    )
}

/// How long a member has been without an assignment, were it an empty one.
pub(super) struct Place {
    missing_since: Option<Instant>,
    /// `None`: it is never missed.
    patience: Option<Duration>,
}

impl Place {
    /// Of a member that joins now, and is missed after `patience`.
    pub fn awaited(patience: Duration) -> Self {
        Self {
            missing_since: Some(Instant::now()),
            patience: Some(patience),
        }
    }

    /// By KIP-848's protocol: a member that gets no partition hears nothing, and
    /// librdkafka itself gives up where it is not taken.
    pub fn unwatched() -> Self {
        Self {
            missing_since: None,
            patience: None,
        }
    }

    /// Whether the group says what is this member's, also where it is nothing.
    pub fn is_watched(&self) -> bool {
        self.patience.is_some()
    }

    pub fn is_known(&self) -> bool {
        self.missing_since.is_none()
    }

    /// The group has said what is this member's.
    pub fn is_given(&mut self) {
        self.missing_since = None;
    }

    /// The group is asked anew.
    pub fn is_awaited(&mut self, now: Instant) {
        self.missing_since = self.patience.map(|_| now);
    }

    /// For how long the group has given nothing, where that is too long.
    pub fn is_overdue(&self) -> Option<Duration> {
        let long = self.missing_since?.elapsed();
        (long >= self.patience?).then_some(long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_overdue_only_while_it_is_awaited() {
        let mut place = Place::awaited(Duration::ZERO);
        assert!(place.is_overdue().is_some());
        place.is_given();
        assert_eq!(place.is_overdue(), None);
        place.is_awaited(Instant::now());
        assert!(place.is_overdue().is_some());
        assert_eq!(Place::awaited(Duration::from_secs(60)).is_overdue(), None);
        let mut unwatched = Place::unwatched();
        unwatched.is_awaited(Instant::now());
        assert!(unwatched.is_known());
    }

    #[test]
    fn what_may_pass_does_not_end_a_membership() {
        for code in [
            RDKafkaErrorCode::RebalanceInProgress,
            RDKafkaErrorCode::UnknownMemberId,
            RDKafkaErrorCode::NotCoordinator,
            RDKafkaErrorCode::GroupAuthorizationFailed,
            RDKafkaErrorCode::PollExceeded,
        ] {
            assert_eq!(never_takes(code), None, "{code:?}");
        }
    }
}
