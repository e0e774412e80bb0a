//! `make bench`: one table, from one run on one machine and one real Kafka. The
//! contestants take turns, each a process of its own: native code (this program
//! again, as `native`) and `host run`, at the same jobs; and `host run` beside
//! itself: with other guarantees and more workers, where some of the records fail and
//! where none do, and while its plugin is swapped.
//!
//! Rates come from the broker's own clock (LogAppendTime of the first and the
//! last output), CPU and memory from the kernel's accounts of the process.

mod contestant;
mod data;
mod latency;
mod native;
mod readings;
mod swaps;
mod table;
mod throughput;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::{Args, Parser, Subcommand};
use millrace_tests::Registry;
use millrace_tests::broker::{Broker, BrokerOptions};

use contestant::{Contestant, Folders, Job, Kind, Mode, SUBJECT};
use data::{Flaw, Flaws};
use readings::{Readings, SCHEMA};

/// What each job in the section on failures has to stand: a plugin's own `fail`,
/// and a trap, whose culprit the host has to find.
const FAILING: [(Job, Flaws); 2] = [
    (
        Job::Orders,
        Flaws {
            flaw: Flaw::BrokenOrder,
            count: 5,
            of: 1_000,
        },
    ),
    (
        Job::TrapsOnPoison,
        Flaws {
            flaw: Flaw::Poison,
            count: 1,
            of: 10_000,
        },
    ),
];

/// What is held against the same job with the defaults.
const MODES: [(Job, &[Mode]); 2] = [
    (
        Job::Passthrough,
        &[Mode::ExactlyOnce, Mode::Recovery, Mode::TwoWorkers],
    ),
    (Job::Works, &[Mode::TwoWorkers]),
];

/// Each beside the same records with nothing done.
const AVRO: [(Kind, Job, Mode); 6] = [
    (Kind::Native, Job::Avro, Mode::Default),
    (Kind::Native, Job::Avro, Mode::Decode),
    (Kind::Host, Job::Avro, Mode::Default),
    (Kind::Host, Job::Avro, Mode::Decode),
    (Kind::Host, Job::Json, Mode::Default),
    (Kind::Host, Job::Json, Mode::Encode),
];

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
    /// Where `make` left the guests of the tests
    #[arg(long, default_value = "target/guests")]
    guests: PathBuf,
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

/// What `--only` names the swaps by.
const SWAPS: &str = "swaps";

fn bench(arguments: &Bench) -> anyhow::Result<()> {
    let with_swaps = SWAPS.contains(&arguments.only);
    let contestants = contestants(arguments)?;
    ensure!(
        with_swaps || !contestants.is_empty(),
        "no contestant's name holds {:?}",
        arguments.only
    );
    let broker = Broker::start_with(BrokerOptions {
        heap: "1g".to_owned(),
        optimised: true,
        ..BrokerOptions::default()
    });
    let registry = Registry::start();
    let readings = Readings::new(registry.register(SUBJECT, SCHEMA))?;
    let mut inputs = Vec::new();
    for contestant in &contestants {
        let content = contestant.input();
        if inputs.iter().all(|(of, _)| *of != content) {
            eprintln!("writing {} records: {content:?}", arguments.records);
            let (client, brokers) = (broker.client(), broker.address());
            let input = data::write_all(&client, &brokers, arguments.records, content, &readings)?;
            inputs.push((content, input));
        }
    }
    let url = registry.url();
    let run = |contestant: &Contestant| {
        let content = contestant.input();
        let input = inputs.iter().find(|(of, _)| *of == content);
        let (_, input) = input.context("each has its input")?;
        throughput::run(&broker, contestant, input, &url)
    };
    // A new broker makes its offsets topic for the first group, which takes
    // seconds, and its JVM is slow at first: one run that does not count.
    if let Some(first) = contestants.first() {
        run(first)?;
    }
    let mut rows = Vec::new();
    for round in 1..=arguments.rounds {
        for contestant in &contestants {
            let run = run(contestant)?;
            eprintln!("round {round}: {:32} {run}", contestant.name());
            rows.push((contestant.name(), run));
        }
    }
    let mut delays = Vec::new();
    for contestant in &contestants {
        if contestant.job == Job::Passthrough
            && matches!(contestant.mode, Mode::Default | Mode::ExactlyOnce)
        {
            let delay = latency::run(&broker, contestant, arguments.seconds)?;
            eprintln!("latency: {:32} {delay}", contestant.name());
            delays.push((contestant.name(), delay));
        }
    }
    table::print(arguments, &contestants, &rows, &delays)?;
    if with_swaps {
        let records = arguments.records * swaps::INPUT;
        eprintln!("writing {records} records for the swaps");
        let content = data::Content::Orders(None);
        let brokers = broker.address();
        let client = broker.client();
        let input = data::write_all(&client, &brokers, records, content, &readings)?;
        let programs = std::env::current_exe()?;
        let host = programs.with_file_name("host");
        let plugin = |name: &str| arguments.plugins.join(name);
        let (small, large) = (plugin("orders.wasm"), plugin("orders-go.wasm"));
        table::print_swaps(&swaps::run(&broker, &input, &host, &small, &large)?)?;
    }
    Ok(())
}

/// In the order of their turns: beside each, what it is held against.
fn contestants(arguments: &Bench) -> anyhow::Result<Vec<Contestant>> {
    let programs = std::env::current_exe()?;
    let folders = Folders {
        programs: programs.parent().context("this program has a folder")?,
        plugins: &arguments.plugins,
        guests: &arguments.guests,
    };
    let against_native = [Job::Passthrough, Job::Orders]
        .into_iter()
        .flat_map(|job| [Kind::Native, Kind::Host].map(|kind| ((kind, job, Mode::Default), None)));
    let modes = MODES.into_iter().flat_map(|(job, modes)| {
        let host = move |mode: &Mode| ((Kind::Host, job, *mode), None);
        let measured_already = job == Job::Passthrough;
        let default = (!measured_already).then_some(host(&Mode::Default));
        default.into_iter().chain(modes.iter().map(host))
    });
    let failing = FAILING.into_iter().flat_map(|(job, flaws)| {
        let host = (Kind::Host, job, Mode::Default);
        [flaws.none(), flaws].map(|flaws| (host, Some(flaws)))
    });
    Ok(against_native
        .chain(modes)
        .chain(AVRO.map(|avro| (avro, None)))
        .chain(failing)
        .map(|(what, flaws)| Contestant::new(what, flaws, &folders))
        .filter(|contestant| contestant.name().contains(&arguments.only))
        .collect())
}
