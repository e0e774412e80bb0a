//! The integration tests: one binary, so that one broker serves them all; one
//! module a theme.

mod bad_input;
mod broker;
mod cache;
mod crashes;
mod dead_letters;
mod demo;
mod dlq;
mod ends;
mod faults;
mod feeder;
mod frozen;
mod gaps;
mod groups;
mod harness;
mod holes;
mod isolation;
mod limits;
mod mock_faults;
mod orders;
mod passthrough;
mod pipeline;
mod policies;
mod recovery;
mod recovery_commands;
mod rejected_outputs;
mod replay;
mod source;
mod stalls;
mod starts;
mod static_members;
mod story;
mod surroundings;
mod topics_change;
mod verdicts;
