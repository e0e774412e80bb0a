//! Runs a checked pipeline: loads the plugin while the cluster is asked, starts
//! the workers, and waits for their end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use crate::config::{Choice, Pipeline};
use crate::doorbell::Doorbell;
use crate::kafka::cluster::{Cluster, REACH};
use crate::kafka::group::{self, Membership};
use crate::kafka::properties;
use crate::kafka::rules::Rules;
use crate::kafka::sink::ProducerSink;
use crate::kafka::topics::Topics;
use crate::names::nearest;
use crate::pipeline::batch::Limits;
use crate::pipeline::dead_letter::Provenance;
use crate::pipeline::policy::Policy;
use crate::pipeline::ports::{Failure, Fatal, Tap};
use crate::pipeline::worker::{Settings, Worker};
use crate::plugin::{CONTRACT, Component, Engine, Instance, THREAD_STACK};
use crate::stop::Stop;
use crate::telemetry::{self, Counters};

/// How much longer than `shutdown.drain` a stop may take before the process
/// ends without its workers.
const GRACE: Duration = Duration::from_secs(2);

/// How often the wait for the workers looks whether they were told to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What a pipeline is prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Run,
    /// Nothing is changed.
    Check,
    /// A run on the embedded cluster.
    Demo,
}

/// A pipeline whose plugin is loaded and whose topics are there.
pub struct Prepared {
    pub pipeline: Pipeline,
    pub component: Arc<Component>,
    instances: Vec<Instance>,
    cluster: Arc<Cluster>,
    /// The input topics and their numbers of partitions.
    inputs: Vec<(String, i32)>,
}

impl Prepared {
    /// Checks what only the plugin's file and the cluster can tell. To run, it
    /// also makes the output topic, if that is asked for.
    pub fn new(pipeline: Pipeline, purpose: Purpose) -> Result<Self, Fatal> {
        let client = properties::client(&pipeline);
        let cluster = Arc::new(match purpose {
            Purpose::Run | Purpose::Check => Cluster::new(&client)?,
            Purpose::Demo => Cluster::embedded(&client)?,
        });
        // Compiling takes its time, and so does connecting. A plugin that is
        // refused does not wait for a cluster that can't be reached.
        let asking = {
            let cluster = Arc::clone(&cluster);
            thread::spawn(move || cluster.topics(REACH))
        };
        let (component, instances) = thread::scope(|scope| {
            thread::Builder::new()
                .name("plugin".to_owned())
                .stack_size(THREAD_STACK)
                .spawn_scoped(scope, || load(&pipeline))
                .context("no thread could be started")?
                .join()
                .unwrap_or_else(|_| Err(anyhow!("loading the plugin panicked")))
        })?;
        telemetry::plugin_loaded(&component);
        let topics = asking
            .join()
            .unwrap_or_else(|_| Err(anyhow!("asking the cluster panicked")))?;
        let inputs = check_inputs(&pipeline, &topics)?;
        let needed = Needed {
            create: pipeline.output.create && purpose == Purpose::Run,
            missing_is_fine: pipeline.output.create,
            partitions: inputs.iter().map(|(_, count)| *count).max().unwrap_or(1),
            cluster: &cluster,
            topics: &topics,
        };
        if let Some(output) = &pipeline.output.topic {
            needed.ensure("output", output)?;
        }
        if let Some(letters) = pipeline.errors.topic() {
            needed.ensure("dead-letter", letters)?;
            if purpose != Purpose::Demo {
                check_dead_letters(&cluster, letters, &topics)?;
            }
        }
        Ok(Self {
            pipeline,
            component,
            instances,
            cluster,
            inputs,
        })
    }

    /// Runs until it is told to stop or fails. Everything in flight is finished
    /// and committed first, within `shutdown.drain`. `tap` makes each worker's.
    pub fn run(
        self,
        stop: &Arc<Stop>,
        counters: &Arc<Counters>,
        tap: impl Fn() -> Option<Tap>,
    ) -> Result<(), Fatal> {
        let workers = self.instances.len();
        let drain = self.pipeline.drain;
        telemetry::running(&self.pipeline.name, &self.pipeline.input.group, workers);
        let shared = Arc::new(Shared {
            topics: Topics::new(Arc::clone(&self.cluster)).context("no thread could be started")?,
            rules: Arc::new(rules(&self.pipeline)),
            policy: policy(&self.pipeline, &self.component),
            pipeline: self.pipeline,
            inputs: self.inputs,
            stop: Arc::clone(stop),
            counters: Arc::clone(counters),
        });
        let (ended, ends) = channel();
        for (number, instance) in self.instances.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let ended = Ended(ended.clone(), Arc::clone(stop));
            let tap = tap();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(THREAD_STACK)
                .spawn(move || ended.tell(work(number, instance, &shared, tap)))
                .context("a worker's thread could not be started")?;
        }
        drop(ended);
        let mut deadline = None;
        let mut outcome = Ok(());
        let mut left = workers;
        while left > 0 {
            match ends.recv_timeout(LOOK) {
                Ok(Ok(()) | Err(Failure::TapClosed)) => left -= 1,
                Ok(Err(failure)) => {
                    left -= 1;
                    match outcome {
                        Ok(()) => outcome = Err(failure.into()),
                        Err(_) => telemetry::failed_too(&failure),
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return outcome.and(Err(anyhow!(
                        "a worker panicked; what it had not committed will be read again"
                    )));
                }
            }
            if stop.requested() {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + drain + GRACE);
                if Instant::now() >= deadline {
                    return outcome.and(Err(anyhow!(
                        "{left} workers did not end within shutdown.drain; what they had not \
                         committed will be read again"
                    )));
                }
            }
        }
        telemetry::stopped(counters);
        outcome
    }
}

