//! A pipeline's codecs: their schemas read, their plugins loaded, one set a worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Feed;
use super::swap::Use;
use crate::codec::schemas::{Schemas, Source};
use crate::codec::{Coded, Decoding, Encoding, How, Topics};
use crate::config::{Coding, Fields, Format, Pipeline, Plugin};
use crate::pipeline::ports::{Fatal, Transform};
use crate::plugin::component::{Component, Loaded};
use crate::plugin::desk::Desk;
use crate::plugin::{self, CodecInstance, Engine};
use crate::record::Field;
use crate::registry::{Kind, Registry};
use crate::telemetry;

/// How long the answers of a check may take.
const CHECK: Duration = Duration::from_secs(10);

type Desks = Vec<Arc<Desk>>;

/// The two directions of a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Decode,
    Encode,
}

impl Way {
    fn kind(self) -> plugin::Kind {
        match self {
            Self::Decode => plugin::Kind::Deserializer,
            Self::Encode => plugin::Kind::Serializer,
        }
    }

    fn key(self, field: Field) -> String {
        let section = match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
        };
        format!("{section}.{}", field.name())
    }
}

/// See the module's words.
pub struct Codecs {
    registry: Option<Registry>,
    schemas: Arc<Schemas>,
    plugins: Vec<CodecPlugin>,
}

/// A plugin that is a codec.
struct CodecPlugin {
    way: Way,
    field: Field,
    settings: Plugin,
    component: Arc<Component>,
}

impl Codecs {
    pub fn load(engine: &Engine, pipeline: &Pipeline, feed: &Feed) -> Result<Self, Fatal> {
        let settings = &pipeline.serialization;
        let registry = settings
            .registry
            .as_ref()
            .map(Registry::start)
            .transpose()?;
        let mut plugins = Vec::new();
        for way in [Way::Decode, Way::Encode] {
            for field in [Field::Key, Field::Value] {
                let coding = coding(pipeline, way, field);
                // The limits of a codec are those of the first plugin.
                if let (Format::Plugin(path), Some(first)) =
                    (&coding.format, pipeline.plugins.first())
                {
                    let settings = Plugin {
                        path: path.clone(),
                        config: coding.config.clone(),
                        canary: None,
                        shadow: None,
                        ..first.clone()
                    };
                    let component = Component::load(engine, &settings, way.kind())
                        .with_context(|| way.key(field))?;
                    let from_cache = component.loaded == Loaded::FromCache;
                    telemetry::plugin_loaded(&component.id, from_cache, component.took);
                    plugins.push(CodecPlugin {
                        way,
                        field,
                        settings,
                        component: Arc::new(component),
                    });
                }
            }
        }
        let schemas = Schemas::new(registry.clone());
        let schemas = match feed {
            Feed::Letters(replay) if replay.dry_run => schemas.pretending(),
            Feed::Letters(_) | Feed::Inputs => schemas,
        };
        Ok(Self {
            schemas: Arc::new(schemas),
            registry,
            plugins,
        })
    }

    /// Asks the registry for what the settings name, and waits for the answers.
    pub fn check(&self, pipeline: &Pipeline) -> Result<(), Fatal> {
        let Some(registry) = &self.registry else {
            return Ok(());
        };
        registry.check()?;
        let until = Instant::now() + CHECK;
        for way in [Way::Decode, Way::Encode] {
            for field in [Field::Key, Field::Value] {
                let Coding { schema, reader, .. } = coding(pipeline, way, field);
                for (source, what) in [(schema, "schema"), (reader, "reader")] {
                    let Some(source) = source else {
                        continue;
                    };
                    let source = self.schemas.source(source, Kind::Avro);
                    let Ok(source @ Source::Subject { .. }) = source else {
                        continue; // A file, which was read.
                    };
                    let found = self.schemas.wait_for(&source, until);
                    found.with_context(|| format!("{}_{what}", way.key(field)))?;
                }
            }
        }
        Ok(())
    }

    /// What each plugin is used for, before any worker runs it.
    pub fn uses(&self) -> impl Iterator<Item = Use> {
        self.plugins.iter().map(|plugin| Use {
            of: plugin.way.key(plugin.field),
            kind: plugin.way.kind(),
            settings: plugin.settings.clone(),
            component: Arc::clone(&plugin.component),
            desks: Vec::new(),
        })
    }

    /// What stands around one worker's transform. Adds the desk of each plugin.
    pub fn around<T: Transform>(
        &self,
        transform: T,
        pipeline: &Pipeline,
        feed: &Feed,
        desks: &mut Desks,
    ) -> Result<Coded<T>, Fatal> {
        let decode = Fields {
            key: self.decoding(pipeline, Field::Key, desks)?,
            value: self.decoding(pipeline, Field::Value, desks)?,
        };
        let encode = Fields {
            key: self.encoding(pipeline, Field::Key, desks)?,
            value: self.encoding(pipeline, Field::Value, desks)?,
        };
        let topics = Topics {
            default: pipeline.output.topic.as_deref().map(Arc::from),
            redirect: match feed {
                Feed::Letters(replay) => replay.to.as_deref().map(Arc::from),
                Feed::Inputs => None,
            },
        };
        Ok(Coded::new(
            transform,
            Arc::clone(&self.schemas),
            (decode, encode),
            topics,
            pipeline.max_bytes,
        ))
    }

    fn decoding(
        &self,
        pipeline: &Pipeline,
        field: Field,
        desks: &mut Desks,
    ) -> Result<Decoding, Fatal> {
        let coding = coding(pipeline, Way::Decode, field);
        let how = self.how(Way::Decode, field, coding, desks)?;
        Decoding::new(&Way::Decode.key(field), how, coding, &self.schemas)
    }

    fn encoding(
        &self,
        pipeline: &Pipeline,
        field: Field,
        desks: &mut Desks,
    ) -> Result<Encoding, Fatal> {
        let settings = &pipeline.serialization;
        let (encode, decode) = (settings.encode.of(field), settings.decode.of(field));
        let how = self.how(Way::Encode, field, encode, desks)?;
        let naming = (settings.subject, settings.register);
        let key = Way::Encode.key(field);
        Encoding::new(&key, field, how, (encode, decode), naming, &self.schemas)
    }

    fn how(
        &self,
        way: Way,
        field: Field,
        coding: &Coding,
        desks: &mut Desks,
    ) -> Result<How, Fatal> {
        let of = |plugin: &&CodecPlugin| (plugin.way, plugin.field) == (way, field);
        let plugin = self.plugins.iter().find(of);
        let plugin = plugin.map(|plugin| CodecInstance::new(&plugin.component));
        let plugin = plugin.transpose().with_context(|| way.key(field))?;
        desks.extend(plugin.as_ref().map(|plugin| Arc::clone(plugin.desk())));
        How::new(&coding.format, plugin.map(|plugin| Box::new(plugin) as _))
    }
}

fn coding(pipeline: &Pipeline, way: Way, field: Field) -> &Coding {
    let settings = &pipeline.serialization;
    match way {
        Way::Decode => settings.decode.of(field),
        Way::Encode => settings.encode.of(field),
    }
}
