//! Connects to a socket: a host that gives none refuses it at load.

use std::net::TcpStream;

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

struct DialsOut;

impl Transform for DialsOut {
    fn new(_config: &str) -> Result<Self> {
        Ok(DialsOut)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        TcpStream::connect(message.value_str()?)?;
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(DialsOut);
