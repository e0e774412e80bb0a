//! What the registry says, and what becomes of it.

use serde_json::json;

use super::server::{Reply, error, no_such_schema, ok};
use super::*;
use crate::registry::{Kind, NewSchema, Reference};

const WORKERS: usize = 8;

#[test]
fn nothing_is_asked_before_somebody_asks() {
    let server = Server::start(|_| no_such_schema());
    drop(start(&server));
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn a_schema_is_asked_for_by_its_id_and_only_once() {
    let server = Server::start(|_| ok(json!({ "schema": "\"string\"", "more": 1 })));
    let registry = start(&server);
    let found = ready(&registry, || registry.by_id(7));
    assert_eq!((found.id, found.kind), (7, Kind::Avro));
    assert_eq!(found.text, "\"string\"");
    for _ in 0..100 {
        ready(&registry, || registry.by_id(7));
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (&*seen[0].method, &*seen[0].target),
        ("GET", "/schemas/ids/7")
    );
    let accepted = "application/vnd.schemaregistry.v1+json, application/json";
    assert_eq!(seen[0].header("accept"), Some(accepted));
    assert_eq!(seen[0].header("authorization"), None);
}

#[test]
fn the_base_url_has_a_path() {
    let server = Server::start(|_| ok(json!({ "schema": "{}", "schemaType": "JSON" })));
    let base = format!("{}/apis/ccompat/v7/", server.url());
    let registry = Registry::start_at(&settings(&[base]), pace()).unwrap();
    assert_eq!(ready(&registry, || registry.by_id(7)).kind, Kind::Json);
    assert_eq!(server.seen()[0].target, "/apis/ccompat/v7/schemas/ids/7");
}

#[test]
fn a_subject_is_encoded_in_the_path() {
    let server = Server::start(|_| ok(json!({ "id": 3, "version": 2, "schema": "s" })));
    let registry = start(&server);
    assert_eq!(ready(&registry, || registry.latest("a/b c")).id, 3);
    assert_eq!(ready(&registry, || registry.version("a/b c", 2)).id, 3);
    assert_eq!(server.count("/subjects/a%2Fb%20c/versions/latest"), 1);
    assert_eq!(server.count("/subjects/a%2Fb%20c/versions/2"), 1);
    let why = missing(&registry, || registry.latest(".."));
    assert!(why.contains("\"..\""), "{why}");
}

#[test]
fn many_askers_make_one_request() {
    let server = Server::start(|_| Reply::Held(Box::new(ok(json!({ "schema": "s" })))));
    let registry = start(&server);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| ready(&registry, || registry.by_id(7)));
        }
        until("the request came", || server.held() == 1);
        server.release();
    });
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn several_questions_are_on_their_way_at_once_but_not_any_number() {
    let server = Server::start(|_| Reply::Held(Box::new(ok(json!({ "schema": "s" })))));
    let registry = start(&server);
    for id in 0..100 {
        assert_eq!(registry.by_id(id), Lookup::Later(None));
    }
    until("eight requests came", || server.held() == 8);
    assert_eq!(server.seen().len(), 8);
    server.release();
    for id in 0..100 {
        ready(&registry, || registry.by_id(id));
    }
    assert_eq!(server.seen().len(), 100);
}

