use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use toml_edit::DocumentMut;

use super::*;
use crate::cli::Arguments;
use crate::cli::new::templates::{CONTRACT, File};

fn template(language: &str) -> &'static Template {
    let mut all = TEMPLATES.iter();
    all.find(|template| template.language == language).unwrap()
}

fn rust() -> &'static Template {
    template("rust")
}

/// What its own authors use, and no project does.
fn is_for_developing(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("tests/")
        || path.starts_with("network/")
        || path.starts_with("build/test-")
        || path.ends_with("_test.go")
        || [
            ".gitignore",
            "Makefile",
            "package-lock.json",
            "tsconfig.json",
        ]
        .contains(&name)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below a folder of the repository, by their paths in it.
fn files_below(folder: &str) -> BTreeSet<String> {
    fn look(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What tools leave there.
                let name = path.file_name().unwrap().to_str().unwrap();
                if ["node_modules", "__pycache__", ".venv", ".tools"].contains(&name) {
                    continue;
                }
                look(&path, below, found);
            } else {
                let path = path.strip_prefix(below).unwrap();
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    let folder = repository().join(folder);
    let mut found = BTreeSet::new();
    look(&folder, &folder, &mut found);
    found
}

fn paths(files: &[File], below: &str) -> BTreeSet<String> {
    let paths = files
        .iter()
        .filter_map(|file| file.path.strip_prefix(below));
    paths.map(str::to_owned).collect()
}

fn document(path: &str) -> DocumentMut {
    let text = fs::read_to_string(repository().join(path)).unwrap();
    text.parse().unwrap()
}

fn refused(here: &Path, name: &str) -> (u8, String) {
    let failed = make(here, name, rust(), Kind::Transform).err().unwrap();
    (failed.status, format!("{:#}", failed.error))
}

#[test]
fn every_file_of_the_contract_the_sdk_and_the_templates_is_in_a_project() {
    assert_eq!(paths(CONTRACT, "wit/"), files_below("wit"));
    for template in TEMPLATES {
        let language = match template.language {
            "javascript" => "typescript",
            language => language,
        };
        let sdk = format!("guest-sdk/{language}");
        let all = files_below(&sdk).into_iter();
        let all: BTreeSet<_> = all.filter(|path| !is_for_developing(path)).collect();
        assert_eq!(paths(template.sdk, &format!("{sdk}/")), all, "{language}");
        let mut listed = paths(template.shared, "");
        for kind in KINDS {
            let below = |path| format!("{kind}/{path}");
            listed.extend(paths(template.own(kind), "").into_iter().map(below));
        }
        let folder = format!("host/templates/{}", template.language);
        assert_eq!(listed, files_below(&folder), "{}", template.language);
    }
}

#[test]
fn a_project_bears_its_name_and_no_mark_of_its_template() {
    for kind in KINDS {
        for template in TEMPLATES {
            let files = project::files("my-plugin", template, kind);
            for (path, bytes) in &files {
                if !path.starts_with("millrace") {
                    let text = std::str::from_utf8(bytes).unwrap();
                    let path = path.display();
                    assert!(
                        !text.contains("{{"),
                        "{} {kind}: {path}: {text}",
                        template.language
                    );
                }
            }
            let text = |path: &str| {
                let file = files.iter().find(|(own, _)| own == path);
                String::from_utf8(file.unwrap().1.clone()).unwrap()
            };
            assert!(text("README.md").contains("my-plugin.wasm \\\n"));
            assert!(text("Makefile").contains("my-plugin.wasm"));
            let code = template.code;
            assert!(
                files.iter().any(|(path, _)| path.starts_with(code)),
                "{code}"
            );
        }
        let files = project::files("my-plugin", rust(), kind);
        let text = |wanted: &str| {
            let (_, bytes) = files.iter().find(|(path, _)| path == wanted).unwrap();
            std::str::from_utf8(bytes).unwrap()
        };
        assert!(text("Cargo.toml").contains(r#"name = "my-plugin""#));
        assert!(text("Makefile").contains("release/my_plugin.wasm"));
        assert!(text("README.md").contains("my-plugin.wasm \\\n"));
        assert!(text("src/lib.rs").contains("millrace_sdk::plugin!("));
    }
}

/// The SDK's manifest goes into projects as it is: it takes nothing from a workspace,
/// and says the same as those that do.
#[test]
fn the_sdk_stands_alone_and_agrees_with_the_workspace() {
    let workspace = document("Cargo.toml");
    let sdk = document("guest-sdk/rust/Cargo.toml");
    let plain =
        |value: &toml_edit::Item| value.as_value().map(|it| it.to_string().trim().to_owned());
    for (key, value) in workspace["workspace"]["package"].as_table().unwrap() {
        assert_eq!(plain(&sdk["package"][key]), plain(value), "package.{key}");
    }
    let readme = include_str!("../../../templates/rust/README.md");
    let rust = sdk["package"]["rust-version"].as_str().unwrap();
    assert!(readme.contains(&format!("Rust {rust} or later")), "{rust}");
    for tool in ["rust", "clippy"] {
        let of_workspace = workspace["workspace"]["lints"][tool].as_table().unwrap();
        let of_sdk = sdk["lints"][tool].as_table().unwrap();
        assert_eq!(of_sdk.len(), of_workspace.len(), "lints.{tool}");
        for (lint, level) in of_workspace {
            let own = of_sdk.get(lint).and_then(plain);
            assert_eq!(own, plain(level), "lints.{tool}.{lint}");
        }
    }
}

#[test]
fn a_project_is_written_where_nothing_is_or_an_empty_folder() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("empty")).unwrap();
    for name in ["fresh", "empty"] {
        make(here.path(), name, rust(), Kind::Transform)
            .map_err(|failed| failed.error)
            .unwrap();
        let folder = here.path().join(name);
        for (path, bytes) in project::files(name, rust(), Kind::Transform) {
            assert_eq!(fs::read(folder.join(&path)).unwrap(), bytes, "{path:?}");
        }
    }
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2);
}

#[test]
fn what_is_there_already_is_left_alone() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("full")).unwrap();
    fs::write(here.path().join("full/mine"), "mine").unwrap();
    fs::write(here.path().join("file"), "mine").unwrap();
    for name in ["full", "file"] {
        let (status, error) = refused(here.path(), name);
        assert_eq!(status, 2, "{error}");
        assert!(error.contains("is there already"), "{error}");
    }
    assert_eq!(fs::read_dir(here.path().join("full")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2);
}

