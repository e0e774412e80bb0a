//! The three interfaces of the contract that a plugin may export: which one is
//! wanted, and its calls.

use std::fmt;

use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::bindings::decoder::{Decoder, DecoderPre};
use super::bindings::encoder::{Encoder, EncoderPre};
use super::bindings::millrace::plugin::types as wit;
use super::bindings::{Transformer, TransformerPre};
use super::state::State;

/// What a plugin is loaded for. A file may export several of these interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Transform,
    Deserializer,
    Serializer,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Transform, Self::Deserializer, Self::Serializer];

    /// The interface's name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Deserializer => "deserializer",
            Self::Serializer => "serializer",
        }
    }

    /// The keys of a pipeline file that name such a plugin.
    pub(super) fn keys(self) -> &'static str {
        match self {
            Self::Transform => "plugin.path wants",
            Self::Deserializer => "decode.key and decode.value want",
            Self::Serializer => "encode.key and encode.value want",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A linked component of one kind.
pub enum Linked {
    Transform(TransformerPre<State>),
    Deserializer(DecoderPre<State>),
    Serializer(EncoderPre<State>),
}

impl Linked {
    pub fn new(kind: Kind, pre: InstancePre<State>) -> wasmtime::Result<Self> {
        Ok(match kind {
            Kind::Transform => Self::Transform(TransformerPre::new(pre)?),
            Kind::Deserializer => Self::Deserializer(DecoderPre::new(pre)?),
            Kind::Serializer => Self::Serializer(EncoderPre::new(pre)?),
        })
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Transform(_) => Kind::Transform,
            Self::Deserializer(_) => Kind::Deserializer,
            Self::Serializer(_) => Kind::Serializer,
        }
    }

    pub fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        Ok(match self {
            Self::Transform(pre) => Exports::Transform(pre.instantiate(store)?),
            Self::Deserializer(pre) => Exports::Deserializer(pre.instantiate(store)?),
            Self::Serializer(pre) => Exports::Serializer(pre.instantiate(store)?),
        })
    }
}

/// The exports of a running instance. A call that its kind does not have is an
/// error; the faces (`Instance`, `CodecInstance`) refuse such a component before.
pub enum Exports {
    Transform(Transformer),
    Deserializer(Decoder),
    Serializer(Encoder),
}

impl Exports {
    pub fn init(
        &self,
        store: &mut Store<State>,
        config: &str,
    ) -> wasmtime::Result<Result<(), String>> {
        match self {
            Self::Transform(it) => it.millrace_plugin_transform().call_init(store, config),
            Self::Deserializer(it) => it.millrace_plugin_deserializer().call_init(store, config),
            Self::Serializer(it) => it.millrace_plugin_serializer().call_init(store, config),
        }
    }

    pub fn process(
        &self,
        store: &mut Store<State>,
        batch: wit::Batch<'_>,
    ) -> wasmtime::Result<Vec<wit::Verdict>> {
        match self {
            Self::Transform(it) => it.millrace_plugin_transform().call_process(store, batch),
            Self::Deserializer(_) | Self::Serializer(_) => {
                Err(wasmtime::Error::msg("a codec transforms no records"))
            }
        }
    }

    /// Deserializes or serializes.
    pub fn convert(
        &self,
        store: &mut Store<State>,
        topic: &str,
        field: wit::Field,
        payloads: &[&[u8]],
    ) -> wasmtime::Result<Vec<Result<Vec<u8>, String>>> {
        match self {
            Self::Deserializer(it) => it
                .millrace_plugin_deserializer()
                .call_deserialize(store, topic, field, payloads),
            Self::Serializer(it) => it
                .millrace_plugin_serializer()
                .call_serialize(store, topic, field, payloads),
            Self::Transform(_) => Err(wasmtime::Error::msg("a transform converts no payloads")),
        }
    }
}
