use proptest::prelude::*;

use super::*;

const FILE: &str = "dir/pipeline.toml";

fn read(text: &str) -> Result<Settings, ConfigError> {
    Settings::parse(Path::new(FILE), text)
}

fn settings(text: &str) -> Settings {
    read(text).unwrap()
}

fn error(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// What is wrong with the value of a key that is read as this type.
fn wrong<T: fmt::Debug>(
    text: &str,
    key: &str,
    get: impl Fn(&Settings, &str) -> Result<T, ConfigError>,
) -> String {
    get(&settings(text), key).unwrap_err().to_string()
}

// The layers.

#[test]
fn what_is_put_later_wins() {
    let mut settings = settings("[kafka]\nbrokers = 'file'");
    let brokers = |settings: &Settings| settings.text("kafka.brokers").unwrap().unwrap();
    assert_eq!(brokers(&settings), "file");
    let environment = Origin::Environment("MILLRACE_BROKERS");
    settings.put("kafka.brokers", "environment", environment);
    assert_eq!(brokers(&settings), "environment");
    settings.set("kafka.brokers=set").unwrap();
    assert_eq!(brokers(&settings), "set");
    settings.put("kafka.brokers", "flag", Origin::Flag("--brokers"));
    assert_eq!(brokers(&settings), "flag");
}

#[test]
fn a_setting_knows_where_it_comes_from() {
    let mut settings = settings("name = 'n'\n\n[output]\n\ntopic = 'o'");
    assert_eq!(settings.place("name"), "name (dir/pipeline.toml, line 1)");
    assert_eq!(
        settings.place("output.topic"),
        "output.topic (dir/pipeline.toml, line 5)"
    );
    settings.set("output.topic=p").unwrap();
    assert_eq!(settings.place("output.topic"), "output.topic (--set)");
    settings.put("name", "m", Origin::Flag("--name"));
    assert_eq!(settings.place("name"), "name (--name)");
    settings.put(
        "kafka.brokers",
        "b",
        Origin::Environment("MILLRACE_BROKERS"),
    );
    assert_eq!(
        settings.place("kafka.brokers"),
        "kafka.brokers (the environment's MILLRACE_BROKERS)"
    );
    assert_eq!(settings.place("workers"), "workers");
}

#[test]
fn a_line_is_known_in_every_way_to_write_a_key() {
    for (text, key, line) in [
        ("[output]\ntopic = 'o'", "output.topic", 2),
        ("\noutput.topic = 'o'", "output.topic", 2),
        ("\n\noutput = { topic = 'o' }", "output.topic", 3),
        ("\n[[plugin]]\n\npath = 'p'", "plugin.path", 4),
        (
            "[kafka.properties]\na = 1\n'b.c' = 2",
            "kafka.properties.b.c",
            3,
        ),
        (
            "[kafka.properties]\na = 1\nb.c = 2",
            "kafka.properties.b.c",
            3,
        ),
    ] {
        assert_eq!(
            settings(text).place(key),
            format!("{key} ({FILE}, line {line})"),
            "{text}"
        );
    }
}

#[test]
fn set_takes_any_key_by_its_path() {
    let mut settings = Settings::default();
    settings.set(" batch.linger =1ms").unwrap();
    settings.set("kafka.properties.sasl.password=a=b").unwrap();
    assert_eq!(
        settings.duration("batch.linger").unwrap(),
        Some(Duration::from_millis(1))
    );
    assert_eq!(
        settings.named("kafka.properties.").unwrap()["sasl.password"],
        "a=b"
    );
}

#[test]
fn set_refuses_what_has_no_value_or_no_such_key() {
    let error = |text| Settings::default().set(text).unwrap_err().to_string();
    assert!(error("output.topic").contains("--set KEY=VALUE"));
    assert_eq!(
        error("output.topik=x"),
        "--set: unknown key output.topik (the nearest known one is output.topic)"
    );
    assert!(error("output=x").contains("output is a section"));
    assert!(error("=x").contains("unknown key"));
    assert!(error("kafka.properties.=x").contains("unknown key"));
}

// Keys.

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_known_one() {
    assert_eq!(
        error("[output]\n# a comment\ntopci = 'x'"),
        "dir/pipeline.toml, line 3: unknown key output.topci (the nearest known one is \
         output.topic)"
    );
    assert_eq!(
        error("inptu.topics = ['x']"),
        "dir/pipeline.toml, line 1: unknown section inptu (the nearest known one is input)"
    );
    assert_eq!(
        error("[outptu]"),
        "dir/pipeline.toml, line 1: unknown section outptu (the nearest known one is output)"
    );
}

#[test]
fn a_key_that_is_written_in_two_ways_is_given_twice() {
    let error = error("[kafka.properties]\na.b = 1\n\"a.b\" = 2");
    assert!(
        error.contains("line 3: kafka.properties.a.b is given a second time")
            && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_in_an_inline_table_names_its_line() {
    assert!(
        error("name = 'n'\noutput = { topci = 'x' }").starts_with("dir/pipeline.toml, line 2: "),
        "{}",
        error("name = 'n'\noutput = { topci = 'x' }")
    );
}

#[test]
fn a_key_like_no_known_one_is_unknown_without_advice() {
    assert_eq!(
        error("zzz = 1"),
        "dir/pipeline.toml, line 1: unknown key zzz"
    );
}

#[test]
fn a_key_is_no_section() {
    assert!(error("[output.topic]\nname = 'x'").contains("output.topic is a key and no section"));
}

#[test]
fn a_section_has_no_value() {
    for (text, key) in [
        ("input = 'orders'", "input"),
        ("plugin = 'x.wasm'", "plugin"),
        ("kafka.properties = 'x'", "kafka.properties"),
        ("[kafka]\nconsumer = 1", "kafka.consumer"),
    ] {
        let error = error(text);
        let wanted = format!("{key} is a section and has no value of its own");
        assert!(error.contains(&wanted), "{error}");
        assert!(error.starts_with("dir/pipeline.toml, line "), "{error}");
    }
}

#[test]
fn one_plugin_may_be_a_list_of_one() {
    let settings = settings("[[plugin]]\npath = 'p.wasm'");
    assert_eq!(
        settings.text("plugin.path").unwrap().as_deref(),
        Some("p.wasm")
    );
}

#[test]
fn several_plugins_have_settings_of_their_own_with_their_places() {
    let settings =
        settings("[[plugin]]\npath = 'a.wasm'\nmemory = '1MiB'\n[[plugin]]\npath = 'b.wasm'");
    assert_eq!(settings.plugins(), 2);
    let path = |key| settings.path(key).unwrap().unwrap();
    assert_eq!(path("plugin.path"), Path::new("dir/a.wasm"));
    assert_eq!(path("plugin[2].path"), Path::new("dir/b.wasm"));
    assert_eq!(
        settings.place("plugin[2].path"),
        "plugin[2].path (dir/pipeline.toml, line 5)"
    );
    assert_eq!(settings.size("plugin[2].memory").unwrap(), None);
}

#[test]
fn a_wrong_key_of_a_later_plugin_is_named_with_its_line() {
    assert_eq!(
        error("[[plugin]]\npath = 'a'\n[[plugin]]\npath = 'b'\nmemry = '1MiB'"),
        "dir/pipeline.toml, line 5: unknown key plugin.memry (the nearest known one is \
         plugin.memory)"
    );
}

#[test]
fn a_later_plugins_keys_are_no_keys_of_the_file() {
    let mut chain = settings("[[plugin]]\npath = 'a'\n[[plugin]]\npath = 'b'");
    let error = chain.set("plugin[2].memory=1MiB").unwrap_err().to_string();
    assert!(error.contains("unknown key plugin[2].memory"), "{error}");
}

#[test]
fn no_other_section_is_a_list() {
    assert_eq!(
        error("[[input]]\ntopics = ['x']"),
        "dir/pipeline.toml, line 1: input can't be a list of sections: write [input]"
    );
}

#[test]
fn a_file_that_is_no_toml_names_the_file_and_the_line() {
    let error = error("name = 'n'\ntopic = = 'x'");
    assert!(error.starts_with("dir/pipeline.toml: "), "{error}");
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Settings::read(Path::new("/no/such.toml")).unwrap_err();
    assert!(error.to_string().contains("/no/such.toml"), "{error}");
}

// Types.

#[test]
fn a_text_is_a_text() {
    assert_eq!(
        wrong("name = 1", "name", Settings::text),
        "name (dir/pipeline.toml, line 1): 1 is not a text in quotes"
    );
}

#[test]
fn a_truth_is_true_or_false_and_a_word_on_the_command_line() {
    let file = settings("[output]\ncreate = true");
    assert_eq!(file.boolean("output.create").unwrap(), Some(true));
    let mut typed = Settings::default();
    typed.set("output.create=false").unwrap();
    assert_eq!(typed.boolean("output.create").unwrap(), Some(false));
    typed.set("output.create=yes").unwrap();
    let error = typed.boolean("output.create").unwrap_err().to_string();
    assert!(error.contains("true or false"), "{error}");
    let quoted = "[output]\ncreate = 'true'";
    let error = wrong(quoted, "output.create", Settings::boolean);
    assert!(
        error.contains("line 2): \"true\" is not true or false"),
        "{error}"
    );
}

#[test]
fn a_count_is_a_whole_number_from_one_on() {
    let count = |text: &str| settings(&format!("workers = {text}")).count("workers");
    assert_eq!(count("3").unwrap(), Some(3));
    for wrong in ["0", "-1", "1.5", "\"3\"", "true", "[1]"] {
        let error = count(wrong).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "workers (dir/pipeline.toml, line 1): {wrong} is not a whole number of at least 1"
            )
        );
    }
    let mut typed = Settings::default();
    for (text, value) in [
        ("3", Some(3)),
        ("0", None),
        ("x", None),
        ("99999999999999999999", None),
    ] {
        typed.set(&format!("workers={text}")).unwrap();
        assert_eq!(typed.count("workers").ok().flatten(), value, "{text}");
    }
}

#[test]
fn a_duration_has_a_unit() {
    let duration =
        |text: &str| settings(&format!("batch.linger = {text}")).duration("batch.linger");
    for (text, millis) in [("'5ms'", 5), ("'1s'", 1000), ("'2m'", 120_000), ("'0s'", 0)] {
        let wanted = Some(Duration::from_millis(millis));
        assert_eq!(duration(text).unwrap(), wanted, "{text}");
    }
    for wrong in [
        "5",
        "'5'",
        "'-1s'",
        "''",
        "'1 parsec'",
        "'99999999999999999999y'",
    ] {
        let error = duration(wrong).unwrap_err().to_string();
        assert!(
            error.contains("batch.linger (dir/pipeline.toml, line 1)"),
            "{error}"
        );
        assert!(error.contains("is not a duration, such as"), "{error}");
    }
}

#[test]
fn a_size_may_be_binary_or_decimal_and_is_not_nothing() {
    let size = |text: &str| settings(&format!("batch.max_bytes = {text}")).size("batch.max_bytes");
    for (text, bytes) in [
        ("'64KiB'", 65_536),
        ("'1MiB'", 1_048_576),
        ("'1kB'", 1_000),
        ("'2 GiB'", 2 << 30),
        ("'7'", 7),
    ] {
        assert_eq!(size(text).unwrap(), Some(bytes), "{text}");
    }
    for wrong in ["64", "'0'", "'0KiB'", "'-1KiB'", "'lots'", "''"] {
        let error = size(wrong).unwrap_err().to_string();
        assert!(error.contains("is not a size, such as"), "{error}");
    }
}

#[test]
fn a_list_is_written_with_brackets_or_commas_where_it_is_typed() {
    let topics = |text: &str| settings(&format!("input.topics = {text}")).texts("input.topics");
    assert_eq!(topics("['a', 'b']").unwrap().unwrap(), ["a", "b"]);
    assert_eq!(topics("'a'").unwrap().unwrap(), ["a"]);
    assert_eq!(topics("[]").unwrap().unwrap(), [""; 0]);
    for wrong in ["1", "['a', 1]", "[['a']]"] {
        let error = topics(wrong).unwrap_err().to_string();
        assert!(error.contains("is not a list of texts"), "{error}");
    }
    let mut typed = Settings::default();
    typed.set("input.topics=a, b,,c").unwrap();
    assert_eq!(
        typed.texts("input.topics").unwrap().unwrap(),
        ["a", "b", "c"]
    );
}

#[test]
fn what_is_not_set_is_nothing() {
    let settings = Settings::default();
    assert_eq!(settings.text("name").unwrap(), None);
    assert_eq!(settings.path("plugin.path").unwrap(), None);
    assert_eq!(settings.boolean("output.create").unwrap(), None);
    assert_eq!(settings.count("workers").unwrap(), None);
    assert_eq!(settings.duration("batch.linger").unwrap(), None);
    assert_eq!(settings.size("batch.max_bytes").unwrap(), None);
    assert_eq!(settings.texts("input.topics").unwrap(), None);
    assert!(settings.named("kafka.properties.").unwrap().is_empty());
}

#[test]
fn a_relative_path_in_the_file_is_relative_to_the_file() {
    let path = |text: &str| settings(text).path("plugin.path").unwrap().unwrap();
    assert_eq!(path("plugin.path = 'p.wasm'"), Path::new("dir/p.wasm"));
    assert_eq!(
        path("plugin.path = '../p.wasm'"),
        Path::new("dir/../p.wasm")
    );
    assert_eq!(path("plugin.path = '/p.wasm'"), Path::new("/p.wasm"));
}

#[test]
fn a_relative_path_on_the_command_line_is_relative_to_where_one_is() {
    let mut settings = settings("plugin.path = 'p.wasm'");
    settings.set("plugin.path=q.wasm").unwrap();
    let path = settings.path("plugin.path").unwrap().unwrap();
    assert_eq!(path, Path::new("q.wasm"));
}

// librdkafka's properties.

#[test]
fn properties_may_be_dotted_quoted_or_nested() {
    let settings = settings(
        "[kafka.properties]\n\
         security.protocol = 'SSL'\n\
         'socket.keepalive.enable' = true\n\
         \"socket.timeout.ms\" = 1000\n\
         ssl = { ca = { location = '/ca.pem' } }\n\
         [kafka.properties.sasl]\n\
         username = 'u'\n\
         [kafka.consumer]\n\
         check.crcs = true\n",
    );
    let properties = settings.named("kafka.properties.").unwrap();
    let properties: Vec<_> = properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        properties,
        [
            ("sasl.username", "u"),
            ("security.protocol", "SSL"),
            ("socket.keepalive.enable", "true"),
            ("socket.timeout.ms", "1000"),
            ("ssl.ca.location", "/ca.pem"),
        ]
    );
    let consumer = settings.named("kafka.consumer.").unwrap();
    assert_eq!(consumer["check.crcs"], "true");
    assert!(settings.named("kafka.producer.").unwrap().is_empty());
}

