//! Ports on loopback for servers that go away and come back.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

/// Each is given to one server only: it may be down just now.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port below the range that the kernel gives to outgoing connections (from
/// 32768 on): while the server is down, a client that keeps trying could be
/// given that very port as its own, and the server could not come back to it.
pub fn free_port() -> u16 {
    let random = RandomState::new();
    (0_u16..)
        .map(|attempt| 12_000 + u16::try_from(random.hash_one(attempt) % 20_000).expect("small"))
        .find(|port| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
                && GIVEN.lock().expect("nobody panics with it").insert(*port)
        })
        .expect("one of so many ports is free")
}
