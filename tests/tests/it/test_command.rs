//! `host test`: what comes out is what a run would say, byte for byte, without a broker.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use millrace_tests::registry::framed;
use millrace_tests::topics::unique;
use millrace_tests::{Host, Record, guest, plugin, shared_registry};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pipeline::{Pipeline, assert_says, expect_exit, said_by};

/// A folder of one test's own, in which `host test` runs.
struct Bench(TempDir);

impl Bench {
    fn new() -> Bench {
        Bench(TempDir::new().expect("a folder can be made"))
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("it can be written");
        path
    }

    /// `host test` with these lines as its input, at its end.
    #[track_caller]
    fn run(&self, arguments: &[&str], input: &str, status: i32) -> Host {
        self.run_with(arguments, input, status, &[])
    }

    #[track_caller]
    fn run_with(
        &self,
        arguments: &[&str],
        input: &str,
        status: i32,
        environment: &[(&str, &str)],
    ) -> Host {
        let input = self.file("in.jsonl", input);
        let mut command = Host::command();
        command
            .arg("test")
            .args(arguments)
            .current_dir(self.0.path())
            .envs(environment.iter().copied())
            .stdin(File::open(input).expect("it can be read"));
        let mut host = Host::spawn(command);
        expect_exit(&mut host, status);
        host
    }

    /// The lines that come out of it.
    #[track_caller]
    fn lines(&self, arguments: &[&str], input: &str) -> Vec<Value> {
        jsons(&self.run(arguments, input, 0).stdout())
    }
}

