use proptest::prelude::*;

use super::*;

fn check(bytes: &[u8]) -> Result<(), Refused> {
    super::check(bytes, Kind::Transform)
}

/// A component in the text format.
fn component(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {body})")).unwrap()
}

/// A component that imports these and exports a transform of this version.
fn plugin(version: &str, imports: &[&str]) -> Vec<u8> {
    let transform = imports.len();
    let imports: String = imports
        .iter()
        .map(|name| format!("(import \"{name}\" (instance))"))
        .collect();
    // Without names, which would stand in a section of their own.
    component(&format!(
        "{imports} (instance) (export \"millrace:plugin/transform@{version}\" (instance {transform}))"
    ))
}

fn refused(bytes: &[u8]) -> Refused {
    check(bytes).unwrap_err()
}

#[test]
fn a_plugin_is_a_component_that_exports_a_transform() {
    assert_eq!(check(&plugin("0.1.0", &[])), Ok(()));
}

#[test]
fn a_plugin_may_import_the_log_and_virtual_wasi() {
    let imports = [
        "millrace:plugin/log@0.1.0",
        "millrace:plugin/types@0.1.0",
        "wasi:cli/environment@0.2.3",
        "wasi:clocks/wall-clock@0.2.0",
        "wasi:filesystem/preopens@0.2.6",
        "wasi:io/streams@0.2.6",
        "wasi:random/random@0.2.6",
    ];
    assert_eq!(check(&plugin("0.1.0", &imports)), Ok(()));
}

#[test]
fn an_empty_file_is_refused() {
    assert_eq!(refused(b""), Refused::Empty);
}

#[test]
fn a_text_is_refused_with_its_first_bytes() {
    let refused = refused(b"#!/bin/sh");
    assert_eq!(refused, Refused::NotWasm("23 21 2f 62".to_owned()));
    assert!(refused.to_string().contains("no WebAssembly at all"));
    assert_eq!(check(b"a"), Err(Refused::NotWasm("61".to_owned())));
}

#[test]
fn a_core_module_is_refused_with_the_way_out() {
    let module = wat::parse_str("(module (memory 1) (export \"memory\" (memory 0)))").unwrap();
    assert_eq!(refused(&module), Refused::CoreModule);
    assert!(refused(&module).to_string().contains("wasm32-wasip2"));
}

#[test]
fn an_unknown_binary_version_is_damage() {
    let refused = refused(b"\0asm\x63\0\0\0");
    assert!(matches!(refused, Refused::Damaged(_)), "{refused}");
}

#[test]
fn every_beginning_of_a_plugin_is_refused() {
    let whole = plugin("0.1.0", &["millrace:plugin/log@0.1.0"]);
    for len in 0..whole.len() {
        let refused = refused(&whole[..len]);
        // Cut between two sections it is a whole component of less.
        assert!(
            matches!(
                refused,
                Refused::Empty | Refused::NotWasm(_) | Refused::Damaged(_) | Refused::Lacks { .. }
            ),
            "its first {len} bytes: {refused}"
        );
    }
}

#[test]
fn what_follows_a_plugin_is_damage() {
    let mut bytes = plugin("0.1.0", &[]);
    bytes.extend(b"more");
    let refused = refused(&bytes);
    assert!(matches!(refused, Refused::Damaged(_)), "{refused}");
}

#[test]
fn another_version_of_the_contract_is_refused_with_both_versions() {
    for version in [
        "0.2.0", "1.0.0", "0.0.9", "0.1.1", "2", "garbage", "", "0.1.0.0",
    ] {
        let refused = refused(&plugin(version, &[]));
        let found = version.to_owned();
        assert_eq!(refused, Refused::OtherContract { found });
        let text = refused.to_string();
        assert!(
            text.contains(&format!("millrace:plugin@{version},")),
            "{text}"
        );
        assert!(text.contains("millrace:plugin@0.1.0"), "{text}");
    }
}

#[test]
fn another_version_of_an_import_is_another_contract() {
    assert_eq!(
        refused(&plugin("0.1.0", &["millrace:plugin/log@0.2.0"])),
        Refused::OtherContract {
            found: "0.2.0".to_owned()
        }
    );
}

