//! What a run says and counts: one function an event, which is its log line and
//! its counter together.
//!
//! Levels: ERROR, data is lost or a person is needed; WARN, something is wrong
//! and no data is lost; INFO, what an operator wants in a normal day's log.

mod failures;
#[cfg(test)]
pub mod logged;
mod plugins;
mod stalls;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use self::failures::{Failures, Group};
pub use self::plugins::{PluginState, Refusal, TrialState, WorkerState};
use crate::pipeline::ports::{Failure, Fault, Gap};
use crate::pipeline::stalls::{News, Stall};
use crate::plugin::PluginId;
use crate::record::{NextOffset, Position, Rejected, TopicPartition};

/// Totals since the start, of all workers together.
#[derive(Debug, Default)]
pub struct Counters {
    records_in: AtomicU64,
    bytes_in: AtomicU64,
    records_out: AtomicU64,
    acknowledged: AtomicU64,
    lag: AtomicI64,
    /// How often a partition waited for what is around it.
    waits: AtomicU64,
    /// How often something that stood still was said.
    stalls: AtomicU64,
    /// How many offsets were skipped where records were gone.
    skipped: AtomicU64,
    /// How often the plugin trapped, was interrupted or went over a limit.
    faults: AtomicU64,
    /// How often a new version of a plugin took over.
    swaps: AtomicU64,
    /// How often one was not taken, or was taken back.
    refusals: AtomicU64,
    plugins: Mutex<Vec<PluginState>>,
    failures: Failures,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records that the plugin judged.
    pub records_in: u64,
    /// Their keys and values.
    pub bytes_in: u64,
    /// Outputs that were handed to the producer.
    pub records_out: u64,
    /// Outputs that the broker acknowledged, dead letters included.
    pub acknowledged: u64,
    /// Rejected records that became dead letters.
    pub dead_letters: u64,
    /// Rejected records that were dropped.
    pub dropped: u64,
    /// How often a partition waited for what is around it.
    pub waits: u64,
    /// How often something that stood still was said.
    pub stalls: u64,
    /// Offsets that were skipped where the broker no longer had the records:
    /// at most so many records.
    pub skipped: u64,
    /// How often the plugin trapped, was interrupted or went over a limit.
    pub faults: u64,
    /// How often a new version of a plugin took over.
    pub swaps: u64,
    /// How often one was not taken, or was taken back.
    pub refusals: u64,
    /// Records that wait in the assigned partitions.
    pub lag: u64,
}

