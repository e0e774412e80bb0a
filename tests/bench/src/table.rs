//! The tables, in Markdown: medians, each as a ratio to the native one of the
//! same run; what failures cost, as ratios to the run without any of the same
//! round; and the latency. A table that has no rows is left out.

use std::io::{self, Write};

use crate::Bench;
use crate::contestant::{Contestant, Job, Kind, Mode};
use crate::latency::{Delay, RATE};
use crate::swaps::{SWAPS, Swaps};
use crate::throughput::Run;

pub fn print(
    arguments: &Bench,
    contestants: &[Contestant],
    runs: &[(String, Run)],
    delays: &[(String, Delay)],
) -> anyhow::Result<()> {
    if contestants.is_empty() {
        return Ok(());
    }
    let out = &mut std::io::stdout().lock();
    writeln!(
        out,
        "{} records of about 110 bytes, 4 partitions, one worker, medians of {} runs in turns",
        arguments.records, arguments.rounds
    )?;
    let (failing, clean): (Vec<_>, Vec<_>) = contestants
        .iter()
        .partition(|contestant| contestant.flaws.is_some());
    let jobs_with_native = [Job::Passthrough, Job::Orders];
    let against_native: Vec<&Contestant> = clean
        .iter()
        .copied()
        .filter(|c| c.mode == Mode::Default && jobs_with_native.contains(&c.job))
        .collect();
    if !against_native.is_empty() {
        print_against_native(out, &against_native, runs)?;
    }
    let (languages, clean): (Vec<_>, Vec<_>) = clean
        .into_iter()
        .partition(|c| matches!(c.job, Job::OrdersIn(_)));
    let (avro, clean): (Vec<_>, Vec<_>) = clean
        .into_iter()
        .partition(|c| matches!(c.job, Job::Avro | Job::Json));
    let modes = clean.iter().filter(|c| c.mode != Mode::Default).count();
    if modes > 0 {
        print_modes(out, &clean, runs)?;
    }
    if !avro.is_empty() {
        print_avro(out, &avro, runs)?;
    }
    if !failing.is_empty() {
        print_failing(out, &failing, runs)?;
    }
    if !languages.is_empty() {
        let rust = clean
            .iter()
            .find(|c| c.job == Job::Orders && c.kind == Kind::Host);
        let all: Vec<_> = rust.into_iter().chain(&languages).copied().collect();
        print_languages(out, &all, runs)?;
    }
    if !delays.is_empty() {
        print_latency(out, arguments.seconds, delays)?;
    }
    Ok(())
}

