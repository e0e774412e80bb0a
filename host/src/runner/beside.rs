//! The plugin that runs beside the pipeline's own one (`plugin.shadow`), loaded, and a
//! shadow of it for each worker.

use std::sync::Arc;

use anyhow::Context as _;

use super::swap::Use;
use crate::config::{Pipeline, Plugin};
use crate::pipeline::ports::Fatal;
use crate::pipeline::shadow::{Compared, Shadow};
use crate::plugin::component::Loaded;
use crate::plugin::desk::Desk;
use crate::plugin::{Component, Engine, Instance, Kind};
use crate::telemetry;

/// See the module's words.
pub struct Beside {
    settings: Plugin,
    component: Arc<Component>,
    pub compared: Arc<Compared>,
}

impl Beside {
    pub fn load(engine: &Engine, pipeline: &Pipeline) -> Result<Option<Self>, Fatal> {
        let own = pipeline.plugins.first();
        let Some((own, path)) = own.and_then(|own| Some((own, own.shadow.clone()?))) else {
            return Ok(None);
        };
        let settings = Plugin {
            path,
            canary: None,
            shadow: None,
            ..own.clone()
        };
        let mut component =
            Component::load(engine, &settings, Kind::Transform).context("plugin.shadow")?;
        component.id.name = format!("{}(shadow)", component.id.name).into();
        telemetry::plugin_loaded(
            &component.id,
            component.loaded == Loaded::FromCache,
            component.took,
        );
        Ok(Some(Self {
            settings,
            component: Arc::new(component),
            compared: Arc::default(),
        }))
    }

    pub fn used(&self) -> Use {
        Use {
            of: "shadow".to_owned(),
            kind: Kind::Transform,
            settings: self.settings.clone(),
            component: Arc::clone(&self.component),
            desks: Vec::new(),
        }
    }

    /// One worker's. Adds its desk.
    pub fn shadow(&self, desks: &mut Vec<Arc<Desk>>) -> Result<Shadow<Instance>, Fatal> {
        let instance = Instance::new(&self.component)?;
        desks.push(Arc::clone(instance.desk()));
        Ok(Shadow::new(
            instance,
            Arc::clone(&self.compared),
            self.settings.call,
        ))
    }
}