impl Counters {
    pub fn consumed(&self, records: usize, bytes: usize) {
        self.records_in.fetch_add(records as u64, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn sent(&self, outputs: u64) {
        self.records_out.fetch_add(outputs, Ordering::Relaxed);
    }

    pub fn acknowledged(&self, outputs: u64) {
        self.acknowledged.fetch_add(outputs, Ordering::Relaxed);
    }

    /// A worker's lag changed by so many records.
    pub fn lag_changed(&self, by: i64) {
        self.lag.fetch_add(by, Ordering::Relaxed);
    }

    /// A rejected record goes to its dead letter, or is dropped.
    pub fn rejected(&self, rejected: &Rejected, letter: bool) {
        self.failures.add(rejected, letter);
    }

    /// A partition waits for what is around it, and for so long before it tries
    /// again.
    pub fn waits(&self, position: &Position, why: &str, long: Duration) {
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.failures.wait(position, why, long);
    }

    /// A partition waits for a schema, which takes long.
    pub fn waits_for_schema(&self, position: &Position, why: &str) {
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.failures.wait_for_schema(position, why);
    }

    /// Something stands still, or does not any more.
    pub fn stall(&self, news: &News) {
        if news.what != Stall::IsOver {
            self.stalls.fetch_add(1, Ordering::Relaxed);
        }
        stalls::say(news);
    }

    /// A lane was to read on at `from`, which the broker no longer has, and goes
    /// on elsewhere, as `input.on_gap` says.
    pub fn jumped(&self, partition: &TopicPartition, from: NextOffset, gap: &Gap) {
        let skipped = u64::try_from(gap.skipped(from)).unwrap_or(0);
        self.skipped.fetch_add(skipped, Ordering::Relaxed);
        tracing::warn!(
            %partition,
            from = from.0,
            to = gap.to.0,
            first = gap.first,
            skipped,
            "{}",
            match gap.remade {
                true => "the topic was deleted and made again: reading on in the new one \
                         (input.on_gap)",
                false => "the broker no longer has the position: reading on elsewhere \
                          (input.on_gap)",
            }
        );
    }

    /// An output was refused when it was on its way.
    pub fn goes_back(&self, partition: &TopicPartition, position: NextOffset) {
        self.failures.goes_back(partition, position);
    }

    /// The plugin broke in a call of so many records; `first`: a hunt for the
    /// culprit begins with it.
    pub fn plugin_broke(&self, at: &Position, records: usize, fault: &Fault, first: bool) {
        self.faults.fetch_add(1, Ordering::Relaxed);
        if first {
            self.failures.fault(at, records, &fault.to_string());
        }
    }

    /// A new version of a plugin takes over.
    pub fn plugin_swapped(&self) {
        self.swaps.fetch_add(1, Ordering::Relaxed);
    }

    /// A version was not taken, or was taken back.
    pub fn plugin_refused(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// What the plugins are now.
    pub fn plugins_are(&self, states: Vec<PluginState>) {
        *self.plugins.lock().unwrap_or_else(PoisonError::into_inner) = states;
    }

    /// What the plugins are, as of the last look.
    pub fn plugins(&self) -> Vec<PluginState> {
        let plugins = self.plugins.lock();
        plugins.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The records that failed, by stage and reason.
    pub fn failures(&self) -> &Failures {
        &self.failures
    }

    pub fn totals(&self) -> Totals {
        let (dead_letters, dropped) = self.failures.totals();
        Totals {
            dead_letters,
            dropped,
            waits: self.waits.load(Ordering::Relaxed),
            stalls: self.stalls.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            swaps: self.swaps.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
            records_in: self.records_in.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            records_out: self.records_out.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            lag: u64::try_from(self.lag.load(Ordering::Relaxed)).unwrap_or(0),
        }
    }
}

/// What a thread logs within this names its worker.
pub fn lines_of_worker(number: usize) -> tracing::Span {
    // Of the highest level: a filter that lets a line pass lets its worker pass.
    tracing::error_span!("worker", number)
}

pub fn plugin_loaded(plugin: &PluginId, from_cache: bool, took: Duration) {
    tracing::info!(
        %plugin,
        how = if from_cache { "from the cache" } else { "compiled" },
        ?took,
        "plugin loaded"
    );
}

/// A worker runs another version of a plugin from now on, and stood still for it so
/// long.
pub fn plugin_swapped(plugin: &PluginId, from: &[(TopicPartition, NextOffset)], pause: Duration) {
    tracing::info!(%plugin, from = %From(from), ?pause, "plugin swapped");
}

/// A changed plugin file is not taken.
pub fn plugin_refused(path: &Path, goes_on: &PluginId, why: &str) {
    tracing::error!(path = %path.display(), why, "a plugin file is not taken: {goes_on} goes on");
}

/// A plugin file holds again what was not taken.
pub fn plugin_is_refused_still(path: &Path, goes_on: &PluginId, why: &str) {
    tracing::warn!(
        path = %path.display(),
        why,
        "a plugin file holds what was refused before: {goes_on} goes on (SIGHUP tries it again)"
    );
}

/// A version that ran, or was tried, does no more.
pub fn plugin_recalled(plugin: &PluginId, goes_on: &PluginId, why: &str) {
    tracing::warn!(%plugin, why, "a plugin was taken back: {goes_on} goes on");
}

/// A version sees a share of the batches.
pub fn plugin_tried(plugin: &PluginId, beside: &PluginId, share: f64) {
    tracing::info!(%plugin, %beside, share, "a plugin is tried on a share of the batches");
}

/// A version that was tried takes over.
pub fn plugin_promoted(plugin: &PluginId) {
    tracing::info!(%plugin, "a plugin that was tried does well, and takes over");
}

/// The version before one that is taken back could not be made ready again.
pub fn plugin_stays(plugin: &PluginId, error: &anyhow::Error) {
    tracing::error!(
        %plugin,
        error = format!("{error:#}"),
        "the version before it could not be made ready for all workers"
    );
}

/// A worker went back to the version before.
pub fn plugin_taken_back(
    bad: &PluginId,
    good: &PluginId,
    from: &[(TopicPartition, NextOffset)],
    why: &str,
) {
    tracing::error!(
        plugin = %bad,
        from = %From(from),
        why,
        "the new plugin has failed every record, and is taken back: {good} goes on"
    );
}

/// A version that came by the admin address is taken back, and its file could not be.
pub fn plugin_file_stays(path: &Path, error: &anyhow::Error) {
    tracing::error!(
        path = %path.display(),
        error = format!("{error:#}"),
        "the plugin file before it could not be put back: a restart runs what was taken back"
    );
}

/// Where the admin address is, once it answers.
pub fn admin_listens(address: std::net::SocketAddr, upload: bool) {
    tracing::info!(%address, upload, "the admin address listens");
}

/// A shadow's verdict is another one than the plugin's; so many were left out of the log
/// before.
pub fn shadow_differs(position: &Position, how: &str, left_out: u64) {
    let left_out = (left_out > 0).then_some(left_out);
    tracing::info!(
        partition = %position.partition,
        offset = position.offset,
        how,
        left_out,
        "the shadow differs"
    );
}

/// What came of a shadow, in all workers together.
pub fn shadow_compared(records: u64, differ: u64, broke: u64) {
    tracing::info!(
        records,
        differ,
        broke,
        "the shadow was held against the plugin"
    );
}

/// `positions`: who keeps them.
pub fn running(pipeline: &str, positions: &dyn fmt::Display, workers: usize) {
    tracing::info!(pipeline, %positions, workers, "running");
}

pub fn recovery_store_made(dir: &Path) {
    tracing::info!(dir = %dir.display(), "an empty recovery store was made");
}

/// A topic has grown while it is read; `own` of the new partitions are this
/// process's.
pub fn partitions_found(topic: &str, known: i32, now: i32, own: usize) {
    tracing::info!(topic, known, now, own, "the topic has new partitions");
}

pub fn topic_created(topic: &str, partitions: i32) {
    tracing::info!(topic, partitions, "topic created");
}

pub fn dead_letters_unchecked(topic: &str) {
    tracing::info!(
        topic,
        "the cluster does not tell the dead-letter topic's settings: if it is compacted, dead \
         letters disappear"
    );
}

pub fn assigned(partition: &TopicPartition, start: NextOffset, stored: bool) {
    tracing::info!(
        %partition,
        offset = start.0,
        from = if stored { "the stored position" } else { "input.start" },
        "partition assigned"
    );
}

/// An input topic is not there any more.
pub fn input_gone(topic: &str) {
    tracing::warn!(topic, "an input topic was deleted; it is waited for");
}

/// An input topic is another one of the same name.
pub fn input_remade(topic: &str) {
    tracing::warn!(topic, "an input topic was deleted and made again");
}

/// `--reset` moved a stored position.
pub fn reset(partition: &TopicPartition, before: Option<NextOffset>, to: NextOffset) {
    tracing::info!(
        %partition,
        before = before.map(|position| position.0),
        offset = to.0,
        "the stored position was moved to input.start (--reset)"
    );
}

/// Where a run will end.
pub fn reading_until(ends: &[(TopicPartition, i64)]) {
    tracing::info!(ends = %Ends(ends), "reading up to, and without");
}

/// A run came to its end.
pub fn reached(ends: &[(TopicPartition, i64)]) {
    tracing::info!(ends = %Ends(ends), "the end is reached (input.until)");
}

struct From<'a>(&'a [(TopicPartition, NextOffset)]);

impl fmt::Display for From<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends: Vec<_> = self.0.iter().map(|(p, next)| (p.clone(), next.0)).collect();
        Ends(&ends).fmt(f)
    }
}

struct Ends<'a>(&'a [(TopicPartition, i64)]);

