use super::*;

fn read(assignments: &[&str]) -> Result<Serialization, String> {
    let mut settings = Settings::default();
    for assignment in assignments {
        settings.set(assignment).unwrap();
    }
    Serialization::from_settings(&settings).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(assignments: &[&str], wanted: &[&str]) {
    let error = read(assignments).unwrap_err();
    for wanted in wanted {
        assert!(error.contains(wanted), "{wanted:?} is not in: {error}");
    }
}

const URL: &str = "schema_registry.url=http://r:8081/api, https://s";

#[test]
fn bytes_pass_as_they_are_by_default() {
    let settings = read(&[]).unwrap();
    assert!(settings.is_plain());
    assert!(settings.registry.is_none());
}

#[test]
fn every_format_is_known_by_its_name() {
    for name in &FORMATS[..6] {
        let encode = format!("encode.key={name}");
        let mut settings = vec![URL, encode.as_str()];
        if *name == "avro-plain" {
            settings.push("encode.key_schema=subject:s");
        }
        assert_eq!(read(&settings).unwrap().encode.key.format.name(), *name);
    }
    let settings = read(&["encode.value=plugin:x.wasm", "encode.value_config=c"]).unwrap();
    let coding = &settings.encode.value;
    assert_eq!(coding.format, Format::Plugin("x.wasm".into()));
    assert_eq!(coding.config, "c");
    refused(
        &["decode.value=avor"],
        &[
            "decode.value (--set)",
            "\"avor\" is no format",
            "did you mean avro?",
        ],
    );
    refused(&["decode.value=plugin:"], &["is no format"]);
}

#[test]
fn a_schema_stands_in_a_file_or_under_a_subject() {
    let source = |text: &str| {
        let schema = format!("decode.value_schema={text}");
        let settings = [URL, "decode.value=avro-plain", "encode.value=json", &schema];
        read(&settings).map(|settings| settings.decode.value.schema.unwrap())
    };
    let subject = |name: &str, version| SchemaSource::Subject {
        name: name.to_owned(),
        version,
    };
    assert_eq!(
        source("file:a.avsc"),
        Ok(SchemaSource::File("a.avsc".into()))
    );
    assert_eq!(source("subject:a-value"), Ok(subject("a-value", None)));
    assert_eq!(source("subject:a@3"), Ok(subject("a", Some(3))));
    assert_eq!(source("subject:a@latest"), Ok(subject("a", None)));
    assert_eq!(source("subject:a@b@3"), Ok(subject("a@b", Some(3))));
    for wrong in ["subject:a@0", "subject:a@x"] {
        assert!(source(wrong).unwrap_err().contains("has no version"));
    }
    for wrong in ["a.avsc", "file:", "subject:", "http://x"] {
        assert!(
            source(wrong).unwrap_err().contains("names no schema"),
            "{wrong}"
        );
    }
}

#[test]
fn what_is_decoded_says_how_it_goes_out() {
    refused(
        &[URL, "decode.value=avro"],
        &[
            "decode.value (--set)",
            "encode.value = \"json\"",
            "\"avro\"",
        ],
    );
    refused(
        &["decode.key=plugin:x.wasm"],
        &["decode.key", "encode.key = \"json\""],
    );
    assert!(read(&[URL, "decode.value=avro", "encode.value=json"]).is_ok());
    assert!(read(&[URL, "decode.value=avro", "encode.value=avro"]).is_ok());
    assert!(read(&["decode.value=json"]).is_ok());
    assert!(read(&["decode.value=string"]).is_ok());
}

#[test]
fn framed_formats_need_a_registry_and_plain_ones_a_schema() {
    refused(
        &["encode.value=avro"],
        &["encode.value", "--schema-registry"],
    );
    refused(&["encode.value=json-schema"], &["--schema-registry"]);
    refused(
        &["encode.key=avro-plain"],
        &["encode.key_schema = \"file:F\""],
    );
    refused(
        &["encode.key=avro-plain", "encode.key_schema=subject:s"],
        &["needs a schema registry"],
    );
    assert!(read(&["encode.key=avro-plain", "encode.key_schema=file:f"]).is_ok());
}

#[test]
fn what_nothing_looks_at_is_refused() {
    for (settings, wanted) in [
        (
            ["encode.value=json", "encode.value_schema=file:f"],
            "takes no schema",
        ),
        (
            ["decode.value=json", "decode.value_reader=file:f"],
            "only Avro resolves",
        ),
        (["decode.value=json", "decode.value_config=x"], "no plugin"),
        (
            ["encode.value=json", "encode.register=true"],
            "nothing would look at it",
        ),
        (
            ["encode.value=json", "encode.subject=record-name"],
            "nothing would look at it",
        ),
        (
            ["encode.value=json", "encode.refresh=1m"],
            "no schema registry is named",
        ),
        (
            ["encode.value=json", "schema_registry.token=t"],
            "no schema registry is named",
        ),
    ] {
        refused(&settings, &[wanted]);
    }
    refused(
        &[
            URL,
            "decode.value=avro",
            "encode.value=json",
            "decode.value_schema=file:f",
        ],
        &["takes no schema"],
    );
}

#[test]
fn a_schema_that_nothing_says_is_refused() {
    for key in ["encode.register=true", "encode.subject=record-name"] {
        refused(&[URL, "encode.value=avro", key], &["encode.value_schema"]);
        let reader = [
            URL,
            "decode.value=avro",
            "decode.value_reader=file:f",
            "encode.value=avro",
            key,
        ];
        refused(&reader, &["encode.value_schema"]);
        assert!(read(&[URL, "decode.value=avro", "encode.value=avro", key]).is_ok());
        let file = [URL, "encode.value=avro", "encode.value_schema=file:f", key];
        assert!(read(&file).is_ok());
    }
    refused(
        &[URL, "encode.value=avro", "encode.subject=topic"],
        &["topic-name, record-name"],
    );
}

#[test]
fn a_registry_has_one_way_to_be_told_who_asks() {
    let auth = |more: &[&str]| {
        let settings: Vec<&str> = [URL].iter().chain(more).copied().collect();
        read(&settings).map(|settings| settings.registry.unwrap())
    };
    let plain = auth(&[]).unwrap();
    assert_eq!(plain.urls, ["http://r:8081/api", "https://s"]);
    assert!(plain.auth.is_none());
    assert_eq!(plain.refresh, defaults::REFRESH);
    let basic = auth(&["schema_registry.username=u", "schema_registry.password=p"]).unwrap();
    assert!(matches!(basic.auth, Some(registry::Auth::Basic { .. })));
    let bearer = auth(&["schema_registry.token=t"]).unwrap();
    assert!(matches!(bearer.auth, Some(registry::Auth::Bearer(_))));
    assert!(
        auth(&["schema_registry.password=p"])
            .unwrap_err()
            .contains("username is missing")
    );
    let both = ["schema_registry.username=u", "schema_registry.token=t"];
    assert!(auth(&both).unwrap_err().contains("leave one of them out"));
    refused(&["schema_registry.url=r:8081"], &["begins with http://"]);
}