#[test]
fn a_property_is_no_list() {
    let settings = settings("[kafka.properties]\ndebug = ['a']");
    let error = settings.named("kafka.properties.").unwrap_err();
    assert_eq!(
        error.to_string(),
        "kafka.properties.debug (dir/pipeline.toml, line 2): it must be a text, a number, true or \
         false"
    );
}

// The environment. PATH is the one variable that stands in every one.

#[test]
fn a_name_in_braces_is_read_from_the_environment() {
    let path = std::env::var("PATH").unwrap();
    let settings = settings(
        "name = 'a${PATH}b${PATH}'\n\
         input.topics = ['x', '${PATH}']\n\
         kafka.properties.'sasl.password' = '${PATH}'",
    );
    assert_eq!(
        settings.text("name").unwrap(),
        Some(format!("a{path}b{path}"))
    );
    assert_eq!(
        settings.texts("input.topics").unwrap().unwrap(),
        ["x", &path]
    );
    let properties = settings.named("kafka.properties.").unwrap();
    assert_eq!(properties["sasl.password"], path);
}

#[test]
fn a_name_that_the_environment_lacks_is_an_error() {
    assert_eq!(
        error("\nname = '${MILLRACE_NO_SUCH_NAME}'"),
        "dir/pipeline.toml, line 2: the environment has no variable \"MILLRACE_NO_SUCH_NAME\", \
         which ${MILLRACE_NO_SUCH_NAME} asks for"
    );
    assert!(error("name = '${}'").contains("no variable \"\""));
    assert!(error("input.topics = ['${MILLRACE_NO_SUCH_NAME}']").contains("line 1"));
}

