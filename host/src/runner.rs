//! Runs a checked pipeline: loads the plugin while the cluster is asked, starts
//! the workers, and waits for their end.

mod codecs;
mod membership;
mod recovery;
mod topics;
pub mod trial;
mod worker;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use self::codecs::Codecs;
use self::membership::{membership, replay_group};
use self::recovery::Recovery;
use self::topics::{Needed, check_dead_letters, check_inputs, check_starts};
use self::worker::{Shared, policy, rules, work};
use crate::codec::Coded;
use crate::config::{Guarantee, Pipeline};
use crate::identity::Identity;
use crate::kafka::cluster::{Cluster, REACH};
use crate::kafka::group::Membership;
use crate::kafka::keeper::Keeper;
use crate::kafka::properties;
use crate::kafka::topics::Topics;
use crate::pipeline::ports::{Failure, Fatal, Tap};
use crate::pipeline::pulse::Pulse;
use crate::pipeline::replay::Skipped;
use crate::pipeline::stalls::Stalls;
use crate::plugin::component::{Component, Loaded};
use crate::plugin::{Engine, Instance, Kind, THREAD_STACK};
use crate::recovery::Store;
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
}

/// What a pipeline reads.
#[derive(Debug, Clone)]
pub enum Feed {
    /// Its input topics.
    Inputs,
    /// Its dead letters, up to the end of their topic.
    Letters(Replay),
}

/// How dead letters are replayed.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Where they are read.
    pub topic: String,
    /// Where every output goes; `None`: where the pipeline says.
    pub to: Option<String>,
    /// Nothing is written or stored.
    pub dry_run: bool,
    pub skipped: Skipped,
}

/// A pipeline whose plugin is loaded and whose topics are there.
pub struct Prepared {
    pub pipeline: Pipeline,
    feed: Feed,
    pub component: Arc<Component>,
    /// One a worker.
    judges: Vec<Coded<Instance>>,
    cluster: Arc<Cluster>,
    membership: Membership,
    /// Where positions are kept, if not in the group.
    store: Option<Store>,
}

impl Prepared {
    /// Checks what only the plugin's file and the cluster can tell. To run, it
    /// also makes the topics that outputs go to, if that is asked for.
    pub fn new(mut pipeline: Pipeline, feed: Feed, purpose: Purpose) -> Result<Self, Fatal> {
        if matches!(feed, Feed::Letters(_)) {
            // One worker reads to the end; a second one might never get a partition.
            pipeline.workers = 1;
        }
        let cluster = Arc::new(Cluster::new(&properties::client(&pipeline))?);
        // Compiling takes its time, and so does connecting. A plugin that is
        // refused does not wait for a cluster that can't be reached.
        let asking = {
            let cluster = Arc::clone(&cluster);
            thread::spawn(move || cluster.topics(REACH))
        };
        let loaded = thread::scope(|scope| {
            thread::Builder::new()
                .name("plugin".to_owned())
                .stack_size(THREAD_STACK)
                .spawn_scoped(scope, || load(&pipeline, &feed))
                .context("no thread could be started")?
                .join()
                .unwrap_or_else(|_| Err(anyhow!("loading the plugin panicked")))
        })?;
        let (component, codecs, judges) = loaded;
        let from_cache = component.loaded == Loaded::FromCache;
        telemetry::plugin_loaded(&component.id, from_cache, component.took);
        let topics = asking
            .join()
            .unwrap_or_else(|_| Err(anyhow!("asking the cluster panicked")))?;
        let inputs = match &feed {
            Feed::Inputs => check_inputs("input", &pipeline.input.topics, &topics)?,
            Feed::Letters(replay) => {
                check_inputs("dead-letter", std::slice::from_ref(&replay.topic), &topics)?
            }
        };
        if matches!(feed, Feed::Inputs) {
            check_starts(&pipeline.input.starts, &inputs)?;
        }
        let dry_run = matches!(&feed, Feed::Letters(replay) if replay.dry_run);
        let needed = Needed {
            create: pipeline.output.create && purpose == Purpose::Run,
            // A dry run would wait for a topic that nobody makes.
            missing_is_fine: pipeline.output.create && !dry_run,
            partitions: inputs.iter().map(|(_, count)| *count).max().unwrap_or(1),
            cluster: &cluster,
            topics: &topics,
        };
        if let Some(output) = &pipeline.output.topic {
            needed.ensure("output", output)?;
        }
        if let Feed::Letters(Replay { to: Some(to), .. }) = &feed {
            needed.ensure("--to", to)?;
        }
        if let Some(letters) = pipeline.errors.topic() {
            needed.ensure("dead-letter", letters)?;
            check_dead_letters(&cluster, letters, &topics)?;
        }
        if purpose == Purpose::Check {
            codecs.check(&pipeline)?;
        }
        let membership = membership(&pipeline, &feed, &cluster, &inputs)?;
        // Last: a store that is made for a run that can't begin would be in its way.
        let mut store = None;
        if let (Some(dir), Feed::Inputs) = (&pipeline.recovery, &feed) {
            let claim = recovery::claim(&pipeline, &inputs);
            match purpose {
                Purpose::Check => recovery::check(dir, &claim)?,
                Purpose::Run => store = Some(recovery::open(dir, &claim)?),
            }
        }
        Ok(Self {
            membership,
            pipeline,
            feed,
            component,
            judges,
            cluster,
            store,
        })
    }

