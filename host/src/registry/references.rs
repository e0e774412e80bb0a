//! Follows a schema's references, and theirs, to the schemas that they name. What
//! a registry says is not trusted to end.

use std::collections::HashSet;
use std::sync::Arc;

use super::answer::Trouble;
use super::client::Client;
use super::documents::{Document, Documents};
use super::endpoint::is_step;
use super::{Reference, Resolved};

/// How deep references may be nested, how many there may be, and how much text.
/// Far more than a person writes.
const DEEP_AT_MOST: usize = 64;
const MANY_AT_MOST: usize = 2_000;
const BYTES_AT_MOST: usize = 16 << 20;

/// One schema on the way down, and which of its references is next.
struct Step {
    /// What led to it; nothing led to the first one.
    by: Option<(Reference, Arc<Document>)>,
    references: Vec<Reference>,
    next: usize,
}

/// All that `references` need, each one after what it needs itself.
pub async fn resolve(
    client: &Client,
    documents: &Documents,
    references: &[Reference],
) -> Result<Vec<Resolved>, Trouble> {
    let mut resolved: Vec<Resolved> = Vec::new();
    let mut done: HashSet<Reference> = HashSet::new();
    let mut bytes = 0;
    let mut way = vec![Step {
        by: None,
        references: references.to_vec(),
        next: 0,
    }];
    while let Some(here) = way.last_mut() {
        let Some(reference) = here.references.get(here.next).cloned() else {
            if let Some((reference, document)) = way.pop().and_then(|step| step.by) {
                resolved.push(Resolved {
                    name: reference.name.clone(),
                    subject: reference.subject.clone(),
                    version: reference.version,
                    text: document.schema.clone(),
                });
                done.insert(reference);
            }
            continue;
        };
        here.next += 1;
        if done.contains(&reference) {
            continue;
        }
        let name = named(&reference);
        let on_the_way = |step: &Step| step.by.as_ref().is_some_and(|(by, _)| same(by, &reference));
        if way.iter().any(on_the_way) {
            return Err(missing(&name, "refers to itself"));
        }
        if way.len() > DEEP_AT_MOST || done.len() + way.len() > MANY_AT_MOST {
            return Err(missing(&name, "is one reference too many"));
        }
        if is_step(&reference.subject) {
            return Err(missing(&name, "is no subject"));
        }
        let document = match documents.get(client, &reference).await {
            Ok(document) => document,
            Err(Trouble::Missing(why)) => return Err(missing(&name, &why)),
            Err(fault) => return Err(fault),
        };
        bytes += document.schema.len();
        if bytes > BYTES_AT_MOST {
            return Err(missing(&name, "is one reference too many"));
        }
        way.push(Step {
            references: document.references.clone().unwrap_or_default(),
            by: Some((reference, document)),
            next: 0,
        });
    }
    Ok(resolved)
}

/// The same schema, whatever it is called.
fn same(one: &Reference, other: &Reference) -> bool {
    (&one.subject, one.version) == (&other.subject, other.version)
}

fn named(reference: &Reference) -> String {
    format!(
        "subject {} version {}",
        reference.subject, reference.version
    )
}

fn missing(name: &str, why: &str) -> Trouble {
    Trouble::Missing(format!("it needs {name}: {why}"))
}
