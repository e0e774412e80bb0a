//! What a component was made with, by its `producers` sections (a convention of
//! WebAssembly's tools: tool-conventions, ProducersSection.md).

use wasmparser::{CustomSectionReader, KnownCustom, Parser, Payload};

/// A tool, and its version where that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

/// What the component says of itself, and then its largest core module, which is the
/// user's code or the engine that runs it; the small ones are adapters.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Producers {
    languages: Vec<String>,
    tools: Vec<Tool>,
}

/// Tools that tell the language whatever else is said: an engine for scripts is itself
/// in C or Rust, and what links C into it says so too. In the order of their weight; names
/// begin with these, in small letters.
const TELLING: &[(&str, &str)] = &[
    ("componentizejs", "JavaScript"),
    ("componentize-js", "JavaScript"),
    ("componentize-py", "Python"),
    ("tinygo", "Go"),
    ("go cmd/compile", "Go"),
    ("rustc", "Rust"),
    ("wit-bindgen-rust", "Rust"),
];

impl Producers {
    /// `None`: nothing says it.
    pub fn language(&self) -> Option<String> {
        let told = TELLING.iter().find(|(begin, _)| {
            let names = self.tools.iter().map(|tool| tool.name.to_lowercase());
            names.into_iter().any(|name| name.starts_with(begin))
        });
        match told {
            Some((_, language)) => Some((*language).to_owned()),
            None => self.languages.first().map(|said| plain(said)),
        }
    }

    pub fn into_tools(self) -> Vec<Tool> {
        self.tools
    }

    fn add(&mut self, section: &CustomSectionReader<'_>) {
        let KnownCustom::Producers(fields) = section.as_known() else {
            return;
        };
        // What can't be read is not said.
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                match field.name {
                    "language" => self.languages.push(value.name.to_owned()),
                    "processed-by" | "sdk" => {
                        let tool = Tool {
                            name: value.name.to_owned(),
                            version: value.version.to_owned(),
                        };
                        if !self.tools.contains(&tool) {
                            self.tools.push(tool);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// LLVM says `C11` and `C_plus_plus_14`.
fn plain(language: &str) -> String {
    if language.starts_with("C_plus_plus") {
        return "C++".to_owned();
    }
    let standard = language.strip_prefix('C').unwrap_or_default();
    match !standard.is_empty() && standard.bytes().all(|b| b.is_ascii_digit()) {
        true => "C".to_owned(),
        false => language.to_owned(),
    }
}

/// What stands around a section.
enum Around {
    /// A core module of so many bytes.
    Module(usize, Producers),
    Component,
}

pub fn of(component: &[u8]) -> Producers {
    let mut own = Producers::default();
    let mut largest = (0, Producers::default());
    let mut around = Vec::new();
    // What comes before the damage of a damaged file counts.
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } => around.push(Around::Module(unchecked_range.len(), Producers::default())),
            Payload::ComponentSection { .. } => around.push(Around::Component),
            Payload::End(_) => {
                if let Some(Around::Module(size, producers)) = around.pop()
                    && size > largest.0
                {
                    largest = (size, producers);
                }
            }
            Payload::CustomSection(section) => match around.last_mut() {
                None => own.add(&section),
                Some(Around::Module(_, producers)) => producers.add(&section),
                Some(Around::Component) => {}
            },
            _ => {}
        }
    }
    own.languages.append(&mut largest.1.languages);
    for tool in largest.1.tools {
        if !own.tools.contains(&tool) {
            own.tools.push(tool);
        }
    }
    own
}

#[cfg(test)]
mod tests;
