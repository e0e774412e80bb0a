//! The admin address: what runs is listed, and changed, over HTTP.

use std::fs;
use std::net::SocketAddr;

use millrace_tests::http::Request;
use millrace_tests::{Host, eventually_ok};
use serde_json::Value;

use super::{Plugin, lines, version_of, wait_for_lines};
use crate::feeder::{Feeder, assert_all_once_in_order};
use crate::pipeline::{LONG, Pipeline, SOON, error_of, log, stop};

const ADMIN: &[&str] = &["--admin", "127.0.0.1:0", "--no-watch"];
const UPLOAD: &[&str] = &["--admin", "127.0.0.1:0", "--set", "admin.upload=true"];

fn admin(host: &Host) -> SocketAddr {
    wait_for_lines(host, "the admin address listens", 1);
    let line = &lines(host, "the admin address listens")[0];
    let address = line["address"].as_str().expect("an address");
    address.parse().expect("a number and a port")
}

fn asked(request: &Request, admin: SocketAddr) -> (u16, Value) {
    let answer = request.send(admin).expect("it answers");
    let body = serde_json::from_slice(&answer.body).expect("JSON");
    // Shown where it is not what was expected.
    eprintln!(
        "{} {}: {} {body}",
        request.method, request.target, answer.status
    );
    (answer.status, body)
}

fn get(admin: SocketAddr, target: &str) -> (u16, Value) {
    asked(&Request::new("GET", target), admin)
}

fn post(admin: SocketAddr, target: &str, body: &[u8]) -> (u16, Value) {
    asked(&Request::new("POST", target).body(body), admin)
}

/// The one plugin that runs.
fn listed(admin: SocketAddr) -> Value {
    let (status, body) = get(admin, "/plugins");
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["plugins"].as_array().map(Vec::len), Some(1), "{body}");
    body["plugins"][0].clone()
}

/// Waits until the workers run this digest.
fn wait_for_digest(admin: SocketAddr, digest: &Value, workers: usize) {
    eventually_ok(SOON, "the workers to run it", || {
        let listed = listed(admin);
        let all = listed["workers"].as_array().expect("workers");
        let same = all.iter().filter(|worker| worker["digest"] == *digest);
        match same.count() == workers {
            true => Ok(()),
            false => Err(listed.to_string()),
        }
    });
}

