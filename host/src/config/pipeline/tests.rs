use std::fs;

use super::*;
use crate::config::{Choice, Start};
use crate::record::TopicPartition;

const LEAST: &str = "plugin.path = 'clean.wasm'\ninput.topics = ['orders']\n";

/// The least that a file holds, and these lines. An error does not show the
/// folder.
fn with(lines: &str) -> Result<Pipeline, String> {
    read(&format!("{LEAST}{lines}"))
}

/// With these sections as its plugins.
fn chain(sections: &str) -> Result<Pipeline, String> {
    read(&format!("input.topics = ['orders']\n{sections}"))
}

fn read(text: &str) -> Result<Pipeline, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.toml");
    fs::write(&file, text).unwrap();
    Settings::read(&file)
        .and_then(|settings| Pipeline::from_settings(&settings))
        .map_err(|error| {
            let shown = format!("{}/", folder.path().display());
            error.to_string().replace(&shown, "")
        })
}

fn pipeline(lines: &str) -> Pipeline {
    with(lines).unwrap()
}

fn error(lines: &str) -> String {
    with(lines).unwrap_err()
}

fn typed(settings: &[&str]) -> Result<Pipeline, ConfigError> {
    let mut all = Settings::default();
    for setting in settings {
        all.set(setting)?;
    }
    Pipeline::from_settings(&all)
}

#[test]
fn a_plugin_and_an_input_are_enough() {
    let pipeline = pipeline("");
    assert_eq!(pipeline.name, "clean");
    assert!(pipeline.plugins[0].path.ends_with("clean.wasm"));
    assert!(pipeline.plugins[0].path.is_absolute());
    assert_eq!(pipeline.plugins[0].config, "");
    assert_eq!(pipeline.plugins[0].allow, []);
    assert_eq!(pipeline.plugins[0].memory, 256 << 20);
    assert_eq!(pipeline.plugins[0].time, Duration::from_secs(1));
    assert_eq!(pipeline.plugins[0].call, Duration::from_secs(30));
    assert_eq!(pipeline.brokers, "localhost:9092");
    assert_eq!(pipeline.input.topics, ["orders"]);
    assert_eq!(pipeline.input.group, "millrace-clean");
    assert_eq!(pipeline.input.starts, Start::Earliest.into());
    assert_eq!(pipeline.input.discover, Duration::from_secs(10));
    assert_eq!(pipeline.output.topic, None);
    assert!(!pipeline.output.create);
    assert_eq!(pipeline.commit_interval, Duration::from_secs(1));
    assert_eq!(pipeline.max_records, 1000);
    assert_eq!(pipeline.max_bytes, 1 << 20);
    assert_eq!(pipeline.linger, Duration::from_millis(5));
    assert_eq!(pipeline.workers, 1);
    assert_eq!(pipeline.drain, Duration::from_secs(20));
}

#[test]
fn a_chain_is_called_like_its_first_plugin_and_shares_the_time_of_a_call() {
    let pipeline = chain(
        "[[plugin]]\npath = 'a.wasm'\nconfig = 'x'\n\
         [[plugin]]\npath = 'b.wasm'\ncall = '20s'\n\
         [[plugin]]\npath = 'c.wasm'\nallow = ['clock']",
    )
    .unwrap();
    assert_eq!(pipeline.name, "a");
    let [a, b, c] = &pipeline.plugins[..] else {
        panic!("{} plugins", pipeline.plugins.len());
    };
    assert!(c.path.ends_with("c.wasm"));
    assert_eq!([&*a.config, &b.config, &c.config], ["x", "", ""]);
    assert_eq!(
        (&a.allow[..], &c.allow[..]),
        (&[][..], &[Capability::Clock][..])
    );
    let calls = [a, b, c].map(|plugin| plugin.call.as_secs());
    assert_eq!(calls, [10, 20, 10]);
    assert_eq!(pipeline.call(), Duration::from_secs(40));
    assert_eq!(pipeline.longest_call(), Duration::from_secs(60));
}

