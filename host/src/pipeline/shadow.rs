//! A transform beside another: it judges the same records, nothing of it is sent, and
//! where its verdict is another one, that is said. Two verdicts are the same if the same
//! would go out. Only what was judged well is shown to it: the search for a record that
//! breaks the plugin is none of its business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::ports::{Fault, Interrupted, Transform, Versioned};
use crate::record::{
    Header, NextOffset, Output, OutputHeaders, Payload, Record, TopicPartition, Verdict,
};
use crate::telemetry;
use crate::throttle::Throttle;

/// So many differences are said within so long; all are counted.
const SAID: u32 = 20;
const WITHIN: Duration = Duration::from_secs(60);

/// So many records of one batch may break the shadow before the rest of that batch is
/// not shown to it: each costs a fresh instance.
const BREAKS: usize = 3;

/// After a batch that broke it nothing is shown to the shadow for so long, and twice as
/// long each time, up to the longest.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How much of a payload a difference shows, in bytes: so many, of which so many are
/// before the first that differs.
const SHOWN: usize = 80;
const BEFORE: usize = 20;

/// See the module's words. Without a shadow it is the transform alone.
pub struct Shadowed<T, S> {
    transform: T,
    shadow: Option<Shadow<S>>,
}

pub struct Shadow<S> {
    transform: S,
    compared: Arc<Compared>,
    said: Throttle,
    /// How long one batch may take, all calls together. No further one begins after that.
    most: Duration,
    /// It is left alone until then.
    rests: Option<Instant>,
    rest: Duration,
}

/// How a shadow has done so far, in all workers together.
#[derive(Debug, Default)]
pub struct Compared {
    records: AtomicU64,
    differ: AtomicU64,
    broke: AtomicU64,
}

impl Compared {
    fn add(&self, records: usize, differ: u64, broke: u64) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.differ.fetch_add(differ, Ordering::Relaxed);
        self.broke.fetch_add(broke, Ordering::Relaxed);
    }

    /// Records that it judged, too.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Those of them on which its verdict was another one.
    pub fn differ(&self) -> u64 {
        self.differ.load(Ordering::Relaxed)
    }

    /// Those of them that broke it.
    pub fn broke(&self) -> u64 {
        self.broke.load(Ordering::Relaxed)
    }
}

impl<S> Shadow<S> {
    pub fn new(transform: S, compared: Arc<Compared>, most: Duration) -> Self {
        Self {
            transform,
            compared,
            said: Throttle::new(SAID, WITHIN),
            most,
            rests: None,
            rest: REST,
        }
    }
}

impl<T, S> Shadowed<T, S> {
    pub fn new(transform: T, shadow: Option<Shadow<S>>) -> Self {
        Self { transform, shadow }
    }
}

impl<T: Transform, S: Transform> Transform for Shadowed<T, S> {
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        let verdicts = self.transform.process(partition, records)?;
        if let Some(shadow) = &mut self.shadow
            && verdicts.len() == records.len()
        {
            shadow.look(partition, records, &verdicts);
        }
        Ok(verdicts)
    }

    fn discard(&mut self) {
        self.transform.discard();
    }
}

impl<T: Versioned, S: Versioned> Versioned for Shadowed<T, S> {
    fn has_news(&self) -> bool {
        let shadow = self.shadow.as_ref();
        self.transform.has_news() || shadow.is_some_and(|shadow| shadow.transform.has_news())
    }

    fn renew(&mut self, from: &[(TopicPartition, NextOffset)]) -> bool {
        if let Some(shadow) = &mut self.shadow {
            shadow.transform.renew(from);
        }
        self.transform.renew(from)
    }

    fn take_back(&mut self, why: &str, from: &[(TopicPartition, NextOffset)]) -> bool {
        self.transform.take_back(why, from)
    }

    fn digest(&self) -> Option<String> {
        self.transform.digest()
    }
}

impl<S: Transform> Shadow<S> {
    fn look<R: Record>(&mut self, partition: &TopicPartition, records: &[R], verdicts: &[Verdict]) {
        let begun = Instant::now();
        if self.rests.is_some_and(|until| begun < until) {
            return;
        }
        self.rests = None;
        let why = match self.ask(partition, records) {
            Ok(shadows) => {
                self.rest = REST;
                self.compare(partition, records, verdicts, &shadows);
                return;
            }
            Err(None) => return,
            Err(Some(why)) => why,
        };
        if let [record] = records {
            self.broke(partition, record, &why);
        } else {
            self.look_at_each(partition, records, verdicts, begun);
        }
        self.rests = Some(Instant::now() + self.rest);
        self.rest = (2 * self.rest).min(LONGEST_REST);
    }

