//! A project's files: what is in them, and how they are written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::templates::{CONTRACT, File, Template};
use crate::plugin::Kind;

/// Where a project keeps its copies of Millrace's files. Below it they lie as in the
/// repository, so that they find each other without a change.
const COPIES: &str = "millrace";

/// Why there is no project.
#[derive(Debug, Error)]
pub enum NotMade {
    #[error("{} is there already, and it is no empty folder: take another name, or remove it", .0.display())]
    Taken(PathBuf),
    #[error("{} could not be written", .0.display())]
    Unwritten(PathBuf, #[source] io::Error),
}

/// All files of a project, by their paths in its folder.
pub fn files(name: &str, template: &Template, kind: Kind) -> Vec<(PathBuf, Vec<u8>)> {
    let own = [template.shared, template.own(kind)].concat();
    let filled = own
        .iter()
        .map(|file| (file.path.into(), fill(file, name, kind)));
    let copies = [CONTRACT, template.sdk].concat();
    let copied = copies
        .iter()
        .map(|file| (Path::new(COPIES).join(file.path), file.bytes.to_vec()));
    filled.chain(copied).collect()
}

/// A template's file with this project's own words in it. One that is no text stays
/// as it is.
fn fill(file: &File, name: &str, kind: Kind) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(file.bytes) else {
        return file.bytes.to_vec();
    };
    let what = match kind {
        Kind::Transform => "A plugin",
        Kind::Deserializer => "A deserializer",
        Kind::Serializer => "A serializer",
    };
    [
        ("{{name}}", name),
        ("{{crate}}", &name.replace('-', "_")),
        ("{{what}}", what),
        ("{{run}}", &run_command(name, kind)),
        ("{{version}}", env!("CARGO_PKG_VERSION")),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (mark, own)| text.replace(mark, own))
    .into()
}

/// How `host run` takes the plugin, from the project's folder.
pub fn run_command(name: &str, kind: Kind) -> String {
    const TRANSFORM: &str = "--plugin YOUR-TRANSFORM.wasm";
    let plugin = match kind {
        Kind::Transform => format!("--plugin {name}.wasm"),
        Kind::Deserializer => format!("{TRANSFORM} --decode-value plugin:{name}.wasm"),
        Kind::Serializer => format!("{TRANSFORM} --encode-value plugin:{name}.wasm"),
    };
    format!(
        "host run {plugin} \\\n    --brokers localhost:9092 --input readings --output readings-out \
         --create-topics"
    )
}

/// Writes a project into `folder`, which is not there or empty: all of it or nothing.
/// It is written beside, and moved there.
pub fn write(folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), NotMade> {
    let unwritten = |error| NotMade::Unwritten(folder.to_owned(), error);
    if !is_free(folder).map_err(unwritten)? {
        return Err(NotMade::Taken(folder.to_owned()));
    }
    let beside = folder.with_extension(format!("{}.part", std::process::id()));
    fs::create_dir(&beside).map_err(unwritten)?;
    // The system itself moves a folder only to where none is, or an empty one.
    let written =
        write_all(&beside, files).and_then(|()| fs::rename(&beside, folder).map_err(unwritten));
    if written.is_err() {
        // What went wrong first is what is told.
        let _ = fs::remove_dir_all(&beside);
    }
    written
}

fn is_free(folder: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(folder) {
        Ok(there) if there.is_dir() => Ok(fs::read_dir(folder)?.next().is_none()),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn write_all(folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), NotMade> {
    for (path, bytes) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|error| NotMade::Unwritten(path.clone(), error))?;
    }
    Ok(())
}
