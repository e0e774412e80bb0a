//! `host new`: a plugin project in a folder of its own, with all that it is built on.
//! The answer, on stdout, is what to do next.

mod name;
mod project;
mod templates;

#[cfg(test)]
mod tests;

use std::path::Path;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use self::project::NotMade;
use self::templates::{KINDS, TEMPLATES, Template};
use super::{Failed, answer, is_broken_pipe};
use crate::config::ConfigError;
use crate::plugin::Kind;

#[derive(Args)]
pub struct NewArguments {
    /// The plugin's name, and the folder's, which is made here
    #[arg(value_name = "NAME")]
    name: String,
    /// The language that it is written in
    #[arg(long, value_name = "LANG", value_parser = languages())]
    lang: &'static Template,
    /// What it is for
    #[arg(long, value_name = "KIND", default_value = Kind::Transform.name(), value_parser = kinds())]
    kind: Kind,
}

fn languages() -> impl TypedValueParser<Value = &'static Template> {
    let names = TEMPLATES.iter().map(|template| template.language);
    PossibleValuesParser::new(names).try_map(|name| {
        let mut all = TEMPLATES.iter();
        all.find(|template| template.language == name)
            .ok_or("there is no such language")
    })
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(KINDS.map(Kind::name)).try_map(|name| {
        let mut all = KINDS.into_iter();
        all.find(|kind| kind.name() == name)
            .ok_or("there is no such kind")
    })
}

pub fn run(arguments: &NewArguments) -> Result<(), Failed> {
    let NewArguments { name, lang, kind } = arguments;
    make(Path::new(""), name, lang, *kind)?;
    match answer(&next(name, lang, *kind)) {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        answered => answered.map_err(Failed::while_running),
    }
}

/// Makes the project `name` in the folder `here`.
fn make(here: &Path, name: &str, template: &Template, kind: Kind) -> Result<(), Failed> {
    if let Some(why) = name::illegal(name, template) {
        return Err(ConfigError::new(why).into());
    }
    let files = project::files(name, template, kind);
    project::write(&here.join(name), &files).map_err(|error| match error {
        NotMade::Taken(_) => Failed::before(error),
        NotMade::Unwritten(..) => Failed::while_running(error),
    })
}

/// The three commands that come next.
fn next(name: &str, template: &Template, kind: Kind) -> String {
    format!(
        "{name}/ is a {kind}: its code is {name}/{}, and {name}/README.md says more. Next:\n\n  \
         cd {name}\n  make test\n  {}\n",
        template.code,
        project::run_command(name, kind)
    )
}
