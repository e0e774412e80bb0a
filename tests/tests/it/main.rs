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
mod gaps;
mod groups;
mod harness;
mod holes;
mod isolation;
mod limits;
mod orders;
mod passthrough;
mod pipeline;
mod policies;
mod rejected_outputs;
mod replay;
mod source;
mod starts;
mod story;
mod surroundings;
mod topics_change;
mod verdicts;
