//! Write Millrace plugins in Rust: a trait for each kind ([`Transform`],
//! [`Deserializer`], [`Serializer`]) and one macro, [`plugin!`].
//!
//! ```
//! use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};
//!
//! /// Upper-cases every value, and drops records without one.
//! struct Shout;
//!
//! impl Transform for Shout {
//!     fn new(_config: &str) -> Result<Self> {
//!         Ok(Shout)
//!     }
//!
//!     fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
//!         if message.value.is_none() {
//!             return Ok(Verdict::Drop);
//!         }
//!         Ok(Output::value(message.value_str()?.to_uppercase()).into())
//!     }
//! }
//!
//! millrace_sdk::plugin!(Shout);
//!
//! // A unit test is plain Rust: no host, no Wasm.
//! let source = Source { topic: "words", partition: 0 };
//! let verdict = Shout::new("")?.transform(Message::new("hello"), &source)?;
//! assert_eq!(verdict, Output::value("HELLO").into());
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! `cargo build --release --target wasm32-wasip2` with `crate-type = ["cdylib"]`
//! makes the component that `host run --plugin` takes. A panic is a trap: the
//! host logs its message and applies the error policy to the record. For what a
//! record may be blamed for, return an error instead: it is a hundred times cheaper.

#![deny(unsafe_code)] // wit-bindgen's own code needs it; see `bindings`.
#![warn(missing_docs)]

#[doc(hidden)] // For `plugin!`.
pub mod bindings;
mod codec;
pub mod log;
mod message;
mod output;
#[doc(hidden)] // For `plugin!`.
pub mod runtime;

pub use bindings::millrace::plugin::types::{
    Batch, Field, Header, Message, Output, OutputHeaders, Payload, Timestamp, Verdict,
};
pub use codec::{Deserializer, Place, Serializer};

/// What a plugin returns: `?` takes any error, and `Err("why".into())` is one.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition, from 0.
    pub partition: i32,
}

/// The user's logic. The host makes one a worker, and a new one after a trap or
/// a swap, so what it remembers between records is a cache, not a store.
pub trait Transform: Sized + 'static {
    /// Called once, before anything else, with the pipeline's `plugin.config`
    /// ("" where there is none). An error refuses the plugin, and its text is
    /// shown to the user.
    fn new(config: &str) -> Result<Self>;

    /// Judges one message. An error is [`Verdict::Fail`] with its text and its
    /// causes' (`a: b: c`): this record alone goes to the error policy.
    fn transform(&mut self, message: Message, source: &Source<'_>) -> Result<Verdict>;

    /// Judges a batch: exactly one verdict a message, in order. As given, it
    /// calls [`transform`](Transform::transform) for each; override it for what
    /// is cheaper done for many at once.
    fn transform_batch(&mut self, batch: Batch) -> Vec<Verdict> {
        let source = Source {
            topic: &batch.topic,
            partition: batch.partition,
        };
        let judge = |message| {
            self.transform(message, &source)
                .unwrap_or_else(|error| Verdict::Fail(runtime::with_causes(&*error)))
        };
        batch.messages.into_iter().map(judge).collect()
    }
}

/// Makes this crate a plugin: `millrace_sdk::plugin!(MyType);`, where `MyType`
/// is a [`Transform`], or with the interfaces' names, one or more of them:
///
/// ```
/// # use millrace_sdk::{Deserializer, Place, Result, Serializer};
/// # struct FromCsv;
/// # impl Deserializer for FromCsv {
/// #     fn new(_: &str) -> Result<Self> { Ok(FromCsv) }
/// #     fn deserialize(&mut self, payload: &[u8], _: &Place<'_>) -> Result<Vec<u8>> { Ok(payload.into()) }
/// # }
/// # struct ToCsv;
/// # impl Serializer for ToCsv {
/// #     fn new(_: &str) -> Result<Self> { Ok(ToCsv) }
/// #     fn serialize(&mut self, payload: &[u8], _: &Place<'_>) -> Result<Vec<u8>> { Ok(payload.into()) }
/// # }
/// millrace_sdk::plugin!(deserializer: FromCsv, serializer: ToCsv);
/// ```
///
/// (`transform: MyType` is the third.) Once a crate, at its root. Natively it does
/// nothing, so that the crate's unit tests and other crates can use it.
#[macro_export]
macro_rules! plugin {
    ($($interface:ident : $plugin:ty),+ $(,)?) => {
        $($crate::__export!($interface, $plugin);)+
    };
    ($plugin:ty) => {
        $crate::__export!(transform, $plugin);
    };
}

/// One interface of [`plugin!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    (transform, $plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exports = $crate::runtime::Exports<$plugin>;
    $crate::bindings::export_transformer!(Exports with_types_in $crate::bindings);
        };
        // Natively too, that it is one is checked.
        const _: () = {
            const fn is_a_transform<T: $crate::Transform>() {}
            is_a_transform::<$plugin>();
        };
    };
    (deserializer, $plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exports = $crate::runtime::Exports<$plugin>;
            $crate::bindings::decoder::export_decoder!(
                Exports with_types_in $crate::bindings::decoder
            );
        };
        const _: () = {
            const fn is_a_deserializer<T: $crate::Deserializer>() {}
            is_a_deserializer::<$plugin>();
        };
    };
    (serializer, $plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exports = $crate::runtime::Exports<$plugin>;
            $crate::bindings::encoder::export_encoder!(
                Exports with_types_in $crate::bindings::encoder
            );
        };
        const _: () = {
            const fn is_a_serializer<T: $crate::Serializer>() {}
            is_a_serializer::<$plugin>();
        };
    };
    ($other:ident, $plugin:ty) => {
        compile_error!("a plugin exports a transform, a deserializer or a serializer");
    };
}

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