#[test]
fn each_plugin_of_a_chain_has_a_path() {
    assert_eq!(
        chain("[[plugin]]\npath = 'a.wasm'\n[[plugin]]\nconfig = 'x'").unwrap_err(),
        "plugin[2].path is missing: each [[plugin]] needs its own"
    );
    assert_eq!(
        chain("[[plugin]]\npath = 'a.wasm'\n[[plugin]]\npath = 'b.wasm'\nallow = ['x']")
            .unwrap_err(),
        "plugin[2].allow (pipeline.toml, line 6): \"x\" is no capability: there are clock, random \
         and env:NAME"
    );
}

#[test]
fn a_chain_of_any_length_has_time_for_its_calls() {
    let many = "[[plugin]]\npath = 'a.wasm'\n".repeat(12);
    chain(&many).unwrap();
    chain(&format!("delivery.guarantee = 'exactly-once'\n{many}")).unwrap();
    // Both, one that begins just in time, and that one's init.
    let two = "[[plugin]]\npath = 'a.wasm'\n[[plugin]]\npath = 'b.wasm'\ncall = '95s'";
    let error = chain(two).unwrap_err();
    assert!(
        error.starts_with(
            "plugin[2].call (pipeline.toml, line 6): a call of the plugins, all together, may \
             take 205s, and 95s more"
        ),
        "{error}"
    );
    chain(&two.replace("95s", "94s")).unwrap();
}

#[test]
fn without_a_plugin_or_an_input_the_error_says_how_to_give_it() {
    let error = |settings: &[&str]| typed(settings).unwrap_err().to_string();
    assert!(error(&["input.topics=a"]).contains("--plugin FILE"));
    assert!(error(&["plugin.path=p.wasm"]).contains("--input TOPIC"));
    assert!(error(&["plugin.path=p.wasm", "input.topics="]).contains("--input TOPIC"));
}

#[test]
fn the_name_makes_the_groups_name() {
    let pipeline = pipeline("name = 'a-b'");
    assert_eq!(pipeline.input.group, "millrace-a-b");
}

#[test]
fn a_name_has_letters_digits_and_three_signs() {
    for name in ["", "a b", "ä", "a/b"] {
        let error = error(&format!("name = '{name}'"));
        assert!(
            error.starts_with("name (pipeline.toml, line 3): "),
            "{error}"
        );
        assert!(error.contains("is no legal name"), "{error}");
    }
}

#[test]
fn a_plugin_files_stem_that_is_no_name_asks_for_one() {
    let error = typed(&["plugin.path=my plugin.wasm", "input.topics=a"]).unwrap_err();
    assert!(error.to_string().contains("--name gives one"), "{error}");
}

#[test]
fn an_input_that_is_written_twice_is_read_once() {
    assert_eq!(
        typed(&["plugin.path=p.wasm", "input.topics=a,b,a"])
            .unwrap()
            .input
            .topics,
        ["a", "b"]
    );
}

#[test]
fn an_illegal_topic_is_refused_with_the_reason() {
    let long = "x".repeat(250);
    for (topic, why) in [
        ("", "can't be empty"),
        (".", "can't be \".\""),
        ("..", "can't be \"..\""),
        ("a b", "is no legal topic name"),
        ("a*", "is no legal topic name"),
        ("ä", "is no legal topic name"),
        (&long, "at most 249 characters"),
    ] {
        let output = error(&format!("output.topic = '{topic}'"));
        assert!(
            output.starts_with("output.topic (pipeline.toml, line 3): "),
            "{output}"
        );
        assert!(output.contains(why), "{output}");
        if !topic.is_empty() {
            let settings = ["plugin.path=p.wasm", &format!("input.topics=a,{topic}")];
            let input = typed(&settings).unwrap_err().to_string();
            assert!(input.starts_with("input.topics (--set): "), "{input}");
            assert!(input.contains(why), "{input}");
        }
    }
}

#[test]
fn an_output_that_is_also_an_input_is_refused_with_both_places() {
    assert_eq!(
        error("output.topic = 'orders'"),
        "output.topic (pipeline.toml, line 3): topic orders is also an input (input.topics \
         (pipeline.toml, line 2)): the pipeline would read its own output for ever"
    );
}

