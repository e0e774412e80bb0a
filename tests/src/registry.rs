//! A real schema registry (Apicurio, loopback only) that belongs to this test
//! process, and what tests ask of it: Confluent's API, as any client speaks it.
//! Fetched by `tests/registry/fetch`. One that fails on command is
//! `registry/fake.rs`'s; certificates are `registry/tls.rs`'s.

mod fake;
mod tls;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

pub use fake::{Behaviour, Credentials, FakeRegistry, Seen};
use serde_json::{Value, json};

use self::tls::Tls;
use crate::data::DataDir;
use crate::http::{Answer, Request};
use crate::ports::free_port;
use crate::process::{Process, Signal};
use crate::target::{must_exist, target_dir};
use crate::wait::eventually_ok;

/// Answering takes 4 s on an idle machine with two cores, and mostly computing.
const START: Duration = Duration::from_secs(120);
/// A clean stop takes 0.1 s.
const STOP: Duration = Duration::from_secs(120);

/// Where Apicurio serves Confluent's API.
const BASE: &str = "/apis/ccompat/v7";

/// One registry, all of it in memory: after a stop, a kill or a restart it knows
/// no schema any more, and gives ids from 1 on again. It dies with this value, or
/// with the test process.
#[derive(Debug)]
pub struct Registry {
    data: DataDir,
    address: SocketAddr,
    tls: Option<Tls>,
    process: Process,
}

/// The registry that the tests of one process share, where a test does nothing
/// to the registry itself. Tests keep apart by their subjects, most of which are
/// named after topics: [`crate::topics::unique`].
pub fn shared_registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::start)
}

/// What a schema is written in, as Confluent's API calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Avro,
    /// JSON Schema. Apicurio takes a schema for one only where it has `$schema`.
    Json,
    Protobuf,
}

/// That a schema names another one, which is registered elsewhere.
#[derive(Debug, Clone)]
pub struct Reference {
    /// As the schema names it: in Avro a full name.
    pub name: String,
    pub subject: String,
    pub version: u32,
}

impl Reference {
    pub fn new(name: &str, subject: &str, version: u32) -> Reference {
        Reference {
            name: name.to_owned(),
            subject: subject.to_owned(),
            version,
        }
    }
}

/// One version of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub id: u32,
    pub version: u32,
    /// The text as it was registered.
    pub schema: String,
}

impl Registry {
    /// A registry of the test's own, ready for clients.
    pub fn start() -> Registry {
        Registry::start_with(DataDir::create("registry"), None)
    }

    /// Like [`Registry::start`], and it speaks TLS too, by a certificate whose
    /// authority nobody knows.
    pub fn start_with_tls() -> Registry {
        let data = DataDir::create("registry");
        let tls = Tls::create(data.path(), free_port());
        Registry::start_with(data, Some(tls))
    }

    fn start_with(data: DataDir, tls: Option<Tls>) -> Registry {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let process = launch(&data, address, tls.as_ref());
        let mut registry = Registry {
            data,
            address,
            tls,
            process,
        };
        registry.wait_until_ready();
        registry
    }

    /// What clients take as the registry's URL. It has a path.
    pub fn url(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// The same where it speaks TLS.
    pub fn tls_url(&self) -> String {
        format!("https://{}:{}{BASE}", self.address.ip(), self.tls().port)
    }

    /// A PEM file with the authority of its certificate.
    pub fn ca(&self) -> &Path {
        &self.tls().ca
    }

    fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("it was started with TLS")
    }

    /// Registers a schema in Avro, and returns its id. One that the subject has
    /// already keeps its id.
    #[track_caller]
    pub fn register(&self, subject: &str, schema: &str) -> u32 {
        self.register_with(subject, schema, Language::Avro, &[])
    }

    /// Like [`Registry::register`], in any language and with references.
    #[track_caller]
    pub fn register_with(
        &self,
        subject: &str,
        schema: &str,
        language: Language,
        references: &[Reference],
    ) -> u32 {
        let language = match language {
            Language::Avro => "AVRO",
            Language::Json => "JSON",
            Language::Protobuf => "PROTOBUF",
        };
        let references = references.iter().map(
            |Reference {
                 name,
                 subject,
                 version,
             }| { json!({ "name": name, "subject": subject, "version": version }) },
        );
        let body = json!({
            "schema": schema,
            "schemaType": language,
            "references": references.collect::<Vec<_>>(),
        });
        let path = format!("/subjects/{subject}/versions");
        number(&self.ask("POST", &path, Some(&body)), "id")
    }

    /// What the registry checks of new versions of a subject, such as `NONE` (as
    /// it is from the start), `BACKWARD` or `FULL`.
    #[track_caller]
    pub fn set_compatibility(&self, subject: &str, level: &str) {
        let body = json!({ "compatibility": level });
        self.ask("PUT", &format!("/config/{subject}"), Some(&body));
    }

