//! `host demo`: the main job with nothing installed. A broker inside the process,
//! made-up orders, the orders plugin, and the same worker loop as `host run`; half-way,
//! another version of the plugin takes over.

use std::fs;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use console::style;
use indicatif::{HumanBytes, HumanCount};

use super::status::StatusLine;
use super::{Failed, is_broken_pipe, logging, signals};
use crate::config::{Origin, Pipeline, Settings};
use crate::kafka::embedded::{EmbeddedCluster, Writer};
use crate::pipeline::ports::{Fatal, Outcome, Tap};
use crate::record::{Payload, Record, Verdict};
use crate::runner::{Feed, Prepared, Purpose};
use crate::stop::Stop;
use crate::telemetry::Counters;

const INPUT: &str = "orders";
const OUTPUT: &str = "orders-clean";
const DEAD: &str = "orders-dead";
const PARTITIONS: i32 = 4;

/// Orders a second: a steady stream that the embedded broker keeps up with.
const RATE: u64 = 5_000;

/// One order of so many is broken.
const BROKEN: u64 = 1000;

/// How many orders are shown with what became of them: so many that went out,
/// were dropped, and failed.
const SHOWN_OUT: usize = 4;
const SHOWN_DROPPED: usize = 2;
const SHOWN_REJECTED: usize = 1;
/// And of those that the mended plugin takes.
const SHOWN_MENDED: usize = 1;

/// What stands in an order that is broken, and for the mended plugin is none.
const BROKEN_AMOUNT: &str = r#""12,50""#;

/// The mended plugin, beside the other one.
const MENDED: &str = "orders-comma.wasm";

/// So many orders are written before it is known that they are read.
const FIRST: u64 = 50;

/// The longest wait for what is still on its way when the orders end.
const CATCH_UP: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct DemoArguments {
    /// How long the orders flow
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Leave the broker up afterwards, for other clients, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// The orders plugin [default: plugins/orders.wasm beside this program, as `make` leaves it]
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
}

pub fn run(arguments: &DemoArguments) -> Result<(), Failed> {
    match show(arguments) {
        // Whoever watched has gone, and that is no failure.
        Err(failed) if is_broken_pipe(&failed.error) => Ok(()),
        outcome => outcome,
    }
}

fn show(arguments: &DemoArguments) -> Result<(), Failed> {
    let plugin = plugin(arguments.plugin.as_deref()).map_err(Failed::before)?;
    let area = logging::quiet_about_records(None);
    let stop = Arc::new(Stop::default());
    signals::listen(&stop, None).map_err(Failed::before)?;
    let cluster = EmbeddedCluster::start().map_err(Failed::before)?;
    for topic in [INPUT, OUTPUT, DEAD] {
        cluster
            .create_topic(topic, PARTITIONS)
            .map_err(Failed::before)?;
    }
    let file = PluginFile::new(&plugin).map_err(Failed::before)?;
    let prepared = Prepared::new(pipeline(&cluster, &file.path)?, Feed::Inputs, Purpose::Run)
        .map_err(Failed::before)?;
    introduce(&cluster, &prepared, &plugin, arguments.seconds).map_err(Failed::before)?;

    let writer = cluster.writer().map_err(Failed::before)?;
    let counters = Arc::new(Counters::default());
    let written = Arc::new(AtomicU64::new(0));
    let (show, shown) =
        sync_channel::<String>(SHOWN_OUT + SHOWN_DROPPED + SHOWN_REJECTED + SHOWN_MENDED + 1);
    let status = StatusLine::start(&area, prepared.pipeline.name.clone(), &counters);
    let begun = Instant::now();
    let outcome = thread::scope(|scope| {
        let tell = show.clone();
        let feeding = scope.spawn(|| {
            // Whatever ends the orders ends the demo.
            let half_way = || {
                // The old one has shown what it does not read.
                if counters.totals().dead_letters == 0 {
                    return Ok(None);
                }
                let is_mended = file.is_mended()?;
                if is_mended {
                    // Nobody looks any more, at worst.
                    let _ = tell.try_send(mended());
                }
                Ok(Some(is_mended))
            };
            let orders = Orders {
                writer: &writer,
                stop: &stop,
                counters: &counters,
                written: &written,
            };
            let fed = orders.feed(arguments.seconds, half_way);
            drop(tell);
            if fed.is_ok() {
                catch_up(&stop, &counters, &written);
            }
            stop.request();
            fed
        });
        let show_all = scope.spawn(|| {
            for line in shown {
                area.suspend(|| say(&line))?;
            }
            Ok::<_, Fatal>(())
        });
        let outcome = prepared.run(&stop, &counters, move || Some(tap(show.clone())));
        drop(status);
        let fed = feeding
            .join()
            .unwrap_or_else(|_| Err(anyhow!("writing the orders panicked")));
        // It ends with the last tap.
        let said = show_all.join().unwrap_or(Ok(()));
        outcome.and(fed).and(said)
    });
    outcome.map_err(Failed::while_running)?;
    conclude(
        &counters,
        begun.elapsed(),
        written.load(Ordering::Relaxed),
        &plugin,
    )
    .map_err(Failed::while_running)?;
    if arguments.keep {
        keep(&cluster).map_err(Failed::while_running)?;
    }
    Ok(())
}

