//! WASI 0.2 as plugins see it: virtual, so that a plugin is a function of its
//! input and its configuration. No files, no environment, random numbers from
//! a fixed seed, clocks that stand at the batch's latest timestamp; `--allow`
//! puts the real clock, random or a variable there. What is printed goes to
//! `said`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use super::said::{Said, Which};
use crate::config::Capability;

/// The seed of every plugin's random numbers.
const SEED: u128 = 0x6d69_6c6c_7261_6365;

/// After so many bytes of random numbers the same ones come again.
const RANDOM: usize = 16 * 1024;

/// The virtual time, in milliseconds since the epoch.
#[derive(Clone, Default)]
pub struct Clock {
    wall: Arc<AtomicI64>,
    /// The latest that the wall clock ever was: batches of several partitions
    /// may take it back, and this clock must not follow.
    monotonic: Arc<AtomicI64>,
}

impl Clock {
    pub fn set(&self, ms: i64) {
        self.wall.store(ms, Ordering::Relaxed);
        self.monotonic.fetch_max(ms, Ordering::Relaxed);
    }
}

fn since_the_epoch(clock: &AtomicI64) -> Duration {
    Duration::from_millis(u64::try_from(clock.load(Ordering::Relaxed)).unwrap_or(0))
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        since_the_epoch(&self.wall)
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(since_the_epoch(&self.monotonic).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The same for every instance (SplitMix64; Steele et al., OOPSLA 2014).
fn random_bytes() -> Vec<u8> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower half is a seed, too"
    )]
    let mut state = SEED as u64;
    let numbers = (0..RANDOM / 8).map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    numbers.flat_map(u64::to_le_bytes).collect()
}

/// The context of one instance.
pub fn context(allow: &[Capability], clock: &Clock, said: &Said) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(said.stream(Which::Stdout))
        .stderr(said.stream(Which::Stderr))
        .allow_tcp(false)
        .allow_udp(false);
    if !allow.contains(&Capability::Clock) {
        builder.wall_clock(clock.clone());
        builder.monotonic_clock(clock.clone());
    }
    if !allow.contains(&Capability::Random) {
        let bytes = random_bytes();
        builder.secure_random(Deterministic::new(bytes.clone()));
        builder.insecure_random(Deterministic::new(bytes));
        builder.insecure_random_seed(SEED);
    }
    for capability in allow {
        if let Capability::Env(name) = capability
            && let Ok(value) = std::env::var(name)
        {
            builder.env(name, &value);
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn random_numbers_are_the_same_each_time_and_no_two_uuids_are() {
        let bytes = random_bytes();
        assert_eq!(bytes, random_bytes());
        assert_eq!(bytes.len(), RANDOM);
        let all: BTreeSet<_> = bytes.chunks(16).collect();
        assert_eq!(all.len(), RANDOM / 16);
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        let half = u32::try_from(RANDOM * 4).unwrap();
        assert!(ones.abs_diff(half) < half / 50, "{ones} of {}", 2 * half);
    }
}