#[test]
fn only_a_topic_that_has_a_name_can_be_created() {
    assert!(
        pipeline("output.topic = 'o'\noutput.create = true")
            .output
            .create
    );
    let error = error("output.create = true");
    assert!(
        error.starts_with("output.create (pipeline.toml, line 3)"),
        "{error}"
    );
    assert!(error.contains("--output"), "{error}");
}

#[test]
fn a_time_that_must_pass_is_longer_than_nothing() {
    for key in [
        "plugin.time",
        "plugin.call",
        "input.discover",
        "delivery.commit_interval",
        "shutdown.drain",
    ] {
        assert_eq!(
            error(&format!("{key} = '0s'")),
            format!("{key} (pipeline.toml, line 3): it must be longer than nothing")
        );
    }
    // Not to wait for others is a choice.
    assert_eq!(pipeline("batch.linger = '0s'").linger, Duration::ZERO);
}

#[test]
fn counts_have_a_most() {
    assert_eq!(pipeline("workers = 1024").workers, 1024);
    assert_eq!(
        error("workers = 1025"),
        "workers (pipeline.toml, line 3): 1025 is too many: at most 1024"
    );
    assert!(error("batch.max_records = 1000001").contains("at most 1000000"));
    assert!(error("batch.max_records = 0").contains("at least 1"));
}

#[test]
fn sizes_are_read() {
    let pipeline = pipeline("plugin.memory = '64MiB'\nbatch.max_bytes = '1kB'");
    assert_eq!(pipeline.plugins[0].memory, 64 << 20);
    assert_eq!(pipeline.max_bytes, 1000);
}

#[test]
fn brokers_are_named() {
    for none in ["", " ", ",", " , "] {
        let error = error(&format!("kafka.brokers = '{none}'"));
        assert!(error.contains("HOST:PORT"), "{error}");
    }
}

#[test]
fn a_file_says_where_to_start_in_a_text_or_in_a_table() {
    assert_eq!(
        pipeline("input.start = 'latest'").input.starts,
        Start::Latest.into()
    );
    let starts = pipeline("[input.start]\n'*' = 'latest'\n'orders/3' = 'offset:42'")
        .input
        .starts;
    let of = |number| starts.of(&TopicPartition::new("orders", number));
    assert_eq!((of(3), of(4)), (Start::Offset(42), Start::Latest));
    assert_eq!(
        error("input.start = 'newest'"),
        "input.start (pipeline.toml, line 3): \"newest\" is no start: there are earliest, latest, \
         stored, offset:N and timestamp:T"
    );
}

#[test]
fn a_local_store_and_exactly_once_exclude_each_other() {
    let error = error("delivery.guarantee = 'exactly-once'\nrecovery.dir = 'store'");
    assert!(
        error.contains("can't be part of a Kafka transaction"),
        "{error}"
    );
    let pipeline = pipeline("delivery.guarantee = 'exactly-once'");
    assert_eq!(pipeline.commit_interval, Duration::from_millis(100));
}

#[test]
fn exactly_once_reads_what_counts_itself() {
    let exactly_once = "delivery.guarantee = 'exactly-once'";
    let error = error(&format!(
        "{exactly_once}\n[kafka.consumer]\n'isolation.level' = 'read_uncommitted'"
    ));
    assert!(
        error.starts_with("kafka.consumer.isolation.level (pipeline.toml, line 5): "),
        "{error}"
    );
    assert!(error.contains("read_uncommitted"), "{error}");
}

#[test]
fn a_transaction_outlasts_a_call_of_the_plugin() {
    let exactly_once = "delivery.guarantee = 'exactly-once'";
    let error = error(&format!("{exactly_once}\nplugin.call = '2m'"));
    assert!(
        error.starts_with("delivery.commit_interval and plugin.call (pipeline.toml, line 4): "),
        "{error}"
    );
    assert!(error.contains("transaction.timeout.ms (60s)"), "{error}");
    pipeline(&format!(
        "{exactly_once}\nplugin.call = '2m'\n[kafka.producer]\n'transaction.timeout.ms' = 180000"
    ));
}