fn lacks(wanted: Kind, exports: &[&str]) -> Refused {
    Refused::Lacks {
        wanted,
        exports: exports.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn a_component_without_a_transform_is_refused_with_its_exports() {
    assert_eq!(refused(&component("")), lacks(Kind::Transform, &[]));
    let other = component(
        "(instance $t)
         (export \"millrace:plugin/serializer@0.1.0\" (instance $t))
         (export \"other:pkg/transform@0.1.0\" (instance $t))",
    );
    assert_eq!(
        refused(&other).to_string(),
        "it exports millrace:plugin/serializer@0.1.0, other:pkg/transform@0.1.0 and no transform: \
         plugin.path wants a plugin that exports millrace:plugin/transform"
    );
    assert!(
        refused(&component(""))
            .to_string()
            .starts_with("it exports nothing and no transform: ")
    );
}

#[test]
fn a_codec_is_a_component_that_exports_what_is_wanted_of_it() {
    let both = component(
        "(instance $t)
         (export \"millrace:plugin/deserializer@0.1.0\" (instance $t))
         (export \"millrace:plugin/serializer@0.1.0\" (instance $t))",
    );
    assert_eq!(super::check(&both, Kind::Deserializer), Ok(()));
    assert_eq!(super::check(&both, Kind::Serializer), Ok(()));
    assert!(check(&both).is_err());

    let transform = plugin("0.1.0", &[]);
    let exports = ["millrace:plugin/transform@0.1.0"];
    for (kind, text) in [
        (
            Kind::Deserializer,
            "it exports millrace:plugin/transform@0.1.0 and no deserializer: decode.key and \
             decode.value want a plugin that exports millrace:plugin/deserializer",
        ),
        (
            Kind::Serializer,
            "it exports millrace:plugin/transform@0.1.0 and no serializer: encode.key and \
             encode.value want a plugin that exports millrace:plugin/serializer",
        ),
    ] {
        let refused = super::check(&transform, kind).unwrap_err();
        assert_eq!(refused, lacks(kind, &exports));
        assert_eq!(refused.to_string(), text);
    }
}

#[test]
fn a_contract_without_a_version_or_of_a_pre_release_is_another_one() {
    let unversioned =
        component(r#"(instance $t) (export "millrace:plugin/transform" (instance $t))"#);
    assert_eq!(
        refused(&unversioned),
        Refused::OtherContract {
            found: "(no version)".to_owned()
        }
    );
    assert_eq!(
        refused(&plugin("0.1.0-rc1", &[])),
        Refused::OtherContract {
            found: "0.1.0-rc1".to_owned()
        }
    );
}

#[test]
fn an_import_with_a_given_ones_name_at_its_beginning_is_not_granted() {
    let import = "wasi:iot/sensors@0.2.0";
    assert_eq!(
        refused(&plugin("0.1.0", &[import])),
        Refused::NotGranted(vec![import.to_owned()])
    );
}

#[test]
fn what_only_a_component_inside_exports_or_imports_does_not_count() {
    let inside = "(component
        (import \"wasi:sockets/tcp@0.2.0\" (instance))
        (instance $t)
        (export \"millrace:plugin/transform@0.1.0\" (instance $t)))
        (core module (memory 1))";
    assert_eq!(refused(&component(inside)), lacks(Kind::Transform, &[]));
    let both = format!(
        "{inside} (instance $t) (export \"millrace:plugin/transform@0.1.0\" (instance $t))"
    );
    assert_eq!(check(&component(&both)), Ok(()));
}

#[test]
fn an_import_that_is_not_granted_is_refused_by_name() {
    let imports = [
        "wasi:io/streams@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:http/outgoing-handler@0.2.0",
        "acme:db/query",
    ];
    let refused = refused(&plugin("0.1.0", &imports));
    let names = imports[1..].iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(refused, Refused::NotGranted(names));
    assert!(
        refused.to_string().starts_with(
            "it imports wasi:sockets/tcp@0.2.0, wasi:http/outgoing-handler@0.2.0, acme:db/query, \
             which a plugin is not given"
        ),
        "{refused}"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_check_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&bytes);
        let _ = check(&[b"\0asm\x0d\0\x01\0", &bytes[..]].concat());
    }

    #[test]
    fn no_damage_to_a_plugin_makes_the_check_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = plugin("0.1.0", &["wasi:io/streams@0.2.0"]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = check(&bytes);
    }
}
