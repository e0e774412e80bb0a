//! Kafka, by librdkafka: the only room that names `rdkafka`. It implements the
//! ports of the worker loop (source, offset store, sink) and asks the cluster
//! what the start-up checks want to know.

pub mod cluster;
mod context;
pub mod embedded;
pub mod ends;
mod gaps;
pub mod group;
pub mod identity;
mod lanes;
mod others;
mod output_topic;
mod places;
pub mod positions;
pub mod properties;
mod queue;
pub mod reader;
mod record;
pub mod reset;
pub mod rules;
pub mod sink;
mod sized_producer;
pub mod starts;
mod topic_ids;
pub mod topics;