impl fmt::Display for Ends<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (partition, end)) in self.0.iter().enumerate() {
            let between = if i > 0 { " " } else { "" };
            write!(f, "{between}{partition}:{end}")?;
        }
        Ok(())
    }
}

/// A worker that has no partition says so once.
pub fn idle() {
    tracing::info!("this worker has no partition: there are more workers than partitions");
}

pub fn revoked(partitions: &[TopicPartition], is_drained: bool) {
    if is_drained {
        tracing::info!(partitions = %List(partitions), "partitions given up, drained and committed");
    } else {
        tracing::warn!(
            partitions = %List(partitions),
            "partitions given up before everything in flight was done; their next owner reads the \
             rest again"
        );
    }
}

pub fn lost(partitions: &[TopicPartition]) {
    tracing::warn!(
        partitions = %List(partitions),
        "partitions lost: the group gave them away; what was not committed is read again by their \
         next owner"
    );
}

/// A transaction's producer gives way to a new one.
pub fn producer_replaced(id: &str, what: &str, why: &str, left_out: u64) {
    let left_out = (left_out > 0).then_some(left_out);
    tracing::warn!(
        transactional_id = id,
        why,
        left_out,
        "a producer could not {what}: a new one takes its place"
    );
}

/// Everything since the last commit is done again.
pub fn transaction_aborted(why: &str) {
    tracing::warn!(
        why,
        "a transaction was aborted: nothing of it counts, and its records are read again"
    );
}

