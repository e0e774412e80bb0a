//! Whether the topics of a pipeline are there, and fit for their roles.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};

use crate::config::Starts;
use crate::kafka::cluster::Cluster;
use crate::names;
use crate::pipeline::ports::Fatal;
use crate::telemetry;

/// The topics and their numbers of partitions.
pub fn check_inputs(
    role: &str,
    inputs: &[String],
    topics: &BTreeMap<String, i32>,
) -> Result<Vec<(String, i32)>, Fatal> {
    inputs
        .iter()
        .map(|input| match topics.get(input) {
            Some(partitions) => Ok((input.clone(), *partitions)),
            None => Err(missing(role, input, topics)),
        })
        .collect()
}

/// The partitions that have a start of their own are there.
pub fn check_starts(starts: &Starts, inputs: &[(String, i32)]) -> Result<(), Fatal> {
    for (topic, partition) in starts.named() {
        let found = inputs.iter().find(|(input, _)| input == topic);
        if let Some((_, count)) = found
            && partition >= *count
        {
            bail!(
                "input.start.{topic}/{partition}: topic {topic} has no partition {partition}: \
                 its last one is {}",
                count - 1
            );
        }
    }
    Ok(())
}

/// Topics that outputs go to: they are there, or are made with as many partitions
/// as the largest input has.
pub struct Needed<'a> {
    /// Make what is missing.
    pub create: bool,
    pub missing_is_fine: bool,
    /// How many a topic gets that is made.
    pub partitions: i32,
    pub cluster: &'a Cluster,
    pub topics: &'a BTreeMap<String, i32>,
}

impl Needed<'_> {
    pub fn ensure(&self, role: &str, topic: &str) -> Result<(), Fatal> {
        if self.topics.contains_key(topic) {
            return Ok(());
        }
        if !self.missing_is_fine {
            return Err(missing(role, topic, self.topics).context(format!(
                "the {role} topic is not there (--create-topics makes it with the input's number \
                 of partitions)"
            )));
        }
        if self.create {
            self.cluster.create(topic, self.partitions)?;
            telemetry::topic_created(topic, self.partitions);
        }
        Ok(())
    }
}

/// A dead letter must stay where it is until somebody looks at it.
pub fn check_dead_letters(
    cluster: &Cluster,
    topic: &str,
    topics: &BTreeMap<String, i32>,
) -> Result<(), Fatal> {
    if !topics.contains_key(topic) {
        return Ok(());
    }
    match cluster.is_compacted(topic) {
        Some(false) => Ok(()),
        Some(true) => bail!(
            "the dead-letter topic {topic} is compacted (cleanup.policy): it would keep one dead \
             letter a key and take none without a key. Use a topic with cleanup.policy=delete"
        ),
        None => {
            telemetry::dead_letters_unchecked(topic);
            Ok(())
        }
    }
}

fn missing(role: &str, name: &str, topics: &BTreeMap<String, i32>) -> Fatal {
    let why = names::missing(name, topics.keys().map(String::as_str));
    anyhow!("{role} {why}")
}
