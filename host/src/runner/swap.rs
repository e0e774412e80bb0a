//! The plugins of a running pipeline, and how they change. One thread looks at their
//! files: a new version is read, checked, compiled by a
//! child, and instantiated for every worker, `init` included; only then is it put on
//! the workers' desks. Where any of that fails, the old version goes on.

mod canary;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};

use self::canary::Outcome;
use self::watch::Watch;
use crate::config::{Canary, Plugin};
use crate::pipeline::ports::Fatal;
use crate::plugin::compile::Compiler;
use crate::plugin::component::{Component, File, Loaded};
use crate::plugin::desk::{Desk, News};
use crate::plugin::tally::Sum;
use crate::plugin::{Engine, Guest, Kind, PluginId, THREAD_STACK};
use crate::stop::Stop;
use crate::telemetry::{self, Counters, PluginState, Refusal};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How often a file is read again that changes while it is read.
const READS: usize = 20;

/// What a plugin file is used for in the pipeline.
pub struct Use {
    pub kind: Kind,
    pub settings: Plugin,
    pub component: Arc<Component>,
    /// One a worker.
    pub desks: Vec<Arc<Desk>>,
}

/// See the module's words. Ends with the run, and when it is dropped.
pub struct Swapper {
    stop: Arc<Stop>,
    engine: Engine,
    thread: Option<JoinHandle<()>>,
}

impl Swapper {
    pub fn start(
        engine: &Engine,
        uses: Vec<Use>,
        stop: &Arc<Stop>,
        hangup: &Arc<AtomicBool>,
        counters: &Arc<Counters>,
    ) -> Result<Self, Fatal> {
        let mut keeper = Keeper {
            engine: engine.clone(),
            plugins: by_file(uses),
            stop: Arc::clone(stop),
            hangup: Arc::clone(hangup),
            counters: Arc::clone(counters),
        };
        keeper.publish();
        let thread = thread::Builder::new()
            .name("plugins".to_owned())
            .stack_size(THREAD_STACK)
            .spawn(move || keeper.work())
            .context("the thread that looks after the plugins could not be started")?;
        Ok(Self {
            stop: Arc::clone(stop),
            engine: engine.clone(),
            thread: Some(thread),
        })
    }
}

