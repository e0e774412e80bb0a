//! Stalls in words: what stands still, where, and what to look at.

use crate::pipeline::pulse::Spot;
use crate::pipeline::stalls::{News, Stall};

/// Writes the log line.
pub fn say(news: &News) {
    let News {
        worker,
        spot,
        long,
        what,
    } = news;
    let hangs = name(*spot);
    let Stall::Stands { at, others } = what else {
        tracing::info!(worker, hangs, "the stall is over, after {long:.1?}");
        return;
    };
    let why = match (spot, at) {
        (Spot::Consumer, None) => {
            "the group's coordinator has not answered which partitions are this worker's, or \
             where they begin"
        }
        (Spot::Consumer, Some(_)) => {
            "records wait in the partition and none arrives: its leader may be away, or a \
             transaction of its writer's be open"
        }
        (Spot::Registry, _) => {
            "a schema is waited for: the schema registry has not answered (schema_registry.url)"
        }
        (Spot::Plugin, _) => {
            "the plugin has not come through this record (plugin.time, plugin.call)"
        }
        (Spot::Producer, _) => {
            "outputs are not taken or not acknowledged: their topic, or its leader, may be away"
        }
        (Spot::Commit, _) => {
            "the positions before this one are not stored: commits have no answer, or fail"
        }
        (Spot::Inspect, _) => "whoever reads --inspect does not read on",
    };
    match at {
        None => tracing::warn!(worker, hangs, why, "nothing has moved for {long:.1?}"),
        Some(position) => tracing::warn!(
            worker,
            hangs,
            partition = %position.partition,
            offset = position.offset,
            others,
            why,
            "nothing has moved for {long:.1?}"
        ),
    }
}

fn name(spot: Spot) -> &'static str {
    match spot {
        Spot::Consumer => "consumer",
        Spot::Registry => "registry",
        Spot::Plugin => "plugin",
        Spot::Producer => "producer",
        Spot::Commit => "commit",
        Spot::Inspect => "inspect",
    }
}
