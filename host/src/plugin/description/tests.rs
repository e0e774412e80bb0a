use super::*;

/// Of a component in the text format.
fn described(body: &str) -> Description {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.wasm");
    let bytes = wat::parse_str(format!("(component {body})")).unwrap();
    std::fs::write(&path, bytes).unwrap();
    Description::of(&path).unwrap()
}

fn exporting(imports: &[&str], interfaces: &[&str]) -> Description {
    let count = imports.len();
    let imports = imports.iter();
    let imports: String = imports
        .map(|name| format!("(import \"{name}\" (instance))"))
        .collect();
    let exports = interfaces.iter();
    let exports: String = exports
        .map(|name| format!("(export \"{name}\" (instance {count}))"))
        .collect();
    described(&format!("{imports} (instance) {exports}"))
}

const TRANSFORM: &str = "millrace:plugin/transform@0.1.0";

#[test]
fn a_plugin_is_described_by_its_exports() {
    let it = exporting(
        &[],
        &[
            TRANSFORM,
            "millrace:plugin/serializer@0.1.0",
            "mine:own/thing",
        ],
    );
    assert_eq!(it.kinds, [Kind::Transform, Kind::Serializer]);
    assert_eq!(it.exports.len(), 3);
    assert_eq!(it.contract.as_deref(), Some("0.1.0"));
    assert_eq!(it.refused, None);
    assert_eq!((&*it.id.name, it.id.digest.len()), ("mine", 64));
}

#[test]
fn a_codec_alone_could_be_run() {
    let it = exporting(&[], &["millrace:plugin/deserializer@0.1.0"]);
    assert_eq!(it.kinds, [Kind::Deserializer]);
    assert_eq!(it.refused, None);
}

#[test]
fn each_import_is_given_virtual_or_refused() {
    let it = exporting(
        &[
            "millrace:plugin/log@0.1.0",
            "wasi:io/streams@0.2.6",
            "wasi:clocks/wall-clock@0.2.0",
            "wasi:random/random@0.2.6",
            "wasi:cli/environment@0.2.6",
            "wasi:filesystem/preopens@0.2.6",
            "wasi:sockets/tcp@0.2.6",
        ],
        &[TRANSFORM],
    );
    let access: Vec<Access> = it.imports.iter().map(|import| import.access).collect();
    let allow = |access: &Access| match access {
        Access::Virtual(_, allow) => *allow,
        _ => None,
    };
    assert_eq!(access[..2], [Access::Given, Access::Given]);
    let allowed: Vec<_> = access[2..6].iter().map(allow).collect();
    assert_eq!(
        allowed,
        [Some("clock"), Some("random"), Some("env:NAME"), None]
    );
    assert!(matches!(access[5], Access::Virtual(..)));
    assert_eq!(access[6], Access::Refused);
    let tcp = vec!["wasi:sockets/tcp@0.2.6".to_owned()];
    assert_eq!(it.refused, Some(Refused::NotGranted(tcp)));
}

#[test]
fn another_contract_is_shown_and_refused() {
    let it = exporting(&[], &["millrace:plugin/transform@9.0.0"]);
    assert_eq!(it.contract.as_deref(), Some("9.0.0"));
    assert!(matches!(it.refused, Some(Refused::OtherContract { .. })));
}

#[test]
fn what_is_no_component_still_has_a_size_and_a_digest() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, refused) in [
        (Vec::new(), Refused::Empty),
        (b"#!/b".to_vec(), Refused::NotWasm("23 21 2f 62".to_owned())),
        (wat::parse_str("(module)").unwrap(), Refused::CoreModule),
    ] {
        let path = folder.path().join("mine.wasm");
        std::fs::write(&path, &bytes).unwrap();
        let it = Description::of(&path).unwrap();
        assert_eq!(it.refused, Some(refused));
        assert_eq!(it.size, bytes.len() as u64);
        assert_eq!((it.kinds.len(), it.exports.len()), (0, 0));
    }
    assert!(Description::of(&folder.path().join("nowhere")).is_err());
}