#[test]
fn partitions_are_given_out_by_hand_only_with_a_local_store() {
    assert!(error("input.partitions = '0-3'").contains("recovery store"));
    let pipeline = pipeline("input.partitions = '0-3'\nrecovery.dir = 'store'");
    assert!(pipeline.input.share.holds(3) && !pipeline.input.share.holds(4));
    assert!(pipeline.recovery.is_some_and(|dir| dir.is_absolute()));
    let lines = "input.instance_id = 'a'\nrecovery.dir = 'store'";
    assert!(error(lines).contains("no consumer group is joined"));
}

#[test]
fn a_group_has_a_name() {
    assert_eq!(pipeline("input.group = 'g'").input.group, "g");
    assert!(error("input.group = ''").contains("can't be empty"));
}

#[test]
fn capabilities_have_names() {
    assert_eq!(
        pipeline("plugin.allow = ['clock', 'random', 'env:HOME']").plugins[0].allow,
        [
            Capability::Clock,
            Capability::Random,
            Capability::Env("HOME".to_owned())
        ]
    );
    for wrong in ["files", "env:", "env", "Clock"] {
        let error = error(&format!("plugin.allow = ['{wrong}']"));
        assert!(
            error.starts_with("plugin.allow (pipeline.toml, line 3): "),
            "{error}"
        );
        assert!(error.contains("clock, random and env:NAME"), "{error}");
    }
}

#[test]
fn the_policy_is_stop_without_a_dead_letter_topic_and_dead_letter_with_one() {
    assert_eq!(pipeline("").errors.policy, Choice::Stop);
    assert_eq!(
        pipeline("errors.dead_letter = 'dead'").errors.policy,
        Choice::DeadLetter("dead".to_owned())
    );
    for (policy, choice) in [
        ("stop", Choice::Stop),
        ("drop", Choice::Drop),
        ("dead-letter", Choice::DeadLetter("dead".to_owned())),
    ] {
        let lines = format!("errors.policy = '{policy}'\nerrors.dead_letter = 'dead'");
        assert_eq!(pipeline(&lines).errors.policy, choice);
    }
}

#[test]
fn a_policy_that_is_none_or_lacks_its_topic_is_refused() {
    let other = error("errors.policy = 'stp'");
    assert!(
        other.starts_with("errors.policy (pipeline.toml, line 3): "),
        "{other}"
    );
    assert!(other.contains("did you mean stop?"), "{other}");
    let topicless = error("errors.policy = 'dead-letter'");
    assert!(topicless.contains("--dead-letter TOPIC"), "{topicless}");
}

#[test]
fn a_dead_letter_topic_is_legal_and_neither_an_input_nor_the_output() {
    for (lines, part) in [
        ("errors.dead_letter = 'a b'", "a b"),
        ("errors.dead_letter = 'orders'", "is also an input"),
        (
            "output.topic = 'out'\nerrors.dead_letter = 'out'",
            "is also the output",
        ),
    ] {
        let error = error(lines);
        assert!(
            error.starts_with("errors.dead_letter (pipeline.toml, line "),
            "{error}"
        );
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_breaker_is_set_or_switched_off() {
    let breaker = |lines| pipeline(lines).errors.breaker;
    assert_eq!(breaker(""), Some(defaults::BREAKER));
    assert_eq!(breaker("errors.breaker = 'off'"), None);
    let half = breaker("errors.breaker = '50% of 10'").unwrap();
    assert_eq!((half.failed, half.of), (5, 10));
    let wrong = error("errors.breaker = 'often'");
    assert!(
        wrong.starts_with("errors.breaker (pipeline.toml, line 3): "),
        "{wrong}"
    );
}

#[test]
fn the_topics_that_a_plugin_may_name_are_globs() {
    let allow = pipeline("output.allow = ['eu-*', 'all']")
        .output
        .allow
        .unwrap();
    assert!(allow.is_match("eu-west") && allow.is_match("all"));
    assert!(!allow.is_match("us-west"));
    let wrong = error("output.allow = ['[']");
    assert!(
        wrong.starts_with("output.allow (pipeline.toml, line 3): "),
        "{wrong}"
    );
}

// The plugin's configuration.

#[test]
fn a_plugins_configuration_is_handed_on_as_it_is() {
    assert_eq!(
        pipeline("plugin.config = ' {\"a\": 1}\\n'").plugins[0].config,
        " {\"a\": 1}\\n"
    );
}

#[test]
fn a_plugins_configuration_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, "{}\n").unwrap();
    let config = format!("plugin.config=@{}", file.display());
    let pipeline = typed(&["plugin.path=p.wasm", "input.topics=a", &config]).unwrap();
    assert_eq!(pipeline.plugins[0].config, "{}\n");
}

