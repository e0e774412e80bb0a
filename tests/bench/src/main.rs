//! `make bench`: one table, from one run on one machine and one real Kafka. The
//! contestants take turns, each a process of its own: native code (this program
//! again, as `native`) and `host run`, at the same jobs.
//!
//! Rates come from the broker's own clock (LogAppendTime of the first and the
//! last output), CPU and memory from the kernel's accounts of the process.

mod contestant;
mod data;
mod latency;
mod native;
mod table;
mod throughput;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use millrace_tests::broker::{Broker, BrokerOptions};

use contestant::{Contestant, Job, Kind};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Command {
    /// Be the native contestant
    Native(native::Arguments),
}

#[derive(Args)]
struct Bench {
    /// Records of each throughput run
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Runs of each contestant, in turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each latency run
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Where `make` left the plugins
    #[arg(long, default_value = "target/plugins")]
    plugins: PathBuf,
    /// Only contestants whose name holds this
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Native(arguments)) => native::run(&arguments),
        None => bench(&arguments.bench),
    }
}

fn bench(arguments: &Bench) -> anyhow::Result<()> {
    let broker = Broker::start_with(BrokerOptions {
        heap: "1g".to_owned(),
        optimised: true,
        ..BrokerOptions::default()
    });
    let brokers = broker.address();
    let folder = std::env::current_exe()?
        .parent()
        .context("this program has a folder")?
        .to_path_buf();
    let contestants: Vec<Contestant> = [Job::Passthrough, Job::Orders]
        .into_iter()
        .flat_map(|job| [Kind::Native, Kind::Host].map(|kind| (kind, job)))
        .map(|(kind, job)| Contestant::new(kind, job, &folder, &arguments.plugins))
        .filter(|contestant| contestant.name().contains(&arguments.only))
        .collect();
    eprintln!("writing {} orders", arguments.records);
    let client = broker.client();
    let input = data::write_orders(&client, &brokers, arguments.records)?;
    // A new broker makes its offsets topic for the first group, which takes
    // seconds, and its JVM is slow at first: one run that does not count.
    if let Some(first) = contestants.first() {
        throughput::run(&broker, first, &input)?;
    }
    let mut rows = Vec::new();
    for round in 1..=arguments.rounds {
        for contestant in &contestants {
            let run = throughput::run(&broker, contestant, &input)?;
            eprintln!("round {round}: {:16} {run}", contestant.name());
            rows.push((contestant.name(), run));
        }
    }
    let mut delays = Vec::new();
    for contestant in &contestants {
        if contestant.job == Job::Passthrough {
            let delay = latency::run(&broker, contestant, arguments.seconds)?;
            eprintln!("latency: {:16} {delay}", contestant.name());
            delays.push((contestant.name(), delay));
        }
    }
    table::print(arguments, &contestants, &rows, &delays)
}
