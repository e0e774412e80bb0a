use std::sync::Arc;

use wasmtime_wasi::p2::bindings::sync::io::poll::Host as _;

use super::monotonic_clock::Host as _;
use super::*;
use crate::config::Capability;
use crate::plugin::PluginId;
use crate::plugin::wasi::{self, Clock};

const CALL: Duration = Duration::from_millis(50);
const HOUR: u64 = 3_600_000_000_000;

/// A state whose call ends soon.
fn state(allow: &[Capability]) -> State {
    let plugin = PluginId {
        name: Arc::from("sleeper"),
        digest: Arc::from("0123456789abcdef"),
    };
    let said = Said::new(plugin);
    let clock = Clock::default();
    clock.set(1_700_000_000_000);
    let context = wasi::context(allow, &clock, &said);
    State::new(
        context,
        said,
        Limits::new(0),
        Instant::now() + CALL,
        Arc::default(),
    )
}

/// Waits for all of these, as `wasi:io/poll.poll` does.
fn poll(state: &mut State, pollables: &[&Resource<DynPollable>]) -> Vec<u32> {
    let borrowed = pollables
        .iter()
        .map(|pollable| Resource::new_borrow(pollable.rep()))
        .collect();
    state.table.poll(borrowed).unwrap()
}

#[test]
fn no_sleep_outlasts_its_call() {
    for allow in [&[][..], &[Capability::Clock]] {
        let mut state = state(allow);
        let begun = Instant::now();
        let sleep = state.subscribe_duration(HOUR).unwrap();
        poll(&mut state, &[&sleep]);
        assert!(begun.elapsed() >= CALL, "{:?}", begun.elapsed());
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    }
}

#[test]
fn no_wait_for_several_things_outlasts_its_call() {
    for allow in [&[][..], &[Capability::Clock]] {
        let mut state = state(allow);
        let begun = Instant::now();
        let long = state.subscribe_duration(HOUR).unwrap();
        let never = state.subscribe_duration(u64::MAX).unwrap();
        let instant = state.subscribe_instant(u64::MAX).unwrap();
        let ready = poll(&mut state, &[&long, &never, &instant]);
        assert!(!ready.is_empty());
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    }
}

#[test]
fn a_wait_without_a_time_is_over_at_once() {
    let mut state = state(&[]);
    state.call_ends = Instant::now() + Duration::from_secs(3600);
    let begun = Instant::now();
    let now = state.now().unwrap();
    let past = state.subscribe_instant(now).unwrap();
    let long = state.subscribe_duration(HOUR).unwrap();
    assert_eq!(poll(&mut state, &[&long, &past]), [1]);
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
