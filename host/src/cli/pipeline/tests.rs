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
    assert_eq!(pipeline.plugins[0].path.to_str(), Some("p.wasm"));
    assert_eq!(pipeline.plugins[0].config, "c");
    assert_eq!(pipeline.plugins[0].allow.len(), 1);
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

/// A pipeline file with these lines and the flags of its input.
fn chained(lines: &str, flags: &[&str]) -> Result<Pipeline, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.toml");
    fs::write(&file, lines).unwrap();
    let file = file.to_str().unwrap();
    let all = [&["--input=i", "--config", file], flags].concat();
    settings(&all)
        .and_then(|settings| Pipeline::from_settings(&settings))
        .map_err(|error| error.to_string().replace(file, "FILE"))
}

/// Each plugin's path and configuration, without folders.
fn plugins(pipeline: &Pipeline) -> Vec<(&str, &str)> {
    let plugins = pipeline.plugins.iter();
    plugins
        .map(|plugin| {
            let name = plugin.path.file_name().unwrap();
            (name.to_str().unwrap(), &*plugin.config)
        })
        .collect()
}

const ONE: &str = "[[plugin]]\npath = 'a'\nconfig = 'x'\n";
const TWO: &str = "[[plugin]]\npath = 'a'\nconfig = 'x'\n[[plugin]]\npath = 'b'\nconfig = 'y'\n";

#[test]
fn several_plugins_are_a_chain() {
    let pipeline = chained("", &["--plugin=p.wasm", "--plugin=q.wasm"]).unwrap();
    assert_eq!(plugins(&pipeline), [("p.wasm", ""), ("q.wasm", "")]);
    assert_eq!(pipeline.name, "p");
}

#[test]
fn as_many_plugin_flags_as_plugins_take_the_places_of_their_paths() {
    let pipeline = chained(ONE, &["--plugin=p"]).unwrap();
    assert_eq!(plugins(&pipeline), [("p", "x")]);
    let pipeline = chained(TWO, &["--plugin=p", "--plugin=q"]).unwrap();
    assert_eq!(plugins(&pipeline), [("p", "x"), ("q", "y")]);
}

#[test]
fn another_number_of_plugin_flags_is_the_whole_list() {
    let paths = "[[plugin]]\npath = 'a'\n[[plugin]]\npath = 'b'\n[[plugin]]\npath = 'c'\n";
    let pipeline = chained(paths, &["--plugin=p", "--plugin=q"]).unwrap();
    assert_eq!(plugins(&pipeline), [("p", ""), ("q", "")]);
    let pipeline = chained("[[plugin]]\npath = 'a'", &["--plugin=p", "--plugin=q"]).unwrap();
    assert_eq!(plugins(&pipeline), [("p", ""), ("q", "")]);
    // Whose would this be?
    assert_eq!(
        chained(ONE, &["--plugin=p", "--plugin=q"]).unwrap_err(),
        "plugin.config (FILE, line 3): --plugin is given 2 times, and there are settings of 1: \
         which plugin this is for can't be told. Write the plugins in the file, each below its \
         [[plugin]]"
    );
    assert_eq!(
        chained(TWO, &["--plugin=p"]).unwrap_err(),
        "--plugin is given once, and there are 2 plugins (plugin.path (FILE, line 2)): give all of \
         them, each with its --plugin, in order"
    );
}

#[test]
fn what_a_command_line_says_of_one_plugin_is_refused_where_there_are_several() {
    for flag in [
        "--plugin-config=c",
        "--allow=clock",
        "--set=plugin.memory=1MiB",
        "--set=plugin.path=p",
    ] {
        let error = chained(TWO, &[flag]).unwrap_err();
        assert!(error.starts_with("plugin."), "{error}");
        assert!(error.contains("there are 2 plugins"), "{error}");
        assert!(error.contains("write it in the file"), "{error}");
        chained(ONE, &[flag]).unwrap();
    }
    let error = chained("", &["--plugin=p", "--plugin=q", "--allow=clock"]).unwrap_err();
    assert!(
        error.starts_with("plugin.allow (--allow): there are 2 plugins"),
        "{error}"
    );
}

#[test]
fn another_run_of_a_chain_keeps_its_first_plugins_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.toml");
    fs::write(&file, TWO).unwrap();
    let arguments = ["run", "--input=i", "--plugin=p", "--plugin=q", "--config"];
    let arguments = arguments.into_iter().chain([file.to_str().unwrap()]);
    let arguments = Command::parse_from(arguments).arguments;
    let settings = arguments.settings_of_the_same_name().unwrap();
    let pipeline = Pipeline::from_settings(&settings).unwrap();
    assert_eq!(pipeline.name, "a");
    assert_eq!(plugins(&pipeline), [("p", "x"), ("q", "y")]);
}

#[test]
fn no_watch_is_said_of_every_plugin_of_a_chain() {
    let settings = settings(&[
        "--plugin=a.wasm",
        "--plugin=b.wasm",
        "--input=orders",
        "--no-watch",
    ]);
    let pipeline = Pipeline::from_settings(&settings.unwrap()).unwrap();
    let watched: Vec<bool> = pipeline.plugins.iter().map(|plugin| plugin.watch).collect();
    assert_eq!(watched, [false, false]);
}
