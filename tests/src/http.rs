//! As much of HTTP as tests need to speak with a schema registry, and to stand
//! before one: one request a connection, sizes known beforehand.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// For one answer of a server that is up: one that compiles a plugin for it, or its own
/// code, on a busy machine.
const ANSWER: Duration = Duration::from_secs(200);

/// Names as they came; they are compared without regard to case.
type Headers = Vec<(String, String)>;

/// What a client says.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// What a server says.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Request {
        Request {
            body: body.into(),
            ..self
        }
    }

    /// The value of the first header of this name.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// Sends it on a connection of its own, and waits for the answer.
    pub fn send(&self, server: SocketAddr) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(ANSWER))?;
        // 1.0: no answer in chunks, and the connection ends with it.
        let first = format!("{} {} HTTP/1.0", self.method, self.target);
        let mut headers = self.headers.clone();
        headers.push(("Host".to_owned(), server.to_string()));
        write(&mut stream, &first, &headers, &self.body)?;

        let mut stream = BufReader::new(stream);
        let (first, headers) = read_head(&mut stream)?;
        let status = first.split(' ').nth(1).and_then(|text| text.parse().ok());
        let status = status.ok_or_else(|| strange("no status", &first))?;
        let body = match length(&headers)? {
            Some(length) => read_body(&mut stream, length)?,
            None => {
                let mut body = Vec::new();
                stream.read_to_end(&mut body)?;
                body
            }
        };
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Reads one from a client's connection.
    pub fn read(client: &TcpStream) -> io::Result<Request> {
        let mut stream = BufReader::new(client);
        let (first, headers) = read_head(&mut stream)?;
        let mut words = first.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(strange("no method and target", &first));
        };
        let (method, target) = (method.to_owned(), target.to_owned());
        let body = read_body(&mut stream, length(&headers)?.unwrap_or(0))?;
        Ok(Request {
            method,
            target,
            headers,
            body,
        })
    }
}

impl Answer {
    /// An answer in JSON.
    pub fn json(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.into(),
        }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Writes it as the only one of its connection.
    pub fn write(&self, mut client: &TcpStream) -> io::Result<()> {
        let first = format!("HTTP/1.1 {} -", self.status);
        write(&mut client, &first, &self.headers, &self.body)
    }
}

/// The headers that say how long the message and the connection last are ours.
fn write(stream: &mut impl Write, first: &str, headers: &Headers, body: &[u8]) -> io::Result<()> {
    let mut head = format!("{first}\r\n");
    for (name, value) in headers {
        if !["content-length", "connection"].contains(&&*name.to_ascii_lowercase()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    stream.write_all(&[head.as_bytes(), body].concat())
}

/// The first line, and the headers.
fn read_head(stream: &mut impl BufRead) -> io::Result<(String, Headers)> {
    let first = read_line(stream)?;
    let mut headers = Headers::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok((first, headers));
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| strange("no header", &line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_body(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn length(headers: &Headers) -> io::Result<Option<usize>> {
    let Some(text) = value_of(headers, "content-length") else {
        return Ok(None);
    };
    let length = text.parse().map_err(|_| strange("no length", text))?;
    Ok(Some(length))
}

fn value_of<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut headers = headers.iter();
    let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn strange(what: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} in {text:?}"))
}
