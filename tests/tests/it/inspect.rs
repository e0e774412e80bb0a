//! `host inspect`: what a file is as a plugin, without compiling it.

use std::fs;
use std::path::Path;

use millrace_tests::{Host, guest, plugin};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pipeline::{assert_says, error_of, expect_exit};

/// With a cache of its own.
#[track_caller]
fn inspect(plugin: &Path, more: &[&str], cache: &Path, status: i32) -> Host {
    let mut command = Host::command();
    command
        .arg("inspect")
        .arg(plugin)
        .args(more)
        .env("XDG_CACHE_HOME", cache);
    let mut host = Host::spawn(command);
    expect_exit(&mut host, status);
    host
}

#[track_caller]
fn as_json(plugin: &Path, cache: &Path, status: i32) -> Value {
    let host = inspect(plugin, &["--json"], cache, status);
    serde_json::from_str(&host.stdout()).expect("it is JSON")
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder can be made")
}

#[test]
fn a_plugin_is_shown_and_not_compiled() {
    let cache = folder();
    let orders = plugin("orders");
    let it = as_json(&orders, cache.path(), 0);
    assert_eq!(it["kinds"], json!(["transform"]));
    assert_eq!(it["contract"], "0.1.0");
    assert_eq!(it["language"], "Rust");
    assert_eq!(
        it["bytes"],
        fs::metadata(&orders).expect("it is there").len()
    );
    assert_eq!(it["digest"].as_str().map(str::len), Some(64));
    assert_eq!(
        (&it["cached"], &it["refused"]),
        (&json!(false), &Value::Null)
    );
    let import = |begin: &str| {
        let imports = it["imports"].as_array().expect("a list");
        let named = |import: &&Value| {
            import["name"]
                .as_str()
                .is_some_and(|it| it.starts_with(begin))
        };
        imports.iter().find(named).expect("it is imported")
    };
    assert_eq!(import("millrace:plugin/types@")["access"], "given");
    assert_eq!(import("wasi:cli/environment@")["allow"], "env:NAME");
    assert_eq!(fs::read_dir(cache.path()).expect("it is there").count(), 0);

    // Once it was loaded, its code is there.
    let mut test = Host::command();
    test.arg("test")
        .arg(&orders)
        .env("XDG_CACHE_HOME", cache.path());
    expect_exit(&mut Host::spawn(test), 0);
    assert_eq!(as_json(&orders, cache.path(), 0)["cached"], true);
}

#[test]
fn it_is_shown_to_people_too() {
    let cache = folder();
    let host = inspect(&plugin("protobuf"), &[], cache.path(), 0);
    assert_says(
        &host.stdout(),
        &[
            "  exports   deserializer, serializer\n",
            "  contract  0.1.0\n",
            "  language  Rust\n",
            "rustc 1",
            "  cached    no\n",
            "virtual: from a fixed seed (the real one: --allow random)\n",
        ],
    );
}

#[test]
fn what_could_not_be_run_is_shown_all_the_same() {
    let cache = folder();
    let mut host = inspect(&guest("dials_out"), &[], cache.path(), 1);
    assert_says(
        &host.stdout(),
        &["  exports   transform\n", "wasi:sockets/tcp@", "refused\n"],
    );
    let error = error_of(&mut host, 1);
    assert_says(
        &error,
        &["dials_out.wasm can't be run", "it imports wasi:sockets"],
    );

    let file = cache.path().join("mine.wasm");
    for (bytes, says) in [
        (
            wat::parse_str("(module)").expect("it is Wasm"),
            "it is a core module",
        ),
        (b"hello".to_vec(), "it is no WebAssembly at all"),
        (
            wat::parse_str("(component)").expect("it is Wasm"),
            "it exports nothing",
        ),
    ] {
        fs::write(&file, bytes).expect("it can be written");
        let it = as_json(&file, cache.path(), 1);
        assert_eq!((&it["kinds"], &it["language"]), (&json!([]), &Value::Null));
        assert_says(it["refused"].as_str().expect("it says why"), &[says]);
        let mut host = inspect(&file, &[], cache.path(), 1);
        assert_says(&host.stdout(), &["  digest    ", "  size      "]);
        assert_says(&error_of(&mut host, 1), &[says]);
    }
    let mut host = inspect(Path::new("/nowhere/x.wasm"), &[], cache.path(), 1);
    assert_says(&error_of(&mut host, 1), &["/nowhere/x.wasm can't be read"]);
}
