//! Another plugin while records flow at full rate: how long the worker stands still, and
//! what the rate is before, meanwhile and afterwards, and while a large component is
//! compiled.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use millrace_tests::broker::Broker;
use millrace_tests::client::Client;
use millrace_tests::http::Request;
use millrace_tests::process::Process;
use millrace_tests::topics::unique;
use millrace_tests::wait::eventually_ok;
use serde_json::Value;

use crate::contestant::stop;
use crate::data::Input;
use crate::throughput::{new_topic, written};

/// How many versions take over.
pub const SWAPS: usize = 100;

/// How long the rate is measured with nothing else going on.
const QUIET: Duration = Duration::from_secs(3);

/// For the first output, and for a version to take over.
const SOON: Duration = Duration::from_secs(30);

/// How many times the records of a throughput run this takes: it reads for some forty
/// seconds.
pub const INPUT: u64 = 14;

/// What was measured. Rates are outputs a second.
#[derive(Debug, Clone)]
pub struct Swaps {
    /// Of each swap, sorted.
    pub pauses: Vec<Duration>,
    pub before: f64,
    pub during: f64,
    pub after: f64,
    /// While the large component is checked, compiled and instantiated.
    pub compiling: f64,
    /// How long that took.
    pub took: Duration,
    /// Bytes of the large component.
    pub large: usize,
}

/// `plugin` reads the input, and so does `large`, which takes over at the end.
pub fn run(
    broker: &Broker,
    input: &Input,
    host: &Path,
    plugin: &Path,
    large: &Path,
) -> anyhow::Result<Swaps> {
    let client = broker.client();
    let output = new_topic(&client, "swapped");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.wasm");
    let original = fs::read(plugin).with_context(|| plugin.display().to_string())?;
    let large = fs::read(large).with_context(|| large.display().to_string())?;
    fs::copy(plugin, &file)?;
    let log = folder.path().join("log");
    let mut command = Command::new(host);
    command
        .arg("run")
        .arg("--plugin")
        .arg(&file)
        .args(["--brokers", &broker.address(), "--input", &input.topic])
        .args(["--output", &output, "--group", &unique("group")])
        .args(["--admin", "127.0.0.1:0", "--set", "admin.upload=true"])
        .args(["--log-format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?);
    let process = Process::spawn("host that swaps", command);
    let outputs = Outputs {
        client: &client,
        topic: &output,
    };
    eventually_ok(SOON, "outputs", || match outputs.count()? {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    });
    let admin = admin(&log)?;

    // Its first seconds are none like the others.
    thread::sleep(QUIET);
    let before = outputs.rate(|| {
        thread::sleep(QUIET);
        Ok(())
    })?;
    let during = outputs.rate(|| {
        // Two of them in turns, so that what is measured is not their compilation.
        for number in 0..SWAPS {
            upload(admin, &version(&original, number % 2))?;
            wait_for_pauses(&log, number + 1)?;
        }
        Ok(())
    })?;
    let after = outputs.rate(|| {
        thread::sleep(QUIET);
        Ok(())
    })?;
    let begun = Instant::now();
    let compiling = outputs.rate(|| upload(admin, &version(&large, SWAPS)))?;
    let took = begun.elapsed();
    let expected = input.yields(crate::contestant::Job::Orders)?.outputs;
    ensure!(
        outputs.count().map_err(anyhow::Error::msg)? < expected,
        "the input is too short: give more --records"
    );
    stop(process);
    let mut pauses = pauses(&log)?;
    pauses.truncate(SWAPS);
    pauses.sort();
    client.delete_topic(&output);
    Ok(Swaps {
        pauses,
        before,
        during,
        after,
        compiling,
        took,
        large: large.len(),
    })
}

struct Outputs<'a> {
    client: &'a Client,
    topic: &'a str,
}

impl Outputs<'_> {
    fn count(&self) -> Result<i64, String> {
        written(self.client, self.topic)
    }

    /// So many a second, while something is done.
    fn rate(&self, what: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
        let (begun, first) = (Instant::now(), self.count().map_err(anyhow::Error::msg)?);
        what()?;
        let last = self.count().map_err(anyhow::Error::msg)?;
        Ok((last - first) as f64 / begun.elapsed().as_secs_f64())
    }
}

/// The same component with another digest: a custom section of its own at the end, which
/// nobody reads.
fn version(component: &[u8], number: usize) -> Vec<u8> {
    let content = format!("{:03}-{}", number, std::process::id());
    let name = b"version";
    let mut section = vec![u8::try_from(name.len()).unwrap_or_default()];
    section.extend_from_slice(name);
    section.extend_from_slice(content.as_bytes());
    let length = u8::try_from(section.len()).unwrap_or_default();
    [component, &[0, length], &section].concat()
}

fn upload(admin: SocketAddr, component: &[u8]) -> anyhow::Result<()> {
    let answer = Request::new("POST", "/plugins/orders")
        .body(component)
        .send(admin)?;
    if answer.status != 200 {
        bail!(
            "{}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
    Ok(())
}

fn lines(log: &Path, message: &str) -> anyhow::Result<Vec<Value>> {
    let text = fs::read_to_string(log)?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.filter(|line| line["message"] == message).collect())
}

fn admin(log: &Path) -> anyhow::Result<SocketAddr> {
    let lines = lines(log, "the admin address listens")?;
    let address = lines.first().and_then(|line| line["address"].as_str());
    Ok(address.context("it has an admin address")?.parse()?)
}

/// Each swap's, in their order.
fn pauses(log: &Path) -> anyhow::Result<Vec<Duration>> {
    let pause = |line: &Value| {
        let text = line["pause"].as_str().context("a pause")?;
        duration(text).with_context(|| format!("{text} is a time"))
    };
    lines(log, "plugin swapped")?.iter().map(pause).collect()
}

fn wait_for_pauses(log: &Path, count: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    while pauses(log)?.len() < count {
        ensure!(begun.elapsed() < SOON, "swap {count} is not taken");
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// As Rust's `Debug` writes it: `12.3µs`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "ns" => 1e-9,
        "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(
        number.parse::<f64>().ok()? * seconds,
    ))
}
