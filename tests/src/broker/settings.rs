//! How the test broker is set: small, quick to start and to stop, and without
//! anything that happens by itself after a while.

use crate::data::DataDir;
use crate::ports::free_port;

/// The id of a cluster with one node, of no other that runs on this machine: 16 bytes
/// in base64, of which the last letter only fills two bits.
pub fn cluster_id(ports: &Ports) -> String {
    let name = format!("{}x{}", std::process::id(), ports.client);
    format!("{name:A>21}A")
}

/// What a test or a benchmark may want otherwise.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// Java's heap, such as `512m`.
    pub heap: String,
    /// For a benchmark: the compiler that takes longer and makes faster code.
    pub optimised: bool,
    /// With a [`Proxy`](crate::proxy::Proxy) before it, for the clients that
    /// are given the proxy's address.
    pub proxied: bool,
    /// Added to the broker's properties; a later one wins.
    pub properties: Vec<(String, String)>,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        BrokerOptions {
            heap: "512m".to_owned(),
            optimised: false,
            proxied: false,
            properties: Vec::new(),
        }
    }
}

impl BrokerOptions {
    pub fn proxied() -> BrokerOptions {
        BrokerOptions {
            proxied: true,
            ..BrokerOptions::patient()
        }
    }

    /// A broker that does not miss itself while it is frozen, or while the machine is
    /// busy. One that does tells its clients, for a moment, that the cluster has no brokers:
    /// it makes no topics, and librdkafka 2.12 may be left without any broker for ever
    /// (confluentinc/librdkafka#5301). Not for one that is killed: started again it waits
    /// for its former self's session to end.
    pub fn patient() -> BrokerOptions {
        let session = ("broker.session.timeout.ms".to_owned(), "60000".to_owned());
        BrokerOptions {
            properties: vec![session],
            ..BrokerOptions::default()
        }
    }

    /// With access rights: everybody may do everything with what no right names.
    pub fn with_acls() -> BrokerOptions {
        let properties = [
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("allow.everyone.if.no.acl.found", "true"),
        ];
        BrokerOptions {
            properties: properties
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..BrokerOptions::default()
        }
    }
}

/// Where the node listens, on loopback.
#[derive(Debug)]
pub struct Ports {
    pub client: u16,
    /// For the proxy, whose clients are told the proxy's address.
    pub proxy: u16,
    controller: u16,
}

impl Ports {
    pub fn free() -> Ports {
        Ports {
            client: free_port(),
            proxy: free_port(),
            controller: free_port(),
        }
    }
}

pub fn java_flags(options: &BrokerOptions) -> Vec<String> {
    let mut flags = vec![format!("-Xmx{}", options.heap), "-Xshare:auto".to_owned()];
    if !options.optimised {
        // Half of the start is compiling, and two cores are few.
        flags.extend(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"].map(str::to_owned));
    }
    flags
}

/// `proxy` is the port on which the proxy listens, if there is one.
pub fn properties(
    data: &DataDir,
    ports: &Ports,
    proxy: Option<u16>,
    options: &BrokerOptions,
) -> String {
    let Ports {
        client, controller, ..
    } = ports;
    let (listener, advertised) = match proxy {
        None => (String::new(), String::new()),
        Some(proxy) => (
            format!(",PROXIED://127.0.0.1:{}", ports.proxy),
            format!(",PROXIED://127.0.0.1:{proxy}"),
        ),
    };
    let dir = data.path().join("data");
    let mut text = format!(
        "\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}{listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={}
{FIXED}",
        dir.display()
    );
    for (name, value) in &options.properties {
        text.push_str(&format!("{name}={value}\n"));
    }
    text
}

/// The same for every broker.
const FIXED: &str = "\
# One node.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Few partitions: each is files to make at the start, and to sync at the stop.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
# A transaction that is out of time is aborted soon, not within ten seconds.
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
# A topic that a test did not create is an error.
auto.create.topics.enable=false
# The first member of a group need not wait for others, and a test may choose a
# short session, not to wait for the default one after a kill.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# Tests write records with old timestamps; nothing may remove them.
log.retention.ms=-1
# Compaction, where a topic asks for it, now and with little memory.
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=16777216
# After a kill, the node waits for its former self's session to end.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=250
# There is nobody to hand partitions over to.
controlled.shutdown.enable=false
";
