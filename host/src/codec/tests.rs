//! What stands around a transform, with formats that need no registry and plugins
//! that are none.

use super::schemas::Schemas;
use super::*;
use crate::config::{Coding, Fields, Format, SchemaSource, SubjectName};
use crate::pipeline::ports::{Convert, Fault, Halt, Judge, Transform};
use crate::record::{
    Decoded, Header, Held, Judged, Output, OutputHeaders, Payload, Record, Seen, Shown, Stage,
    Timestamp, TopicPartition, Verdict,
};

/// A record of these bytes.
struct Plain(Option<&'static [u8]>, Option<&'static [u8]>);

impl Record for Plain {
    fn key(&self) -> Option<&[u8]> {
        self.0
    }

    fn value(&self) -> Option<&[u8]> {
        self.1
    }

    fn headers(&self) -> Vec<Header<'_>> {
        Vec::new()
    }

    fn offset(&self) -> i64 {
        0
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::Create(7)
    }
}

fn value(bytes: &'static [u8]) -> Plain {
    Plain(None, Some(bytes))
}

/// Says the same of every record, and remembers what it was shown.
struct Says {
    verdict: Verdict,
    /// The values.
    seen: Vec<Option<Vec<u8>>>,
    fault: Option<Fault>,
    discarded: usize,
}

impl crate::pipeline::ports::Versioned for Says {}

impl Transform for Says {
    fn process<R: Record>(
        &mut self,
        _: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        for record in records {
            self.seen.push(record.value().map(<[u8]>::to_vec));
        }
        Ok(vec![self.verdict.clone(); records.len()])
    }

    fn discard(&mut self) {
        self.discarded += 1;
    }
}

/// Upper-cases, and says of which topic; fails what begins with `bad`, breaks at
/// `poison`.
struct Shouts;

impl crate::pipeline::ports::Versioned for Shouts {}

impl Convert for Shouts {
    fn convert(
        &mut self,
        topic: &str,
        field: Field,
        payloads: &[&[u8]],
        latest: Option<i64>,
    ) -> Result<Vec<Result<Vec<u8>, String>>, Fault> {
        assert_eq!(latest, Some(7));
        let shout = |payload: &&[u8]| match std::str::from_utf8(payload).expect("it is text") {
            text if text.starts_with("bad") => Err(format!("{text} is bad")),
            text => Ok(format!("{topic}:{}:{}", field.name(), text.to_uppercase()).into_bytes()),
        };
        match payloads.contains(&&b"poison"[..]) {
            true => Err(Fault::Broke("poison".to_owned())),
            false => Ok(payloads.iter().map(shout).collect()),
        }
    }

    fn discard(&mut self) {}
}

fn coding(format: Format) -> Coding {
    Coding {
        format,
        ..Coding::default()
    }
}

fn plugin() -> Coding {
    coding(Format::Plugin("x.wasm".into()))
}

/// A transform that says `verdict` between these codings of values.
fn around(verdict: Verdict, decode: &Coding, encode: &Coding) -> Coded<Says> {
    let schemas = Arc::new(Schemas::new(None));
    let bytes = Coding::default();
    let how = |coding: &Coding| {
        let plugin: Option<Box<dyn Convert>> = match coding.format {
            Format::Plugin(_) => Some(Box::new(Shouts)),
            _ => None,
        };
        How::new(&coding.format, plugin).expect("it is made")
    };
    let naming = (SubjectName::Topic, false);
    let decoding =
        |coding| Decoding::new("decode.value", how(coding), coding, &schemas).expect("it is made");
    let encoding = |field, codings: (&Coding, &Coding)| {
        Encoding::new(
            "encode.value",
            field,
            how(codings.0),
            codings,
            naming,
            &schemas,
        )
        .expect("it is made")
    };
    let decode_both = Fields {
        key: decoding(&bytes),
        value: decoding(decode),
    };
    let encode_both = Fields {
        key: encoding(Field::Key, (&bytes, &bytes)),
        value: encoding(Field::Value, (encode, decode)),
    };
    let says = Says {
        verdict,
        seen: Vec::new(),
        fault: None,
        discarded: 0,
    };
    let topics = Topics {
        default: Some("out".into()),
        redirect: None,
    };
    Coded::new(
        says,
        Arc::clone(&schemas),
        (decode_both, encode_both),
        topics,
        100,
    )
}

