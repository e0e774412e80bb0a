//! Runs a checked pipeline: loads the plugins while the cluster is asked, starts
//! the workers, and waits for their end.

mod beside;
mod chains;
mod codecs;
mod membership;
mod recovery;
pub mod swap;
mod topics;
pub mod trial;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use self::beside::Beside;
use self::chains::Plugins;
use self::codecs::Codecs;
use self::membership::{membership, replay_group};
use self::recovery::Recovery;
use self::swap::{Swapper, Use};
use self::topics::{Needed, check_dead_letters, check_inputs, check_starts};
use self::worker::{Shared, policy, rules, work};
use crate::admin::{Admin, Bound};
use crate::codec::Coded;
use crate::config::{Guarantee, Pipeline};
use crate::identity::Identity;
use crate::kafka::cluster::{Cluster, REACH};
use crate::kafka::group::Membership;
use crate::kafka::keeper::Keeper;
use crate::kafka::properties;
use crate::kafka::topics::Topics;
use crate::pipeline::chain::Chain;
use crate::pipeline::ports::{Failure, Fatal, Tap};
use crate::pipeline::pulse::Pulse;
use crate::pipeline::replay::Skipped;
use crate::pipeline::shadow::{Compared, Shadowed};
use crate::pipeline::stalls::Stalls;
use crate::plugin::{Engine, Instance, THREAD_STACK};
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

/// The user's code in one worker, with all that stands around it.
pub type Judging = Coded<Shadowed<Chain<Instance>, Instance>>;

/// From where a run is told what to do while it runs.
#[derive(Debug, Default)]
pub struct Controls {
    /// Set when SIGHUP comes: the plugins' files are read again.
    pub hangup: Arc<AtomicBool>,
    pub admin: Option<Bound>,
}

/// A pipeline whose plugins are loaded and whose topics are there.
pub struct Prepared {
    pub pipeline: Pipeline,
    feed: Feed,
    pub plugins: Plugins,
    engine: Engine,
    /// One a worker.
    judges: Vec<Judging>,
    uses: Vec<Use>,
    shadow: Option<Arc<Compared>>,
    pub controls: Controls,
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
        let Loaded {
            engine,
            plugins,
            codecs,
            judges,
            uses,
            shadow,
        } = loaded;
        plugins.tell();
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
            plugins,
            engine,
            judges,
            uses,
            shadow,
            controls: Controls::default(),
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
            policy: policy(&self.pipeline, &self.plugins.0),
            replay_group: replay_group(&self.pipeline),
            pipeline: self.pipeline,
            feed: self.feed,
            membership,
            recovery,
            stop: Arc::clone(stop),
            counters: Arc::clone(counters),
            pulses,
        });
        // Behind the workers: it ends what they call.
        let Controls { hangup, admin } = self.controls;
        let swapper = match &shared.feed {
            Feed::Inputs => Some(Swapper::start(
                &self.engine,
                self.uses,
                stop,
                &hangup,
                counters,
            )?),
            Feed::Letters(_) => None,
        };
        let _admin = match (admin, &swapper) {
            (Some(bound), Some(swapper)) => {
                let shadow = self.shadow.clone();
                Some(Admin::start(bound, swapper.handle(), counters, shadow)?)
            }
            _ => None,
        };
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
                    self.engine.give_up();
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
        if let Some(shadow) = &self.shadow {
            telemetry::shadow_compared(shadow.records(), shadow.differ(), shadow.broke());
        }
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
        let cluster = self.cluster.id(REACH)?;
        Identity::new(&cluster, group, self.pipeline.input.instance_id.as_deref()).map(Some)
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

/// What the plugins' files gave.
struct Loaded {
    engine: Engine,
    plugins: Plugins,
    codecs: Codecs,
    /// One a worker.
    judges: Vec<Judging>,
    uses: Vec<Use>,
    shadow: Option<Arc<Compared>>,
}

fn load(pipeline: &Pipeline, feed: &Feed) -> Result<Loaded, Fatal> {
    let engine = Engine::new()?;
    let plugins = Plugins::load(&engine, pipeline)?;
    let codecs = Codecs::load(&engine, pipeline, feed)?;
    let beside = match feed {
        Feed::Inputs => Beside::load(&engine, pipeline)?,
        Feed::Letters(_) => None,
    };
    let mut uses: Vec<Use> = plugins.uses(pipeline).chain(codecs.uses()).collect();
    uses.extend(beside.as_ref().map(Beside::used));
    let mut judges = Vec::with_capacity(pipeline.workers);
    for _ in 0..pipeline.workers {
        let mut desks = Vec::with_capacity(uses.len());
        let chain = plugins.chain(pipeline, &mut desks)?;
        let mut own = Vec::with_capacity(1);
        let shadow = beside.as_ref().map(|beside| beside.shadow(&mut own));
        let judge = Shadowed::new(chain, shadow.transpose()?);
        judges.push(codecs.around(judge, pipeline, feed, &mut desks)?);
        for (of, desk) in uses.iter_mut().zip(desks.into_iter().chain(own)) {
            of.desks.push(desk);
        }
    }
    Ok(Loaded {
        engine,
        plugins,
        codecs,
        judges,
        uses,
        shadow: beside.map(|beside| beside.compared),
    })
}
