//! A worker on its thread: its clients made, its ports put together, its loop run.

use std::sync::Arc;

use super::recovery::Recovery;
use super::{Feed, Judging};
use crate::config::{Choice, Pipeline};
use crate::doorbell::Doorbell;
use crate::identity::Identity;
use crate::kafka::group::{self, Membership};
use crate::kafka::lineage::Lineage;
use crate::kafka::positions::GroupOffsets;
use crate::kafka::properties;
use crate::kafka::rules::Rules;
use crate::kafka::sink::ProducerSink;
use crate::kafka::topics::Topics;
use crate::kafka::transactions::Transactions;
use crate::pipeline::batch::Limits;
use crate::pipeline::dead_letter::Provenance;
use crate::pipeline::policy::Policy;
use crate::pipeline::ports::{Failure, Fatal, Judge, OffsetStore, Sink, Source, Tap};
use crate::pipeline::pulse::Pulse;
use crate::pipeline::replay::{Again, Letters, Nowhere, ReadOnly};
use crate::pipeline::worker::{Settings, Worker};
use crate::plugin::{CONTRACT, Component, PluginId};
use crate::stop::Stop;
use crate::telemetry::{self, Counters};

/// What all workers share.
pub struct Shared {
    pub pipeline: Pipeline,
    pub feed: Feed,
    pub membership: Membership,
    /// Takes the group's place.
    pub recovery: Option<Arc<Recovery>>,
    /// Where it is kept what was replayed.
    pub replay_group: String,
    /// Names the workers' producers, where outputs and positions are one.
    pub identity: Option<Identity>,
    pub topics: Topics,
    pub rules: Arc<Rules>,
    pub policy: Policy,
    pub stop: Arc<Stop>,
    pub counters: Arc<Counters>,
    /// Each worker's, by its number.
    pub pulses: Vec<Arc<Pulse>>,
}

/// Where outputs may go.
pub fn rules(pipeline: &Pipeline, feed: &Feed) -> Rules {
    let redirect = match feed {
        Feed::Letters(replay) => replay.to.as_deref(),
        Feed::Inputs => None,
    };
    let own = [
        pipeline.output.topic.as_deref(),
        pipeline.errors.topic(),
        redirect,
    ];
    Rules {
        inputs: pipeline.input.topics.clone(),
        dead_letters: pipeline.errors.reserved.clone(),
        own: own.into_iter().flatten().map(str::to_owned).collect(),
        allow: pipeline.output.allow.clone(),
    }
}

/// What becomes of rejected records, and who signs their letters.
pub fn policy(pipeline: &Pipeline, plugins: &[Arc<Component>]) -> Policy {
    let listed = |of: fn(&PluginId) -> &str| {
        let all: Vec<_> = plugins.iter().map(|plugin| of(&plugin.id)).collect();
        all.join(",")
    };
    match &pipeline.errors.policy {
        Choice::Stop => Policy::Stop,
        Choice::Drop => Policy::Drop,
        Choice::DeadLetter(topic) => Policy::DeadLetter {
            topic: topic.as_str().into(),
            by: Provenance {
                pipeline: pipeline.name.clone(),
                plugin: listed(|id| &id.name),
                digest: listed(|id| &id.digest),
                contract: CONTRACT.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
        },
    }
}

/// One worker, on its own thread from here to its end.
pub fn work(
    number: usize,
    judge: Judging,
    shared: &Shared,
    tap: Option<Tap>,
) -> Result<(), Failure> {
    let pipeline = &shared.pipeline;
    let several = pipeline.workers > 1;
    let _lines = several.then(|| telemetry::lines_of_worker(number).entered());
    let bell = Doorbell::for_this_thread();
    shared.stop.rings(bell.clone());
    judge.rings(bell.clone());
    if let Some(recovery) = &shared.recovery {
        let (source, offsets) = recovery.worker(number, pipeline, bell.clone(), &shared.stop)?;
        let sink = shared.sink(number, None, bell)?;
        return shared.drive(number, (source, sink, offsets, judge), tap);
    }
    let partitions = shared.membership.beginnings.known.iter();
    let partitions = partitions.map(|(_, count)| *count).sum();
    let (source, offsets) = group::join(
        &properties::consumer(pipeline, number, partitions),
        number,
        shared.membership.clone(),
        bell.clone(),
        Arc::clone(&shared.stop),
    )?;
    let id = shared.identity.as_ref().map(|identity| identity.of(number));
    let timeout = properties::transaction_timeout(&properties::producer(pipeline, number));
    let transactions = id.map(|id| Transactions::new(id, &offsets, timeout));
    let sink = shared.sink(number, transactions, bell)?;
    let Feed::Letters(replay) = &shared.feed else {
        return shared.drive(number, (source, sink, offsets, judge), tap);
    };
    let source = Letters::new(source, pipeline.name.clone(), replay.skipped.clone());
    let judge = Again(judge);
    match replay.dry_run {
        false => shared.drive(number, (source, sink, offsets, judge), tap),
        true => {
            let consumer = properties::consumer(pipeline, number, partitions);
            let lineage = Lineage::new(Arc::clone(&shared.membership.inputs));
            let replayed =
                GroupOffsets::of(&consumer, &shared.replay_group, lineage, &shared.stop)?;
            let ports = (source, Nowhere::new(sink), ReadOnly(replayed), judge);
            shared.drive(number, ports, tap)
        }
    }
}

impl Shared {
    /// Where a worker's outputs go.
    fn sink(
        &self,
        number: usize,
        transactions: Option<Transactions>,
        bell: Doorbell,
    ) -> Result<ProducerSink, Fatal> {
        let config = match &transactions {
            Some(transactions) => {
                properties::transactional_producer(&self.pipeline, number, transactions.id())
            }
            None => properties::producer(&self.pipeline, number),
        };
        let rules = Arc::clone(&self.rules);
        ProducerSink::new(&config, self.topics.clone(), rules, transactions, bell)
    }

    fn drive<S, K, O, J>(
        &self,
        number: usize,
        ports: (S, K, O, J),
        tap: Option<Tap>,
    ) -> Result<(), Failure>
    where
        S: Source,
        K: Sink<S::Record>,
        O: OffsetStore,
        J: Judge,
    {
        let pipeline = &self.pipeline;
        let redirect = match &self.feed {
            Feed::Letters(replay) => replay.to.as_deref().map(Arc::from),
            Feed::Inputs => None,
        };
        let settings = Settings {
            batch: Limits {
                records: pipeline.max_records,
                bytes: pipeline.max_bytes,
            },
            commit_interval: pipeline.commit_interval,
            drain: pipeline.drain,
            default_topic: pipeline.output.topic.as_deref().map(Arc::from),
            redirect,
            policy: self.policy.clone(),
            breaker: pipeline.errors.breaker,
        };
        Worker::new(ports, settings, Arc::clone(&self.counters), tap)
            .seen_by(Arc::clone(&self.pulses[number]))
            .run(|| self.stop.ago())
    }
}
