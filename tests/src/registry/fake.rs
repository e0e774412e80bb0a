//! A schema registry that fails on command: it stands before a real one, hands
//! requests through as they come, and does to them what a test tells it to.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{BASE, Registry};
use crate::http::{Answer, Request};
use crate::ports::free_port;
use crate::wait::eventually_ok;

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// The real registry answers.
    Pass,
    /// An answer of this status, in the form of Confluent's errors.
    Fail(u16),
    /// An answer of this status and with this body, whatever it is.
    Say(u16, String),
    /// The real registry answers so much later.
    Slow(Duration),
    /// The connection is closed without an answer.
    HangUp,
    /// No answer until something else is the behaviour, which is then this
    /// request's.
    Hold,
}

/// What the registry wants to see in each request.
#[derive(Debug, Clone)]
pub enum Credentials {
    Basic { username: String, password: String },
    Bearer(String),
}

/// One request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    /// What follows the URL, with its query.
    pub path: String,
    pub authorization: Option<String>,
}

/// Listens from its start until it is dropped, but for when it is down. At first all
/// passes.
#[derive(Debug)]
pub struct FakeRegistry {
    address: SocketAddr,
    upstream: SocketAddr,
    shared: Arc<Shared>,
    /// None is down.
    listener: Option<JoinHandle<()>>,
}

impl FakeRegistry {
    /// Before this registry, also where it goes away and comes back.
    pub fn before(registry: &Registry) -> FakeRegistry {
        let mut fake = FakeRegistry {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())),
            upstream: registry.address,
            shared: Arc::default(),
            listener: None,
        };
        fake.come_back();
        fake
    }

    /// From now on connections are refused; requests that are being answered end
    /// without an answer where they are held.
    pub fn go_down(&mut self) {
        self.shared.state().is_down = true;
        self.shared.changed.notify_all();
        // Wakes the listener up.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            // Its panic was printed, and this may be another's.
            let _ = listener.join();
        }
    }

    /// The end of [`FakeRegistry::go_down`], on the same port.
    pub fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).expect("its port is not taken");
        self.shared.state().is_down = false;
        let (shared, upstream) = (Arc::clone(&self.shared), self.upstream);
        let accept = move || {
            for client in listener.incoming() {
                if shared.state().is_down {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A client that goes away while it is served is no failure.
                thread::spawn(move || client.and_then(|client| shared.serve(&client, upstream)));
            }
        };
        self.listener = Some(thread::spawn(accept));
    }

    /// What clients take as the registry's URL. It has a path.
    pub fn url(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// What happens to each request from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.state().always = behaviour;
        self.shared.changed.notify_all();
    }

    /// What happens to the next requests, one after another; then to the others
    /// what is set by [`FakeRegistry::behave`].
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.state().script.extend(behaviours);
    }

    /// Refuses each request without these with 401; `None` is nothing asked.
    pub fn demand(&self, credentials: Option<Credentials>) {
        self.shared.state().demanded = credentials.map(|credentials| credentials.header());
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// How many requests so far had this in their path.
    pub fn count(&self, part: &str) -> usize {
        let state = self.shared.state();
        let seen = state.seen.iter();
        seen.filter(|seen| seen.path.contains(part)).count()
    }

    /// Waits until so many requests with this in their path have come.
    #[track_caller]
    pub fn wait_for_count(&self, part: &str, wanted: usize, deadline: Duration) {
        let what = format!("{wanted} requests for {part} to the registry");
        eventually_ok(deadline, &what, || match self.count(part) {
            count if count >= wanted => Ok(()),
            _ => Err(format!("{:?}", self.seen())),
        });
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.go_down();
    }
}

/// What the threads of the connections share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    always: Behaviour,
    script: VecDeque<Behaviour>,
    /// The header `Authorization`.
    demanded: Option<String>,
    seen: Vec<Seen>,
    is_down: bool,
}

impl Default for State {
    fn default() -> State {
        State {
            always: Behaviour::Pass,
            script: VecDeque::new(),
            demanded: None,
            seen: Vec::new(),
            is_down: false,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics with it")
    }

    /// One connection, which is one request.
    fn serve(&self, client: &TcpStream, upstream: SocketAddr) -> io::Result<()> {
        let request = Request::read(client)?;
        let (behaviour, is_welcome) = self.receive(&request);
        let answer = match behaviour {
            Behaviour::Fail(status) => failure(status),
            Behaviour::Say(status, body) => Answer::json(status, &body),
            Behaviour::HangUp | Behaviour::Hold => return Ok(()),
            Behaviour::Pass | Behaviour::Slow(_) if !is_welcome => failure(401),
            Behaviour::Pass => request.send(upstream)?,
            Behaviour::Slow(long) => {
                thread::sleep(long);
                request.send(upstream)?
            }
        };
        answer.write(client)
    }

    /// Notes a request, and says what is to happen to it (not [`Behaviour::Hold`],
    /// which is over when this returns), and whether it has what is demanded.
    fn receive(&self, request: &Request) -> (Behaviour, bool) {
        let mut state = self.state();
        let authorization = request.value_of("authorization").map(str::to_owned);
        state.seen.push(Seen {
            method: request.method.clone(),
            path: request.target.replacen(BASE, "", 1),
            authorization: authorization.clone(),
        });
        let behaviour = state.script.pop_front();
        let behaviour = behaviour.unwrap_or_else(|| state.always.clone());
        let is_held = |state: &mut State| matches!(state.always, Behaviour::Hold) && !state.is_down;
        let behaviour = match behaviour {
            Behaviour::Hold => {
                let waited = self.changed.wait_while(state, is_held);
                state = waited.expect("nothing panics with it");
                state.always.clone()
            }
            other => other,
        };
        let is_welcome = state.demanded.is_none() || state.demanded == authorization;
        (behaviour, is_welcome)
    }
}

/// An error as Confluent's registry words it.
fn failure(status: u16) -> Answer {
    let body = format!(r#"{{"error_code":{status},"message":"said by the test's registry"}}"#);
    Answer::json(status, &body)
}

impl Credentials {
    /// The header `Authorization`.
    fn header(&self) -> String {
        match self {
            Credentials::Basic { username, password } => {
                format!("Basic {}", BASE64.encode(format!("{username}:{password}")))
            }
            Credentials::Bearer(token) => format!("Bearer {token}"),
        }
    }
}