fn partition() -> TopicPartition {
    TopicPartition::new("in", 0)
}

/// Judges and encodes all of these.
fn run(coded: &mut Coded<Says>, records: &[Plain]) -> Vec<Judged> {
    let mut judged = coded.judge(&partition(), records).expect("it judges");
    assert_eq!(judged.len(), records.len());
    let encoded = coded.encode(records, &mut judged).expect("it encodes");
    assert_eq!(encoded, records.len());
    judged
}

fn verdicts(judged: &[Judged]) -> Vec<(&Verdict, Stage)> {
    judged.iter().map(|one| (&one.verdict, one.stage)).collect()
}

fn sends(bytes: &str) -> Verdict {
    Verdict::Replace(Output {
        value: Payload::Bytes(bytes.into()),
        ..Output::FORWARD
    })
}

#[test]
fn what_is_checked_passes_as_it_is_and_what_is_wrong_is_rejected_where_it_is() {
    let json = coding(Format::Json);
    let mut coded = around(Verdict::Forward, &json, &json);
    let judged = run(
        &mut coded,
        &[value(b" {\"a\": 1}"), value(b"{"), Plain(None, None)],
    );
    assert_eq!(judged[0].verdict, Verdict::Forward);
    assert_eq!(judged[2].verdict, Verdict::Forward);
    assert_eq!(judged[1].stage, Stage::DecodeValue);
    assert!(matches!(&judged[1].verdict, Verdict::Fail(why) if why.contains("no JSON")));
    // The transform never saw the wrong one.
    assert_eq!(coded.transform.seen.len(), 2);

    let mut coded = around(sends("\u{1}"), &coding(Format::Bytes), &json);
    let judged = run(&mut coded, &[value(b"\xff")]);
    assert_eq!(judged[0].stage, Stage::EncodeValue);

    let text = coding(Format::String);
    let mut coded = around(Verdict::Forward, &text, &coding(Format::Bytes));
    let judged = run(&mut coded, &[value(b"\xff"), value("é".as_bytes())]);
    assert!(matches!(&judged[0].verdict, Verdict::Fail(why) if why.contains("not UTF-8")));
    assert_eq!(judged[1].verdict, Verdict::Forward);
}

#[test]
fn a_plugin_decodes_and_one_encodes_topic_by_topic() {
    let verdict = Verdict::Expand(vec![
        Output::FORWARD,
        Output {
            topic: Some("aside".to_owned()),
            value: Payload::Bytes(b"own".to_vec()),
            ..Output::FORWARD
        },
        Output {
            value: Payload::Null,
            ..Output::FORWARD
        },
    ]);
    let mut coded = around(verdict, &plugin(), &plugin());
    let judged = run(&mut coded, &[value(b"a"), Plain(None, None), value(b"b")]);
    let shown: Vec<_> = coded.transform.seen.iter().map(Option::as_deref).collect();
    assert_eq!(shown, [Some(&b"in:value:A"[..]), None, Some(b"in:value:B")]);
    let sent = |index: usize| -> Vec<Payload> {
        let outputs = judged[index].verdict.outputs().expect("it did not fail");
        outputs.iter().map(|output| output.value.clone()).collect()
    };
    let bytes = |text: &str| Payload::Bytes(text.into());
    assert_eq!(
        sent(0),
        [
            bytes("out:value:IN:VALUE:A"),
            bytes("aside:value:OWN"),
            Payload::Null
        ]
    );
    // A null stays null, whatever encodes.
    assert_eq!(
        sent(1),
        [Payload::Source, bytes("aside:value:OWN"), Payload::Null]
    );
}

