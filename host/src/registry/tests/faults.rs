//! A registry that is not well: every question stays open until it is.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::server::{Reply, Request, error, no_such_schema, ok};
use super::*;

/// A good answer after so many faults.
fn after(faults: usize, fault: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request: &Request| match request.before < faults {
        true => fault(),
        false => ok(json!({ "schema": "s" })),
    })
}

/// A URL at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn faults_are_retried_until_there_is_an_answer() {
    let faults: [fn() -> Reply; 9] = [
        || error(500, 50001, "store"),
        || Reply::Answer(503, String::new()),
        || error(401, 401, "Unauthorized"),
        || error(403, 40301, "denied"),
        || Reply::Answer(429, String::new()),
        || Reply::Answer(404, "<html>no such page</html>".to_owned()),
        || ok("<html>log in</html>"),
        || ok(json!({ "schema": 7 })),
        || Reply::Broken,
    ];
    for fault in faults {
        let server = after(3, fault);
        let registry = start(&server);
        ready(&registry, || registry.by_id(7));
        assert_eq!(server.seen().len(), 4);
    }
}

#[test]
fn a_fault_that_lasts_says_where_what_and_what_to_do() {
    let cases: [(Reply, &[&str]); 6] = [
        (
            error(401, 401, "Unauthorized"),
            &["401 Unauthorized", "schema_registry.username"],
        ),
        (error(500, 50001, "the store"), &["500", "the store"]),
        (
            Reply::Answer(404, "<html>".to_owned()),
            &["404", "the path of schema_registry.url"],
        ),
        (ok("[]"), &["200", "look at schema_registry.url"]),
        (Reply::Broken, &["no whole answer"]),
        (Reply::Long((16 << 20) + 1), &["more than 16777216 bytes"]),
    ];
    for (reply, wanted) in cases {
        let reply = std::sync::Mutex::new(Some(reply));
        let server = Server::start(move |_| match reply.lock().unwrap().take() {
            Some(reply) => reply,
            None => Reply::Held(Box::new(no_such_schema())),
        });
        let registry = start(&server);
        let why = fault(&registry, || registry.by_id(7));
        let asked = format!("GET {}/schemas/ids/7", server.url());
        assert!(why.contains(&asked), "{why}");
        for part in wanted {
            assert!(why.contains(part), "{why}");
        }
    }
}

#[test]
fn a_registry_that_is_not_there_is_waited_for() {
    let registry = Registry::start_at(&settings(&[nobody()]), pace()).unwrap();
    let why = fault(&registry, || registry.by_id(7));
    assert!(why.contains("Connection refused"), "{why}");
    assert!(matches!(registry.by_id(7), Lookup::Later(Some(_))));
}

#[test]
fn an_answer_that_takes_too_long_is_a_fault() {
    let server = Server::start(|_| Reply::Held(Box::new(ok(json!({ "schema": "s" })))));
    let pace = Pace {
        request: Duration::from_millis(50),
        ..pace()
    };
    let registry = Registry::start_at(&settings(&[server.url()]), pace).unwrap();
    let why = fault(&registry, || registry.by_id(7));
    assert!(why.contains("no whole answer within 50ms"), "{why}");
    server.release();
    ready(&registry, || registry.by_id(7));
}

#[test]
fn an_answer_without_the_id_that_was_asked_for_is_a_fault() {
    let server = Server::start(|_| ok(json!({ "schema": "s" })));
    let registry = start(&server);
    let why = fault(&registry, || registry.latest("s"));
    assert!(why.contains("names no id"), "{why}");
}

#[test]
fn a_fault_of_a_reference_is_no_answer_for_what_needs_it() {
    let server = Server::start(|request| match (&*request.target, request.before) {
        ("/schemas/ids/1", _) => ok(json!({
            "schema": "top",
            "references": [{ "name": "A", "subject": "a", "version": 1 }],
        })),
        (_, 0..2) => Reply::Answer(502, String::new()),
        _ => ok(json!({ "id": 2, "schema": "a" })),
    });
    let registry = start(&server);
    assert_eq!(ready(&registry, || registry.by_id(1)).references.len(), 1);
}

