//! The schema registry of the tests, and the false one before it: what the tests
//! of serialization take for granted.

use std::net::TcpStream;
use std::time::Duration;

use millrace_tests::http::{Answer, Request};
use millrace_tests::registry::{
    Behaviour, Credentials, FakeRegistry, Language, Reference, framed, unframed,
};
use millrace_tests::topics::unique;
use millrace_tests::{Registry, eventually, shared_registry};
use serde_json::{Value, json};

use crate::pipeline::SOON;

const POINT: &str =
    r#"{"type":"record","name":"Point","namespace":"geo","fields":[{"name":"x","type":"long"}]}"#;
const LINE: &str = r#"{"type":"record","name":"Line","namespace":"geo","fields":[{"name":"from","type":"geo.Point"},{"name":"to","type":"geo.Point"}]}"#;

/// Asks what stands at this URL.
fn get(url: &str, path: &str) -> std::io::Result<Answer> {
    request(url, path).send(address(url))
}

fn request(url: &str, path: &str) -> Request {
    let base = url.splitn(4, '/').nth(3).expect("the URL has a path");
    Request::new("GET", &format!("/{base}{path}"))
}

fn address(url: &str) -> std::net::SocketAddr {
    let address = url.split('/').nth(2).expect("the URL has a host");
    address.parse().expect("an address and a port")
}

#[test]
fn what_is_registered_is_found_by_its_id_and_its_subject() {
    let registry = shared_registry();
    let (points, lines) = (unique("points"), unique("lines"));

    let point = registry.register(&points, POINT);
    assert_eq!(registry.register(&points, POINT), point);
    let reference = Reference::new("geo.Point", &points, 1);
    let line = registry.register_with(&lines, LINE, Language::Avro, &[reference]);

    let found = registry.ask("GET", &format!("/schemas/ids/{line}"), None);
    let references = json!([{ "name": "geo.Point", "subject": points, "version": 1 }]);
    assert_eq!(found["schema"], LINE);
    assert_eq!(found["references"], references);
    let latest = registry.latest(&points).expect("it is registered");
    assert_eq!((latest.id, latest.version), (point, 1));
    assert_eq!(latest.schema, POINT);
    assert_eq!(registry.latest(&unique("none")), None);
}

#[test]
fn a_schema_may_be_one_of_json_or_protobuf() {
    let registry = shared_registry();
    let texts = [
        (
            Language::Json,
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#,
            "JSON",
        ),
        (
            Language::Protobuf,
            "syntax = \"proto3\";\nmessage Point {\n  int64 x = 1;\n}\n",
            "PROTOBUF",
        ),
    ];
    for (language, text, name) in texts {
        let id = registry.register_with(&unique("language"), text, language, &[]);
        let found = registry.ask("GET", &format!("/schemas/ids/{id}"), None);
        assert_eq!(found["schemaType"], name);
    }
}

#[test]
fn a_registry_comes_back_on_its_port_with_nothing_in_it() {
    let mut registry = Registry::start();
    let url = registry.url();
    registry.register("points-value", POINT);

    registry.kill();
    assert!(TcpStream::connect(address(&url)).is_err());
    registry.restart();
    assert_eq!(registry.url(), url);
    assert_eq!(registry.latest("points-value"), None);
    assert_eq!(registry.register("lines-value", POINT), 1);

    registry.freeze();
    let client = TcpStream::connect(address(&url)).expect("the kernel answers");
    client
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("it is set");
    assert!(Request::read(&client).is_err());
    registry.thaw();
    assert!(
        registry.latest("lines-value").is_some(),
        "{}",
        registry.log()
    );
}

#[test]
fn a_subject_refuses_what_does_not_fit_its_compatibility() {
    let registry = shared_registry();
    let subject = unique("compatible");
    registry.register(&subject, POINT);
    registry.set_compatibility(&subject, "FULL");

    let other = POINT.replace("\"x\"", "\"y\"");
    let body = json!({ "schema": other });
    let path = format!("/subjects/{subject}/versions");
    let request = request(&registry.url(), &path).body(body.to_string());
    let request = Request {
        method: "POST".to_owned(),
        ..request
    };
    let request = request.header("Content-Type", "application/json");
    let answer = request.send(address(&registry.url()));
    assert_eq!(answer.expect("it answers").status, 409);
    registry.set_compatibility(&subject, "NONE");
    registry.register(&subject, &other);
    assert_eq!(registry.latest(&subject).expect("it is there").version, 2);
}

#[test]
fn a_false_registry_does_what_it_is_told() {
    let registry = shared_registry();
    let subject = unique("false");
    let id = registry.register(&subject, POINT);
    let mut fake = FakeRegistry::before(registry);
    let url = fake.url();
    let path = format!("/schemas/ids/{id}");
    let status = || get(&url, &path).map(|answer| answer.status);

    let answer = get(&url, &path).expect("it passes");
    let found: Value = serde_json::from_str(&answer.text()).expect("it is JSON");
    assert_eq!(found["schema"], POINT);

    fake.script([Behaviour::Fail(500), Behaviour::HangUp]);
    assert_eq!(status().expect("an answer"), 500);
    status().expect_err("the connection is closed");
    assert_eq!(status().expect("an answer"), 200);

    fake.behave(Behaviour::Say(200, "nonsense".to_owned()));
    let answer = get(&url, &path).expect("an answer");
    assert_eq!(answer.text(), "nonsense");
    fake.behave(Behaviour::Slow(Duration::from_millis(10)));
    assert_eq!(status().expect("an answer"), 200);

    fake.behave(Behaviour::Hold);
    let before = fake.count(&path);
    std::thread::scope(|scope| {
        let held = scope.spawn(status);
        fake.wait_for_count(&path, before + 1, SOON);
        assert!(!held.is_finished());
        fake.behave(Behaviour::Pass);
        eventually(SOON, "the answer", || held.is_finished().then_some(()));
        assert_eq!(held.join().expect("no panic").expect("an answer"), 200);
    });
    assert_eq!(fake.count("/schemas/ids/"), fake.seen().len());

    fake.go_down();
    let error = status().expect_err("nobody listens");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    fake.come_back();
    assert_eq!(status().expect("an answer"), 200);
}

#[test]
fn a_false_registry_wants_to_know_who_asks() {
    let registry = shared_registry();
    let fake = FakeRegistry::before(registry);
    let ask = |authorization: Option<&str>| {
        let mut request = request(&fake.url(), "/subjects");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send(address(&fake.url()));
        answer.expect("an answer").status
    };
    let wanted = [
        (
            Credentials::Basic {
                username: "mill".to_owned(),
                password: "race".to_owned(),
            },
            "Basic bWlsbDpyYWNl",
        ),
        (Credentials::Bearer("t0ken".to_owned()), "Bearer t0ken"),
    ];
    for (credentials, header) in wanted {
        fake.demand(Some(credentials));
        assert_eq!(ask(None), 401);
        assert_eq!(ask(Some("Bearer other")), 401);
        assert_eq!(ask(Some(header)), 200);
    }
    fake.demand(None);
    assert_eq!(ask(None), 200);
    let last = fake.seen().pop().expect("it was asked");
    assert_eq!(
        (last.method.as_str(), last.path.as_str()),
        ("GET", "/subjects")
    );
}

#[test]
fn a_frame_is_a_zero_an_id_and_a_datum() {
    let frame = framed(258, b"datum");
    assert_eq!(frame, b"\0\0\0\x01\x02datum");
    assert_eq!(unframed(&frame), (258, b"datum".as_slice()));
}
