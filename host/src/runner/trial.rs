//! A pipeline's plugin tried without a broker: records that are given go through the
//! worker's loop, and what comes of them is only shown.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::worker::rules;
use super::{Feed, Judging, Replay, load};
use crate::codec::Alone;
use crate::config::{Choice, Pipeline};
use crate::pipeline::batch::Limits;
use crate::pipeline::given::{Given, GivenSource, Unkept, Unsent};
use crate::pipeline::policy::Policy;
use crate::pipeline::ports::{Failure, Fatal, Fault, Halt, Judge, Tap, Versioned};
use crate::pipeline::replay::Skipped;
use crate::pipeline::worker::{Settings, Worker};
use crate::plugin::{CodecInstance, Component, Engine, Kind, THREAD_STACK};
use crate::record::{Field, Judged, Record, Stage, TopicPartition};
use crate::telemetry::Counters;

/// How long a look-up may take, such as of a schema: a registry that works answers
/// within it.
const LOOK_UP: Duration = Duration::from_secs(10);

/// How often it is looked whether a look-up has come to its end.
const LOOK: Duration = Duration::from_millis(10);

/// A loaded plugin, and what stands around it.
pub struct Trial<J> {
    pipeline: Pipeline,
    judge: J,
}

impl Trial<Judging> {
    /// Of a transform between its codecs.
    pub fn of_transform(mut pipeline: Pipeline) -> Result<Self, Fatal> {
        pipeline.workers = 1;
        // Nothing is written, and no schema is registered.
        let feed = Feed::Letters(Replay {
            topic: String::new(),
            to: None,
            dry_run: true,
            skipped: Skipped::default(),
        });
        let loaded = on_a_guests_stack(|| load(&pipeline, &feed))??;
        let judge = loaded
            .judges
            .into_iter()
            .next()
            .context("a run has a worker")?;
        Ok(Self { pipeline, judge })
    }
}

impl Trial<Alone<CodecInstance>> {
    /// Of a deserializer or a serializer by itself: it is given values.
    pub fn of_codec(pipeline: Pipeline, kind: Kind) -> Result<Self, Fatal> {
        let plugin = pipeline
            .plugins
            .first()
            .context("a pipeline has a plugin")?;
        let codec = on_a_guests_stack(|| {
            let component = Component::load(&Engine::new()?, plugin, kind)?;
            CodecInstance::new(&Arc::new(component))
        })??;
        let stage = match kind {
            Kind::Serializer => Stage::encode(Field::Value),
            Kind::Deserializer | Kind::Transform => Stage::decode(Field::Value),
        };
        let judge = Alone::new(codec, stage);
        Ok(Self { pipeline, judge })
    }
}

impl<J: Judge + Send> Trial<J> {
    /// Shows every record to `tap` with what became of it, in their order. A record
    /// that fails does not end it.
    pub fn run(self, records: Vec<Given>, tap: Tap) -> Result<(), Failure> {
        let Self {
            mut pipeline,
            judge,
        } = self;
        pipeline.errors.policy = Choice::Drop;
        let rules = rules(&pipeline, &Feed::Inputs);
        let mut known = BTreeSet::new();
        let sink = Unsent::new(move |topic| {
            if known.contains(topic) {
                return None;
            }
            let why = rules.forbid(topic, known.len());
            if why.is_none() {
                known.insert(topic.to_owned());
            }
            why
        });
        let settings = Settings {
            batch: Limits {
                records: pipeline.max_records,
                bytes: pipeline.max_bytes,
            },
            commit_interval: pipeline.commit_interval,
            drain: pipeline.drain,
            default_topic: pipeline.output.topic.as_deref().map(Arc::from),
            redirect: None,
            policy: Policy::Drop,
            breaker: None,
        };
        let ports = (GivenSource::new(records), sink, Unkept, Patient(judge));
        let counters = Arc::new(Counters::default());
        on_a_guests_stack(|| Worker::new(ports, settings, counters, Some(tap)).run(|| None))?
    }
}

/// Runs it on a thread that may call guests.
fn on_a_guests_stack<T: Send>(what: impl FnOnce() -> T + Send) -> Result<T, Fatal> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("trial".to_owned())
            .stack_size(THREAD_STACK)
            .spawn_scoped(scope, what)
            .context("no thread could be started")?
            .join()
            .map_err(|_| anyhow!("trying the plugin panicked"))
    })
}

/// Waits for what has to be looked up: there is nothing else to do meanwhile.
struct Patient<J>(J);

impl<J> Patient<J> {
    fn wait<T>(
        &mut self,
        at: impl std::fmt::Display,
        mut ask: impl FnMut(&mut J) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        let begun = Instant::now();
        loop {
            match ask(&mut self.0) {
                Err(Halt::Later(why)) if begun.elapsed() >= LOOK_UP => {
                    let why = why.as_deref().unwrap_or("it has not answered");
                    let error = anyhow!(
                        "the record at {at} needs the schema registry, which did not help within \
                         {LOOK_UP:?}: {why}"
                    );
                    return Err(Halt::Fault(Stage::Transform, Fault::Fatal(error)));
                }
                Err(Halt::Later(_)) => thread::sleep(LOOK),
                answer => return answer,
            }
        }
    }
}

impl<J> Versioned for Patient<J> {}

impl<J: Judge> Judge for Patient<J> {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        let first = records.first().map_or(0, Record::offset);
        self.wait(partition.at(first), |inner| inner.judge(partition, records))
    }

    fn encode<R: Record>(&mut self, records: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        let first = records.first().map_or(0, Record::offset);
        self.wait(format_args!("offset {first}"), |inner| {
            inner.encode(records, judged)
        })
    }

    fn discard(&mut self) {
        self.0.discard();
    }
}
