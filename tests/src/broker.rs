//! A real Kafka (KRaft, one node, loopback only) that belongs to this test
//! process. Its jars are fetched by `tests/kafka/fetch`; what it keeps on disk
//! is `data.rs`'s, its settings are `broker/settings.rs`'s.

mod settings;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

pub use settings::BrokerOptions;

use crate::client::Client;
use crate::data::DataDir;
use crate::process::{Process, Signal};
use crate::proxy::Proxy;
use crate::target::{must_exist, source, target_dir};
use crate::wait::eventually_ok;

/// Listening takes 3 s on an idle machine with two cores.
const START: Duration = Duration::from_secs(180);
/// A clean stop takes 2 s.
const STOP: Duration = Duration::from_secs(120);

/// One Kafka node. It dies with this value, or with the test process.
#[derive(Debug)]
pub struct Broker {
    options: BrokerOptions,
    data: DataDir,
    ports: settings::Ports,
    proxy: Option<Proxy>,
    process: Process,
}

/// The broker that the tests of one process share, where a test does nothing
/// to the broker itself. Tests keep apart by names of topics and groups:
/// [`crate::topics::unique`].
pub fn shared_broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start_with(BrokerOptions::proxied()))
}

impl Broker {
    /// A broker of the test's own, ready for clients.
    pub fn start() -> Broker {
        Broker::start_with(BrokerOptions::default())
    }

    /// Like [`Broker::start`], with another heap or other properties.
    pub fn start_with(options: BrokerOptions) -> Broker {
        let data = DataDir::create("kafka");
        let ports = settings::Ports::free();
        let file = data.path().join("server.properties");
        let proxy = options.proxied.then(|| Proxy::start(ports.proxy));
        let listens = proxy.as_ref().map(Proxy::port);
        let properties = settings::properties(&data, &ports, listens, &options);
        fs::write(&file, properties).expect("it can be written");

        let mut format = java(&options);
        format.args(["kafka.tools.StorageTool", "format"]);
        let id = settings::cluster_id(&ports);
        format.args(["-t", &id, "-c"]).arg(&file);
        run("formatting the test broker's storage", format);

        let process = launch(&options, &data);
        let mut broker = Broker {
            options,
            data,
            ports,
            proxy,
            process,
        };
        broker.wait_until_ready();
        broker
    }

    /// What clients take as `bootstrap.servers`.
    pub fn address(&self) -> String {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.client)).to_string()
    }

    /// What stands before it, where it was started with
    /// [`BrokerOptions::proxied`].
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("it was started with a proxy")
    }

    pub fn client(&self) -> Client {
        Client::new(&self.address())
    }

    /// Changes who may do what (`kafka-acls`), where the broker was started with
    /// [`BrokerOptions::with_acls`]. Takes two seconds.
    pub fn acls(&self, arguments: &[&str]) {
        let mut acls = java(&self.options);
        acls.args(["org.apache.kafka.tools.AclCommand", "--bootstrap-server"]);
        acls.arg(self.address()).args(arguments);
        run("changing the access rights", acls);
    }

    /// SIGTERM: the clean stop, data on disk.
    pub fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(STOP);
    }

    /// SIGKILL: the crash.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT: the end of [`Broker::freeze`].
    pub fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Up again on the same ports with the same data, stopped before or not.
    pub fn restart(&mut self) {
        if self.process.try_wait().is_none() {
            self.stop();
        }
        self.process = launch(&self.options, &self.data);
        self.wait_until_ready();
    }

    /// The process, to measure it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the broker has logged (warnings and errors).
    pub fn log(&self) -> String {
        fs::read_to_string(self.data.log()).unwrap_or_default()
    }

    /// Ready is: it answers a metadata request and names itself as the broker.
    fn wait_until_ready(&mut self) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.client));
        let log = self.data.log();
        // A refused connection costs nothing and is silent; librdkafka would
        // log each one.
        eventually_ok(START, "the broker to listen", || {
            if let Some(status) = self.process.try_wait() {
                let log = fs::read_to_string(&log).unwrap_or_default();
                panic!("the broker ended while it started ({status}):\n{log}");
            }
            TcpStream::connect(address)
        });
        eventually_ok(START, "the broker to name itself", || {
            self.answers(Duration::from_secs(5))
        });
    }

    /// Whether it answers a client within `deadline`, as the broker of its
    /// cluster; else why not.
    pub fn answers(&self, deadline: Duration) -> Result<(), String> {
        self.client().broker_is_up(self.ports.client, deadline)
    }
}

fn launch(options: &BrokerOptions, data: &DataDir) -> Process {
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.log())
        .expect("it can be made");
    let mut command = java(options);
    command
        .arg("kafka.Kafka")
        .arg(data.path().join("server.properties"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be cloned"))
        .stderr(log);
    Process::spawn("the test broker", command)
}

/// Runs one of Kafka's tools to its end.
fn run(what: &str, mut tool: Command) {
    let output = tool
        .output()
        .unwrap_or_else(|error| panic!("cannot run java: {error}: run .ci/setup test"));
    assert!(
        output.status.success(),
        "{what} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn java(options: &BrokerOptions) -> Command {
    let libs: PathBuf = must_exist(
        target_dir().join("kafka/libs"),
        "run tests/kafka/fetch (or make test)",
    );
    let mut command = Command::new("java");
    command
        .args(settings::java_flags(options))
        .arg(format!(
            "-Dlog4j2.configurationFile={}",
            source("kafka/log4j2.properties").display()
        ))
        .arg("-cp")
        .arg(libs.join("*"));
    command
}
