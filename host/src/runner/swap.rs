//! The plugins of a running pipeline, and how they change. One thread looks at their
//! files, and does what it is asked: a new version is read, checked, compiled by a
//! child, and instantiated for every worker, `init` included; only then is it put on
//! the workers' desks. Where any of that fails, the old version goes on.

mod asked;
mod canary;
mod kept;
mod watch;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};

use self::asked::{Asked, Request};
pub use self::asked::{Became, Declined, Handle, Now};
use self::canary::Outcome;
use self::watched::{Ready, Trial, Version, Watched, by_file, guests, hand_over, read_whole, tell};
use crate::config::Plugin;
use crate::pipeline::ports::Fatal;
use crate::plugin::compile::Compiler;
use crate::plugin::component::{Component, File, Loaded};
use crate::plugin::desk::{Desk, News};
use crate::plugin::tally::Sum;
use crate::plugin::{Engine, Kind, PluginId, THREAD_STACK};
use crate::stop::Stop;
use crate::telemetry::{self, Counters, Refusal};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What a plugin file is used for in the pipeline.
pub struct Use {
    /// `transform`, `shadow`, or the key that names it, such as `decode.value`.
    pub of: String,
    pub kind: Kind,
    pub settings: Plugin,
    pub component: Arc<Component>,
    /// One a worker.
    pub desks: Vec<Arc<Desk>>,
}

