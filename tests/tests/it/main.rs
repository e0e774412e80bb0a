//! The integration tests: one binary, so that one broker serves them all; one
//! module a theme.

mod bad_input;
mod broker;
mod cache;
mod crashes;
mod dead_letters;
mod demo;
mod dlq;
mod exactly_once;
mod faults;
mod feeder;
mod groups;
mod harness;
mod isolation;
mod limits;
mod orders;
mod passthrough;
mod pipeline;
mod policies;
mod proxy;
mod recovery;
mod recovery_commands;
mod rejected_outputs;
mod replay;
mod source;
mod story;
mod surroundings;
mod verdicts;
