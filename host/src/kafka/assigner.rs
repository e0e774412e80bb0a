//! Which worker of the process reads which partition, where no group says so:
//! their list in order, index modulo workers. Pure.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pipeline::mailbox::Mailbox;
use crate::pipeline::ports::SourceEvent;
use crate::record::TopicPartition;

/// The partitions of this process, for all of its workers.
pub struct Assigner {
    state: Mutex<State>,
}

struct State {
    /// In the order in which they were given out.
    partitions: Vec<TopicPartition>,
    /// Each worker's, once it runs.
    mailboxes: Vec<Option<Mailbox>>,
}

impl Assigner {
    pub fn new(partitions: Vec<TopicPartition>, workers: usize) -> Self {
        let mailboxes = (0..workers).map(|_| None).collect();
        Self {
            state: Mutex::new(State {
                partitions,
                mailboxes,
            }),
        }
    }

    /// Tells this worker its partitions, there and from now on.
    pub fn register(&self, worker: usize, mailbox: Mailbox) {
        let mut state = self.state();
        let own = state.of(worker, 0);
        mailbox.put(SourceEvent::Assigned(own));
        state.mailboxes[worker] = Some(mailbox);
    }

    /// Gives out partitions that are new.
    pub fn add(&self, new: Vec<TopicPartition>) {
        let mut state = self.state();
        let first = state.partitions.len();
        state.partitions.extend(new);
        for (worker, mailbox) in state.mailboxes.iter().enumerate() {
            let own = state.of(worker, first);
            if let Some(mailbox) = mailbox
                && !own.is_empty()
            {
                mailbox.put(SourceEvent::Assigned(own));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A worker's partitions from the `first` of the list on.
    fn of(&self, worker: usize, first: usize) -> Vec<TopicPartition> {
        let workers = self.mailboxes.len();
        let numbered = self.partitions.iter().enumerate().skip(first);
        let own = numbered.filter(|(index, _)| index % workers == worker);
        own.map(|(_, partition)| partition.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::*;
    use crate::doorbell::Doorbell;
    use crate::pipeline::mailbox::mailbox;

    fn partitions(numbers: std::ops::Range<i32>) -> Vec<TopicPartition> {
        numbers.map(|n| TopicPartition::new("a", n)).collect()
    }

    fn register(assigner: &Assigner, worker: usize) -> Receiver<SourceEvent> {
        let (own, events) = mailbox(Doorbell::for_this_thread());
        assigner.register(worker, own);
        events
    }

    /// The numbers of the partitions that were assigned.
    fn told(events: &Receiver<SourceEvent>) -> Vec<Vec<i32>> {
        let numbers = |event| match event {
            SourceEvent::Assigned(partitions) => partitions.iter().map(|p| p.partition).collect(),
            event => panic!("{event:?}"),
        };
        events.try_iter().map(numbers).collect()
    }

    #[test]
    fn each_partition_is_one_workers() {
        let assigner = Assigner::new(partitions(0..5), 2);
        let (zero, one) = (register(&assigner, 0), register(&assigner, 1));
        assert_eq!(told(&zero), [[0, 2, 4]]);
        assert_eq!(told(&one), [[1, 3]]);
    }

    #[test]
    fn new_partitions_continue_the_list() {
        let assigner = Assigner::new(partitions(0..1), 3);
        let (zero, one) = (register(&assigner, 0), register(&assigner, 1));
        assigner.add(partitions(1..2));
        assigner.add(partitions(2..5));
        assert_eq!(told(&zero), [[0], [3]]);
        assert_eq!(told(&one), [vec![], vec![1], vec![4]]);
        // One that comes late gets all of its own at once.
        assert_eq!(told(&register(&assigner, 2)), [[2]]);
    }
}