/// See the module's words. Ends with the run, and when it is dropped.
pub struct Swapper {
    handle: Handle,
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
        let (requests, asked) = channel();
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
            .spawn(move || keeper.work(&asked))
            .context("the thread that looks after the plugins could not be started")?;
        Ok(Self {
            handle: Handle::new(requests),
            stop: Arc::clone(stop),
            engine: engine.clone(),
            thread: Some(thread),
        })
    }

    /// Where it is asked.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
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
    fn work(&mut self, requests: &Receiver<Asked>) {
        while !self.stop.requested() {
            match requests.recv_timeout(LOOK) {
                Ok(asked) => {
                    let answer = self.answer(asked.request);
                    self.publish();
                    // Whoever asked may have gone.
                    let _ = asked.reply.send(answer);
                }
                // Nobody can ask any more, and the files are looked at all the same.
                Err(RecvTimeoutError::Disconnected) => self.stop.wait(LOOK),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let asked = self.hangup.swap(false, Ordering::Relaxed);
            for index in 0..self.plugins.len() {
                self.look(index, asked);
            }
            self.publish();
        }
    }

    fn answer(&mut self, request: Request) -> Result<Vec<Now>, Declined> {
        match request {
            Request::Reload => Ok((0..self.plugins.len())
                .map(|index| self.reload(index))
                .collect()),
            Request::Upload { name, bytes } => {
                let index = self.find(&name)?;
                match self.upload(index, bytes) {
                    Ok(became) => Ok(vec![self.now(index, became)]),
                    Err(error) => {
                        self.refuse(index, &error);
                        Err(Declined::Refused(format!("{error:#}")))
                    }
                }
            }
            Request::RollBack { name } => {
                let index = self.find(&name)?;
                Ok(vec![self.roll_back(index)?])
            }
        }
    }

    fn reload(&mut self, index: usize) -> Now {
        match self.read(index, true) {
            Ok(became) => self.now(index, became),
            Err(error) => {
                self.refuse(index, &error);
                self.now(index, Became::Refused(format!("{error:#}")))
            }
        }
    }

    fn find(&self, name: &str) -> Result<usize, Declined> {
        let names = || self.plugins.iter().map(|plugin| &*plugin.id.name);
        let mut found = names().enumerate().filter(|(_, own)| *own == name);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(Declined::Unknown(format!(
                "several plugins are called {name}: give their files other names"
            ))),
            (None, _) => {
                let names: Vec<_> = names().collect();
                Err(Declined::Unknown(format!(
                    "no plugin is called {name}: there is {}",
                    names.join(", ")
                )))
            }
        }
    }

    fn now(&self, index: usize, became: Became) -> Now {
        let plugin = &self.plugins[index];
        let tried = plugin.trial.as_ref().map(|trial| &trial.version.id);
        Now {
            name: Arc::clone(&plugin.id.name),
            runs: Arc::clone(&plugin.id.digest),
            tried: tried.map(|id| Arc::clone(&id.digest)),
            became,
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
    fn read(&mut self, index: usize, asked: bool) -> Result<Became, Fatal> {
        let plugin = &mut self.plugins[index];
        plugin.read = Arc::default();
        let file = read_whole(plugin)?;
        let digest = Arc::clone(&file.id.digest);
        plugin.read = Arc::clone(&digest);
        if digest == plugin.id.digest {
            plugin.end_trial();
            return Ok(Became::Unchanged);
        }
        let trial = plugin.trial.as_ref();
        if trial.is_some_and(|trial| trial.version.id.digest == digest) {
            return Ok(Became::Tried);
        }
        let refused = plugin.refused.as_ref();
        if let Some(refused) = refused.filter(|refused| !asked && refused.digest == digest) {
            telemetry::plugin_is_refused_still(&plugin.path, &plugin.id, &refused.why);
            return Ok(Became::Refused(refused.why.clone()));
        }
        let ready = self.ready(index, file)?;
        Ok(self.take(index, ready))
    }

    /// Takes these bytes as a plugin's file, once they are known to run.
    fn upload(&mut self, index: usize, bytes: Vec<u8>) -> Result<Became, Fatal> {
        let plugin = &mut self.plugins[index];
        let file = File::of(&plugin.path, bytes.clone());
        let digest = Arc::clone(&file.id.digest);
        plugin.read = Arc::clone(&digest);
        let runs = digest == plugin.id.digest;
        let trial = plugin.trial.as_ref();
        let is_tried = trial.is_some_and(|trial| trial.version.id.digest == digest);
        let ready = match runs || is_tried {
            true => None,
            false => Some(self.ready(index, file)?),
        };
        // On disk before it runs: a restart right after must run the same.
        let plugin = &mut self.plugins[index];
        plugin.kept.on_disk(&plugin.path, &plugin.id.digest);
        kept::replace(&plugin.path, &bytes)?;
        plugin.kept.upload(&digest, bytes);
        plugin.is_read();
        if runs {
            plugin.end_trial();
        }
        let became = match ready {
            Some(ready) => self.take(index, ready),
            None if is_tried => Became::Tried,
            None => Became::Unchanged,
        };
        self.plugins[index].forget_files();
        Ok(became)
    }

    /// Makes this file's version ready, and takes nothing from the old one meanwhile.
    fn ready(&self, index: usize, file: File) -> Result<Ready, Fatal> {
        let plugin = &self.plugins[index];
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
        let guests = guests(&version, &plugin.uses)?;
        Ok(Ready { version, guests })
    }

    /// Hands it over.
    fn take(&mut self, index: usize, ready: Ready) -> Became {
        let Ready { version, guests } = ready;
        let plugin = &mut self.plugins[index];
        let canary = plugin.uses.iter().find_map(|of| of.settings.canary);
        match canary {
            None => {
                hand_over(&plugin.uses, guests, News::Swap);
                self.runs(index, version);
                Became::Swapped
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
                Became::Tried
            }
        }
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

    /// Somebody wants the version before.
    fn roll_back(&mut self, index: usize) -> Result<Now, Declined> {
        const WHY: &str = "it was rolled back";
        let plugin = &mut self.plugins[index];
        if let Some(trial) = plugin.trial.take() {
            tell(&plugin.uses, || News::Recall);
            self.refuse_version(index, &trial.version.id, WHY);
            return Ok(self.now(index, Became::Recalled));
        }
        if plugin.previous.is_none() {
            return Err(Declined::NothingBefore(format!(
                "plugin {} runs since the start, or was gone back to: there is no version before it",
                plugin.id
            )));
        }
        let bad = plugin.id.clone();
        if let Err(error) = self.go_back(index) {
            return Err(Declined::Refused(format!("{error:#}")));
        }
        self.refuse_version(index, &bad, WHY);
        Ok(self.now(index, Became::Swapped))
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
        // Of a file that could not be read nothing is known: what was refused still is.
        if !plugin.read.is_empty() || plugin.refused.is_none() {
            plugin.refused = Some(Refusal::new(&plugin.read, why));
        }
    }

    /// A version that ran, or was tried, is not taken again by itself.
    fn refuse_version(&mut self, index: usize, id: &PluginId, why: &str) {
        let plugin = &mut self.plugins[index];
        self.counters.plugin_refused();
        telemetry::plugin_recalled(id, &plugin.id, why);
        plugin.refused = Some(Refusal::new(&id.digest, why.to_owned()));
        // Where it came by an upload, a restart would run it again.
        match plugin
            .kept
            .put_back(&plugin.path, &id.digest, &plugin.id.digest)
        {
            Ok(true) => plugin.is_read(),
            Ok(false) => {}
            Err(error) => telemetry::plugin_file_stays(&plugin.path, &error),
        }
        plugin.forget_files();
    }

    fn publish(&self) {
        self.counters
            .plugins_are(self.plugins.iter().map(Watched::state).collect());
    }
}
