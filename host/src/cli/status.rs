//! The live status line of a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use crate::record::Stage;
use crate::telemetry::{Counters, PluginState, Totals};

/// How often the line is drawn anew, and what its rates are over.
const EVERY: Duration = Duration::from_millis(500);

/// Draws the line until it is dropped.
pub struct StatusLine {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl StatusLine {
    /// `name` stands at the front: the pipeline's.
    pub fn start(area: &MultiProgress, name: String, counters: &Arc<Counters>) -> Self {
        if area.is_hidden() {
            return Self { thread: None };
        }
        let bar = area.add(ProgressBar::new_spinner());
        // The template is a constant, and a wrong one would only look plain.
        if let Ok(style) = ProgressStyle::with_template("{spinner:.green} {msg}") {
            bar.set_style(style);
        }
        let counters = Arc::clone(counters);
        let (end, ended) = channel();
        let thread = thread::Builder::new()
            .name("status".to_owned())
            .spawn(move || {
                let mut before = (Instant::now(), counters.totals());
                while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    let now = (Instant::now(), counters.totals());
                    let stages = counters.failures().stages();
                    bar.set_message(format!(
                        "{name}{}  {}{}",
                        plugins(&counters.plugins(), SystemTime::now()),
                        line(before, now),
                        failed(&stages)
                    ));
                    bar.tick();
                    before = now;
                }
                bar.finish_and_clear();
            });
        Self {
            thread: thread.ok().map(|thread| (end, thread)),
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            // A status line that panicked is no news for the pipeline.
            let _ = thread.join();
        }
    }
}

/// Each plugin with its digest's first digits and its last swap, or why the last one
/// was none.
fn plugins(states: &[PluginState], now: SystemTime) -> String {
    let ago = |at: SystemTime| {
        let seconds = now.duration_since(at).unwrap_or_default().as_secs();
        humantime::format_duration(Duration::from_secs(seconds)).to_string()
    };
    let shown = states.iter().map(|plugin| {
        let last = match &plugin.refused {
            Some(refused) => format!(", a new one was refused {} ago", ago(refused.at)),
            None if plugin.trial.is_some() => ", a new one is tried".to_owned(),
            None if plugin.swaps > 0 => {
                format!(", swapped {} ago{}", ago(plugin.since), not_yet(plugin))
            }
            None => String::new(),
        };
        format!("{}{last}", plugin.id)
    });
    match shown.collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        shown => format!(" ({})", shown.join(", ")),
    }
}

/// In how many workers a version has not taken over yet: one may be in a long call.
fn not_yet(plugin: &PluginState) -> String {
    let all: BTreeSet<usize> = plugin.workers.iter().map(|it| it.worker).collect();
    let others = plugin
        .workers
        .iter()
        .filter(|it| it.digest != plugin.id.digest);
    let others: BTreeSet<usize> = others.map(|it| it.worker).collect();
    match others.len() {
        0 => String::new(),
        count => format!(", {count} of {} workers not yet", all.len()),
    }
}

/// How many records failed at which stage; nothing if none did.
fn failed(stages: &BTreeMap<Stage, u64>) -> String {
    let total: u64 = stages.values().sum();
    if total == 0 {
        return String::new();
    }
    let stages: Vec<String> = stages
        .iter()
        .map(|(stage, count)| format!("{stage} {}", HumanCount(*count)))
        .collect();
    format!("  rejected {} ({})", HumanCount(total), stages.join(", "))
}

fn line(before: (Instant, Totals), now: (Instant, Totals)) -> String {
    let seconds = (now.0 - before.0).as_secs_f64();
    let rate = |before: u64, now: u64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rate for people, far below 2^53"
        )]
        let rate = ((now - before) as f64 / seconds).round() as u64;
        HumanCount(rate)
    };
    format!(
        "{} in/s  {} out/s  lag {}  total {} in, {} out",
        rate(before.1.records_in, now.1.records_in),
        rate(before.1.acknowledged, now.1.acknowledged),
        HumanCount(now.1.lag),
        HumanCount(now.1.records_in),
        HumanCount(now.1.acknowledged),
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::plugin::PluginId;
    use crate::plugin::tally::Sum;
    use crate::telemetry::{Refusal, WorkerState};

    #[test]
    fn what_failed_is_counted_by_stage_and_left_out_where_nothing_did() {
        assert_eq!(failed(&BTreeMap::new()), "");
        let stages = [(Stage::Transform, 1200), (Stage::Produce, 3)];
        assert_eq!(
            failed(&stages.into()),
            "  rejected 1,203 (transform 1,200, produce 3)"
        );
    }

    #[test]
    fn each_plugin_is_shown_with_what_became_of_it_last() {
        let at = SystemTime::UNIX_EPOCH;
        let now = at + Duration::from_secs(75);
        let state = PluginState {
            id: PluginId {
                name: "orders".into(),
                digest: "0123456789abcdef".into(),
            },
            path: PathBuf::new(),
            uses: Vec::new(),
            since: at,
            sum: Sum::default(),
            swaps: 0,
            previous: None,
            trial: None,
            refused: None,
            workers: Vec::new(),
        };
        let shown = |state: &PluginState| plugins(std::slice::from_ref(state), now);
        assert_eq!(plugins(&[], now), "");
        assert_eq!(shown(&state), " (orders@01234567)");
        let swapped = PluginState {
            swaps: 1,
            ..state.clone()
        };
        assert_eq!(shown(&swapped), " (orders@01234567, swapped 1m 15s ago)");
        let worker = |worker, digest: &str| WorkerState {
            worker,
            of: "transform".to_owned(),
            digest: digest.into(),
            taken: None,
        };
        let one_of_two = PluginState {
            workers: vec![worker(0, "0123456789abcdef"), worker(1, "ab")],
            ..swapped.clone()
        };
        assert_eq!(
            shown(&one_of_two),
            " (orders@01234567, swapped 1m 15s ago, 1 of 2 workers not yet)"
        );
        let refused = PluginState {
            refused: Some(Refusal {
                at,
                ..Refusal::new("abc", "it is empty".to_owned())
            }),
            ..swapped
        };
        assert_eq!(
            shown(&refused),
            " (orders@01234567, a new one was refused 1m 15s ago)"
        );
    }
}
