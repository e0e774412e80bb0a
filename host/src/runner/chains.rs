//! A pipeline's plugins, loaded, and a chain of their instances for each worker.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use super::swap::Use;
use crate::config::Pipeline;
use crate::pipeline::batch::Limits;
use crate::pipeline::chain::{Bounds, Chain, Link};
use crate::pipeline::ports::Fatal;
use crate::plugin::component::{Component, Loaded};
use crate::plugin::desk::Desk;
use crate::plugin::{Engine, Instance, Kind};
use crate::telemetry;

/// The plugins of a pipeline, in order; there is at least one.
#[derive(Clone)]
pub struct Plugins(pub Vec<Arc<Component>>);

/// Their names and digests, comma-separated.
impl fmt::Display for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, plugin) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{}", plugin.id)?;
        }
        Ok(())
    }
}

impl Plugins {
    pub fn load(engine: &Engine, pipeline: &Pipeline) -> Result<Self, Fatal> {
        let load = |settings| Component::load(engine, settings, Kind::Transform);
        let mut all: Vec<_> = pipeline
            .plugins
            .iter()
            .map(load)
            .collect::<Result<_, _>>()?;
        let names: Vec<_> = all
            .iter()
            .map(|plugin| Arc::clone(&plugin.id.name))
            .collect();
        for (number, plugin) in all.iter_mut().enumerate() {
            // Two of one name are told apart by their places.
            if names.iter().filter(|name| **name == names[number]).count() > 1 {
                plugin.id.name = format!("{}[{}]", names[number], number + 1).into();
            }
        }
        Ok(Self(all.into_iter().map(Arc::new).collect()))
    }

    /// Says of each how it was loaded.
    pub fn tell(&self) {
        for plugin in &self.0 {
            let from_cache = plugin.loaded == Loaded::FromCache;
            telemetry::plugin_loaded(&plugin.id, from_cache, plugin.took);
        }
    }

    /// How long they took to load.
    pub fn took(&self) -> Duration {
        self.0.iter().map(|plugin| plugin.took).sum()
    }

    /// What each is used for, before any worker runs it.
    pub fn uses(&self, pipeline: &Pipeline) -> impl Iterator<Item = Use> {
        self.0
            .iter()
            .zip(&pipeline.plugins)
            .map(|(component, settings)| Use {
                of: Kind::Transform.to_string(),
                kind: Kind::Transform,
                settings: settings.clone(),
                component: Arc::clone(component),
                desks: Vec::new(),
            })
    }

    /// One worker's instances. Adds the desk of each.
    pub fn chain(
        &self,
        pipeline: &Pipeline,
        desks: &mut Vec<Arc<Desk>>,
    ) -> Result<Chain<Instance>, Fatal> {
        let link = |plugin: &Arc<Component>| {
            let transform = Instance::new(plugin)?;
            desks.push(Arc::clone(transform.desk()));
            Ok(Link {
                name: Arc::clone(&plugin.id.name),
                transform,
            })
        };
        let mut links = self.0.iter().map(link);
        let Some(first) = links.next() else {
            bail!("the pipeline has no plugin");
        };
        let bounds = Bounds {
            batch: Limits {
                records: pipeline.max_records,
                bytes: pipeline.max_bytes,
            },
            time: pipeline.call(),
        };
        Ok(Chain::new(
            first?,
            links.collect::<Result<_, Fatal>>()?,
            bounds,
        ))
    }
}