#[test]
fn a_brace_without_its_end_is_an_error() {
    assert_eq!(
        error("name = 'a${PATH'"),
        "dir/pipeline.toml, line 1: a ${ without its }"
    );
}

#[test]
fn other_dollars_and_braces_stay() {
    let settings = settings("name = '$PATH $ {PATH} } $'");
    assert_eq!(
        settings.text("name").unwrap().as_deref(),
        Some("$PATH $ {PATH} } $")
    );
}

#[test]
fn what_is_typed_does_not_read_the_environment_again() {
    // The shell did.
    let mut settings = Settings::default();
    settings.set("name=${PATH}").unwrap();
    assert_eq!(settings.text("name").unwrap().as_deref(), Some("${PATH}"));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn no_value_makes_a_reader_panic(
        value in "[-0-9a-zA-Z. ]{0,12}|[0-9]{1,25}(ns|ms|s|y|KiB|EiB)",
        key in prop::sample::select(KEYS),
    ) {
        let mut settings = Settings::default();
        settings.set(&format!("{key}={value}")).unwrap();
        let _ = settings.text(key);
        let _ = settings.path(key);
        let _ = settings.boolean(key);
        let _ = settings.count(key);
        let _ = settings.duration(key);
        let _ = settings.size(key);
        let _ = settings.texts(key);
    }

    #[test]
    fn a_misspelt_key_names_the_one_that_was_meant(
        key in prop::sample::select(KEYS),
        at in any::<prop::sample::Index>(),
    ) {
        // Two letters change their places.
        let mut letters: Vec<char> = key.chars().collect();
        let at = at.index(letters.len() - 1);
        letters.swap(at, at + 1);
        let wrong: String = letters.into_iter().collect();
        prop_assume!(!KEYS.contains(&wrong.as_str()));
        let error = Settings::default().set(&format!("{wrong}=x")).unwrap_err().to_string();
        prop_assert!(error.contains(&format!("is {key})")), "{}", error);
    }
}
