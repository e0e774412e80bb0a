//! A contestant: what is run, and what the kernel says of its process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use millrace_tests::process::{Process, Signal};
use serde_json::Value;

use crate::data::{Content, Flaws};

/// What a contestant logs, in its folder.
const LOG: &str = "log";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Native,
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    Passthrough,
    Orders,
    /// The same in another language, which is a part of the plugin's name.
    OrdersIn(&'static str),
    /// A guest of the tests; only the host has this job.
    TrapsOnPoison,
    /// The same; it takes about 20 µs a record.
    Works,
    /// `passthrough`, of records of ten fields as framed Avro.
    Avro,
    /// The same, of the same records as JSON.
    Json,
}

/// Where the schema of the records of ten fields is registered.
pub const SUBJECT: &str = "readings-value";

/// What `host run` is told beside its defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Default,
    /// Transactions of 100 ms.
    ExactlyOnce,
    /// Positions in a local store, written each second.
    Recovery,
    TwoWorkers,
    /// Avro is decoded, and goes on as JSON; natively, it is only decoded.
    Decode,
    /// JSON becomes Avro.
    Encode,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::ExactlyOnce => ", exactly once",
            Self::Recovery => ", recovery store",
            Self::TwoWorkers => ", two workers",
            Self::Decode => ", decoded",
            Self::Encode => ", encoded",
        }
    }
}

impl Job {
    pub fn name(self) -> String {
        match self {
            Self::Passthrough => "passthrough",
            Self::Orders => "orders",
            Self::OrdersIn(language) => return format!("orders-{language}"),
            Self::TrapsOnPoison => "traps_on_poison",
            Self::Works => "works_20_us",
            Self::Avro => "avro",
            Self::Json => "json",
        }
        .to_owned()
    }

    /// The file that the host runs.
    fn plugin(self) -> String {
        match self {
            Self::Avro | Self::Json => Self::Passthrough.name(),
            job => job.name(),
        }
    }
}

/// Where the contestants' files are.
pub struct Folders<'a> {
    /// This program and `host`, built the same way.
    pub programs: &'a Path,
    pub plugins: &'a Path,
    pub guests: &'a Path,
}

/// The topics of one run.
pub struct Topics<'a> {
    pub input: &'a str,
    pub output: &'a str,
    pub dead_letter: Option<&'a str>,
    /// The schema registry's URL.
    pub registry: &'a str,
}

pub struct Contestant {
    pub kind: Kind,
    pub job: Job,
    /// Those of the input that it reads. With a dead-letter topic where this is
    /// something, be it none of so many.
    pub flaws: Option<Flaws>,
    pub mode: Mode,
    program: PathBuf,
    pub plugin: PathBuf,
}

impl Contestant {
    pub fn new(
        (kind, job, mode): (Kind, Job, Mode),
        flaws: Option<Flaws>,
        folders: &Folders<'_>,
    ) -> Self {
        let plugins = match job {
            Job::Passthrough | Job::Orders | Job::OrdersIn(_) | Job::Avro | Job::Json => {
                folders.plugins
            }
            Job::TrapsOnPoison | Job::Works => folders.guests,
        };
        Self {
            kind,
            job,
            flaws,
            mode,
            program: folders.programs.join(match kind {
                Kind::Native => "millrace-bench",
                Kind::Host => "host",
            }),
            plugin: plugins.join(format!("{}.wasm", job.plugin())),
        }
    }

    pub fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Native => "native",
            Kind::Host => "host",
        };
        let (job, mode) = (self.job.name(), self.mode.name());
        match self.flaws {
            None => format!("{kind} {job}{mode}"),
            Some(flaws) => format!("{kind} {job} {}/{} fail", flaws.count, flaws.of),
        }
    }

    /// Whether its output holds the markers of transactions, too.
    pub fn is_transactional(&self) -> bool {
        self.mode == Mode::ExactlyOnce
    }

    /// Which input it reads: those without flaws are the same.
    pub fn input(&self) -> Content {
        match self.job {
            Job::Avro => Content::Avro,
            Job::Json => Content::Json,
            _ => Content::Orders(self.flaws.filter(|flaws| flaws.count > 0)),
        }
    }

    /// Starts it as a member of a new group. What it keeps on disk goes into an empty
    /// folder.
    pub fn start(&self, brokers: &str, topics: &Topics<'_>, group: &str, folder: &Path) -> Process {
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Native => command.args(["native", "--job", &self.job.name()]),
            Kind::Host => command.arg("run").arg("--plugin").arg(&self.plugin),
        };
        if let Some(topic) = topics.dead_letter {
            command.args(["--dead-letter", topic]);
        }
        match self.mode {
            Mode::Default => {}
            Mode::ExactlyOnce => {
                command.args(["--guarantee", "exactly-once"]);
            }
            Mode::Recovery => {
                command.arg("--recovery").arg(folder.join("store"));
            }
            Mode::TwoWorkers => {
                command.args(["--workers", "2"]);
            }
            Mode::Decode if self.kind == Kind::Native => {
                command.arg("--decode");
            }
            Mode::Decode => {
                command.args(["--decode-value", "avro", "--encode-value", "json"]);
                command.args(["--schema-registry", topics.registry]);
            }
            Mode::Encode => {
                let schema = format!("encode.value_schema=subject:{SUBJECT}");
                command.args(["--encode-value", "avro", "--set", &schema]);
                command.args(["--schema-registry", topics.registry]);
            }
        }
        command
            .args(["--brokers", brokers, "--input", topics.input])
            .args(["--output", topics.output, "--group", group])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join(LOG)).expect("it can be made"));
        Process::spawn(&self.name(), command)
    }
}

/// How many instances gave way to a fresh one, by what the process logged.
pub fn recycled(folder: &Path) -> anyhow::Result<u64> {
    let log = std::fs::read_to_string(folder.join(LOG))?;
    let count = |line: &str| serde_json::from_str::<Value>(line).ok()?["so_far"].as_u64();
    Ok(log.lines().filter_map(count).max().unwrap_or(0))
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// The most memory it ever had resident, in bytes.
    pub peak: u64,
}

impl Usage {
    /// From the kernel's `/proc`: proc(5).
    pub fn of(process: &Process) -> anyhow::Result<Self> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", process.id()));
        let stat = read("stat")?;
        // The name, in parentheses, may hold spaces.
        let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse::<u64>)
            .sum::<Result<_, _>>()?;
        let status = read("status")?;
        let peak: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("VmHWM")?
            .parse()?;
        Ok(Self {
            // USER_HZ is 100 on every Linux that Rust's standard library runs on.
            cpu: Duration::from_millis(ticks * 10),
            peak: peak * 1024,
        })
    }
}

/// The clean end that users ask for.
pub fn stop(mut process: Process) {
    process.signal(Signal::TERM);
    process.wait(Duration::from_secs(30));
}