#[test]
fn the_next_url_is_asked_at_once_and_kept() {
    let ill = Server::start(|_| error(500, 50001, "store"));
    let well = Server::start(|_| ok(json!({ "schema": "s" })));
    let urls = [nobody(), ill.url(), well.url()];
    let pace = Pace {
        retry: PATIENCE * 2, // A pause would be noticed.
        ..pace()
    };
    let registry = Registry::start_at(&settings(&urls), pace).unwrap();
    ready(&registry, || registry.by_id(1));
    ready(&registry, || registry.by_id(2));
    assert_eq!((ill.seen().len(), well.seen().len()), (1, 2));
}

#[test]
fn no_of_one_url_is_the_registrys_answer() {
    let first = Server::start(|_| no_such_schema());
    let second = Server::start(|_| ok(json!({ "schema": "s" })));
    let urls = [first.url(), second.url()];
    let registry = Registry::start_at(&settings(&urls), pace()).unwrap();
    missing(&registry, || registry.by_id(1));
    assert_eq!(second.seen().len(), 0);
}

#[test]
fn with_every_url_at_fault_each_one_is_named() {
    let one = Server::start(|_| error(500, 50001, "store"));
    let other = Server::start(|_| error(401, 401, "Unauthorized"));
    let urls = [one.url(), other.url()];
    let registry = Registry::start_at(&settings(&urls), pace()).unwrap();
    let why = fault(&registry, || registry.by_id(1));
    for url in urls {
        assert!(why.contains(&url), "{why}");
    }
}

#[test]
fn an_old_latest_version_counts_as_long_as_the_registry_is_ill() {
    let is_ill = Arc::new(AtomicBool::new(false));
    let ill = Arc::clone(&is_ill);
    let server = Server::start(move |_| match ill.load(Ordering::SeqCst) {
        true => error(500, 50001, "store"),
        false => ok(json!({ "id": 1, "schema": "s" })),
    });
    let settings = Settings {
        refresh: Duration::ZERO,
        ..settings(&[server.url()])
    };
    let registry = Registry::start_at(&settings, pace()).unwrap();
    ready(&registry, || registry.latest("s"));
    is_ill.store(true, Ordering::SeqCst);
    until("it was asked again", || {
        assert!(matches!(registry.latest("s"), Lookup::Ready(_)));
        registry.0.asker.failing() == 1
    });
    assert!(matches!(registry.latest("s"), Lookup::Ready(_)));
    is_ill.store(false, Ordering::SeqCst);
    until("it is well", || registry.0.asker.failing() == 0);
}

#[test]
fn one_answer_after_faults_wakes_the_questions_that_pause() {
    let server = after(1, || Reply::Answer(503, String::new()));
    let pace = Pace {
        retry: PATIENCE * 10,
        ..pace()
    };
    let registry = Registry::start_at(&settings(&[server.url()]), pace).unwrap();
    fault(&registry, || registry.by_id(7));
    until("it is asked again", || {
        registry.0.asker.recovered();
        matches!(registry.by_id(7), Lookup::Ready(_))
    });
}

#[test]
fn everything_ends_with_the_last_clone_whatever_is_on_its_way() {
    let server = Server::start(|_| Reply::Held(Box::new(no_such_schema())));
    let registry = start(&server);
    let asker = Arc::downgrade(&registry.0.asker);
    let clone = registry.clone();
    registry.by_id(1);
    until("the request came", || server.held() == 1);
    drop(registry);
    clone.by_id(2);
    until("the other one came", || server.held() == 2);
    drop(clone);
    assert!(asker.upgrade().is_none(), "a task is left");
}

#[test]
fn a_check_that_succeeds_needs_one_good_url() {
    let well = Server::start(|_| ok("[\"a-value\"]"));
    let registry = Registry::start_at(&settings(&[nobody(), well.url()]), pace()).unwrap();
    registry.check().unwrap();
    assert_eq!(well.seen()[0].target, "/subjects?offset=0&limit=1");
}

#[test]
fn a_check_that_fails_says_url_status_and_what_to_do() {
    let server = Server::start(|_| error(401, 401, "Unauthorized"));
    let nobody = nobody();
    let registry = Registry::start_at(&settings(&[server.url(), nobody.clone()]), pace()).unwrap();
    let why = format!("{:#}", registry.check().unwrap_err());
    for part in [
        "schema_registry.url",
        &server.url(),
        "401 Unauthorized",
        "schema_registry.username",
        &nobody,
        "Connection refused",
    ] {
        assert!(why.contains(part), "{part} in {why}");
    }
}