fn plugin(given: Option<&Path>) -> Result<PathBuf, Fatal> {
    if let Some(path) = given {
        return Ok(path.to_path_buf());
    }
    let program = std::env::current_exe().context("this program's own path is not known")?;
    let beside = program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("plugins/orders.wasm"));
    let tried: Vec<PathBuf> = beside.collect();
    tried
        .iter()
        .find(|path| path.is_file())
        .cloned()
        .with_context(|| {
            let tried: Vec<String> = tried.iter().map(|p| p.display().to_string()).collect();
            format!(
                "the orders plugin is not there (looked for {}): `make plugins` builds it, and \
                 --plugin names another place",
                tried.join(" and ")
            )
        })
}

/// The plugin's file, as its author has it.
struct PluginFile {
    path: PathBuf,
    mended: PathBuf,
    _folder: tempfile::TempDir,
}

impl PluginFile {
    fn new(plugin: &Path) -> Result<Self, Fatal> {
        let folder = tempfile::tempdir().context("no folder could be made for the plugin")?;
        let path = folder.path().join("orders.wasm");
        fs::copy(plugin, &path)
            .with_context(|| format!("plugin {} can't be read", plugin.display()))?;
        Ok(Self {
            path,
            mended: plugin.with_file_name(MENDED),
            _folder: folder,
        })
    }

    /// Its author builds it anew, if the mended one is there.
    fn is_mended(&self) -> Result<bool, Fatal> {
        if !self.mended.is_file() {
            return Ok(false);
        }
        let part = self.path.with_extension("part");
        fs::copy(&self.mended, &part)
            .and_then(|_| fs::rename(&part, &self.path))
            .context("the plugin could not be changed")?;
        Ok(true)
    }
}

fn mended() -> String {
    format!(
        "\n  {}  orders.wasm is built anew, and reads amounts like {BROKEN_AMOUNT}, too: the run \
         takes it as it goes\n",
        style("swap").bold()
    )
}

fn pipeline(cluster: &EmbeddedCluster, plugin: &Path) -> Result<Pipeline, Failed> {
    let mut settings = Settings::default();
    for (key, value) in [
        ("name", "demo"),
        ("plugin.path", &*plugin.to_string_lossy()),
        ("kafka.brokers", &cluster.brokers()),
        ("input.topics", INPUT),
        ("output.topic", OUTPUT),
        ("errors.dead_letter", DEAD),
    ] {
        settings.put(key, value, Origin::Set);
    }
    Ok(Pipeline::from_settings(&settings)?)
}

