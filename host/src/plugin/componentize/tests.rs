use super::*;
use crate::plugin::contract;

/// A module with the exports of a transform, and more of its own.
fn transform(more: &str) -> Vec<u8> {
    module(
        "transform",
        "(param i32 i32 i32 i32 i32) (result i32)",
        "process",
        more,
    )
}

fn module(interface: &str, signature: &str, call: &str, more: &str) -> Vec<u8> {
    let name = format!("millrace:plugin/{interface}@0.1.0");
    let text = format!(
        r#"(module
            {more}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "{name}#init") (param i32 i32) (result i32) unreachable)
            (func (export "{name}#{call}") {signature} unreachable))"#
    );
    wat::parse_str(text).unwrap()
}

fn refused(module: &[u8]) -> String {
    format!("{:#}", componentize(module).unwrap_err())
}

#[test]
fn the_exports_tell_the_interface() {
    let convert = "(param i32 i32 i32 i32 i32) (result i32)";
    for (kind, module) in [
        (Kind::Transform, transform("")),
        (
            Kind::Deserializer,
            module("deserializer", convert, "deserialize", ""),
        ),
        (
            Kind::Serializer,
            module("serializer", convert, "serialize", ""),
        ),
    ] {
        let component = componentize(&module).unwrap();
        let (exports, imports) = contract::names(&component).unwrap();
        assert_eq!(contract::kinds(&exports), [kind]);
        assert_eq!(imports, ["millrace:plugin/types@0.1.0"]);
    }
}

#[test]
fn what_it_imports_of_wasi_and_of_the_contract_is_adapted() {
    let component = componentize(&transform(
        r#"(import "wasi_snapshot_preview1" "fd_write"
               (func (param i32 i32 i32 i32) (result i32)))
           (import "millrace:plugin/log@0.1.0" "log" (func (param i32 i32 i32)))"#,
    ))
    .unwrap();
    let (_, imports) = contract::names(&component).unwrap();
    let has = |name: &str| imports.iter().any(|import| import.starts_with(name));
    assert!(
        has("millrace:plugin/log") && has("wasi:cli/stderr"),
        "{imports:?}"
    );
}

#[test]
fn what_is_no_plugins_module_is_refused_with_the_reason() {
    assert!(refused(b"text").contains("no WebAssembly module"));
    assert!(refused(&transform("")[..40]).contains("damaged"));
    let component = componentize(&transform("")).unwrap();
    assert!(refused(&component).contains("component already"));
    let empty = wat::parse_str("(module)").unwrap();
    assert!(refused(&empty).contains("exports nothing of millrace:plugin@0.1.0"));
    let half = wat::parse_str(
        r#"(module (memory (export "memory") 1)
            (func (export "millrace:plugin/transform@0.1.0#init")
                (param i32 i32) (result i32) unreachable))"#,
    )
    .unwrap();
    assert!(refused(&half).contains("process"), "{}", refused(&half));
    let network = transform(r#"(import "env" "connect" (func))"#);
    assert!(refused(&network).contains("env"), "{}", refused(&network));
}
