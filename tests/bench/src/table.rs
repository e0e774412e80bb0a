//! The table, in Markdown: medians, and each as a ratio to the native one of the
//! same run.

use std::io::Write as _;

use crate::Bench;
use crate::contestant::{Contestant, Kind};
use crate::latency::{Delay, RATE};
use crate::throughput::Run;

pub fn print(
    arguments: &Bench,
    contestants: &[Contestant],
    runs: &[(String, Run)],
    delays: &[(String, Delay)],
) -> anyhow::Result<()> {
    let median = |contestant: &Contestant, figure: fn(&Run) -> f64| {
        let name = contestant.name();
        let mut figures: Vec<f64> = runs
            .iter()
            .filter(|(of, _)| *of == name)
            .map(|(_, run)| figure(run))
            .collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} records of about 110 bytes, 4 partitions, one worker, medians of {} runs in turns\n",
        arguments.records, arguments.rounds
    )?;
    writeln!(
        out,
        "| | records/s | of native | CPU µs a record | of native | peak memory | first record |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
    for contestant in contestants {
        let native = contestants
            .iter()
            .find(|other| other.job == contestant.job && other.kind == Kind::Native);
        let ratio = |figure: fn(&Run) -> f64| match native {
            Some(native) => format!("{:.2}", median(contestant, figure) / median(native, figure)),
            None => "–".to_owned(),
        };
        writeln!(
            out,
            "| {} | {:.0} | {} | {:.2} | {} | {:.0} MB | {:.2} s |",
            contestant.name(),
            median(contestant, |run| run.rate),
            ratio(|run| run.rate),
            median(contestant, |run| run.cpu),
            ratio(|run| run.cpu),
            median(contestant, |run| run.peak as f64) / 1e6,
            median(contestant, |run| run.first),
        )?;
    }
    writeln!(
        out,
        "\nlatency at {RATE} records/s, {} s\n",
        arguments.seconds
    )?;
    writeln!(out, "| | p50 | p99 |")?;
    writeln!(out, "|---|---:|---:|")?;
    for (name, delay) in delays {
        writeln!(out, "| {name} | {:.1?} | {:.1?} |", delay.p50, delay.p99)?;
    }
    Ok(())
}
