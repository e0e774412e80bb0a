//! Kafka, by librdkafka: the only room that names `rdkafka`. It implements the
//! ports of the worker loop (source, offset store, sink) and asks the cluster
//! what the start-up checks want to know.

pub mod assigned;
pub mod assigner;
pub mod cluster;
mod context;
pub mod embedded;
pub mod ends;
mod events;
mod gaps;
pub mod group;
pub mod keeper;
mod lanes;
pub mod lineage;
mod membership;
mod others;
mod output_topic;
mod places;
pub mod positions;
mod producer;
pub mod properties;
mod queue;
pub mod reader;
mod record;
pub mod reset;
pub mod rules;
pub mod sink;
pub mod starts;
mod topic_ids;
pub mod topics;
pub mod transactions;