#[test]
fn a_plugins_configuration_file_is_relative_to_the_pipeline_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    let file = folder.path().join("pipeline.toml");
    fs::write(&file, format!("{LEAST}plugin.config = '@config.json'")).unwrap();
    let pipeline = Pipeline::from_settings(&Settings::read(&file).unwrap()).unwrap();
    assert_eq!(pipeline.plugins[0].config, "{}");
}

#[test]
fn a_plugins_configuration_file_that_is_not_there_is_named() {
    let error = error("plugin.config = '@/no/such'");
    assert!(error.contains("can't be read"), "{error}");
}

// librdkafka's properties.

#[test]
fn properties_reach_their_clients() {
    let pipeline = pipeline(
        "[kafka.properties]\nsocket.timeout.ms = 1000\n\
         [kafka.consumer]\ncheck.crcs = true\n\
         [kafka.producer]\n'compression.type' = 'zstd'",
    );
    assert_eq!(pipeline.properties.common["socket.timeout.ms"], "1000");
    assert_eq!(pipeline.properties.consumer["check.crcs"], "true");
    assert_eq!(pipeline.properties.producer["compression.type"], "zstd");
    let consumer = properties::consumer(&pipeline, 0, 1);
    assert_eq!(consumer.get("socket.timeout.ms"), Some("1000"));
    assert_eq!(consumer.get("check.crcs"), Some("true"));
    assert_eq!(consumer.get("compression.type"), None);
    let producer = properties::producer(&pipeline, 0);
    assert_eq!(producer.get("socket.timeout.ms"), Some("1000"));
    assert_eq!(producer.get("compression.type"), Some("zstd"));
    assert_eq!(producer.get("check.crcs"), None);
}

#[test]
fn a_property_that_would_break_the_promise_is_refused_with_its_place_and_the_reason() {
    for section in ["properties", "consumer", "producer"] {
        for (property, value, why) in [
            ("enable.auto.commit", "true", "delivery.commit_interval"),
            ("enable.auto.offset.store", "true", "acknowledged"),
            ("auto.offset.reset", "'latest'", "input.start"),
            ("enable.partition.eof", "true", "loses that record"),
            ("acks", "1", "in-sync replicas"),
            ("enable.idempotence", "false", "idempotence"),
            ("delivery.report.only.error", "true", "acknowledgement"),
            ("message.timeout.ms", "1000", "a lost record"),
            ("transactional.id", "'t'", "exactly-once"),
            ("bootstrap.servers", "'b'", "--brokers"),
            ("group.id", "'g'", "--group"),
            ("group.instance.id", "'i'", "input.instance_id"),
        ] {
            for key in [property.to_owned(), format!("'{property}'")] {
                let error = error(&format!("[kafka.{section}]\n{key} = {value}"));
                let place = format!("kafka.{section}.{property} (pipeline.toml, line 4): ");
                assert!(error.starts_with(&place), "{error}");
                assert!(error.contains("can't be set"), "{error}");
                assert!(error.contains(why), "{error}");
            }
        }
    }
}

#[test]
fn a_misspelt_property_is_refused_with_its_place() {
    for section in ["properties", "consumer", "producer"] {
        let error = error(&format!("[kafka.{section}]\nsocket.timeout.msec = 1"));
        let place = format!("kafka.{section}.socket.timeout.msec (pipeline.toml, line 4): ");
        assert!(error.starts_with(&place), "{error}");
        assert!(error.contains("librdkafka does not take"), "{error}");
    }
}