    /// Who keeps the positions.
    pub fn keeper(&self) -> Keeper {
        self.membership.beginnings.keeper.clone()
    }

    /// Like [`new`](Self::new), and hears the order to stop meanwhile: nothing
    /// has begun that would have to be finished. `None`: stopped.
    pub fn unless_stopped(
        pipeline: Pipeline,
        feed: Feed,
        purpose: Purpose,
        stop: &Stop,
    ) -> Result<Option<Self>, Fatal> {
        let (done, outcome) = channel();
        thread::Builder::new()
            .name("prepare".to_owned())
            .spawn(move || {
                // The receiver goes when nobody waits any more.
                let _ = done.send(Self::new(pipeline, feed, purpose));
            })
            .context("no thread could be started")?;
        while !stop.requested() {
            match outcome.recv_timeout(LOOK) {
                Ok(outcome) => return outcome.map(Some),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("preparing the pipeline panicked"),
            }
        }
        Ok(None)
    }

    /// Runs until it is told to stop, has read what it is to read, or fails. Everything in flight is finished
    /// and committed first, within `shutdown.drain`. `tap` makes each worker's.
    pub fn run(
        self,
        stop: &Arc<Stop>,
        counters: &Arc<Counters>,
        tap: impl Fn() -> Option<Tap>,
    ) -> Result<(), Fatal> {
        let workers = self.judges.len();
        let drain = self.pipeline.drain;
        let identity = self.identity()?;
        let keeper = self.keeper();
        let membership = self.membership;
        let until = membership.until.clone();
        membership
            .inputs
            .watch(self.pipeline.input.discover, stop)
            .context("no thread could be started")?;
        let recovery = match self.store {
            Some(store) => {
                let reading = membership.clone();
                let recovery = Arc::new(Recovery::start(store, &self.pipeline, reading)?);
                recovery
                    .discover(&self.cluster, self.pipeline.input.discover, stop)
                    .context("no thread could be started")?;
                Some(recovery)
            }
            None => None,
        };
        telemetry::running(&self.pipeline.name, &keeper, workers);
        if let Some(until) = &until {
            telemetry::reading_until(until);
        }
        let pulses: Vec<_> = (0..workers).map(|_| Arc::<Pulse>::default()).collect();
        let mut stalls = Stalls::new(self.pipeline.stall_timeout, pulses.iter().cloned());
        let shared = Arc::new(Shared {
            identity,
            topics: Topics::new(Arc::clone(&self.cluster)).context("no thread could be started")?,
            rules: Arc::new(rules(&self.pipeline, &self.feed)),
            policy: policy(&self.pipeline, &self.component),
            replay_group: replay_group(&self.pipeline),
            pipeline: self.pipeline,
            feed: self.feed,
            membership,
            recovery,
            stop: Arc::clone(stop),
            counters: Arc::clone(counters),
            pulses,
        });
        let (ended, ends) = channel();
        for (number, judge) in self.judges.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let ended = Ended {
                ends: ended.clone(),
                stop: Arc::clone(stop),
                is_done: false,
            };
            let tap = tap();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(THREAD_STACK)
                .spawn(move || ended.tell(work(number, judge, &shared, tap)))
                .context("a worker's thread could not be started")?;
        }
        drop(ended);
        let mut stopping = None;
        let mut outcome = Ok(());
        // Whether nobody watches any more, which ends a run before its time.
        let mut unseen = false;
        let mut left = workers;
        while left > 0 {
            match ends.recv_timeout(LOOK) {
                Ok(Ok(())) => left -= 1,
                Ok(Err(Failure::TapClosed)) => {
                    left -= 1;
                    unseen = true;
                }
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
            if !stop.requested() {
                let news = stalls.look(Instant::now());
                news.iter().for_each(|news| counters.stall(news));
            } else {
                let begun = *stopping.get_or_insert_with(Instant::now);
                // A plugin that hangs must not use up the time that the drain needs.
                if begun.elapsed() >= drain / 4 {
                    self.component.engine().give_up();
                }
                if begun.elapsed() >= drain + GRACE {
                    return outcome.and(Err(anyhow!(
                        "{left} workers did not end within shutdown.drain; what they had not \
                         committed will be read again"
                    )));
                }
            }
        }
        if let Some(until) = until
            && outcome.is_ok()
            && !unseen
            && !stop.was_by_signal()
        {
            telemetry::reached(&until);
        }
        // What looks after the topics has nothing left to look after.
        stop.request();
        telemetry::stopped(counters);
        outcome
    }

