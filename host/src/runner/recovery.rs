//! A run whose positions are in a recovery store: the store opened for the
//! pipeline, its partitions given to the workers, new ones looked for.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::config::{Pipeline, Start};
use crate::doorbell::Doorbell;
use crate::kafka::assigned::{self, AssignedSource};
use crate::kafka::assigner::Assigner;
use crate::kafka::cluster::{Cluster, REACH};
use crate::kafka::group::Membership;
use crate::kafka::lineage::Lineage;
use crate::kafka::properties;
use crate::pipeline::mailbox::mailbox;
use crate::pipeline::ports::Fatal;
use crate::record::{NextOffset, TopicPartition};
use crate::recovery::{Claim, Contents, Origins, Place, Store, StoreError, StoreOffsets, Writer};
use crate::stop::Stop;
use crate::telemetry;

/// Stands behind the pipeline's name in the name of the group that its consumers
/// must have and never join.
const NEVER_JOINED: &str = "-never-joined";

/// What the store must be for.
pub fn claim(pipeline: &Pipeline, inputs: &[(String, i32)]) -> Claim {
    Claim {
        pipeline: pipeline.name.clone(),
        share: pipeline.input.share.clone(),
        topics: inputs.to_vec(),
    }
}

/// Opens the store of `dir` for this pipeline, or makes one.
pub fn open(dir: &Path, claim: &Claim) -> Result<Store, StoreError> {
    let (mut store, made) = Store::open_or_create(dir)?;
    if made {
        telemetry::recovery_store_made(dir);
    }
    let claimed = store.contents().claimed_by(claim);
    let claimed = claimed.map_err(StoreError::misfit(dir))?;
    if claimed != *store.contents() {
        store.write(|contents| *contents = claimed)?;
    }
    Ok(store)
}

/// Moves these positions, all or none. `origins` knows of which topics they are.
pub fn reset(
    store: &mut Store,
    positions: &[(TopicPartition, NextOffset)],
    origins: &impl Origins,
) -> Result<(), StoreError> {
    let before = store.contents().places.clone();
    store.write(|contents| {
        for (partition, position) in positions {
            let id = origins.id_of(partition);
            contents.put(partition.clone(), *position, id);
        }
    })?;
    for (partition, position) in positions {
        let before = match before.get(partition) {
            Some(Place::At(before)) => Some(*before),
            Some(Place::Start | Place::Beginning) | None => None,
        };
        telemetry::reset(partition, before, *position);
    }
    Ok(())
}

/// The name of the group that this pipeline's consumers must have and never join.
pub fn never_joined(pipeline: &Pipeline) -> String {
    format!("millrace-{}{NEVER_JOINED}", pipeline.name)
}

/// Whether [`open`] would do, as far as can be told without changing anything.
pub fn check(dir: &Path, claim: &Claim) -> Result<(), StoreError> {
    let contents = match Store::look(dir) {
        Err(StoreError::Missing { .. }) => {
            // It would be made below the nearest folder that is there.
            let there = dir.ancestors().find(|dir| dir.exists());
            if there.is_some_and(|there| !there.is_dir()) {
                return Err(StoreError::Inaccessible {
                    dir: dir.to_owned(),
                    why: io::ErrorKind::NotADirectory.into(),
                });
            }
            Contents::default()
        }
        contents => contents?,
    };
    let claimed = contents.claimed_by(claim);
    claimed.map(drop).map_err(StoreError::misfit(dir))
}

/// The store at work.
pub struct Recovery {
    writer: Writer,
    assigner: Assigner,
    /// What every worker's consumer reads.
    reading: Membership,
}

impl Recovery {
    /// Starts the store's writer. `reading` is what the members of a group would
    /// read.
    pub fn start(
        store: Store,
        pipeline: &Pipeline,
        mut reading: Membership,
    ) -> Result<Self, Fatal> {
        reading.group = never_joined(pipeline);
        let places = &store.contents().places;
        for (partition, place) in places {
            if *place == Place::Beginning {
                let starts = &mut reading.beginnings.starts;
                starts.set(partition, Start::Earliest);
            }
        }
        let partitions = places.keys().cloned().collect();
        let (writer, _) = Writer::start(store).context("no thread could be started")?;
        Ok(Self {
            writer,
            assigner: Assigner::new(partitions, pipeline.workers),
            reading,
        })
    }

    /// A worker's source, and its port to the store.
    pub fn worker(
        &self,
        number: usize,
        pipeline: &Pipeline,
        bell: Doorbell,
        stop: &Arc<Stop>,
    ) -> Result<(AssignedSource, StoreOffsets), Fatal> {
        let known = &self.reading.beginnings.known;
        let partitions = known.iter().map(|(_, count)| *count);
        let config = properties::consumer(pipeline, number, partitions.sum());
        let (own, events) = mailbox(bell.clone());
        let reading = self.reading.clone();
        let lineage = Lineage::new(Arc::clone(&reading.inputs));
        let origins = Box::new(lineage.clone());
        let source = assigned::open(&config, reading, lineage, events, bell, stop)?;
        self.assigner.register(number, own.clone());
        Ok((source, self.writer.offsets(own, origins)))
    }

    /// Starts the thread that looks for new partitions, until the run stops.
    pub fn discover(
        self: &Arc<Self>,
        cluster: &Arc<Cluster>,
        every: Duration,
        stop: &Arc<Stop>,
    ) -> io::Result<()> {
        let (this, cluster, stop) = (Arc::clone(self), Arc::clone(cluster), Arc::clone(stop));
        let mut topics = self.reading.beginnings.known.clone();
        let look = move || {
            loop {
                stop.wait(every);
                if stop.requested() {
                    return;
                }
                for (topic, known) in &mut topics {
                    if let Err(error) = this.look_for_more(&cluster, topic, known) {
                        let what = format!("new partitions of topic {topic} are looked for");
                        telemetry::waiting(&what, &format!("{error:#}"));
                    }
                }
            }
        };
        thread::Builder::new()
            .name("partitions".to_owned())
            .spawn(look)
            .map(drop)
    }

    /// The store notes new partitions before a worker has them: what a run has
    /// begun, the next one finds.
    fn look_for_more(&self, cluster: &Cluster, topic: &str, known: &mut i32) -> Result<(), Fatal> {
        // A topic that is gone is told by who reads it.
        let Some(now) = cluster.partitions(topic, REACH)? else {
            return Ok(());
        };
        if now > *known {
            let new = self.writer.grown(topic, now)?;
            telemetry::partitions_found(topic, *known, now, new.len());
            self.assigner.add(new);
            *known = now;
        }
        Ok(())
    }
}