#[test]
fn what_the_registry_does_not_have_is_missing_and_not_asked_again_at_once() {
    let server = Server::start(|_| no_such_schema());
    let registry = start(&server);
    let why = missing(&registry, || registry.by_id(7));
    assert_eq!(&*why, "schema id 7: Schema not found");
    for _ in 0..100 {
        missing(&registry, || registry.by_id(7));
    }
    // A second time, because it may just have been registered elsewhere.
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn what_another_server_of_the_registry_knows_a_moment_later_is_found() {
    let server = Server::start(|request| match request.before {
        0 => no_such_schema(),
        _ => ok(json!({ "schema": "s" })),
    });
    let registry = start(&server);
    ready(&registry, || registry.by_id(7));
}

#[test]
fn what_was_missing_is_found_when_it_is_asked_for_later() {
    let server = Server::start(|request| match request.before {
        0..3 => no_such_schema(),
        _ => ok(json!({ "schema": "s" })),
    });
    let pace = Pace {
        missing: Duration::ZERO,
        ..pace()
    };
    let registry = Registry::start_at(&settings(&[server.url()]), pace).unwrap();
    ready(&registry, || match registry.by_id(7) {
        // It counts for no time, so that the next look-up asks again.
        Lookup::Missing(_) => Lookup::Later(None),
        other => other,
    });
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn a_type_that_is_not_known_is_missing() {
    let server = Server::start(|_| ok(json!({ "schema": "s", "schemaType": "XML" })));
    let registry = start(&server);
    let why = missing(&registry, || registry.by_id(7));
    assert!(why.contains("XML"), "{why}");
}

#[test]
fn the_old_latest_version_counts_while_it_is_refreshed() {
    let server = Server::start(|request| match request.before {
        0 => ok(json!({ "id": 1, "schema": "old" })),
        _ => Reply::Held(Box::new(ok(json!({ "id": 2, "schema": "new" })))),
    });
    let settings = Settings {
        refresh: Duration::ZERO,
        ..settings(&[server.url()])
    };
    let registry = Registry::start_at(&settings, pace()).unwrap();
    assert_eq!(ready(&registry, || registry.latest("s")).text, "old");
    // The look-up that found it asked again, as nothing counts longer.
    until("it is refreshed", || server.held() == 1);
    for _ in 0..10 {
        assert!(matches!(registry.latest("s"), Lookup::Ready(old) if old.id == 1));
    }
    assert_eq!(server.held(), 1);
    server.release();
    until(
        "the new one is there",
        || matches!(registry.latest("s"), Lookup::Ready(new) if new.id == 2),
    );
}

#[test]
fn nested_references_come_before_what_needs_them_and_are_fetched_once() {
    let server = Server::start(|request| match &*request.target {
        "/schemas/ids/1" | "/schemas/ids/2" => ok(json!({
            "schema": "top",
            "references": [
                { "name": "B", "subject": "b/s", "version": 2 },
                { "name": "A", "subject": "a", "version": 1 },
            ],
        })),
        "/subjects/b%2Fs/versions/2?deleted=true" => ok(json!({
            "subject": "b/s", "version": 2, "id": 5, "schema": "b",
            "references": [{ "name": "A", "subject": "a", "version": 1 }],
        })),
        "/subjects/a/versions/1?deleted=true" => {
            ok(json!({ "id": 6, "schema": "a", "references": null }))
        }
        other => panic!("{other}"),
    });
    let registry = start(&server);
    registry.by_id(2);
    for id in [1, 2] {
        let found = ready(&registry, || registry.by_id(id));
        let references = found.references.iter();
        let texts: Vec<_> = references
            .map(|one| (&*one.name, &*one.subject, one.version, &*one.text))
            .collect();
        assert_eq!(texts, [("A", "a", 1, "a"), ("B", "b/s", 2, "b")]);
    }
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn references_in_a_circle_end() {
    let server = Server::start(|request| {
        let next = if request.target.contains("/a/") {
            "b"
        } else {
            "a"
        };
        let references = json!([{ "name": next, "subject": next, "version": 1 }]);
        ok(json!({ "id": 1, "schema": "s", "references": references }))
    });
    let registry = start(&server);
    let why = missing(&registry, || registry.by_id(1));
    assert!(
        why.contains("subject a version 1: refers to itself"),
        "{why}"
    );
    assert_eq!(server.count("/subjects/a/versions/1?deleted=true"), 1);
}

#[test]
fn references_without_an_end_end() {
    let server = Server::start(|request| {
        let here = request
            .target
            .split('/')
            .nth(4)
            .and_then(|n| n.split('?').next());
        let next: u32 = here.and_then(|n| n.parse().ok()).map_or(1, |n: u32| n + 1);
        let references = json!([{ "name": "n", "subject": "s", "version": next }]);
        ok(json!({ "id": 1, "schema": "s", "references": references }))
    });
    let registry = start(&server);
    let why = missing(&registry, || registry.by_id(1));
    assert!(why.contains("one reference too many"), "{why}");
    assert!(server.seen().len() < 100);
}

#[test]
fn a_missing_reference_is_named() {
    let server = Server::start(|request| match &*request.target {
        "/schemas/ids/1" => ok(json!({
            "schema": "top",
            "references": [{ "name": "A", "subject": "a", "version": 1 }],
        })),
        _ => error(404, 40402, "Version not found"),
    });
    let registry = start(&server);
    let why = missing(&registry, || registry.by_id(1));
    let wanted = "schema id 1: it needs subject a version 1: Version not found";
    assert_eq!(&*why, wanted);
}

fn to_register(kind: Kind) -> NewSchema {
    NewSchema {
        kind,
        text: "{\"type\": \"x\"}".to_owned(),
        references: Vec::new(),
    }
}

#[test]
fn a_schema_is_registered_once() {
    let server = Server::start(|_| ok(json!({ "id": 9 })));
    let registry = start(&server);
    for _ in 0..10 {
        let found = ready(&registry, || {
            registry.register("a/b", &to_register(Kind::Avro))
        });
        assert_eq!((found.id, &*found.text), (9, "{\"type\": \"x\"}"));
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (&*seen[0].method, &*seen[0].target),
        ("POST", "/subjects/a%2Fb/versions")
    );
    let sent = "application/vnd.schemaregistry.v1+json";
    assert_eq!(seen[0].header("content-type"), Some(sent));
    assert_eq!(seen[0].body, r#"{"schema":"{\"type\": \"x\"}"}"#);
}

#[test]
fn a_schema_is_registered_with_its_kind_and_its_references() {
    let server = Server::start(|request| match &*request.method {
        "GET" => ok(json!({ "id": 4, "schema": "a" })),
        _ => ok(json!({ "id": 9, "version": 1, "schema": "as the registry writes it" })),
    });
    let registry = start(&server);
    let schema = NewSchema {
        references: vec![Reference {
            name: "A".to_owned(),
            subject: "a".to_owned(),
            version: 1,
        }],
        ..to_register(Kind::Protobuf)
    };
    let found = ready(&registry, || registry.register("s", &schema));
    assert_eq!(
        (found.kind, &*found.references[0].text),
        (Kind::Protobuf, "a")
    );
    let body: serde_json::Value = serde_json::from_str(&server.seen()[1].body).unwrap();
    assert_eq!(body["schemaType"], "PROTOBUF");
    let reference = json!({ "name": "A", "subject": "a", "version": 1 });
    assert_eq!(body["references"], json!([reference]));
}

#[test]
fn a_refused_schema_is_missing_with_the_registrys_words_and_asked_once() {
    for (status, code) in [(409, 409), (422, 42201)] {
        let server = Server::start(move |_| error(status, code, "not compatible with version 1"));
        let registry = start(&server);
        let why = missing(&registry, || {
            registry.register("s", &to_register(Kind::Avro))
        });
        let wanted = "the schema to register for subject s: not compatible with version 1";
        assert_eq!(&*why, wanted);
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn a_schema_that_is_to_be_there_is_found_or_missing_with_the_way_out() {
    let server = Server::start(|request| match request.body.contains("\"x\\") {
        true => ok(json!({ "subject": "a/b", "id": 9, "version": 3, "schema": "as it writes it" })),
        false => error(404, 40403, "Schema not found"),
    });
    let registry = start(&server);
    let schema = to_register(Kind::Avro);
    let found = ready(&registry, || registry.find("a/b", &schema));
    assert_eq!((found.id, &*found.text), (9, "{\"type\": \"x\"}"));
    let seen = server.seen();
    assert_eq!(
        (&*seen[0].method, &*seen[0].target),
        ("POST", "/subjects/a%2Fb")
    );
    let other = NewSchema {
        text: "{\"type\": \"y\"}".to_owned(),
        ..schema
    };
    let why = missing(&registry, || registry.find("a/b", &other));
    assert!(
        why.contains("encode.register = true") && why.contains("a/b"),
        "{why}"
    );
}
