//! The client against an HTTP server of the test's own, which answers as its
//! script says.

mod answers;
mod faults;
mod security;
mod server;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use self::server::Server;
use super::{Auth, Lookup, Pace, Registered, Registry, Settings};
use crate::doorbell::Doorbell;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings(urls: &[String]) -> Settings {
    Settings {
        urls: urls.to_vec(),
        auth: None,
        ca: None,
        refresh: Duration::from_secs(300),
    }
}

/// Short pauses; nothing that is missing is asked again within the test.
fn pace() -> Pace {
    Pace {
        connect: Duration::from_secs(5),
        request: Duration::from_secs(10),
        retry: Duration::from_millis(5),
        retry_at_most: Duration::from_millis(20),
        confirm: Duration::from_millis(5),
        missing: Duration::from_secs(300),
    }
}

fn start(server: &Server) -> Registry {
    Registry::start_at(&settings(&[server.url()]), pace()).unwrap()
}

/// Waits, woken by the bell alone, until the answer is what is wanted.
fn wait_for<T>(
    registry: &Registry,
    look_up: impl Fn() -> Lookup,
    wanted: impl Fn(Lookup) -> Result<T, Lookup>,
) -> T {
    let bell = Doorbell::for_this_thread();
    registry.rings(bell.clone());
    let until = Instant::now() + PATIENCE;
    loop {
        let found = match wanted(look_up()) {
            Ok(found) => return found,
            Err(found) => found,
        };
        let left = until.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "it stays {found:?}");
        bell.wait(left);
    }
}

fn ready(registry: &Registry, look_up: impl Fn() -> Lookup) -> Arc<Registered> {
    wait_for(registry, look_up, |found| match found {
        Lookup::Ready(registered) => Ok(registered),
        Lookup::Missing(why) => panic!("missing: {why}"),
        later => Err(later),
    })
}

fn missing(registry: &Registry, look_up: impl Fn() -> Lookup) -> Arc<str> {
    wait_for(registry, look_up, |found| match found {
        Lookup::Missing(why) => Ok(why),
        Lookup::Ready(registered) => panic!("there: {registered:?}"),
        later => Err(later),
    })
}

/// Why there is no answer so far.
fn fault(registry: &Registry, look_up: impl Fn() -> Lookup) -> Arc<str> {
    wait_for(registry, look_up, |found| match found {
        Lookup::Later(Some(why)) => Ok(why),
        Lookup::Later(None) => Err(Lookup::Later(None)),
        other => panic!("an answer: {other:?}"),
    })
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
