//! The plugin behind the contract's functions: makes the one value that an
//! instance holds for each interface, hands it batches, turns its errors into text.

use std::cell::RefCell;
use std::error::Error;
use std::marker::PhantomData;

use crate::bindings::decoder::exports::millrace::plugin::deserializer;
use crate::bindings::encoder::exports::millrace::plugin::serializer;
use crate::bindings::exports::millrace::plugin::transform;
use crate::{Batch, Deserializer, Field, Place, Serializer, Transform, Verdict};

// A component has one plugin of a kind and one thread, so one place each is enough.
// They are functions because a static can't be generic.
thread_local! {
    static TRANSFORM: Kept<dyn FnMut(Batch) -> Vec<Verdict>> = const { RefCell::new(None) };
    static DESERIALIZER: Kept<Convert> = const { RefCell::new(None) };
    static SERIALIZER: Kept<Convert> = const { RefCell::new(None) };
}

type Kept<F> = RefCell<Option<Box<F>>>;
type Convert = dyn FnMut(&[Vec<u8>], &Place<'_>) -> Vec<crate::Result<Vec<u8>>>;

const INIT_FIRST: &str = "the contract has init called before all else";

/// The contract's exports, served by a `T`.
pub struct Exports<T>(PhantomData<T>);

impl<T: Transform> transform::Guest for Exports<T> {
    fn init(config: String) -> Result<(), String> {
        let mut plugin = T::new(&config).map_err(|error| with_causes(&*error))?;
        TRANSFORM.set(Some(Box::new(move |batch| plugin.transform_batch(batch))));
        Ok(())
    }

    fn process(batch: Batch) -> Vec<Verdict> {
        TRANSFORM.with_borrow_mut(|plugin| plugin.as_mut().expect(INIT_FIRST)(batch))
    }
}

impl<T: Deserializer> deserializer::Guest for Exports<T> {
    fn init(config: String) -> Result<(), String> {
        let mut plugin = T::new(&config).map_err(|error| with_causes(&*error))?;
        DESERIALIZER.set(Some(Box::new(move |payloads, place| {
            plugin.deserialize_batch(payloads, place)
        })));
        Ok(())
    }

    fn deserialize(
        topic: String,
        field: Field,
        payloads: Vec<Vec<u8>>,
    ) -> Vec<Result<Vec<u8>, String>> {
        DESERIALIZER.with_borrow_mut(|plugin| {
            converted(plugin.as_mut().expect(INIT_FIRST), &topic, field, &payloads)
        })
    }
}

impl<T: Serializer> serializer::Guest for Exports<T> {
    fn init(config: String) -> Result<(), String> {
        let mut plugin = T::new(&config).map_err(|error| with_causes(&*error))?;
        SERIALIZER.set(Some(Box::new(move |payloads, place| {
            plugin.serialize_batch(payloads, place)
        })));
        Ok(())
    }

    fn serialize(
        topic: String,
        field: Field,
        payloads: Vec<Vec<u8>>,
    ) -> Vec<Result<Vec<u8>, String>> {
        SERIALIZER.with_borrow_mut(|plugin| {
            converted(plugin.as_mut().expect(INIT_FIRST), &topic, field, &payloads)
        })
    }
}

fn converted(
    convert: &mut Convert,
    topic: &str,
    field: Field,
    payloads: &[Vec<u8>],
) -> Vec<Result<Vec<u8>, String>> {
    convert(payloads, &Place { topic, field })
        .into_iter()
        .map(|result| result.map_err(|error| with_causes(&*error)))
        .collect()
}

/// An error and its causes in one line: `a: b: c`.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::num::ParseIntError;

    use super::transform::Guest as _;
    use super::*;
    use crate::{Message, Result, Source};

    /// Fails a value that is not a number, else drops or forwards by the limit.
    struct AtLeast(i64);

    impl Transform for AtLeast {
        fn new(config: &str) -> Result<Self> {
            let limit = config
                .parse()
                .map_err(|error| Wrapped("the limit", error))?;
            Ok(AtLeast(limit))
        }

        fn transform(&mut self, message: Message, source: &Source<'_>) -> Result<Verdict> {
            assert_eq!((source.topic, source.partition), ("numbers", 3));
            let number: i64 = message.value_str()?.parse()?;
            Ok(if number >= self.0 {
                Verdict::Forward
            } else {
                Verdict::Drop
            })
        }
    }

    #[derive(Debug)]
    struct Wrapped(&'static str, ParseIntError);

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn every_message_gets_its_verdict_in_order_and_an_error_fails_its_own_only() {
        Exports::<AtLeast>::init("10".into()).unwrap();
        let batch = Batch::new("numbers", 3, ["12", "x", "7"].map(Message::new));
        assert_eq!(
            Exports::<AtLeast>::process(batch),
            [
                Verdict::Forward,
                Verdict::Fail("invalid digit found in string".into()),
                Verdict::Drop,
            ],
        );
    }

    #[test]
    fn an_error_of_new_refuses_the_plugin_with_its_causes() {
        assert_eq!(
            Exports::<AtLeast>::init("ten".into()),
            Err("the limit: invalid digit found in string".into()),
        );
    }

    /// Bytes to hexadecimal digits and back.
    struct Hex;

    impl Deserializer for Hex {
        fn new(config: &str) -> Result<Self> {
            match config {
                "" => Ok(Hex),
                other => Err(format!("it takes no configuration, and got {other}").into()),
            }
        }

        fn deserialize(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>> {
            assert_eq!((place.topic, place.field), ("numbers", Field::Key));
            let digits: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(digits.into())
        }
    }

    impl Serializer for Hex {
        fn new(config: &str) -> Result<Self> {
            <Hex as Deserializer>::new(config)
        }

        fn serialize(&mut self, payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
            let digits = std::str::from_utf8(payload)?;
            let number =
                u32::from_str_radix(digits, 16).map_err(|error| Wrapped("no digits", error))?;
            Ok(number.to_be_bytes().into())
        }
    }

    #[test]
    fn one_type_may_deserialize_and_serialize_and_a_bad_payload_fails_alone() {
        <Exports<Hex> as deserializer::Guest>::init(String::new()).unwrap();
        <Exports<Hex> as serializer::Guest>::init(String::new()).unwrap();
        let payloads = vec![vec![0, 0, 1, 255], vec![]];
        assert_eq!(
            <Exports<Hex> as deserializer::Guest>::deserialize(
                "numbers".into(),
                Field::Key,
                payloads
            ),
            [Ok(b"000001ff".to_vec()), Ok(Vec::new())],
        );
        let payloads = ["x", "1ff"].map(|text| text.as_bytes().to_vec()).into();
        assert_eq!(
            <Exports<Hex> as serializer::Guest>::serialize("out".into(), Field::Value, payloads),
            [
                Err("no digits: invalid digit found in string".into()),
                Ok(vec![0, 0, 1, 255]),
            ],
        );
    }

    #[test]
    fn an_error_of_new_refuses_a_codec() {
        assert_eq!(
            <Exports<Hex> as deserializer::Guest>::init("upper".into()),
            Err("it takes no configuration, and got upper".into()),
        );
    }
}
