//! The host's log: `log::info!("{} seen", n)`. The host adds the plugin's name
//! and digest. In a unit test the lines go to stderr.

use std::fmt::Arguments;

pub use crate::bindings::millrace::plugin::log::Level;
#[doc(inline)]
pub use crate::{
    __debug as debug, __error as error, __info as info, __trace as trace, __warn as warn,
};

/// Writes one line. The macros read better.
pub fn log(level: Level, message: Arguments<'_>) {
    #[cfg(target_arch = "wasm32")]
    match message.as_str() {
        Some(text) => crate::bindings::millrace::plugin::log::log(level, text),
        None => crate::bindings::millrace::plugin::log::log(level, &message.to_string()),
    }
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// For following single records; takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __trace {
    ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Trace, ::std::format_args!($($arg)+)) };
}

/// For finding a fault; takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Debug, ::std::format_args!($($arg)+)) };
}

/// For what happens once in a while, as it should; takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Info, ::std::format_args!($($arg)+)) };
}

/// For what is odd, with no data lost; takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Warn, ::std::format_args!($($arg)+)) };
}

/// For what needs a person; takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($arg:tt)+) => { $crate::log::log($crate::log::Level::Error, ::std::format_args!($($arg)+)) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_of_any_level_can_be_written_without_a_host() {
        crate::log::trace!("plain");
        crate::log::debug!("{}", 1);
        let n = 2;
        crate::log::info!("{n}");
        crate::log::warn!("{:?}", Some(n));
        crate::log::error!("{n} of {}", 3);
    }
}
