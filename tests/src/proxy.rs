//! A Kafka proxy on loopback: what a client says reaches the broker byte for
//! byte, and a test can hold a request back, whose connection breaks, and let
//! it through later. So requests come late, as in a network that delays them.
//!
//! Clients learn a broker's address from its metadata, so the broker must
//! advertise the proxy's: see [`crate::broker::BrokerOptions::proxied`].
//!
//! ```text
//! request      what a test has to know of one request
//! link         one client's connection and its own to the broker
//! gate         holds requests up until it is opened
//! ```

mod gate;
mod link;
mod request;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use gate::Gate;
pub use link::Held;
pub use request::{Api, Request};

/// Listens from its start until it is dropped; a connection that stands then
/// lasts as long as both its ends.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    rules: Arc<Rules>,
    ended: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Before the broker that listens on this port, now or later.
    pub(crate) fn start(broker: u16) -> Proxy {
        let broker = SocketAddr::from((Ipv4Addr::LOCALHOST, broker));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a port");
        let address = listener.local_addr().expect("it is bound");
        let rules = Arc::new(Rules::default());
        let ended = Arc::new(AtomicBool::new(false));
        let (shared, told) = (Arc::clone(&rules), Arc::clone(&ended));
        let accept = move || {
            for client in listener.incoming() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                // A broker that is down refuses, and so does its proxy.
                if let (Ok(client), Ok(upstream)) = (client, TcpStream::connect(broker)) {
                    link::serve(client, upstream, Arc::clone(&shared));
                }
            }
        };
        Proxy {
            address,
            rules,
            ended,
            listener: Some(thread::spawn(accept)),
        }
    }

    /// What clients take as `bootstrap.servers`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Holds the next request that is `wanted` back, and drops the client's
    /// connection.
    pub fn hold(&self, wanted: impl Fn(&Request) -> bool + Send + 'static) -> Trap {
        let (owner, trap) = mpsc::channel();
        self.rules.add(wanted, Deed::Hold(owner));
        Trap(trap)
    }

    /// Does this once, before the next request that is `wanted` goes to the
    /// broker; that waits for it, and so do the others of its connection.
    pub fn before(
        &self,
        wanted: impl Fn(&Request) -> bool + Send + 'static,
        deed: impl FnOnce() + Send + 'static,
    ) {
        self.rules.add(wanted, Deed::Run(Box::new(deed)));
    }

    /// Holds each request up that is `wanted`, and what comes behind it on its
    /// connection, until the gate is opened.
    pub fn block(&self, wanted: impl Fn(&Request) -> bool + Send + 'static) -> Gate {
        let gate = Gate::default();
        self.rules.add(wanted, Deed::Block(gate.clone()));
        gate
    }

    /// Waits until the next request comes that is `wanted`.
    #[track_caller]
    pub fn wait_for(&self, wanted: impl Fn(&Request) -> bool + Send + 'static, deadline: Duration) {
        let (here, come) = mpsc::channel();
        self.before(wanted, move || {
            // Nobody may be waiting any more.
            let _ = here.send(());
        });
        if come.recv_timeout(deadline).is_err() {
            panic!("waited {deadline:?} in vain for a request");
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener up.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            // Its panic was printed, and this may be another's.
            let _ = listener.join();
        }
    }
}

/// Waits for one request.
#[derive(Debug)]
pub struct Trap(mpsc::Receiver<Held>);

impl Trap {
    /// The request, when it has come; panics after `deadline`.
    #[track_caller]
    pub fn wait(self, deadline: Duration) -> Held {
        match self.0.recv_timeout(deadline) {
            Ok(held) => held,
            Err(_) => panic!("waited {deadline:?} in vain for a request to hold"),
        }
    }
}

/// What happens to requests that are still to come.
#[derive(Default)]
struct Rules(Mutex<Vec<Rule>>);

struct Rule {
    wanted: Box<dyn Fn(&Request) -> bool + Send>,
    deed: Deed,
}

enum Deed {
    Hold(mpsc::Sender<Held>),
    Run(Box<dyn FnOnce() + Send>),
    Block(Gate),
}

impl Rules {
    fn add(&self, wanted: impl Fn(&Request) -> bool + Send + 'static, deed: Deed) {
        let wanted = Box::new(wanted);
        let mut rules = self.0.lock().expect("nothing panics with it");
        rules.push(Rule { wanted, deed });
    }

    /// Takes the first rule that is for this request; a gate stays until it is
    /// open.
    fn take(&self, request: &Request) -> Option<Deed> {
        let mut rules = self.0.lock().expect("nothing panics with it");
        rules.retain(|rule| !matches!(&rule.deed, Deed::Block(gate) if gate.is_open()));
        let at = rules.iter().position(|rule| (rule.wanted)(request))?;
        match &rules[at].deed {
            Deed::Block(gate) => Some(Deed::Block(gate.clone())),
            _ => Some(rules.remove(at).deed),
        }
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rules").finish_non_exhaustive()
    }
}