struct Orders<'a> {
    writer: &'a Writer,
    stop: &'a Stop,
    counters: &'a Counters,
    written: &'a AtomicU64,
}

impl Orders<'_> {
    /// Writes orders at a steady rate, for so many seconds, and until another plugin has
    /// taken over, or until told to stop. From half-way on, `half_way` is asked until it knows
    /// whether there is another one.
    fn feed(
        &self,
        seconds: u64,
        mut half_way: impl FnMut() -> Result<Option<bool>, Fatal>,
    ) -> Result<(), Fatal> {
        let total = RATE * seconds;
        self.write(1..=FIRST)?;
        let begun = Instant::now();
        while self.counters.totals().records_in == 0
            && begun.elapsed() < CATCH_UP
            && !self.stop.requested()
        {
            self.stop.wait(Duration::from_millis(5));
        }
        let begun = Instant::now();
        let mut id = FIRST;
        let mut is_mended = None;
        while !self.stop.requested() {
            let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let due = elapsed.saturating_mul(RATE).div_euclid(1000);
            // On a busy machine the mended plugin takes its time, and is waited for.
            let totals = self.counters.totals();
            let waits = is_mended == Some(true)
                && totals.swaps + totals.refusals == 0
                && begun.elapsed() < CATCH_UP + Duration::from_secs(seconds);
            if id >= total && !waits {
                break;
            }
            let due = if waits { due } else { due.min(total) };
            if due > id {
                self.write(id + 1..=due)?;
                id = due;
            }
            if id >= total / 2 && is_mended.is_none() {
                is_mended = half_way()?;
            }
            self.stop.wait(Duration::from_millis(5));
        }
        self.writer.flush()
    }

    fn write(&self, ids: RangeInclusive<u64>) -> Result<(), Fatal> {
        let last = *ids.end();
        for id in ids {
            let (customer, order) = made_up(id);
            self.writer.write(INPUT, &customer, &order)?;
        }
        self.written.store(last, Ordering::Relaxed);
        Ok(())
    }
}

/// Waits until everything that was written came through.
fn catch_up(stop: &Stop, counters: &Counters, written: &AtomicU64) {
    let deadline = Instant::now() + CATCH_UP;
    while counters.totals().records_in < written.load(Ordering::Relaxed)
        && Instant::now() < deadline
        && !stop.requested()
    {
        stop.wait(Duration::from_millis(20));
    }
}

/// An order, and its customer, who is its key. The same `id` is always the same
/// order; every ninth one is void, and a few are broken.
fn made_up(id: u64) -> (String, String) {
    const NOTES: [&str; 4] = ["gift", "express", "leave at the door", ""];
    const CURRENCIES: [&str; 3] = ["EUR", "USD", "CHF"];
    // Knuth's multiplicative hash: looks random enough for a shop.
    let random = id.wrapping_mul(2_654_435_761) >> 7;
    let pick = |n: usize| usize::try_from(random % n as u64).unwrap_or(0);
    let customer = format!("c{:05}", random % 500);
    let status = match id % 9 {
        0 => "void",
        1..=2 => "open",
        _ => "paid",
    };
    let amount = match id.is_multiple_of(BROKEN) {
        true => BROKEN_AMOUNT.to_owned(),
        false => format!("{}.{:02}", 1 + random % 300, random % 100),
    };
    let order = format!(
        r#"{{"id":{id},"customer":"{customer}","amount":{amount},"currency":"{}","status":"{status}","note":"{}"}}"#,
        CURRENCIES[pick(3)],
        NOTES[pick(4)],
    );
    (customer, order)
}