#[test]
fn a_propertys_wrong_value_is_refused_with_its_place() {
    let error = error("[kafka.properties]\nsecurity.protocol = 'carrier pigeon'");
    let place = "kafka.properties.security.protocol (pipeline.toml, line 4): ";
    assert!(error.starts_with(place), "{error}");
    assert!(error.contains("carrier pigeon"), "{error}");
}

#[test]
fn what_the_promise_needs_is_set_whatever_the_user_sets() {
    let pipeline = pipeline("kafka.properties.'client.id' = 'c'");
    let consumer = properties::consumer(&pipeline, 0, 1);
    assert_eq!(consumer.get("client.id"), Some("c"));
    assert_eq!(consumer.get("enable.auto.commit"), Some("false"));
    assert_eq!(consumer.get("enable.auto.offset.store"), Some("false"));
    assert_eq!(consumer.get("auto.offset.reset"), Some("error"));
    let producer = properties::producer(&pipeline, 0);
    assert_eq!(producer.get("enable.idempotence"), Some("true"));
    assert_eq!(producer.get("message.timeout.ms"), Some("0"));
}

#[test]
fn a_canary_has_a_share_and_defaults_for_the_rest() {
    assert_eq!(pipeline("").plugins[0].canary, None);
    let plugin = pipeline("plugin.canary = '10%'").plugins.remove(0);
    let canary = plugin.canary.unwrap();
    assert_eq!((canary.share, canary.tolerance), (0.1, 0.1));
    assert_eq!(canary.long, Duration::from_secs(60));
    let all = "plugin.canary = '5 %'\nplugin.canary_tolerance = '50%'\nplugin.canary_for = '5s'";
    let canary = pipeline(all).plugins[0].canary.unwrap();
    assert_eq!((canary.share, canary.tolerance), (0.05, 0.5));
    assert_eq!(canary.long, Duration::from_secs(5));
}

#[test]
fn a_canary_that_means_nothing_is_refused() {
    for (lines, why) in [
        ("plugin.canary = '0%'", "more than 0% and less than 100%"),
        ("plugin.canary = '100%'", "more than 0% and less than 100%"),
        ("plugin.canary = '-1%'", "is no percentage"),
        ("plugin.canary = '0.1'", "is no percentage"),
        (
            "plugin.canary_for = '5s'",
            "nothing is tried without plugin.canary",
        ),
        (
            "plugin.canary_tolerance = '5%'",
            "nothing is tried without plugin.canary",
        ),
    ] {
        let error = error(lines);
        assert!(
            error.contains(why) && error.contains("line 3"),
            "{lines}: {error}"
        );
    }
}

#[test]
fn the_admin_address_is_an_address_and_takes_no_files_by_itself() {
    assert_eq!(pipeline("").admin, None);
    let admin = pipeline("admin.listen = '127.0.0.1:9090'").admin.unwrap();
    assert_eq!((&*admin.listen, admin.upload), ("127.0.0.1:9090", false));
    let taking = pipeline("admin = { listen = 'localhost:0', upload = true }");
    assert!(taking.admin.unwrap().upload);
    for listen in [
        "9090",
        ":9090",
        "localhost",
        "localhost:http",
        "localhost:70000",
    ] {
        let error = error(&format!("admin.listen = '{listen}'"));
        assert!(error.contains("is no HOST:PORT"), "{error}");
    }
    let error = error("admin.upload = true");
    assert!(
        error.contains("nothing is taken without admin.listen"),
        "{error}"
    );
}

#[test]
fn a_shadow_runs_beside_one_plugin() {
    assert_eq!(pipeline("").plugins[0].shadow, None);
    let shadow = pipeline("plugin.shadow = 'new.wasm'").plugins[0]
        .shadow
        .clone();
    assert!(shadow.unwrap().ends_with("new.wasm"));
    let error =
        chain("[[plugin]]\npath = 'a.wasm'\nshadow = 'new.wasm'\n[[plugin]]\npath = 'b.wasm'")
            .unwrap_err();
    assert!(error.contains("this pipeline is a chain"), "{error}");
}