impl Drop for Swapper {
    /// To be dropped when no worker is left: it ends every call.
    fn drop(&mut self) {
        self.stop.request();
        self.engine.give_up();
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

/// Uses of one file belong together: they change at once.
fn by_file(uses: Vec<Use>) -> Vec<Watched> {
    let mut plugins: Vec<Watched> = Vec::new();
    for of_file in uses {
        let path = &of_file.settings.path;
        match plugins.iter_mut().find(|plugin| plugin.path == *path) {
            Some(plugin) => plugin.uses.push(of_file),
            None => plugins.push(Watched {
                id: of_file.component.id.clone(),
                path: path.clone(),
                watch: of_file.settings.watch.then(|| Watch::new(path)),
                since: SystemTime::now(),
                previous: None,
                trial: None,
                refused: None,
                read: Arc::clone(&of_file.component.id.digest),
                swaps: 0,
                uses: vec![of_file],
            }),
        }
    }
    plugins
}

/// A plugin file in use.
struct Watched {
    /// What runs, or is about to.
    id: PluginId,
    path: PathBuf,
    watch: Option<Watch>,
    since: SystemTime,
    /// What ran before, of each use.
    previous: Option<Version>,
    trial: Option<Trial>,
    /// What was not taken, or was taken back.
    refused: Option<Refusal>,
    /// The digest of the file as it was read last; empty where it could not be read.
    read: Arc<str>,
    swaps: u64,
    uses: Vec<Use>,
}

impl Watched {
    fn state(&self) -> PluginState {
        PluginState {
            id: self.id.clone(),
            since: self.since,
            swaps: self.swaps,
            is_trying: self.trial.is_some(),
            refused: self.refused.clone(),
        }
    }
}

/// One version of a file, ready for each of its uses.
#[derive(Clone)]
struct Version {
    id: PluginId,
    components: Vec<Arc<Component>>,
}

/// A version that is tried.
struct Trial {
    version: Version,
    canary: Canary,
    begun: Instant,
    /// What the old one had done when it began, of each use.
    before: Vec<Sum>,
}

/// The thread's own.
struct Keeper {
    engine: Engine,
    plugins: Vec<Watched>,
    stop: Arc<Stop>,
    /// SIGHUP came, which asks for a reload.
    hangup: Arc<AtomicBool>,
    counters: Arc<Counters>,
}

impl Keeper {
    fn work(&mut self) {
        while !self.stop.requested() {
            let asked = self.hangup.swap(false, Ordering::Relaxed);
            for index in 0..self.plugins.len() {
                self.look(index, asked);
            }
            self.publish();
            self.stop.wait(LOOK);
        }
    }

    /// Looks after one plugin: at what became of its last version, and at its file,
    /// where that has changed or somebody has `asked` for it.
    fn look(&mut self, index: usize, asked: bool) {
        let plugin = &mut self.plugins[index];
        plugin
            .uses
            .iter()
            .flat_map(|of| &of.desks)
            .for_each(|desk| desk.clear());
        let desks = plugin.uses.iter().flat_map(|of| &of.desks);
        // Of another version than this one it is no news any more.
        let bad = |(id, _): &(PluginId, String)| id.digest == plugin.id.digest;
        let taken_back: Vec<_> = desks
            .filter_map(|desk| desk.taken_back())
            .filter(bad)
            .collect();
        if let Some((_, why)) = taken_back.last() {
            self.taken_back(index, why);
        }
        self.look_at_trial(index);
        let plugin = &mut self.plugins[index];
        let changed = plugin
            .watch
            .as_mut()
            .is_some_and(|watch| watch.has_changed(Instant::now()));
        if (changed || asked)
            && let Err(error) = self.read(index, asked)
        {
            self.refuse(index, &error);
        }
    }

    /// Reads a plugin's file, and lets it take over, or be tried, if it is another
    /// one. One that was refused is tried again only where it is `asked` for.
    fn read(&mut self, index: usize, asked: bool) -> Result<(), Fatal> {
        let plugin = &mut self.plugins[index];
        plugin.read = Arc::default();
        let file = read_whole(plugin)?;
        let digest = Arc::clone(&file.id.digest);
        plugin.read = Arc::clone(&digest);
        if digest == plugin.id.digest {
            // Whoever put it there again wants no other.
            if plugin.trial.take().is_some() {
                tell(&plugin.uses, || News::Recall);
            }
            return Ok(());
        }
        let trial = plugin.trial.as_ref();
        if trial.is_some_and(|trial| trial.version.id.digest == digest) {
            return Ok(());
        }
        let refused = plugin.refused.as_ref();
        if let Some(refused) = refused.filter(|refused| !asked && refused.digest == digest) {
            telemetry::plugin_is_refused_still(&plugin.path, &plugin.id, &refused.why);
            return Ok(());
        }
        self.take(index, file)
    }

    /// Makes this file's version ready, and hands it over.
    fn take(&mut self, index: usize, file: File) -> Result<(), Fatal> {
        let plugin = &mut self.plugins[index];
        for of in &plugin.uses {
            file.check(of.kind)?;
        }
        let id = PluginId {
            // A chain may have numbered it.
            name: Arc::clone(&plugin.id.name),
            digest: Arc::clone(&file.id.digest),
        };
        let code = file.compile(&self.engine, Compiler::Child(&self.stop))?;
        telemetry::plugin_loaded(&id, code.loaded == Loaded::FromCache, code.took);
        let components = plugin.uses.iter().map(|of| {
            let mut component = Component::link(&self.engine, &of.settings, of.kind, &code)?;
            component.id.name = Arc::clone(&of.component.id.name);
            Ok(Arc::new(component))
        });
        let version = Version {
            id,
            components: components.collect::<Result<_, Fatal>>()?,
        };
        let canary = plugin.uses.iter().find_map(|of| of.settings.canary);
        let guests = guests(&version, &plugin.uses)?;
        match canary {
            None => {
                hand_over(&plugin.uses, guests, News::Swap);
                self.runs(index, version);
            }
            Some(canary) => {
                let before = plugin.uses.iter().map(|of| of.component.tally.sum());
                telemetry::plugin_tried(&version.id, &plugin.id, canary.share);
                plugin.trial = Some(Trial {
                    version,
                    canary,
                    begun: Instant::now(),
                    before: before.collect(),
                });
                hand_over(&plugin.uses, guests, |guest| News::Try(guest, canary.share));
            }
        }
        Ok(())
    }

    /// This version is the one that runs.
    fn runs(&mut self, index: usize, version: Version) {
        let plugin = &mut self.plugins[index];
        let old = Version {
            id: std::mem::replace(&mut plugin.id, version.id),
            components: plugin
                .uses
                .iter()
                .map(|of| Arc::clone(&of.component))
                .collect(),
        };
        for (of, component) in plugin.uses.iter_mut().zip(version.components) {
            of.component = component;
        }
        // The workers go back to the last one that worked, too.
        let has_worked = |component: &Arc<Component>| component.tally.sum().has_worked();
        if plugin.previous.is_none() || old.components.iter().any(has_worked) {
            plugin.previous = Some(old);
        }
        plugin.trial = None;
        plugin.refused = None;
        plugin.since = SystemTime::now();
        plugin.swaps += 1;
        self.counters.plugin_swapped();
    }

    fn look_at_trial(&mut self, index: usize) {
        let plugin = &mut self.plugins[index];
        let Some(trial) = &plugin.trial else {
            return;
        };
        let (mut new, mut old) = (Sum::default(), Sum::default());
        for ((of, component), before) in plugin
            .uses
            .iter()
            .zip(&trial.version.components)
            .zip(&trial.before)
        {
            new = new + component.tally.sum();
            old = old + of.component.tally.sum().since(*before);
        }
        match canary::judge(&trial.canary, new, old, trial.begun.elapsed()) {
            Outcome::GoesOn => {}
            Outcome::Promoted => {
                let version = trial.version.clone();
                telemetry::plugin_promoted(&version.id);
                tell(&plugin.uses, || News::Promote);
                self.runs(index, version);
            }
            Outcome::Recalled(why) => {
                let id = trial.version.id.clone();
                tell(&plugin.uses, || News::Recall);
                plugin.trial = None;
                self.refuse_version(index, &id, &why);
            }
        }
    }

    /// A worker went back to the version before: so do the others.
    fn taken_back(&mut self, index: usize, why: &str) {
        let bad = self.plugins[index].id.clone();
        if let Err(error) = self.go_back(index) {
            // The worker that went back goes on, and the others end with their own.
            telemetry::plugin_stays(&bad, &error);
        }
        self.refuse_version(index, &bad, why);
    }

    fn go_back(&mut self, index: usize) -> Result<(), Fatal> {
        let plugin = &mut self.plugins[index];
        let Some(version) = plugin.previous.clone() else {
            bail!("there is no version before {}", plugin.id);
        };
        let guests = guests(&version, &plugin.uses)?;
        hand_over(&plugin.uses, guests, News::Swap);
        self.runs(index, version);
        self.plugins[index].previous = None;
        Ok(())
    }

    /// The plugin's file is not taken.
    fn refuse(&mut self, index: usize, error: &Fatal) {
        if self.stop.requested() {
            return;
        }
        let plugin = &mut self.plugins[index];
        let why = format!("{error:#}");
        self.counters.plugin_refused();
        telemetry::plugin_refused(&plugin.path, &plugin.id, &why);
        plugin.refused = Some(Refusal::new(&plugin.read, why));
    }

    /// A version that ran, or was tried, is not taken again by itself.
    fn refuse_version(&mut self, index: usize, id: &PluginId, why: &str) {
        let plugin = &mut self.plugins[index];
        self.counters.plugin_refused();
        telemetry::plugin_recalled(id, &plugin.id, why);
        plugin.refused = Some(Refusal::new(&id.digest, why.to_owned()));
    }

    fn publish(&self) {
        self.counters
            .plugins_are(self.plugins.iter().map(Watched::state).collect());
    }
}

/// The file as it was at one moment.
fn read_whole(plugin: &mut Watched) -> Result<File, Fatal> {
    for _ in 0..READS {
        if let Some(watch) = &mut plugin.watch {
            watch.is_read();
        }
        let file = File::read(&plugin.path)?;
        if plugin.watch.as_ref().is_none_or(Watch::is_as_known) {
            return Ok(file);
        }
    }
    bail!("plugin {} changes while it is read", plugin.path.display())
}

/// One guest for each desk of each use.
fn guests(version: &Version, uses: &[Use]) -> Result<Vec<Vec<Guest>>, Fatal> {
    let of_use = |(component, of): (&Arc<Component>, &Use)| {
        of.desks.iter().map(|_| Guest::new(component)).collect()
    };
    version.components.iter().zip(uses).map(of_use).collect()
}

fn hand_over(uses: &[Use], guests: Vec<Vec<Guest>>, news: impl Fn(Guest) -> News) {
    for (of, guests) in uses.iter().zip(guests) {
        for (desk, guest) in of.desks.iter().zip(guests) {
            desk.put(news(guest));
        }
    }
    announce(uses);
}

fn tell(uses: &[Use], news: impl Fn() -> News) {
    for desk in uses.iter().flat_map(|of| &of.desks) {
        desk.put(news());
    }
    announce(uses);
}

/// Only when all is there: the uses of a file change together.
fn announce(uses: &[Use]) {
    for desk in uses.iter().flat_map(|of| &of.desks) {
        desk.announce();
    }
}