/// Shows the first orders and what became of them.
fn tap(show: SyncSender<String>) -> Tap {
    let (mut out, mut dropped, mut rejected) = (SHOWN_OUT, SHOWN_DROPPED, SHOWN_REJECTED);
    let mut mended = SHOWN_MENDED;
    let broken = BROKEN_AMOUNT.as_bytes();
    let is_broken = move |value: &[u8]| value.windows(broken.len()).any(|amount| amount == broken);
    Box::new(move |_, record, outcome| {
        let left = match outcome {
            Outcome::Judged(Verdict::Drop) => &mut dropped,
            // The others have been shown by then, and are not looked into any more.
            Outcome::Judged(_)
                if out == 0 && mended > 0 && record.value().is_some_and(is_broken) =>
            {
                &mut mended
            }
            Outcome::Judged(_) => &mut out,
            Outcome::Rejected(_) => &mut rejected,
        };
        if *left > 0 {
            *left -= 1;
            // The channel has room for all of them, so a full or closed one
            // means that nobody looks.
            let _ = show.try_send(shown(record, outcome));
        }
        Ok(())
    })
}

fn shown(record: &dyn Record, outcome: Outcome<'_>) -> String {
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let became = match outcome {
        Outcome::Rejected(rejected) => style(format!("(a dead letter: {})", rejected.reason)).red(),
        Outcome::Judged(Verdict::Drop) => style("(dropped: void)".to_owned()).dim(),
        Outcome::Judged(Verdict::Replace(output)) => match &output.value {
            Payload::Bytes(bytes) => style(text(Some(bytes))).green(),
            Payload::Source | Payload::Null => style("(as it came)".to_owned()),
        },
        Outcome::Judged(other) => style(format!("({})", other.name())),
    };
    format!("  in   {}\n  out  {became}", text(record.value()))
}

fn say(line: &str) -> Result<(), Fatal> {
    writeln!(std::io::stdout(), "{line}").context("stdout is closed")
}

fn introduce(
    cluster: &EmbeddedCluster,
    prepared: &Prepared,
    plugin: &Path,
    seconds: u64,
) -> Result<(), Fatal> {
    say(&format!(
        "{}\n\n  broker  {}, inside this process: any Kafka client can talk to it\n  plugin  {} \
         ({}, {}, loaded in {:.1?})\n  job     {INPUT} → {OUTPUT}, {PARTITIONS} partitions, {} \
         orders a second for {seconds} s\n",
        style("Millrace: Kafka records through a WebAssembly plugin").bold(),
        cluster.brokers(),
        prepared.plugins,
        plugin.display(),
        HumanBytes(std::fs::metadata(plugin).map_or(0, |file| file.len())),
        prepared.plugins.took(),
        HumanCount(RATE),
    ))
}

fn conclude(counters: &Counters, took: Duration, written: u64, plugin: &Path) -> Result<(), Fatal> {
    let totals = counters.totals();
    say(&format!(
        "\n{} in {took:.1?}: {} orders written, {} through the plugin, {} dropped as void, {} \
         written to {OUTPUT}, {} broken ones to {DEAD}, all acknowledged, and every position \
         committed{}.\n\nOn a Kafka of your \
         own:\n\n  host run --plugin {} --brokers localhost:9092 --input {INPUT} --output {OUTPUT} \
         --dead-letter {DEAD}",
        style("Done").bold(),
        HumanCount(written),
        HumanCount(totals.records_in),
        HumanCount(totals.records_in - totals.records_out - totals.dead_letters),
        HumanCount(totals.records_out),
        HumanCount(totals.dead_letters),
        match totals.swaps {
            0 => "",
            _ => ", and the plugin swapped under way",
        },
        plugin.display(),
    ))
}

fn keep(cluster: &EmbeddedCluster) -> Result<(), Fatal> {
    let stop = Arc::new(Stop::default());
    signals::listen(&stop, None)?;
    say(&format!(
        "\nThe broker stays up at {0} until Ctrl-C. The broken orders:\n\n  host dlq list {DEAD} \
         --brokers {0}",
        cluster.brokers()
    ))?;
    while !stop.requested() {
        stop.wait(Duration::from_secs(1));
    }
    Ok(())
}