    /// The subject's newest version, where there is such a subject.
    #[track_caller]
    pub fn latest(&self, subject: &str) -> Option<Version> {
        let path = format!("/subjects/{subject}/versions/latest");
        let answer = self.send("GET", &path, None);
        if answer.status == 404 {
            return None;
        }
        let found = good(&path, &answer);
        Some(Version {
            id: number(&found, "id"),
            version: number(&found, "version"),
            schema: found["schema"].as_str().expect("a text").to_owned(),
        })
    }

    /// SIGTERM: the clean stop.
    pub fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(STOP);
    }

    /// SIGKILL: the crash. From now on connections are refused.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT: the end of [`Registry::freeze`].
    pub fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Up again on the same port, stopped before or not, and without any schema.
    pub fn restart(&mut self) {
        if self.process.try_wait().is_none() {
            self.stop();
        }
        self.process = launch(&self.data, self.address, self.tls.as_ref());
        self.wait_until_ready();
    }

    /// The process, to measure it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the registry has logged (warnings and errors).
    pub fn log(&self) -> String {
        fs::read_to_string(self.data.log()).unwrap_or_default()
    }

    /// Asks anything else of the API; `path` is what follows the URL. Any answer
    /// but a good one is a panic.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        good(path, &self.send(method, path, body))
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = Request::new(method, &format!("{BASE}{path}"))
            .header("Content-Type", "application/vnd.schemaregistry.v1+json")
            .body(body.map(Value::to_string).unwrap_or_default());
        let answer = request.send(self.address);
        answer.unwrap_or_else(|error| panic!("the registry: {method} {path}: {error}"))
    }

    /// Ready is: it answers a request of the API.
    fn wait_until_ready(&mut self) {
        let log = self.data.log();
        eventually_ok(START, "the registry to answer", || {
            if let Some(status) = self.process.try_wait() {
                let log = fs::read_to_string(&log).unwrap_or_default();
                panic!("the registry ended while it started ({status}):\n{log}");
            }
            let subjects = Request::new("GET", &format!("{BASE}/subjects"));
            match subjects.send(self.address) {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!("{}: {}", answer.status, answer.text())),
                Err(error) => Err(error.to_string()),
            }
        });
    }
}

/// A payload in Confluent's framing: a zero, the schema's id, the datum.
pub fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], datum].concat()
}

/// The schema's id and the datum of a payload in Confluent's framing.
#[track_caller]
pub fn unframed(payload: &[u8]) -> (u32, &[u8]) {
    let Some(([0, id @ ..], datum)) = payload.split_first_chunk::<5>() else {
        panic!("not framed: {payload:?}")
    };
    (u32::from_be_bytes(*id), datum)
}

#[track_caller]
fn good(path: &str, answer: &Answer) -> Value {
    let text = answer.text();
    assert_eq!(answer.status, 200, "the registry: {path}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
}

#[track_caller]
fn number(answer: &Value, name: &str) -> u32 {
    let found = answer[name].as_u64().and_then(|n| u32::try_from(n).ok());
    found.unwrap_or_else(|| panic!("no number {name} in {answer}"))
}

fn launch(data: &DataDir, address: SocketAddr, tls: Option<&Tls>) -> Process {
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.log())
        .expect("it can be made");
    let mut command = Command::new("java");
    command
        // Half of the start is compiling, and two cores are few.
        .args(["-Xmx256m", "-Xshare:auto"])
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
        // What it leaves behind when it is killed.
        .arg(format!("-Djava.io.tmpdir={}", data.path().display()))
        .arg("-XX:-UsePerfData")
        .arg("-jar")
        .arg(jar())
        .env("QUARKUS_HTTP_HOST", address.ip().to_string())
        .env("QUARKUS_HTTP_PORT", address.port().to_string())
        .env("QUARKUS_LOG_CONSOLE_LEVEL", "WARN")
        .env("QUARKUS_BANNER_ENABLED", "false")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be cloned"))
        .stderr(log);
    if let Some(tls) = tls {
        const PREFIX: &str = "QUARKUS_HTTP_SSL_CERTIFICATE_KEY_STORE";
        command
            .env("QUARKUS_HTTP_SSL_PORT", tls.port.to_string())
            .env(format!("{PREFIX}_FILE"), &tls.store)
            .env(format!("{PREFIX}_PASSWORD"), tls::PASSWORD);
    }
    Process::spawn("the test registry", command)
}

/// The program: the one jar beside the libraries.
fn jar() -> std::path::PathBuf {
    let app = must_exist(
        target_dir().join("registry/app"),
        "run tests/registry/fetch (or make test)",
    );
    let is_program = |path: &Path| path.to_string_lossy().ends_with("-runner.jar");
    let mut entries = fs::read_dir(&app).expect("it can be read").flatten();
    let found = entries.find(|entry| is_program(&entry.path()));
    found.expect("Apicurio's program is in it").path()
}