#[test]
fn a_project_that_can_not_be_written_leaves_nothing_behind() {
    let here = tempfile::tempdir().unwrap();
    let (status, error) = refused(&here.path().join("missing"), "orders");
    assert_eq!(status, 1, "{error}");
    assert!(
        error.contains("missing/orders could not be written: No such file"),
        "{error}"
    );

    let clash = [("a", "a file"), ("a/b", "below it")]
        .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
    let outcome = project::write(&here.path().join("orders"), &clash);
    assert!(
        matches!(outcome, Err(NotMade::Unwritten(..))),
        "{outcome:?}"
    );
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn a_name_is_a_folders_a_packages_and_a_topics() {
    let long = "a".repeat(64);
    for legal in ["orders", "orders-2", "a_b", &*long] {
        assert_eq!(name::illegal(legal, rust()), None, "{legal}");
        assert_eq!(crate::names::illegal_name(legal), None, "{legal}");
    }
    let longer = "a".repeat(65);
    for (illegal, why) in [
        ("", "begins with a small letter"),
        ("2orders", "begins with a small letter"),
        ("-orders", "begins with a small letter"),
        ("Orders", "small letters"),
        ("my.orders", "small letters"),
        ("größe", "small letters"),
        ("my orders", "small letters"),
        ("..", "begins with a small letter"),
        ("a/b", "is a path"),
        (&*longer, "at most 64"),
        ("match", "something else in rust"),
        ("test", "something else in rust"),
        ("serde-json", "something else in rust"),
    ] {
        let here = tempfile::tempdir().unwrap();
        let (status, error) = refused(here.path(), illegal);
        assert_eq!(status, 2, "{illegal}: {error}");
        assert!(error.contains(why), "{illegal}: {error}");
    }
}

#[test]
fn a_language_or_kind_that_is_not_there_names_those_that_are() {
    let refused = |arguments: &[&str]| {
        let all = ["host", "new", "orders"].iter().chain(arguments);
        let error = Arguments::try_parse_from(all).err().unwrap();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let error = refused(&["--lang", "cobol"]);
    let all = "[possible values: rust, typescript, javascript, python, c, go]";
    assert!(error.contains("'cobol'") && error.contains(all), "{error}");
    let error = refused(&["--lang", "rust", "--kind", "codec"]);
    assert!(
        error.contains("[possible values: transform, deserializer, serializer]"),
        "{error}"
    );
    assert!(refused(&[]).contains("--lang"));
}
