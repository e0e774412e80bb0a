//! The plugin behind the contract's functions: makes the one value that
//! an instance holds, hands it batches, turns its errors into text.

use std::cell::RefCell;
use std::error::Error;
use std::marker::PhantomData;

use crate::bindings::exports::millrace::plugin::transform::Guest;
use crate::{Batch, Transform, Verdict};

thread_local! {
    /// A component has one plugin and one thread, so one place is enough. It is
    /// a trait object because a static can't be generic.
    static PLUGIN: RefCell<Option<Box<dyn Process>>> = const { RefCell::new(None) };
}

trait Process {
    fn process(&mut self, batch: Batch) -> Vec<Verdict>;
}

impl<T: Transform> Process for T {
    fn process(&mut self, batch: Batch) -> Vec<Verdict> {
        self.transform_batch(batch)
    }
}

/// The contract's exports, served by a `T`.
pub struct Exports<T>(PhantomData<T>);

impl<T: Transform> Guest for Exports<T> {
    fn init(config: String) -> Result<(), String> {
        let plugin = T::new(&config).map_err(|error| with_causes(&*error))?;
        PLUGIN.set(Some(Box::new(plugin)));
        Ok(())
    }

    fn process(batch: Batch) -> Vec<Verdict> {
        PLUGIN.with_borrow_mut(|plugin| {
            plugin
                .as_mut()
                .expect("the contract has init called before process")
                .process(batch)
        })
    }
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
}