    /// What names the transactions of this process, if there are any.
    fn identity(&self) -> Result<Option<Identity>, Fatal> {
        let dry_run = matches!(&self.feed, Feed::Letters(replay) if replay.dry_run);
        if self.pipeline.guarantee == Guarantee::AtLeastOnce || dry_run {
            return Ok(None);
        }
        let group = &self.membership.group;
        Identity::new(group, self.pipeline.input.instance_id.as_deref()).map(Some)
    }
}

/// Tells the end of a worker, and stops the others unless it had nothing left to do:
/// theirs may not be done.
struct Ended {
    ends: Sender<Result<(), Failure>>,
    stop: Arc<Stop>,
    is_done: bool,
}

impl Ended {
    fn tell(mut self, outcome: Result<(), Failure>) {
        self.is_done = outcome.is_ok();
        // The receiver goes only when the process ends.
        let _ = self.ends.send(outcome);
    }
}

impl Drop for Ended {
    /// Also when the worker panicked.
    fn drop(&mut self) {
        if !self.is_done {
            self.stop.request();
        }
    }
}

type LoadedPlugins = (Arc<Component>, Codecs, Vec<Coded<Instance>>);

fn load(pipeline: &Pipeline, feed: &Feed) -> Result<LoadedPlugins, Fatal> {
    let engine = Engine::new()?;
    let component = Component::load(&engine, &pipeline.plugin, Kind::Transform)?;
    let component = Arc::new(component);
    let codecs = Codecs::load(&engine, pipeline, feed)?;
    let judges = (0..pipeline.workers)
        .map(|_| codecs.around(Instance::new(&component)?, pipeline, feed))
        .collect::<Result<_, Fatal>>()?;
    Ok((component, codecs, judges))
}