#[test]
fn what_runs_is_listed_reloaded_and_rolled_back() {
    let pipeline = Pipeline::new("admin", 2);
    let plugin = Plugin::new();
    let feeder = Feeder::start(&pipeline, 1000);
    let more = [ADMIN, &["--workers", "2"]].concat();
    let host = pipeline.start(&plugin.path, &more);
    pipeline.wait_for_flow(500);
    let admin = admin(&host);

    let first = listed(admin);
    assert_eq!(first["name"], "stamps");
    assert_eq!(first["uses"], serde_json::json!(["transform"]));
    assert_eq!(first["swaps"], 0);
    assert_eq!(first["previous"], Value::Null);
    assert_eq!(first["refused"], Value::Null);
    assert_eq!(first["failures"], 0);
    eventually_ok(SOON, "500 records", || {
        match listed(admin)["records"].as_u64() {
            Some(500..) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert!(first["since"].as_str().is_some_and(|at| at.ends_with('Z')));
    assert_eq!(first["file"], plugin.path.display().to_string());
    let (status, body) = post(admin, "/plugins/reload", b"");
    assert_eq!(
        (status, &body["plugins"][0]["outcome"]),
        (200, &"unchanged".into())
    );

    plugin.becomes("000001");
    let (status, body) = post(admin, "/plugins/reload", b"");
    assert_eq!(
        (status, &body["plugins"][0]["outcome"]),
        (200, &"swapped".into())
    );
    let second = body["plugins"][0]["digest"].clone();
    assert_ne!(second, first["digest"]);
    wait_for_digest(admin, &second, 2);
    let now = listed(admin);
    assert_eq!(now["previous"], first["digest"]);
    assert_eq!(now["swaps"], 1);
    let workers = now["workers"].as_array().expect("workers");
    let from = |worker: &Value| worker["from"].as_object().map_or(0, |from| from.len());
    assert!(
        workers
            .iter()
            .all(|worker| worker["pause_seconds"].is_number()),
        "{now}"
    );
    assert!(workers.iter().map(from).sum::<usize>() > 0, "{now}");

    plugin.is_replaced_by(b"text");
    let (status, body) = post(admin, "/plugins/reload", b"");
    assert_eq!(
        (status, &body["plugins"][0]["outcome"]),
        (422, &"refused".into())
    );
    assert!(
        body["plugins"][0]["why"]
            .as_str()
            .is_some_and(|why| why.contains("no WebAssembly"))
    );
    assert_eq!(listed(admin)["refused"]["why"], body["plugins"][0]["why"]);

    pipeline.wait_for_flow(500);
    let (status, body) = post(admin, "/plugins/stamps/rollback", b"");
    assert_eq!(
        (status, &body["plugins"][0]["digest"]),
        (200, &first["digest"])
    );
    wait_for_digest(admin, &first["digest"], 2);
    let (status, body) = post(admin, "/plugins/stamps/rollback", b"");
    assert_eq!(status, 409, "{body}");
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|why| why.contains("no version before"))
    );

    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    let outputs = pipeline.outputs();
    assert_all_once_in_order(&outputs, written);
    let of = |version: &str| outputs.iter().filter(|o| version_of(o) == version).count();
    assert_eq!(of("000000") + of("000001"), outputs.len());
    assert!(of("000001") > 0);
    assert_eq!(version_of(outputs.last().expect("the last")), "000000");
}

#[test]
fn an_upload_is_kept_on_disk_and_taken_back_with_its_version() {
    let pipeline = Pipeline::new("uploads", 2);
    let plugin = Plugin::new();
    let feeder = Feeder::start(&pipeline, 500);
    let host = pipeline.start(&plugin.path, UPLOAD);
    pipeline.wait_for_flow(500);
    let admin = admin(&host);
    let on_disk = || fs::read(&plugin.path).expect("it is there");
    let old = listed(admin)["digest"].clone();

    let (status, body) = post(admin, "/plugins/stamps", b"text");
    assert_eq!(status, 422, "{body}");
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|why| why.contains("no WebAssembly"))
    );
    assert_eq!(on_disk(), plugin.version("000000"));

    let (status, body) = post(admin, "/plugins/stamps", &plugin.version("000001"));
    assert_eq!(
        (status, &body["plugins"][0]["outcome"]),
        (200, &"swapped".into())
    );
    assert_eq!(on_disk(), plugin.version("000001"));
    wait_for_digest(admin, &body["plugins"][0]["digest"], 1);
    pipeline.wait_for_flow(500);

    let (status, body) = post(admin, "/plugins/stamps/rollback", b"");
    assert_eq!((status, &body["plugins"][0]["digest"]), (200, &old));
    assert_eq!(
        on_disk(),
        plugin.version("000000"),
        "a restart runs the same"
    );
    wait_for_digest(admin, &old, 1);

    let (status, body) = post(admin, "/plugins/stamps", &plugin.version("000002"));
    assert_eq!(
        (status, &body["plugins"][0]["outcome"]),
        (200, &"swapped".into())
    );
    wait_for_digest(admin, &body["plugins"][0]["digest"], 1);
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    let outputs = pipeline.outputs();
    assert_all_once_in_order(&outputs, written);
    assert_eq!(version_of(outputs.last().expect("the last")), "000002");

    let again = pipeline.start(&plugin.path, UPLOAD);
    let admin = self::admin(&again);
    assert_eq!(listed(admin)["digest"], body["plugins"][0]["digest"]);
    stop(again);
}

#[test]
fn what_can_not_be_asked_is_refused_with_the_reason() {
    let pipeline = Pipeline::new("admin-refuses", 1);
    let plugin = Plugin::new();
    let host = pipeline.start(&plugin.path, ADMIN);
    let admin = admin(&host);
    let refused = |request: Request, status: u16, why: &str| {
        let (answered, body) = asked(&request, admin);
        let error = body["error"].as_str().expect("an error");
        assert!(
            answered == status && error.contains(why),
            "{answered}: {error}"
        );
    };
    let post = |target: &str| Request::new("POST", target);
    refused(post("/plugins/stamps"), 403, "admin.upload");
    refused(post("/plugins/other/rollback"), 404, "there is stamps");
    refused(post("/plugins/stamps/rollback"), 409, "no version before");
    refused(Request::new("GET", "/nothing"), 404, "no such address");
    refused(Request::new("DELETE", "/plugins"), 405, "can't be done");
    let of_a_page = post("/plugins/reload").header("Origin", "http://example.com");
    refused(of_a_page, 403, "no web page");

    let taken = admin.to_string();
    let mut second = pipeline.start(&plugin.path, &["--admin", &taken]);
    let error = error_of(&mut second, 2);
    assert!(
        error.contains("admin.listen") && error.contains(&taken),
        "{error}"
    );
    assert!(lines(&host, "a plugin").is_empty(), "{:?}", log(&host));
    stop(host);
}
