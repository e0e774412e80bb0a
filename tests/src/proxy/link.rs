//! One client's connection and the one to the broker that it leads to: two
//! threads, one a direction. A request that is held takes the broker's side
//! with it; the client's is closed.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use super::request::{Api, Fields, Request, read_frame, with_length};
use super::{Deed, Rules};

/// For the broker to answer a request that was let through.
const ANSWER: Duration = Duration::from_secs(120);

/// Where the broker's answers go once the client's side is closed.
type Answers = Arc<OnceLock<mpsc::Sender<Vec<u8>>>>;

/// Serves this connection from threads of its own, until either end closes it.
pub(super) fn serve(client: TcpStream, upstream: TcpStream, rules: Arc<Rules>) {
    for side in [&client, &upstream] {
        side.set_nodelay(true).expect("a socket has this option");
    }
    let both = || Some((client.try_clone().ok()?, upstream.try_clone().ok()?));
    let Some((to_client, from_upstream)) = both() else {
        return;
    };
    let answers = Answers::default();
    let held = Arc::clone(&answers);
    thread::spawn(move || bring_answers(from_upstream, to_client, &answers));
    thread::spawn(move || bring_requests(client, upstream, &rules, &held));
}

fn bring_requests(mut client: TcpStream, mut upstream: TcpStream, rules: &Rules, held: &Answers) {
    while let Some(request) = read_frame(&mut client).ok().and_then(Request::parse) {
        while let Some(deed) = rules.take(&request) {
            match deed {
                Deed::Run(deed) => deed(),
                Deed::Block(gate) => gate.pass(),
                Deed::Hold(owner) => {
                    let (sender, answers) = mpsc::channel();
                    held.set(sender).expect("one request is held a connection");
                    // It may be closed already.
                    let _ = client.shutdown(Shutdown::Both);
                    // An owner that is gone drops the request.
                    let _ = owner.send(Held {
                        request,
                        upstream,
                        answers,
                    });
                    return;
                }
            }
        }
        if upstream.write_all(&with_length(&request.frame)).is_err() {
            break;
        }
    }
    for side in [client, upstream] {
        let _ = side.shutdown(Shutdown::Both);
    }
}

fn bring_answers(mut upstream: TcpStream, mut client: TcpStream, held: &Answers) {
    while let Ok(frame) = read_frame(&mut upstream) {
        // A client that is gone is the other thread's matter; what it does about
        // it ends this one.
        let _ = match held.get() {
            Some(answers) => answers.send(frame).ok(),
            None => client.write_all(&with_length(&frame)).ok(),
        };
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// A request that did not reach the broker; its client has lost the connection
/// and knows nothing of it. Dropped, it never reaches the broker.
#[derive(Debug)]
pub struct Held {
    request: Request,
    upstream: TcpStream,
    answers: mpsc::Receiver<Vec<u8>>,
}

impl Held {
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Sends it to the broker now, and returns when that has answered. The
    /// answer is nobody's; its error code (0 is none) is returned where it has
    /// one for the whole request.
    #[track_caller]
    pub fn let_through(mut self) -> Option<i16> {
        self.upstream
            .write_all(&with_length(&self.request.frame))
            .expect("the broker has kept the connection");
        let own = self.request.correlation.to_be_bytes();
        loop {
            // What was asked before it on the connection is answered before it.
            let answer = self.answers.recv_timeout(ANSWER);
            let answer = answer.unwrap_or_else(|_| panic!("no answer within {ANSWER:?}"));
            if answer.starts_with(&own) {
                return match self.request.api {
                    Api::INIT_PRODUCER_ID | Api::ADD_OFFSETS_TO_TXN | Api::END_TXN => {
                        Fields(&answer).error_of_answer(self.request.flexible)
                    }
                    _ => None,
                };
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Ends the thread that brings the answers.
        let _ = self.upstream.shutdown(Shutdown::Both);
    }
}