pub fn commit_failed(partitions: &[TopicPartition], reason: &str) {
    tracing::warn!(
        partitions = %List(partitions),
        reason,
        "a commit failed; it is made again, or what it covers is read again"
    );
}

/// Nothing is read from these partitions meanwhile.
pub fn start_not_stored(
    starts: &[(TopicPartition, NextOffset)],
    error: &anyhow::Error,
    long: Duration,
) {
    let partitions: Vec<TopicPartition> = starts.iter().map(|(p, _)| p.clone()).collect();
    tracing::warn!(
        partitions = %List(&partitions),
        error = format!("{error:#}"),
        again_in = ?long,
        "where partitions begin could not be stored; nothing is read from them before it is"
    );
}

/// Something outside is not there; it is waited for.
pub fn waiting(what: &str, why: &str) {
    tracing::warn!(why, "waiting: {what}");
}

/// The schema registry has no answer to a question, and is asked on.
pub fn registry_fails(question: &str, why: &str, left_out: u64) {
    let left_out = (left_out > 0).then_some(left_out);
    tracing::warn!(
        why,
        left_out,
        "waiting: the schema registry is asked for {question}"
    );
}

/// No question is without an answer any more; `long`: since the first one was.
pub fn registry_answers_again(long: Duration) {
    tracing::info!(after = ?long, "the schema registry answers again");
}

/// One URL of the schema registry failed, and another one answered.
pub fn registry_url_changed(url: &dyn fmt::Display, why: &str, left_out: u64) {
    let left_out = (left_out > 0).then_some(left_out);
    tracing::warn!(
        why,
        left_out,
        "the schema registry is asked at {url} from now on"
    );
}

pub fn consumer_trouble(code: &str, text: &str, left_out: u64) {
    let left_out = (left_out > 0).then_some(left_out);
    tracing::warn!(code, left_out, "the consumer reports: {text}");
}

pub fn close_failed(why: &str) {
    tracing::warn!(
        why,
        "the group was not left in good order; its other members wait for this one's session to \
         time out"
    );
}

pub fn drain_failed(failure: &Failure) {
    tracing::warn!(%failure, "not everything in flight could be finished; it is read again");
}

pub fn left_undone(partition: &TopicPartition, position: NextOffset) {
    tracing::warn!(
        %partition,
        offset = position.0,
        "the broker refused an output just before the end: the next run reads on from here"
    );
}

/// The first failure ends the run; this one came behind it.
pub fn failed_too(failure: &Failure) {
    tracing::warn!(%failure, "another worker failed too");
}

pub fn stopping(why: &str) {
    tracing::info!(why, "stopping: finishing what is in flight");
}

/// How many reasons the end's summary names.
const REASONS_TOLD: usize = 10;

pub fn stopped(counters: &Counters) {
    let groups = counters.failures().groups();
    for Group {
        stage,
        reason,
        count,
    } in groups.iter().take(REASONS_TOLD)
    {
        tracing::info!(count, %stage, reason, "records rejected");
    }
    let totals = counters.totals();
    tracing::info!(
        records_in = totals.records_in,
        records_out = totals.records_out,
        acknowledged = totals.acknowledged,
        dead_letters = totals.dead_letters,
        dropped = totals.dropped,
        faults = totals.faults,
        swaps = totals.swaps,
        refusals = totals.refusals,
        waits = totals.waits,
        stalls = totals.stalls,
        skipped = totals.skipped,
        reasons = groups.len(),
        "stopped"
    );
}

struct List<'a>(&'a [TopicPartition]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, partition) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            partition.fmt(f)?;
        }
        Ok(())
    }
}

/// A plugin says more than the log takes.
pub fn plugin_lines_left_out(plugin: &dyn fmt::Display, lines: u64) {
    tracing::warn!(%plugin, lines, "{lines} more lines of the plugin were left out");
}

/// An instance had grown so far that it gave way to a fresh one. `so_far`
/// counts them, of all workers.
pub fn plugin_recycled(plugin: &dyn fmt::Display, bytes: usize, so_far: u64) {
    tracing::info!(
        %plugin,
        bytes,
        so_far,
        "an instance had grown near plugin.memory and was replaced; a plugin whose memory grows \
         with every record leaks"
    );
}
