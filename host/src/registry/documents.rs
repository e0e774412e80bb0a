//! What the registry writes and reads, and the versions that schemas refer to:
//! each of them is fetched once, also when several questions want it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::answer::Trouble;
use super::client::Client;
use super::endpoint::segment;
use super::{NewSchema, Reference};

/// How many versions are kept, and how much text. Beyond that all of them are
/// given up: what they belong to stays known.
const KEPT_AT_MOST: usize = 10_000;
const BYTES_AT_MOST: usize = 64 << 20;

/// A schema as the registry writes it. There may be more fields.
#[derive(Debug, Deserialize)]
pub struct Document {
    pub schema: String,
    #[serde(rename = "schemaType")]
    pub kind: Option<String>,
    pub references: Option<Vec<Reference>>,
    /// Not where it was asked for by its id.
    pub id: Option<u32>,
}

/// The answer to what was registered.
#[derive(Debug, Deserialize)]
pub struct Identified {
    pub id: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToRegister<'a> {
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_type: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [Reference],
}

/// What is sent to register a schema.
pub fn to_register(schema: &NewSchema) -> Vec<u8> {
    serde_json::to_vec(&ToRegister {
        schema: &schema.text,
        schema_type: schema.kind.name(),
        references: &schema.references,
    })
    .expect("texts and numbers are JSON")
}

/// A subject and its version.
type Place = (String, u32);

#[derive(Default)]
pub struct Documents(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    cells: HashMap<Place, Arc<OnceCell<Arc<Document>>>>,
    bytes: usize,
}

impl Documents {
    /// What a reference names. A deleted version too, as long as the registry has
    /// it: what refers to it was not deleted.
    pub async fn get(
        &self,
        client: &Client,
        reference: &Reference,
    ) -> Result<Arc<Document>, Trouble> {
        let cell = self.cell((reference.subject.clone(), reference.version));
        let fetched = cell.get_or_try_init(|| async {
            let path = format!(
                "/subjects/{}/versions/{}?deleted=true",
                segment(&reference.subject),
                reference.version
            );
            let document: Document = client.get(&path).await?;
            self.kept().bytes += document.schema.len();
            Ok(Arc::new(document))
        });
        fetched.await.cloned()
    }

    fn cell(&self, place: Place) -> Arc<OnceCell<Arc<Document>>> {
        let mut kept = self.kept();
        if kept.cells.len() >= KEPT_AT_MOST || kept.bytes >= BYTES_AT_MOST {
            *kept = Kept::default();
        }
        Arc::clone(kept.cells.entry(place).or_default())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