#[test]
fn one_bad_payload_fails_alone() {
    let mut coded = around(Verdict::Forward, &plugin(), &coding(Format::Json));
    let judged = run(&mut coded, &[value(b"bad"), value(b"1")]);
    assert_eq!(
        verdicts(&judged[..1]),
        [(&Verdict::Fail("bad is bad".to_owned()), Stage::DecodeValue)]
    );
    // What the plugin made is no JSON, and not what came.
    assert_eq!(judged[1].stage, Stage::EncodeValue);

    let mut coded = around(Verdict::Forward, &coding(Format::Bytes), &plugin());
    let judged = run(&mut coded, &[value(b"bad"), value(b"x")]);
    assert_eq!(judged[0].stage, Stage::EncodeValue);
    assert_eq!(judged[1].verdict, sends("out:value:X"));
}

#[test]
fn a_plugin_that_breaks_says_where_and_all_instances_are_made_anew() {
    let mut coded = around(Verdict::Forward, &plugin(), &coding(Format::Json));
    let Err(Halt::Fault(stage, _)) = coded.judge(&partition(), &[value(b"poison")]) else {
        panic!("it did not break");
    };
    assert_eq!((stage, coded.transform.discarded), (Stage::DecodeValue, 1));

    let mut coded = around(Verdict::Forward, &coding(Format::Bytes), &plugin());
    let records = [value(b"x"), value(b"poison")];
    let mut judged = coded.judge(&partition(), &records).expect("it judges");
    let before = judged.clone();
    let Err(Halt::Fault(stage, _)) = coded.encode(&records, &mut judged) else {
        panic!("it did not break");
    };
    assert_eq!((stage, coded.transform.discarded), (Stage::EncodeValue, 1));
    // Nothing was encoded that would be encoded once more.
    assert_eq!(judged, before);

    coded.transform.fault = Some(Fault::TimedOut("late".to_owned()));
    let Err(Halt::Fault(stage, _)) = coded.judge(&partition(), &records) else {
        panic!("it did not break");
    };
    assert_eq!((stage, coded.transform.discarded), (Stage::Transform, 2));
}

#[test]
fn a_call_gets_no_more_than_its_bytes_once_they_are_decoded() {
    let mut coded = around(
        Verdict::Forward,
        &coding(Format::Json),
        &coding(Format::Json),
    );
    let records = [value(&[b'1'; 60]), value(&[b'2'; 60]), value(&[b'3'; 60])];
    let judged = coded.judge(&partition(), &records).expect("it judges");
    assert_eq!(judged.len(), 1);
}

#[test]
fn an_output_to_what_is_no_topic_is_left_to_whoever_says_so() {
    let elsewhere = Verdict::Replace(Output {
        topic: Some("no/topic".to_owned()),
        value: Payload::Bytes(b"no json".to_vec()),
        ..Output::FORWARD
    });
    for encode in [coding(Format::Json), plugin()] {
        let mut coded = around(elsewhere.clone(), &coding(Format::Bytes), &encode);
        assert_eq!(run(&mut coded, &[value(b"x")])[0].verdict, elsewhere);
    }
}

#[test]
fn what_plugins_make_is_cut_into_calls_too() {
    let mut coded = around(Verdict::Forward, &plugin(), &plugin());
    let records = [value(&[b'a'; 60]), value(&[b'b'; 60])];
    let judged = coded.judge(&partition(), &records).expect("it judges");
    assert_eq!(judged.len(), 1);
    // Encoded in calls of their own, and each in its place.
    let mut coded = around(Verdict::Forward, &coding(Format::Bytes), &plugin());
    let judged = run(&mut coded, &records);
    let sent = |letter: &str| sends(&format!("out:value:{}", letter.repeat(60)));
    assert_eq!(judged[0].verdict, sent("A"));
    assert_eq!(judged[1].verdict, sent("B"));
}