fn print_against_native(
    out: &mut impl Write,
    contestants: &[&Contestant],
    runs: &[(String, Run)],
) -> io::Result<()> {
    let median = |contestant: &Contestant, figure| self::median(figures(runs, contestant, figure));
    writeln!(
        out,
        "\n| | records/s | of native | CPU µs a record | of native | peak memory | first record |"
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
    Ok(())
}

/// Each mode beside the defaults at the same job, in the same round.
fn print_modes(
    out: &mut impl Write,
    contestants: &[&Contestant],
    runs: &[(String, Run)],
) -> io::Result<()> {
    writeln!(out, "\nguarantees and workers\n")?;
    writeln!(
        out,
        "| | records/s | of the defaults: median (range) | CPU µs a record | peak memory |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|")?;
    for contestant in contestants {
        let same_job = |other: &&&Contestant| {
            other.job == contestant.job && other.kind == Kind::Host && contestant.kind == Kind::Host
        };
        let others = || contestants.iter().filter(same_job);
        if others().count() < 2 {
            continue;
        }
        let rates = figures(runs, contestant, |run| run.rate);
        let ratio = match others().find(|other| other.mode == Mode::Default) {
            Some(_) if contestant.mode == Mode::Default => "1.00".to_owned(),
            Some(default) => ratio_by_round(&rates, &figures(runs, default, |run| run.rate)),
            None => "–".to_owned(),
        };
        writeln!(
            out,
            "| {} | {:.0} | {ratio} | {:.2} | {:.0} MB |",
            contestant.name(),
            median(rates),
            median(figures(runs, contestant, |run| run.cpu)),
            median(figures(runs, contestant, |run| run.peak as f64)) / 1e6,
        )?;
    }
    Ok(())
}

/// What decoding and encoding costs on top of the same records with nothing done, in
/// the same round.
fn print_avro(
    out: &mut impl Write,
    contestants: &[&Contestant],
    runs: &[(String, Run)],
) -> io::Result<()> {
    writeln!(out, "\nAvro: records of ten fields\n")?;
    writeln!(
        out,
        "| | records/s | CPU µs a record | on top: median (range) |"
    )?;
    writeln!(out, "|---|---:|---:|---:|")?;
    for contestant in contestants {
        let cpu = figures(runs, contestant, |run| run.cpu);
        let plain = contestants.iter().find(|other| {
            (other.kind, other.job, other.mode) == (contestant.kind, contestant.job, Mode::Default)
        });
        let top = match plain {
            Some(plain) if contestant.mode != Mode::Default => {
                let plain = figures(runs, plain, |run| run.cpu);
                let top = cpu.iter().zip(plain).map(|(cpu, plain)| cpu - plain);
                with_range(top.collect())
            }
            _ => "–".to_owned(),
        };
        writeln!(
            out,
            "| {} | {:.0} | {:.2} | {top} |",
            contestant.name(),
            median(figures(runs, contestant, |run| run.rate)),
            median(cpu),
        )?;
    }
    Ok(())
}

fn print_failing(
    out: &mut impl Write,
    contestants: &[&Contestant],
    runs: &[(String, Run)],
) -> io::Result<()> {
    writeln!(out, "\nrecords that fail\n")?;
    writeln!(
        out,
        "| | records/s | of the clean run: median (range) | CPU µs a record |"
    )?;
    writeln!(out, "|---|---:|---:|---:|")?;
    for contestant in contestants {
        let rates = figures(runs, contestant, |run| run.rate);
        let clean = contestants.iter().find(|other| {
            other.job == contestant.job && other.flaws == contestant.flaws.map(|flaws| flaws.none())
        });
        let ratio = match clean {
            Some(clean) if clean.name() == contestant.name() => "1.00".to_owned(),
            Some(clean) => ratio_by_round(&rates, &figures(runs, clean, |run| run.rate)),
            None => "–".to_owned(),
        };
        writeln!(
            out,
            "| {} | {:.0} | {ratio} | {:.2} |",
            contestant.name(),
            median(rates),
            median(figures(runs, contestant, |run| run.cpu)),
        )?;
    }
    Ok(())
}

fn print_latency(out: &mut impl Write, seconds: u64, delays: &[(String, Delay)]) -> io::Result<()> {
    writeln!(out, "\nlatency at {RATE} records/s, {seconds} s\n")?;
    writeln!(out, "| | p50 | p99 |")?;
    writeln!(out, "|---|---:|---:|")?;
    for (name, delay) in delays {
        writeln!(out, "| {name} | {:.1?} | {:.1?} |", delay.p50, delay.p99)?;
    }
    Ok(())
}

/// The same job in each language, beside the first one in the same round.
fn print_languages(
    out: &mut impl Write,
    contestants: &[&Contestant],
    runs: &[(String, Run)],
) -> anyhow::Result<()> {
    writeln!(out, "\nthe orders job in each language\n")?;
    writeln!(
        out,
        "| | component | first record | records/s | CPU µs a record | of the first: median (range) | peak memory | recycled |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
    let cpus = |contestant: &Contestant| figures(runs, contestant, |run| run.cpu);
    let first: Vec<_> = contestants.first().map(|it| cpus(it)).unwrap_or_default();
    for contestant in contestants {
        let size = std::fs::metadata(&contestant.plugin)?.len() as f64 / 1e6;
        writeln!(
            out,
            "| {} | {size:.2} MB | {:.2} s | {:.0} | {:.2} | {} | {:.0} MB | {:.0} |",
            contestant.name(),
            median(figures(runs, contestant, |run| run.first)),
            median(figures(runs, contestant, |run| run.rate)),
            median(cpus(contestant)),
            ratio_by_round(&cpus(contestant), &first),
            median(figures(runs, contestant, |run| run.peak as f64)) / 1e6,
            median(figures(runs, contestant, |run| run.recycled as f64)),
        )?;
    }
    Ok(())
}

/// What a swap costs.
pub fn print_swaps(swaps: &Swaps) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let at = |share: usize| swaps.pauses[(swaps.pauses.len() - 1) * share / 100];
    let of_before = |rate: f64| rate / swaps.before;
    writeln!(
        out,
        "\n{SWAPS} swaps of the orders plugin at full rate, one worker\n"
    )?;
    writeln!(out, "| | |\n|---|---:|")?;
    writeln!(
        out,
        "| a worker's pause: p50, p99, longest | {:.1?}, {:.1?}, {:.1?} |",
        at(50),
        at(99),
        at(100)
    )?;
    for (what, rate) in [
        ("before", swaps.before),
        ("while they go on", swaps.during),
        ("afterwards", swaps.after),
    ] {
        let ratio = of_before(rate);
        writeln!(out, "| outputs/s {what} | {rate:.0} ({ratio:.2}) |")?;
    }
    writeln!(
        out,
        "| outputs/s while {:.1} MB of Go are compiled ({:.1?}) | {:.0} ({:.2}) |",
        swaps.large as f64 / 1e6,
        swaps.took,
        swaps.compiling,
        of_before(swaps.compiling)
    )
}

/// Of each round by itself, where the two ran one after the other.
fn ratio_by_round(these: &[f64], those: &[f64]) -> String {
    with_range(these.iter().zip(those).map(|(a, b)| a / b).collect())
}

fn with_range(mut figures: Vec<f64>) -> String {
    figures.sort_by(f64::total_cmp);
    match (figures.first(), figures.last()) {
        (Some(least), Some(most)) => {
            let (least, most) = (*least, *most);
            format!("{:.2} ({least:.2} to {most:.2})", median(figures))
        }
        _ => "–".to_owned(),
    }
}

/// A contestant's figures, round by round.
fn figures(runs: &[(String, Run)], contestant: &Contestant, figure: fn(&Run) -> f64) -> Vec<f64> {
    let name = contestant.name();
    runs.iter()
        .filter(|(of, _)| *of == name)
        .map(|(_, run)| figure(run))
        .collect()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.get(middle) {
        None => f64::NAN,
        Some(upper) if figures.len().is_multiple_of(2) => {
            f64::midpoint(figures[middle - 1], *upper)
        }
        Some(only) => *only,
    }
}
