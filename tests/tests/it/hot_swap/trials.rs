//! `plugin.canary`: a new version sees a share of the batches before it takes over.

use super::{Plugin, lines, version_of, wait_for_lines, wait_for_swaps};
use crate::feeder::{Feeder, assert_all_once_in_order};
use crate::pipeline::{LONG, Pipeline, stop};

const CANARY: &[&str] = &[
    "--set",
    "plugin.canary=30%",
    "--set",
    "plugin.canary_for=2s",
    // One moment without the processor is more than so few records take: what is said here
    // of a slow one is `canary.rs`'s to show.
    "--set",
    "plugin.canary_tolerance=1000000%",
];

#[test]
fn a_canary_that_does_well_is_promoted() {
    let pipeline = Pipeline::new("canary-good", 2);
    let file = Plugin::new();
    let feeder = Feeder::start(&pipeline, 1000);
    let host = pipeline.start(&file.path, CANARY);
    pipeline.wait_for_flow(500);
    file.becomes("000001");
    wait_for_lines(&host, "a plugin is tried", 1);
    wait_for_swaps(&host, 1);
    pipeline.wait_for_flow(1000);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    let outputs = pipeline.outputs();
    assert_all_once_in_order(&outputs, written);
    let of = |version: &str| outputs.iter().filter(|o| version_of(o) == version).count();
    assert!(of("000000") > 0 && of("000001") > 0);
    assert_eq!(version_of(outputs.last().expect("the last")), "000001");
}

#[test]
fn a_canary_that_fails_is_recalled_and_costs_no_record() {
    let pipeline = Pipeline::with_dead_letters("canary-bad", 2);
    let file = Plugin::new();
    let feeder = Feeder::start(&pipeline, 1000);
    let more = [CANARY, &["--set", "plugin.canary_tolerance=10%"]].concat();
    let host = pipeline.start_with_dead_letters(&file.path, &more);
    pipeline.wait_for_flow(500);
    file.becomes("broken");
    wait_for_lines(&host, "a plugin was taken back", 1);
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    assert!(lines(&host, "plugin swapped").is_empty());
    stop(host);
    assert_all_once_in_order(&pipeline.outputs(), written);
    assert_eq!(pipeline.letters(), []);
}