    /// Which of them breaks it.
    fn look_at_each<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
        verdicts: &[Verdict],
        begun: Instant,
    ) {
        let mut breaks = 0;
        for (record, verdict) in records.iter().zip(verdicts) {
            if breaks == BREAKS || begun.elapsed() >= self.most {
                return;
            }
            let (one, said) = (std::slice::from_ref(record), std::slice::from_ref(verdict));
            match self.ask(partition, one) {
                Ok(shadows) => self.compare(partition, one, said, &shadows),
                Err(None) => return,
                Err(Some(why)) => {
                    breaks += 1;
                    self.broke(partition, record, &why);
                }
            }
        }
    }

    fn broke(&mut self, partition: &TopicPartition, record: &impl Record, why: &str) {
        self.compared.add(1, 0, 1);
        self.say(partition, record, &format!("it broke: {why}"));
    }

    /// Its verdicts, or how it broke; `None`: it was interrupted, and that says nothing
    /// of it.
    fn ask<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Option<String>> {
        let broke = match self.transform.process(partition, records) {
            Ok(verdicts) if verdicts.len() == records.len() => return Ok(verdicts),
            Ok(_) => Some("it did not give one verdict a message".to_owned()),
            Err(Fault::Fatal(error)) if error.is::<Interrupted>() => None,
            Err(fault) => Some(fault.to_string()),
        };
        self.transform.discard();
        Err(broke)
    }

    fn compare<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
        verdicts: &[Verdict],
        shadows: &[Verdict],
    ) {
        let mut differ = 0;
        for (record, (verdict, shadow)) in records.iter().zip(verdicts.iter().zip(shadows)) {
            if let Some(how) = difference(record, verdict, shadow) {
                differ += 1;
                self.say(partition, record, &how);
            }
        }
        self.compared.add(records.len(), differ, 0);
    }

    fn say(&mut self, partition: &TopicPartition, record: &impl Record, how: &str) {
        if let Some(left_out) = self.said.pass(Instant::now()) {
            telemetry::shadow_differs(&partition.at(record.offset()), how, left_out);
        }
    }
}

/// How the shadow's verdict on a record is another one, if it is.
fn difference(record: &impl Record, verdict: &Verdict, shadow: &Verdict) -> Option<String> {
    let (Some(outputs), Some(shadows)) = (verdict.outputs(), shadow.outputs()) else {
        return match (verdict, shadow) {
            (Verdict::Fail(a), Verdict::Fail(b)) if a == b => None,
            _ => Some(format!(
                "{}, and the shadow: {}",
                said(verdict),
                said(shadow)
            )),
        };
    };
    if outputs.len() != shadows.len() {
        return Some(format!(
            "{}, and the shadow: {}",
            said(verdict),
            said(shadow)
        ));
    }
    let mut pairs = outputs.iter().zip(shadows).enumerate();
    pairs.find_map(|(number, (output, shadow))| {
        let what = differs(record, output, shadow)?;
        Some(match outputs.len() {
            1 => what,
            _ => format!("output {number}: {what}"),
        })
    })
}

/// A verdict in few words.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Fail(reason) => format!("fail ({reason})"),
        Verdict::Expand(outputs) => format!("expand to {}", outputs.len()),
        other => other.name().to_owned(),
    }
}

fn differs(record: &impl Record, output: &Output, shadow: &Output) -> Option<String> {
    let topic = |output: &Output| format!("{:?}", output.topic);
    if output.topic != shadow.topic {
        return Some(two("topic", topic(output), topic(shadow)));
    }
    if output.partition != shadow.partition {
        let partition = |output: &Output| format!("{:?}", output.partition);
        return Some(two("partition", partition(output), partition(shadow)));
    }
    let timestamp = |output: &Output| output.timestamp.or(record.timestamp().millis());
    if timestamp(output) != timestamp(shadow) {
        let text = |output| format!("{:?}", timestamp(output));
        return Some(two("timestamp", text(output), text(shadow)));
    }
    for (what, of, own, its) in [
        ("key", record.key(), &output.key, &shadow.key),
        ("value", record.value(), &output.value, &shadow.value),
    ] {
        if Payload::resolve(own, of) != Payload::resolve(its, of) {
            let (own, its) = (own.resolve(of), its.resolve(of));
            let same = own.unwrap_or_default().iter().zip(its.unwrap_or_default());
            let same = same.take_while(|(a, b)| a == b).count();
            let from = same.saturating_sub(BEFORE);
            return Some(two(what, shown(own, from), shown(its, from)));
        }
    }
    let source = record.headers();
    let (own, its) = (
        headers(&source, &output.headers),
        headers(&source, &shadow.headers),
    );
    (own != its).then(|| two("headers", listed(&own), listed(&its)))
}

fn two(what: &str, own: String, shadow: String) -> String {
    format!("{what} {own}, and the shadow's {shadow}")
}

fn headers<'a>(source: &[Header<'a>], output: &'a OutputHeaders) -> Vec<Header<'a>> {
    let kept: &[Header<'a>] = match output.keep_source() {
        true => source,
        false => &[],
    };
    let own = output.own().iter().map(|header| header.borrowed());
    kept.iter().copied().chain(own).collect()
}

fn listed(headers: &[Header<'_>]) -> String {
    let one =
        |header: &Header<'_>| format!("{}={}", shown(Some(header.name), 0), shown(header.value, 0));
    let all: Vec<_> = headers.iter().map(one).collect();
    format!("[{}]", all.join(", "))
}

/// A part of a payload, from this byte on.
fn shown(bytes: Option<&[u8]>, from: usize) -> String {
    let Some(bytes) = bytes else {
        return "null".to_owned();
    };
    let part = &bytes[from.min(bytes.len())..];
    let (part, rest) = part.split_at(part.len().min(SHOWN));
    let text = String::from_utf8_lossy(part);
    let before = if from > 0 { "…" } else { "" };
    match rest {
        [] => format!("{before}{text:?}"),
        _ => format!("{before}{text:?}… ({} bytes)", bytes.len()),
    }
}

#[cfg(test)]
mod tests;
