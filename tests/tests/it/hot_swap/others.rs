//! What stands around a transform, or behind another one, is changed as it is.

use std::collections::BTreeMap;

use millrace_tests::{Record, plugin, shared_broker};

use super::{Plugin, assert_versions_rise, lines, wait_for_lines, wait_for_swaps};
use crate::exactly_once::EXACTLY_ONCE;
use crate::exactly_once::mix::{COMPRESSED, noise};
use crate::feeder::{Feeder, assert_all_once_in_order, numbered, record, record_or_culprit};
use crate::pipeline::{LONG, Pipeline, stop, told};

/// The record with this number, on which a codec puts its version.
fn to_be_stamped(number: usize, partitions: usize) -> Record {
    let plain = record(number, partitions);
    Record {
        value: Some(format!("stamp {}", plain.text()).into()),
        ..plain
    }
}

/// One file, used twice: both uses change at once, between two batches.
#[test]
fn a_codec_takes_over_in_both_its_places_at_once() {
    let pipeline = Pipeline::new("swap-codec", 2);
    let file = Plugin::of("puppet_codec", "codec.wasm");
    let codec = format!("plugin:{}", file.path.display());
    let feeder = Feeder::start_with(&pipeline, 1000, to_be_stamped);
    let flags = ["--decode-value", &codec, "--encode-value", &codec];
    let host = pipeline.start(&plugin("passthrough"), &flags);
    pipeline.wait_for_flow(500);
    for version in 1..=5 {
        file.becomes(&format!("{version:06}"));
        // The one of its worker, in each of its places.
        wait_for_swaps(&host, 2 * version);
    }
    pipeline.wait_for_flow(500);
    file.becomes("broken");
    wait_for_lines(&host, "a plugin was taken back", 1);
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);

    let mut outputs = pipeline.outputs();
    let mut last: BTreeMap<Option<Vec<u8>>, String> = BTreeMap::new();
    for output in &mut outputs {
        let text = output.text().to_owned();
        let [key, number, decoded, encoded] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{text}");
        };
        assert_eq!(decoded, encoded, "{text}");
        let before = last.insert(output.key.clone(), decoded.to_owned());
        assert!(before.is_none_or(|before| *before <= *decoded), "{text}");
        output.value = Some(format!("{key} {number}").into());
    }
    assert!(last.values().all(|version| version == "000005"));
    assert_all_once_in_order(&outputs, written);
}

#[test]
fn a_plugin_of_a_chain_takes_over_and_signs_what_it_rejects() {
    let pipeline = Pipeline::with_dead_letters("swap-chain", 2);
    let file = Plugin::new();
    let feeder = Feeder::start_with(&pipeline, 1000, record_or_culprit);
    let second = file.path.to_str().expect("UTF-8");
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &["--plugin", second]);
    pipeline.wait_for_flow(500);
    for version in 1..=5 {
        file.becomes(&format!("{version:06}"));
        wait_for_swaps(&host, version);
    }
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    let swapped = lines(&host, "plugin swapped");
    stop(host);

    let (outputs, letters) = (pipeline.outputs(), pipeline.letters());
    assert_eq!(outputs.len() + letters.len(), written);
    assert_eq!(assert_versions_rise(&outputs), "000005");
    // The last letter names the plugins as they were at the end.
    let last = letters.iter().max_by_key(|letter| letter.offset);
    let digest = told(last.expect("a letter"), "plugin-digest");
    let newest = swapped[4]["plugin"]
        .as_str()
        .and_then(|id| id.split_once('@'));
    let (name, newest) = newest.expect("an id");
    assert_eq!(name, "stamps");
    let of_second = digest.split_once(',').expect("two digests").1;
    assert!(of_second.starts_with(newest), "{of_second} is not {newest}");
}

/// The record with this number; every four-hundredth is one that only the broker refuses.
fn record_or_noise(number: usize, partitions: usize) -> Record {
    let plain = record(number, partitions);
    match number % 400 {
        7 => Record {
            value: Some(noise()),
            ..plain
        },
        _ => plain,
    }
}

/// What is done again after a refusal that came late is the new version's, and only once
/// there.
#[test]
fn swaps_while_records_are_done_again_count_each_once() {
    let pipeline = Pipeline::bare(shared_broker(), "swap-again").and_dead_letters(2);
    pipeline.client.create_topic(&pipeline.input, 2);
    let small = [("max.message.bytes", "3000")];
    pipeline
        .client
        .create_topic_with(&pipeline.output, 2, &small);
    let file = Plugin::new();
    let feeder = Feeder::start_with(&pipeline, 400, record_or_noise);
    let host = pipeline.start_with_dead_letters(&file.path, &[EXACTLY_ONCE, COMPRESSED].concat());
    pipeline.wait_for_flow(200);
    for version in 1..=10 {
        file.becomes(&format!("{version:06}"));
        wait_for_swaps(&host, version);
        pipeline.wait_for_flow(100);
    }
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);

    let (outputs, letters) = (pipeline.outputs(), pipeline.letters());
    assert_eq!(assert_versions_rise(&outputs), "000010");
    let mut numbers: Vec<usize> = outputs.iter().map(|output| numbered(output).1).collect();
    numbers.sort_unstable();
    assert!(
        numbers
            .into_iter()
            .eq((0..written).filter(|n| n % 400 != 7))
    );
    assert_eq!(letters.len(), (0..written).filter(|n| n % 400 == 7).count());
    assert!(
        letters
            .iter()
            .all(|letter| told(letter, "stage") == "produce")
    );
}