/// Tells the end of a worker, and stops the others if it failed.
struct Ended(Sender<Result<(), Failure>>, Arc<Stop>);

impl Ended {
    fn tell(&self, outcome: Result<(), Failure>) {
        // The receiver goes only when the process ends.
        let _ = self.0.send(outcome);
    }
}

impl Drop for Ended {
    /// Also when the worker panicked.
    fn drop(&mut self) {
        self.1.request();
    }
}

/// What all workers share.
struct Shared {
    pipeline: Pipeline,
    inputs: Vec<(String, i32)>,
    topics: Topics,
    rules: Arc<Rules>,
    policy: Policy,
    stop: Arc<Stop>,
    counters: Arc<Counters>,
}

fn load(pipeline: &Pipeline) -> Result<(Arc<Component>, Vec<Instance>), Fatal> {
    let engine = Engine::new()?;
    let component = Arc::new(Component::load(&engine, &pipeline.plugin)?);
    let instances = (0..pipeline.workers)
        .map(|_| Instance::new(&component))
        .collect::<Result<_, Fatal>>()?;
    Ok((component, instances))
}

/// Where outputs may go.
fn rules(pipeline: &Pipeline) -> Rules {
    let own = [pipeline.output.topic.as_deref(), pipeline.errors.topic()];
    Rules {
        inputs: pipeline.input.topics.clone(),
        own: own.into_iter().flatten().map(str::to_owned).collect(),
        allow: pipeline.output.allow.clone(),
    }
}

fn policy(pipeline: &Pipeline, component: &Component) -> Policy {
    match &pipeline.errors.policy {
        Choice::Stop => Policy::Stop,
        Choice::Drop => Policy::Drop,
        Choice::DeadLetter(topic) => Policy::DeadLetter {
            topic: topic.as_str().into(),
            by: Provenance {
                pipeline: pipeline.name.clone(),
                plugin: component.id.name.to_string(),
                digest: component.id.digest.to_string(),
                contract: CONTRACT.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
        },
    }
}

fn check_inputs(
    pipeline: &Pipeline,
    topics: &BTreeMap<String, i32>,
) -> Result<Vec<(String, i32)>, Fatal> {
    pipeline
        .input
        .topics
        .iter()
        .map(|input| match topics.get(input) {
            Some(partitions) => Ok((input.clone(), *partitions)),
            None => Err(missing("input", input, topics)),
        })
        .collect()
}

/// Topics that outputs go to: they are there, or are made with as many partitions
/// as the largest input has.
struct Needed<'a> {
    create: bool,
    missing_is_fine: bool,
    partitions: i32,
    cluster: &'a Cluster,
    topics: &'a BTreeMap<String, i32>,
}

impl Needed<'_> {
    fn ensure(&self, role: &str, topic: &str) -> Result<(), Fatal> {
        if self.topics.contains_key(topic) {
            return Ok(());
        }
        if !self.missing_is_fine {
            return Err(missing(role, topic, self.topics).context(format!(
                "the {role} topic is not there (--create-topics makes it with the input's number \
                 of partitions)"
            )));
        }
        if self.create {
            self.cluster.create(topic, self.partitions)?;
            telemetry::topic_created(topic, self.partitions);
        }
        Ok(())
    }
}

/// A dead letter must stay where it is until somebody looks at it.
fn check_dead_letters(
    cluster: &Cluster,
    topic: &str,
    topics: &BTreeMap<String, i32>,
) -> Result<(), Fatal> {
    if !topics.contains_key(topic) {
        return Ok(());
    }
    match cluster.is_compacted(topic) {
        Some(false) => Ok(()),
        Some(true) => bail!(
            "the dead-letter topic {topic} is compacted (cleanup.policy): it would keep one dead \
             letter a key and take none without a key. Use a topic with cleanup.policy=delete"
        ),
        None => {
            telemetry::dead_letters_unchecked(topic);
            Ok(())
        }
    }
}

fn missing(role: &str, name: &str, topics: &BTreeMap<String, i32>) -> Fatal {
    match nearest(name, topics.keys().map(String::as_str)) {
        Some(nearest) => {
            anyhow!("{role} topic {name} does not exist (the nearest existing name is {nearest})")
        }
        None => anyhow!("{role} topic {name} does not exist"),
    }
}

/// One worker, on its own thread from here to its end.
fn work(
    number: usize,
    instance: Instance,
    shared: &Shared,
    tap: Option<Tap>,
) -> Result<(), Failure> {
    let pipeline = &shared.pipeline;
    let bell = Doorbell::for_this_thread();
    shared.stop.rings(bell.clone());
    let sink = ProducerSink::new(
        &properties::producer(pipeline, number),
        shared.topics.clone(),
        Arc::clone(&shared.rules),
        bell.clone(),
    )?;
    let partitions = shared.inputs.iter().map(|(_, count)| *count).sum();
    let (source, offsets) = group::join(
        &properties::consumer(pipeline, number, partitions),
        Membership {
            group: pipeline.input.group.clone(),
            topics: pipeline.input.topics.clone(),
            start: pipeline.input.start,
            partitions: shared.inputs.clone(),
        },
        bell,
        Arc::clone(&shared.stop),
    )?;
    let settings = Settings {
        batch: Limits {
            records: pipeline.max_records,
            bytes: pipeline.max_bytes,
        },
        commit_interval: pipeline.commit_interval,
        drain: pipeline.drain,
        default_topic: pipeline.output.topic.as_deref().map(Arc::from),
        redirect: None,
        policy: shared.policy.clone(),
        breaker: pipeline.errors.breaker,
    };
    Worker::new(
        (source, sink, offsets, instance),
        settings,
        Arc::clone(&shared.counters),
        tap,
    )
    .run(|| shared.stop.requested())
}
