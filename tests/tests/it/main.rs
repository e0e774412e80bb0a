//! The integration tests: one binary, so that one broker serves them all; one
//! module a theme.

mod harness;
mod passthrough;
mod pipeline;