#[test]
fn an_output_that_goes_nowhere_is_left_to_whoever_says_so() {
    let mut coded = around(
        sends("no json"),
        &coding(Format::Bytes),
        &coding(Format::Json),
    );
    coded.topics.default = None;
    assert_eq!(run(&mut coded, &[value(b"x")])[0].verdict, sends("no json"));
}

const POINT: &str = r#"{"type": "record", "name": "Point", "fields": [
    {"name": "x", "type": "long"}, {"name": "note", "type": ["null", "string"]}]}"#;

/// A file with this schema.
fn schema(text: &str) -> (tempfile::TempDir, SchemaSource) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.avsc");
    std::fs::write(&path, text).expect("it is written");
    (dir, SchemaSource::File(path))
}

#[test]
fn plain_avro_is_shown_as_json_and_goes_out_as_it_came_where_the_schemas_are_one() {
    let (_dir, file) = schema(POINT);
    let avro = Coding {
        schema: Some(file),
        ..coding(Format::AvroPlain)
    };
    // x = 3, note = null: Avro's zigzag, and the union's branch.
    let point = value(&[6, 0]);
    let mut coded = around(Verdict::Forward, &avro, &avro);
    assert_eq!(run(&mut coded, &[point])[0].verdict, Verdict::Forward);
    let shown = coded.transform.seen[0].as_deref();
    assert_eq!(shown, Some(&b"{\"x\":3,\"note\":null}"[..]));

    // Another schema: the same data is written anew.
    let (_dir, other) = schema(&POINT.replace("\"null\", \"string\"", "\"string\", \"null\""));
    let other = Coding {
        schema: Some(other),
        ..coding(Format::AvroPlain)
    };
    let mut coded = around(Verdict::Forward, &avro, &other);
    let judged = run(&mut coded, &[value(&[6, 0]), value(&[6])]);
    let written = &judged[0].verdict.outputs().expect("it did not fail")[0];
    assert_eq!(written.value, Payload::Bytes(vec![6, 2]));
    assert_eq!(written.headers, OutputHeaders::Source);
    assert_eq!(judged[1].stage, Stage::DecodeValue);

    // JSON in, Avro out, and what does not fit.
    let mut coded = around(sends("{\"x\": 3, \"y\": 4}"), &coding(Format::Bytes), &avro);
    let judged = run(&mut coded, &[value(b"")]);
    assert!(
        matches!(&judged[0].verdict, Verdict::Fail(why) if why.contains('y')),
        "{judged:?}"
    );

    // Avro in, JSON out.
    let mut coded = around(Verdict::Forward, &avro, &coding(Format::Json));
    let judged = run(&mut coded, &[value(&[6, 0])]);
    assert_eq!(judged[0].verdict, sends("{\"x\":3,\"note\":null}"));
}

#[test]
fn a_schema_file_that_is_none_is_refused() {
    let schemas = Schemas::new(None);
    let (dir, file) = schema("{}");
    let error = schemas.source(&file, crate::registry::Kind::Avro).err();
    let error = format!("{:#}", error.expect("it is refused"));
    assert!(error.contains("s.avsc is no schema"), "{error}");
    drop(dir);
    let error = schemas.source(&file, crate::registry::Kind::Avro).err();
    let error = format!("{:#}", error.expect("it is refused"));
    assert!(error.contains("s.avsc can't be read"), "{error}");
}

#[test]
fn what_a_record_is_seen_as_is_all_of_it() {
    let record = Plain(Some(b"k"), Some(b"v"));
    let decoded = Decoded {
        value: Shown::Made {
            bytes: b"V".to_vec(),
            schema: None,
        },
        ..Decoded::default()
    };
    let seen = Held::copy(&Seen {
        record: &record,
        decoded: &decoded,
    });
    assert_eq!(
        (seen.key(), seen.value()),
        (Some(&b"k"[..]), Some(&b"V"[..]))
    );
    assert_eq!(seen.timestamp(), Timestamp::Create(7));
}
