//! librdkafka's mock cluster in this process: it speaks the real protocol to any
//! client, and fails on command. It keeps about the last 5 MB of a partition, a
//! group's first member waits 3 s, and it writes no markers of transactions.
//!
//! Its brokers are never taken down: one that comes back ends the whole process
//! where its port was given to somebody else meanwhile. Connections that break are
//! failures with `_TRANSPORT`.

use std::time::Duration;

use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
pub use rdkafka::types::{RDKafkaApiKey as Request, RDKafkaRespErr as Error};

use crate::client::Client;

/// A cluster whose brokers are numbered from 1. It ends when it is dropped.
pub struct Mock(MockCluster<'static, DefaultProducerContext>);

impl Mock {
    pub fn start(brokers: i32) -> Mock {
        Mock(MockCluster::new(brokers).expect("the mock cluster starts"))
    }

    /// What clients take as `bootstrap.servers`.
    pub fn address(&self) -> String {
        self.0.bootstrap_servers()
    }

    pub fn client(&self) -> Client {
        Client::new(&self.address())
    }

    /// Creates a topic, all of whose partitions this broker leads.
    #[track_caller]
    pub fn create_topic(&self, name: &str, partitions: i32, leader: i32) {
        self.0
            .create_topic(name, partitions, 1)
            .unwrap_or_else(|error| panic!("cannot create topic {name}: {error}"));
        for partition in 0..partitions {
            self.0
                .partition_leader(name, partition, Some(leader))
                .expect("topic and broker are there");
        }
    }

    /// The next requests of this kind fail so, one after another. `_TRANSPORT`
    /// closes the connection.
    pub fn fail(&self, request: Request, errors: &[Error]) {
        self.0.request_errors(request, errors);
    }

    /// Forgets the failures that are still to come.
    pub fn heal(&self, request: Request) {
        self.0.clear_request_errors(request);
    }

    /// Makes a broker the coordinator of a group.
    #[track_caller]
    pub fn coordinate(&self, group: &str, broker: i32) {
        self.0
            .coordinator(MockCoordinator::Group(group.to_owned()), broker)
            .expect("it can be set");
    }

    /// A broker answers only so long after a request.
    #[track_caller]
    pub fn delay(&self, broker: i32, long: Duration) {
        self.0
            .broker_round_trip_time(broker, long)
            .expect("the broker is there");
    }
}
