//! Formats of one's own: bytes of a topic to what the transform reads, and back.

use crate::{Field, Result};

/// Which payload it is: of which topic, and whether a key or a value. The topic is
/// the one that it was read from or, when serializing, the one that it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The record's key, or its value.
    pub field: Field,
}

/// From a format's bytes to what the transform reads, mostly JSON: the plugin of
/// `decode.key` and `decode.value`. (No kin of serde's trait, which is a format's
/// own.)
///
/// ```
/// use millrace_sdk::{Deserializer, Field, Place, Result};
///
/// /// Lines like `id=7 city=Ulm` to JSON.
/// struct Pairs;
///
/// impl Deserializer for Pairs {
///     fn new(_config: &str) -> Result<Self> {
///         Ok(Pairs)
///     }
///
///     fn deserialize(&mut self, payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
///         let mut fields = Vec::new();
///         for pair in std::str::from_utf8(payload)?.split(' ') {
///             let (name, value) = pair.split_once('=').ok_or(format!("no = in {pair:?}"))?;
///             fields.push(format!("{name:?}:{value:?}"));
///         }
///         Ok(format!("{{{}}}", fields.join(",")).into())
///     }
/// }
///
/// millrace_sdk::plugin!(deserializer: Pairs);
///
/// let place = Place { topic: "cities", field: Field::Value };
/// let mut pairs = Pairs::new("")?;
/// assert_eq!(pairs.deserialize(b"id=7 city=Ulm", &place)?, br#"{"id":"7","city":"Ulm"}"#);
/// assert_eq!(pairs.deserialize(b"7", &place).unwrap_err().to_string(), "no = in \"7\"");
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub trait Deserializer: Sized + 'static {
    /// Called once, before anything else, with the pipeline's
    /// `decode.key_config` or `decode.value_config` ("" where there is none). An
    /// error refuses the plugin, and its text is shown to the user.
    fn new(config: &str) -> Result<Self>;

    /// Decodes one payload, which may be empty but is never Kafka's null. An error
    /// rejects this record alone, with its text and its causes' (`a: b: c`).
    fn deserialize(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>>;

    /// Decodes many of one place: exactly one result each, in order. As given, it
    /// calls [`deserialize`](Deserializer::deserialize) for each; override it for
    /// what is cheaper done for many at once.
    fn deserialize_batch(
        &mut self,
        payloads: &[Vec<u8>],
        place: &Place<'_>,
    ) -> Vec<Result<Vec<u8>>> {
        let convert = |payload: &Vec<u8>| self.deserialize(payload, place);
        payloads.iter().map(convert).collect()
    }
}

/// From what the transform wrote to a format's bytes: the plugin of `encode.key`
/// and `encode.value`. As [`Deserializer`], the other way; both may be of one
/// crate, and of one type.
pub trait Serializer: Sized + 'static {
    /// As [`Deserializer::new`], with `encode.key_config` or
    /// `encode.value_config`.
    fn new(config: &str) -> Result<Self>;

    /// Encodes one payload, which may be empty but is never Kafka's null. An error
    /// rejects the record that it came from, with its text and its causes'.
    fn serialize(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>>;

    /// Encodes many for one place: exactly one result each, in order. As given, it
    /// calls [`serialize`](Serializer::serialize) for each.
    fn serialize_batch(&mut self, payloads: &[Vec<u8>], place: &Place<'_>) -> Vec<Result<Vec<u8>>> {
        let convert = |payload: &Vec<u8>| self.serialize(payload, place);
        payloads.iter().map(convert).collect()
    }
}
