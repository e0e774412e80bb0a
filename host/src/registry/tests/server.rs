//! A server of one test: answers requests by a script, notes them, and can hold
//! answers back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The path and the query, as they were sent.
    pub target: String,
    headers: Vec<(String, String)>,
    pub body: String,
    /// How many of the same method and path came before.
    pub before: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

pub enum Reply {
    Answer(u16, String),
    /// A status with the place to go to.
    Redirect(u16, String),
    /// No answer before [`Server::release`].
    Held(Box<Reply>),
    /// The connection ends in the middle of the answer.
    Broken,
    /// So many bytes of a body.
    Long(usize),
}

pub fn ok(body: impl ToString) -> Reply {
    Reply::Answer(200, body.to_string())
}

pub fn error(status: u16, code: u32, message: &str) -> Reply {
    let body = serde_json::json!({ "error_code": code, "message": message });
    Reply::Answer(status, body.to_string())
}

pub fn no_such_schema() -> Reply {
    error(404, 40403, "Schema not found")
}

struct Shared {
    script: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    seen: Mutex<Vec<Request>>,
    gate: Mutex<Gate>,
    opened: Condvar,
}

#[derive(Default)]
struct Gate {
    is_open: bool,
    is_over: bool,
    /// How many answers are held now.
    held: usize,
}

pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            gate: Mutex::default(),
            opened: Condvar::new(),
        });
        let served = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                if served.gate.lock().unwrap().is_over {
                    break;
                }
                let served = Arc::clone(&served);
                open.push(thread::spawn(move || served.answer(stream.unwrap())));
            }
            open.into_iter().for_each(|one| one.join().unwrap());
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL with something before the host.
    pub fn url_with(&self, credentials: &str) -> String {
        format!("http://{credentials}@{}", self.address)
    }

    pub fn seen(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests for a target came.
    pub fn count(&self, target: &str) -> usize {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter()
            .filter(|request| request.target == target)
            .count()
    }

    /// How many answers are held now.
    pub fn held(&self) -> usize {
        self.shared.gate.lock().unwrap().held
    }

    /// Gives the answers that were held, and holds none from now on.
    pub fn release(&self) {
        self.shared.gate.lock().unwrap().is_open = true;
        self.shared.opened.notify_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.gate.lock().unwrap().is_over = true;
        self.shared.opened.notify_all();
        // It waits in accept.
        let _ = TcpStream::connect(self.address);
        let over = self.thread.take().unwrap().join();
        assert!(over.is_ok() || thread::panicking());
    }
}

impl Shared {
    fn answer(&self, stream: TcpStream) {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        // A client that is gone has no request.
        let Some(mut request) = read(&mut reader) else {
            return;
        };
        {
            let mut seen = self.seen.lock().unwrap();
            request.before = seen
                .iter()
                .filter(|one| (&one.method, &one.target) == (&request.method, &request.target))
                .count();
            seen.push(request.clone());
        }
        self.write(stream, (self.script)(&request));
    }

    fn write(&self, mut stream: TcpStream, reply: Reply) {
        let whole = match reply {
            Reply::Answer(status, body) => head(status, body.len(), "") + &body,
            Reply::Redirect(status, to) => head(status, 0, &format!("location: {to}\r\n")),
            Reply::Broken => head(200, 1000, "") + "{",
            Reply::Long(bytes) => head(200, bytes, "") + &"x".repeat(bytes),
            Reply::Held(reply) => {
                let mut gate = self.gate.lock().unwrap();
                gate.held += 1;
                let closed = |gate: &mut Gate| !gate.is_open && !gate.is_over;
                let mut gate = self.opened.wait_while(gate, closed).unwrap();
                gate.held -= 1;
                drop(gate);
                return self.write(stream, *reply);
            }
        };
        // The client may have given up.
        let _ = stream.write_all(whole.as_bytes());
    }
}

fn head(status: u16, length: usize, more: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n")
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let method = words.next()?.to_owned();
    let target = words.next()?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request {
        method,
        target,
        headers,
        body: String::new(),
        before: 0,
    };
    let length = request
        .header("content-length")
        .map(|length| length.parse().unwrap());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
