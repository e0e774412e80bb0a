//! A plugin file in use: its versions, and how the workers are told of another one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::bail;

use super::Use;
use super::kept::Kept;
use super::watch::Watch;
use crate::config::Canary;
use crate::pipeline::ports::Fatal;
use crate::plugin::component::{Component, File};
use crate::plugin::desk::News;
use crate::plugin::tally::Sum;
use crate::plugin::{Guest, PluginId};
use crate::telemetry::{PluginState, Refusal, TrialState, WorkerState};

/// How often a file is read again that changes while it is read.
const READS: usize = 20;

/// Uses of one file belong together: they change at once.
pub fn by_file(uses: Vec<Use>) -> Vec<Watched> {
    let mut plugins: Vec<Watched> = Vec::new();
    for of_file in uses {
        let path = &of_file.settings.path;
        match plugins.iter_mut().find(|plugin| plugin.path == *path) {
            Some(plugin) => plugin.uses.push(of_file),
            None => plugins.push(Watched {
                id: of_file.component.id.clone(),
                path: path.clone(),
                watch: of_file.settings.watch.then(|| Watch::new(path)),
                first: Arc::clone(&of_file.component.id.digest),
                since: SystemTime::now(),
                previous: None,
                trial: None,
                refused: None,
                read: Arc::clone(&of_file.component.id.digest),
                kept: Kept::default(),
                swaps: 0,
                uses: vec![of_file],
            }),
        }
    }
    plugins
}

/// A plugin file in use.
pub struct Watched {
    /// What runs, or is about to.
    pub id: PluginId,
    pub path: PathBuf,
    pub watch: Option<Watch>,
    /// The digest of what ran first.
    pub first: Arc<str>,
    pub since: SystemTime,
    /// What ran before, of each use.
    pub previous: Option<Version>,
    pub trial: Option<Trial>,
    /// What was not taken, or was taken back.
    pub refused: Option<Refusal>,
    /// The digest of the file as it was read last; empty where it could not be read.
    pub read: Arc<str>,
    /// What the file held since the first upload.
    pub kept: Kept,
    pub swaps: u64,
    pub uses: Vec<Use>,
}

impl Watched {
    pub fn state(&self) -> PluginState {
        let sum = |components: &mut dyn Iterator<Item = &Arc<Component>>| {
            components.fold(Sum::default(), |all, one| all + one.tally.sum())
        };
        let workers = self.uses.iter().flat_map(|of| {
            of.desks.iter().enumerate().map(|(worker, desk)| {
                let taken = desk.taken();
                let digest = taken.as_ref().map_or(&self.first, |it| &it.plugin.digest);
                WorkerState {
                    worker,
                    of: of.of.clone(),
                    digest: Arc::clone(digest),
                    taken,
                }
            })
        });
        PluginState {
            id: self.id.clone(),
            path: self.path.clone(),
            uses: self.uses.iter().map(|of| of.of.clone()).collect(),
            since: self.since,
            sum: sum(&mut self.uses.iter().map(|of| &of.component)),
            swaps: self.swaps,
            previous: self.previous.as_ref().map(|old| Arc::clone(&old.id.digest)),
            trial: self.trial.as_ref().map(|trial| TrialState {
                digest: Arc::clone(&trial.version.id.digest),
                sum: sum(&mut trial.version.components.iter()),
            }),
            refused: self.refused.clone(),
            workers: workers.collect(),
        }
    }

    /// Its file is as it is known.
    pub fn is_read(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.is_read();
        }
    }

    fn was_not_read(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.was_not_read(Instant::now());
        }
    }

    /// Forgets what the file held that can't come back.
    pub fn forget_files(&mut self) {
        let previous = self.previous.iter().map(|version| &version.id.digest);
        let trial = self.trial.iter().map(|trial| &trial.version.id.digest);
        let all: Vec<_> = previous.chain(trial).chain([&self.id.digest]).collect();
        self.kept.only(&all);
    }

    /// Whoever put the running version there again wants no other.
    pub fn end_trial(&mut self) {
        if self.trial.take().is_some() {
            tell(&self.uses, || News::Recall);
        }
    }
}

/// One version of a file, ready for each of its uses.
#[derive(Clone)]
pub struct Version {
    pub id: PluginId,
    pub components: Vec<Arc<Component>>,
}

/// A version, and one of its guests for each desk of each use.
pub struct Ready {
    pub version: Version,
    pub guests: Vec<Vec<Guest>>,
}

/// A version that is tried.
pub struct Trial {
    pub version: Version,
    pub canary: Canary,
    pub begun: Instant,
    /// What the old one had done when it began, of each use.
    pub before: Vec<Sum>,
}

/// The file as it was at one moment.
pub fn read_whole(plugin: &mut Watched) -> Result<File, Fatal> {
    for _ in 0..READS {
        plugin.is_read();
        let file = File::read(&plugin.path).inspect_err(|_| plugin.was_not_read())?;
        if plugin.watch.as_ref().is_none_or(Watch::is_as_known) {
            return Ok(file);
        }
    }
    bail!("plugin {} changes while it is read", plugin.path.display())
}

/// One guest for each desk of each use.
pub fn guests(version: &Version, uses: &[Use]) -> Result<Vec<Vec<Guest>>, Fatal> {
    let of_use = |(component, of): (&Arc<Component>, &Use)| {
        of.desks.iter().map(|_| Guest::new(component)).collect()
    };
    version.components.iter().zip(uses).map(of_use).collect()
}

pub fn hand_over(uses: &[Use], guests: Vec<Vec<Guest>>, news: impl Fn(Guest) -> News) {
    for (of, guests) in uses.iter().zip(guests) {
        for (desk, guest) in of.desks.iter().zip(guests) {
            desk.put(news(guest));
        }
    }
    announce(uses);
}

pub fn tell(uses: &[Use], news: impl Fn() -> News) {
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
