use std::fs;

use clap::Parser;

use super::*;
use crate::config::{Pipeline, Start};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: PipelineArguments,
}

fn settings(arguments: &[&str]) -> Result<Settings, ConfigError> {
    let arguments = ["run"].iter().chain(arguments);
    Command::parse_from(arguments).arguments.settings()
}

#[test]
fn a_flag_beats_set_which_beats_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.toml");
    fs::write(&file, "name = 'file'\nworkers = 1\noutput.topic = 'file'").unwrap();
    let settings = settings(&[
        "--name=flag",
        "--config",
        file.to_str().unwrap(),
        "--set=name=set",
        "--set=workers=2",
    ])
    .unwrap();
    assert_eq!(settings.text("name").unwrap().as_deref(), Some("flag"));
    assert_eq!(settings.place("name"), "name (--name)");
    assert_eq!(settings.count("workers").unwrap(), Some(2));
    let output = settings.text("output.topic").unwrap();
    assert_eq!(output.as_deref(), Some("file"));
}

#[test]
fn the_last_set_of_a_key_wins() {
    let settings = settings(&["--set=name=a", "--set=name=b"]).unwrap();
    assert_eq!(settings.text("name").unwrap().as_deref(), Some("b"));
}

#[test]
fn a_flag_may_be_repeated_or_hold_commas_where_its_key_is_a_list() {
    let settings = settings(&["--input=a,b", "--input=c", "--allow=clock"]).unwrap();
    let topics = settings.texts("input.topics").unwrap().unwrap();
    assert_eq!(topics, ["a", "b", "c"]);
    let allow = settings.texts("plugin.allow").unwrap().unwrap();
    assert_eq!(allow, ["clock"]);
}

#[test]
fn every_flag_sets_a_known_key() {
    let settings = settings(&[
        "--name=n",
        "--plugin=p.wasm",
        "--plugin-config=c",
        "--allow=clock",
        "--brokers=b:1",
        "--input=i",
        "--group=g",
        "--start=latest",
        "--output=o",
        "--create-topics",
        "--workers=2",
        "--batch-size=3",
        "--linger=4ms",
        "--commit-interval=5s",
        "--on-error=stop",
    ])
    .unwrap();
    let pipeline = Pipeline::from_settings(&settings).unwrap();
    assert_eq!(pipeline.name, "n");
    assert_eq!(pipeline.plugin.path.to_str(), Some("p.wasm"));
    assert_eq!(pipeline.plugin.config, "c");
    assert_eq!(pipeline.plugin.allow.len(), 1);
    assert_eq!(pipeline.brokers, "b:1");
    assert_eq!(pipeline.input.topics, ["i"]);
    assert_eq!(pipeline.input.group, "g");
    assert_eq!(pipeline.input.starts, Start::Latest.into());
    assert_eq!(pipeline.output.topic.as_deref(), Some("o"));
    assert!(pipeline.output.create);
    assert_eq!(pipeline.workers, 2);
    assert_eq!(pipeline.max_records, 3);
    assert_eq!(pipeline.linger.as_millis(), 4);
    assert_eq!(pipeline.commit_interval.as_secs(), 5);
}