#[track_caller]
fn jsons(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

fn str(path: &Path) -> &str {
    path.to_str().expect("the target folder is UTF-8")
}

/// A line each.
fn values<V: AsRef<str>>(values: &[V]) -> String {
    let lines = values.iter();
    lines
        .map(|value| format!("{}\n", json!({ "value": value.as_ref() })))
        .collect()
}

/// Runs these records on the broker and without one, through this file and its flags.
#[track_caller]
fn assert_same_lines(stem: &str, config: &str, records: Vec<Record>, more: &[&str]) -> Vec<Value> {
    let pipeline = Pipeline::new(stem, 1);
    let count = records.len();
    pipeline.client.produce_at_once(
        &pipeline.input,
        records.into_iter().map(|record| record.to_partition(0)),
    );
    let bench = Bench::new();
    let config = bench.file(
        "pipeline.toml",
        format!(
            "name = 'same'\n[kafka]\nbrokers = '{}'\n[input]\ntopics = ['{}']\ngroup = '{}'\n\
             until = 'end'\n[output]\ntopic = '{}'\n[errors]\npolicy = 'drop'\n{config}",
            pipeline.brokers, pipeline.input, pipeline.group, pipeline.output
        ),
    );
    let flags = [&["--config", str(&config)], more].concat();
    let mut run = Host::command();
    run.args(["run", "--inspect"]).args(&flags);
    let mut run = Host::spawn(run);
    expect_exit(&mut run, 0);
    assert_eq!(run.stdout().lines().count(), count);

    // What host prints of a record is that record.
    let tested = bench.run(&flags, &run.stdout(), 0);
    assert_eq!(tested.stdout(), run.stdout());
    jsons(&tested.stdout())
}

#[test]
fn the_lines_are_those_of_inspect_byte_for_byte() {
    let time = 1_764_000_000_000;
    let mut records = vec![
        Record::value("value new").key("k").at(time),
        Record::value([0xff, 0xfe]).null_header("h").at(time),
        Record::null().key("tombstone").at(time),
        Record::value("").key([0xff]).at(time),
        Record::value("fail why not").at(time),
        Record::value("header a=b").header("x", "1").at(time),
        Record::value("reheader a=b").header("x", [0xff]).at(time),
        Record::value("source").at(time + 7),
        Record::value("config").at(time),
        Record::value("null").at(time),
        Record::value("timestamp 1764000000001").at(time),
        Record::value("topics no.such/topic x").at(time),
        Record::value("random").at(time),
    ];
    for culprit in ["panic here", "trap", "loop", "exit 3", "recurse", "alloc"] {
        records.extend((0..20).map(|n| Record::value(format!("value {n}")).at(time)));
        records.push(Record::value(culprit).at(time));
    }
    records.extend((0..200).map(|n| Record::value(format!("expand {}", n % 3)).at(time)));

    let config = format!(
        "[[plugin]]\npath = '{}'\nconfig = 'told so'\ntime = '1s'\n\
         call = '5s'\nmemory = '16MiB'\n",
        guest("puppet").display()
    );
    let lines = assert_same_lines("same-lines", &config, records, &[]);

    let failed = |line: &&Value| line["verdict"] == "fail";
    assert_eq!(lines.iter().filter(failed).count(), 8);
    assert_eq!(lines[8]["outputs"][0]["value"], "told so");
}

#[test]
fn a_chain_is_tried_as_it_runs() {
    let records = ["one\ntwo", "", "fail here\nthree", "panic there"].map(Record::value);
    let config = format!(
        "[[plugin]]\npath = '{}'\n[[plugin]]\npath = '{}'\n",
        guest("splits_lines").display(),
        guest("puppet").display()
    );
    let lines = assert_same_lines("same-chain", &config, records.to_vec(), &[]);
    let verdicts: Vec<_> = lines.iter().map(|line| &line["verdict"]).collect();
    assert_eq!(verdicts, ["expand", "drop", "fail", "fail"]);
    let reason = lines[2]["reason"].as_str().expect("a reason");
    assert_says(reason, &["plugin puppet", "here"]);
}

#[test]
fn codecs_are_tried_as_they_run() {
    let records = ["upper a", "fail broken", "panic here", "kind", "upper b"].map(Record::value);
    let codec = guest("puppet_codec");
    let config = format!(
        "[[plugin]]\npath = '{}'\n[decode]\nvalue = 'plugin:{}'\n[encode]\nvalue = 'plugin:{}'\n",
        plugin("passthrough").display(),
        codec.display(),
        codec.display(),
    );
    let lines = assert_same_lines("same-codecs", &config, records.to_vec(), &[]);
    let said: Vec<_> = lines
        .iter()
        .map(|line| (line["value"].as_str(), line["stage"].as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (Some("A"), None),
            (Some("fail broken"), Some("decode-value")),
            (Some("panic here"), Some("decode-value")),
            (Some("deserializer"), None),
            (Some("B"), None),
        ]
    );

    let records = [r#"{"id": 1}"#, "{", "[1,2]"].map(Record::value);
    let json = ["--decode-value", "json", "--encode-value", "json"];
    let plugin = format!("[[plugin]]\npath = '{}'\n", plugin("passthrough").display());
    let lines = assert_same_lines("same-json", &plugin, records.to_vec(), &json);
    assert_eq!(lines[1]["stage"], "decode-value");
}

#[test]
fn no_broker_is_asked() {
    let bench = Bench::new();
    let broker = TcpListener::bind("127.0.0.1:0").expect("it can listen");
    broker.set_nonblocking(true).expect("it can");
    let address = broker.local_addr().expect("it listens");
    let set = format!("kafka.brokers={address}");
    let passthrough = plugin("passthrough");
    let lines = bench.lines(&[str(&passthrough), "--set", &set], "{}\n{\"key\":\"k\"}\n");
    assert_eq!(
        lines[1],
        json!({"topic": "test", "partition": 0, "offset": 1, "timestamp": 0, "key": "k",
               "value": null, "headers": [], "verdict": "forward"})
    );
    assert_eq!(lines.len(), 2);
    assert!(broker.accept().is_err(), "nobody came");
}

#[test]
fn without_records_nothing_comes_out() {
    let bench = Bench::new();
    let host = bench.run(&[str(&plugin("passthrough"))], "", 0);
    assert_eq!(
        (host.stdout(), host.stderr()),
        (String::new(), String::new())
    );
}

#[test]
fn the_culprit_alone_fails_and_the_order_holds() {
    let bench = Bench::new();
    let value = |n: usize| match n {
        123 | 124 | 400 => "poison".to_owned(),
        n => n.to_string(),
    };
    let input: Vec<String> = (0..500).map(value).collect();
    for name in ["traps_on_poison", "too_few_verdicts", "too_many_verdicts"] {
        let lines = bench.lines(&[str(&guest(name))], &values(&input));
        assert_eq!(lines.len(), 500);
        for (n, line) in lines.iter().enumerate() {
            assert_eq!(line["offset"], n, "{name}");
            let verdict = match input[n].as_str() {
                "poison" => "fail",
                _ => "forward",
            };
            assert_eq!(line["verdict"], verdict, "{name}: {line}");
        }
    }
}

#[test]
fn the_file_of_a_pipeline_is_taken_and_flags_beat_it() {
    let bench = Bench::new();
    fs::copy(guest("puppet"), bench.0.path().join("mine.wasm")).expect("it can be copied");
    let config = bench.file(
        "pipeline.toml",
        "[[plugin]]\npath = 'mine.wasm'\nconfig = 'from the file'\n[plugin_is_no_section]\n",
    );
    let error = bench.run(&["--config", str(&config)], "", 2).stderr();
    assert_says(&error, &["plugin_is_no_section"]);

    let config = bench.file(
        "pipeline.toml",
        "[[plugin]]\npath = 'mine.wasm'\nconfig = 'from the file'\n",
    );
    let config = ["--config", str(&config)];
    let input = values(&["config"]);
    let said = |more: &[&str]| {
        let lines = bench.lines(&[&config[..], more].concat(), &input);
        lines[0]["outputs"][0]["value"].clone()
    };
    assert_eq!(said(&[]), "from the file");
    assert_eq!(said(&["--set", "plugin.config=set"]), "set");
    assert_eq!(said(&["--plugin-config", "a flag"]), "a flag");
    // Its settings are for any plugin that takes the file's place.
    let other = guest("every_kind");
    assert_eq!(said(&[str(&other)]), "transform");
}

#[test]
fn a_pipeline_without_an_output_says_so_as_it_would_in_a_run() {
    let bench = Bench::new();
    let config = bench.file("pipeline.toml", "[input]\ntopics = ['orders']\n");
    let input = values(&["forward", "topic elsewhere", "topic orders"]);
    let puppet = guest("puppet");
    let lines = bench.lines(&[str(&puppet), "--config", str(&config)], &input);
    let verdicts: Vec<_> = lines.iter().map(|l| (&l["verdict"], &l["stage"])).collect();
    let (fail, produce) = (json!("fail"), json!("produce"));
    assert_eq!(verdicts[0], (&fail, &produce));
    assert_eq!(verdicts[1].0, "replace");
    assert_eq!(verdicts[2], (&fail, &produce));
}

#[test]
fn what_a_plugin_prints_is_logged_and_a_capability_must_be_allowed() {
    let bench = Bench::new();
    let puppet = guest("puppet");
    let environment = [("MILLRACE_TEST_NAME", "real")];
    let input = values(&["print hello", "log warn careful", "env MILLRACE_TEST_NAME"]);
    let value = |more: &[&str]| {
        let arguments = [&[str(&puppet)], more].concat();
        let host = bench.run_with(&arguments, &input, 0, &environment);
        let said = said_by("puppet", &host.stderr());
        let line = |level: &str, text: &str| (level.to_owned(), text.to_owned());
        assert_eq!(said, [line("INFO", "hello"), line("WARN", "careful")]);
        jsons(&host.stdout())[2]["outputs"][0]["value"].clone()
    };
    assert_eq!(value(&[]), Value::Null);
    assert_eq!(value(&["--allow", "env:MILLRACE_TEST_NAME"]), "real");
}

#[test]
fn the_same_records_give_the_same_lines_each_time() {
    let bench = Bench::new();
    let puppet = guest("puppet");
    let commands = [
        "random",
        "hash-seed",
        "time",
        "env PATH",
        "args",
        "count",
        "panic",
        "source",
    ];
    let record = |n: i64| {
        json!({
            "topic": format!("t{}", n / 700),
            "partition": n / 250 % 3,
            "timestamp": 1_764_000_000_000_i64 + n * 17 % 1000,
            "value": commands[usize::try_from(n * n % 61).expect("small") % commands.len()],
        })
    };
    let lines = (0..2000).map(|n| format!("{}\n", record(n)));
    let input: String = lines.collect();
    let first = bench.run(&[str(&puppet)], &input, 0).stdout();
    assert_eq!(first.lines().count(), 2000);
    assert_eq!(bench.run(&[str(&puppet)], &input, 0).stdout(), first);
    // The real thing would have been seen.
    let real = ["--allow", "random", "--allow", "clock"];
    let real = bench.run(&[&[str(&puppet)], &real[..]].concat(), &input, 0);
    assert_ne!(real.stdout(), first);
}

#[test]
fn what_is_expected_is_compared_as_json() {
    let bench = Bench::new();
    let puppet = guest("puppet");
    let input = values(&["value a", "drop", "fail no"]);
    let lines = bench.run(&[str(&puppet)], &input, 0).stdout();
    let expect = |text: &str, status| {
        let expected = bench.file("out.jsonl", text);
        bench.run(&[str(&puppet), "--expect", str(&expected)], &input, status)
    };

    let host = expect(&lines, 0);
    assert_eq!(host.stdout(), "");
    assert_says(&host.stderr(), &["3 lines as expected in ", "out.jsonl"]);

    let reordered = jsons(&lines)[0].as_object().cloned().expect("an object");
    let reordered: serde_json::Map<_, _> = reordered.into_iter().rev().collect();
    let others: Vec<&str> = lines.lines().skip(1).collect();
    let text = format!("  {}\n\n{}", Value::Object(reordered), others.join("\n"));
    assert_eq!(expect(&text, 0).stdout(), "");

    let host = expect(
        &lines
            .replace("\"a\"}]", "\"b\"}]")
            .replace("drop\"}", "forward\"}"),
        1,
    );
    let difference = "line 1\n  outputs[0].value\n  - \"b\"\n  + \"a\"\n\
                      line 2\n  verdict\n  - \"forward\"\n  + \"drop\"\n";
    assert_eq!(host.stdout(), difference);
    assert_says(
        &host.stderr(),
        &["error: 2 lines differ of what was expected in "],
    );

    let two: Vec<&str> = lines.lines().take(2).collect();
    let host = expect(&two.join("\n"), 1);
    assert_says(&host.stdout(), &["line 3\n  one too many\n  + {"]);
    let host = expect(&format!("{lines}{{}}\n"), 1);
    assert_eq!(host.stdout(), "line 4\n  missing\n  - {}\n");
    assert_says(&host.stderr(), &["1 line differs (3 came for 4)"]);
}

#[test]
fn a_difference_is_coloured_where_colours_are_wanted() {
    let bench = Bench::new();
    let expected = bench.file("out.jsonl", "{}");
    let passthrough = plugin("passthrough");
    let arguments = [str(&passthrough), "--expect", str(&expected)];
    let host = bench.run_with(&arguments, "{}", 1, &[("CLICOLOR_FORCE", "1")]);
    assert_says(&host.stdout(), &["\u{1b}[32m+ \"forward\"\u{1b}[0m"]);
}

#[test]
fn a_line_that_is_no_record_is_named_and_nothing_runs() {
    let bench = Bench::new();
    let passthrough = plugin("passthrough");
    let host = bench.run(&[str(&passthrough)], "{}\n{\"value\": 1}\n", 2);
    assert_eq!(host.stdout(), "");
    assert_says(
        &host.stderr(),
        &["error: stdin, line 2, column 11: ", "expected a text"],
    );

    let expected = bench.file("out.jsonl", "{}\n{");
    let host = bench.run(&[str(&passthrough), "--expect", str(&expected)], "{}", 2);
    assert_says(&host.stderr(), &["out.jsonl, line 2, column 1: "]);
    let host = bench.run(&[str(&passthrough), "--expect", "nowhere.jsonl"], "{}", 2);
    assert_says(&host.stderr(), &["--expect: nowhere.jsonl can't be read"]);
}

#[test]
fn a_plugin_that_can_not_be_loaded_is_refused_as_in_a_run() {
    let bench = Bench::new();
    let error = |plugin: &str| bench.run(&[plugin], "{}", 2).stderr();
    assert_says(
        &error("nowhere.wasm"),
        &["plugin nowhere.wasm can't be read"],
    );
    bench.file("text.wasm", "hello");
    assert_says(&error("text.wasm"), &["it is no WebAssembly at all"]);
    assert_says(&error(str(&guest("dials_out"))), &["wasi:sockets"]);
    assert_says(
        &error(str(&guest("init_fails"))),
        &["its init refused: told to fail"],
    );
    let error = bench.run(&[], "{}", 2).stderr();
    assert_says(&error, &["no plugin is given: host test FILE"]);
}

#[test]
fn a_codec_is_given_the_values() {
    let bench = Bench::new();
    let codec = guest("puppet_codec");
    let mut input = values(&["upper a", "kind", "fail broken", "panic here", "config"]);
    input += "{\"key\":\"null stays\"}\n";
    for kind in ["deserializer", "serializer"] {
        let stage = match kind {
            "deserializer" => "decode-value",
            _ => "encode-value",
        };
        let flags = ["--as", kind, "--plugin-config", "told so"];
        let lines = bench.lines(&[&[str(&codec)], &flags[..]].concat(), &input);
        let made = |n: usize| lines[n]["outputs"][0]["value"].as_str();
        assert_eq!((made(0), made(1)), (Some("A"), Some(kind)));
        assert_eq!(
            (&lines[2]["stage"], &lines[2]["reason"]),
            (&json!(stage), &json!("broken"))
        );
        assert_eq!(
            (&lines[3]["verdict"], &lines[3]["stage"]),
            (&json!("fail"), &json!(stage))
        );
        assert_eq!(made(4), Some("told so"));
        assert_eq!(lines[5]["verdict"], "forward");
    }

    let error = bench.run(&[str(&plugin("protobuf"))], "{}", 2).stderr();
    assert_says(
        &error,
        &["is a deserializer and a serializer", "--as deserializer"],
    );
    let flags = ["--as", "serializer", "--decode-value", "json"];
    let error = bench
        .run(&[&[str(&codec)], &flags[..]].concat(), "{}", 2)
        .stderr();
    assert_says(
        &error,
        &["decode.value (--decode-value): nothing stands around a serializer"],
    );
    let kinds = guest("every_kind");
    let said = |more: &[&str]| {
        let lines = bench.lines(&[&[str(&kinds)], more].concat(), &values(&["x"]));
        lines[0]["outputs"][0]["value"].clone()
    };
    assert_eq!(said(&[]), "transform");
    assert_eq!(said(&["--as", "serializer"]), "serializer");
}

#[test]
fn a_schema_is_waited_for_and_none_is_registered() {
    let bench = Bench::new();
    let registry = shared_registry();
    let subject = unique("test-command");
    let schema = r#"{"type":"record","name":"P","fields":[{"name":"x","type":"long"}]}"#;
    let id = registry.register(&format!("{subject}-value"), schema);
    let value = base64(&framed(id, &[2]));
    let input = format!("{}\n", json!({ "value": { "base64": value } }));
    let passthrough = plugin("passthrough");
    let avro = ["--decode-value", "avro", "--schema-registry"];

    let url = registry.url();
    let other = unique("test-command");
    let output = format!("output.topic={other}");
    let encode = ["--encode-value", "avro", "--set", &output];
    let schema = bench.file("p.avsc", schema);
    let schema = format!("encode.value_schema=file:{}", str(&schema));
    let register = "encode.register=true";
    let encode = [&encode[..], &["--set", &schema, "--set", register]].concat();
    let flags = [&[str(&passthrough)], &avro[..], &[&url], &encode].concat();
    let lines = bench.lines(&flags, &input);
    assert_eq!(lines[0]["value"], r#"{"x":1}"#);
    assert_eq!(lines[0]["verdict"], "forward");
    assert_eq!(registry.latest(&format!("{other}-value")).map(|_| ()), None);

    // One that is not there is waited for, and then said.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("it can listen");
    let url = format!("http://{}", nobody.local_addr().expect("it listens"));
    drop(nobody);
    let flags = [
        &[str(&passthrough)],
        &avro[..],
        &[&url, "--encode-value", "json"],
    ]
    .concat();
    let error = bench.run(&flags, &input, 1).stderr();
    assert_says(
        &error,
        &[
            "topic test, partition 0, offset 0 needs the schema registry",
            "within 10s",
        ],
    );
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
