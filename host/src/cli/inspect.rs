//! `host inspect`: what a file is as a plugin. Nothing is compiled, and nothing runs.

use std::path::PathBuf;

use anyhow::anyhow;
use bytesize::ByteSize;
use clap::Args;
use serde_json::{Value, json};

use super::text::one_line;
use super::{Failed, answer, is_broken_pipe, logging};
use crate::plugin::description::{Access, Import, Tool};
use crate::plugin::{CONTRACT, Description, Kind};

#[derive(Args)]
pub struct InspectArguments {
    /// The plugin: a component
    #[arg(value_name = "FILE")]
    plugin: PathBuf,
    /// One JSON value
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &InspectArguments) -> Result<(), Failed> {
    logging::quiet();
    match inspect(arguments) {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        outcome => outcome.map_err(Failed::while_running),
    }
}

fn inspect(arguments: &InspectArguments) -> anyhow::Result<()> {
    let path = arguments.plugin.display().to_string();
    let description = Description::of(&arguments.plugin)?;
    answer(&match arguments.json {
        true => format!("{}\n", value(&path, &description)),
        false => text(&path, &description),
    })?;
    match description.refused {
        None => Ok(()),
        Some(why) => Err(anyhow!(why).context(format!("{path} can't be run"))),
    }
}

fn value(path: &str, description: &Description) -> Value {
    let tool = |Tool { name, version }: &Tool| json!({ "name": name, "version": version });
    let tools: Vec<Value> = description.tools.iter().map(tool).collect();
    let imports: Vec<Value> = description.imports.iter().map(import).collect();
    json!({
        "file": path,
        "digest": &*description.id.digest,
        "bytes": description.size,
        "kinds": description.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "contract": description.contract,
        "host_contract": CONTRACT,
        "exports": description.exports,
        "imports": imports,
        "language": description.language,
        "tools": tools,
        "cached": description.cached,
        "refused": description.refused.as_ref().map(ToString::to_string),
    })
}

fn import(Import { name, access }: &Import) -> Value {
    match access {
        Access::Given => json!({ "name": name, "access": "given" }),
        Access::Refused => json!({ "name": name, "access": "refused" }),
        Access::Virtual(is, allow) => json!({
            "name": name,
            "access": "virtual",
            "instead": is,
            "allow": allow,
        }),
    }
}

fn text(path: &str, description: &Description) -> String {
    let list = |texts: Vec<String>| match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.join(", "),
    };
    let tools = description.tools.iter().map(|tool| {
        // rustc says its commit and its day, too.
        let version = tool.version.split(' ').next().unwrap_or_default();
        format!("{} {version}", tool.name).trim().to_owned()
    });
    let kinds = description.kinds.iter().copied();
    let others = description
        .exports
        .iter()
        .filter(|name| !is_kind(name))
        .map(|name| format!("{name} (which host does not call)"));
    let unknown = || "unknown".to_owned();
    let mut text = format!(
        "{}\n  digest    {}\n  size      {}\n",
        one_line(path),
        description.id.digest,
        ByteSize(description.size),
    );
    if description.exports.is_empty() && description.imports.is_empty() {
        return text; // No component, or an empty one.
    }
    let rows = [
        (
            "exports",
            list(
                kinds
                    .map(|kind| kind.name().to_owned())
                    .chain(others)
                    .collect(),
            ),
        ),
        (
            "contract",
            description.contract.clone().unwrap_or_else(unknown),
        ),
        (
            "language",
            description.language.clone().unwrap_or_else(unknown),
        ),
        ("made with", list(tools.collect())),
        (
            "cached",
            match description.cached {
                true => "yes".to_owned(),
                false => "no".to_owned(),
            },
        ),
    ];
    for (what, said) in rows {
        text += &format!("  {what:<10}{}\n", one_line(&said));
    }
    if description.imports.is_empty() {
        text += "  imports   none\n";
    } else {
        text += "  imports\n";
    }
    let longest = description.imports.iter().map(|import| import.name.len());
    let longest = longest.max().unwrap_or_default();
    for Import { name, access } in &description.imports {
        let access = match access {
            Access::Given => "given".to_owned(),
            Access::Refused => "refused".to_owned(),
            Access::Virtual(is, None) => format!("virtual: {is}"),
            Access::Virtual(is, Some(allow)) => {
                format!("virtual: {is} (the real one: --allow {allow})")
            }
        };
        text += &format!("    {}  {access}\n", one_line(&format!("{name:<longest$}")));
    }
    text
}

/// Whether this export is one of the contract's.
fn is_kind(export: &str) -> bool {
    let interface = export.split('@').next().unwrap_or(export);
    Kind::ALL
        .iter()
        .any(|kind| interface.strip_prefix("millrace:plugin/") == Some(kind.name()))
}
