//! One schema, parsed: what data is read, written or checked with.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow};
use referencing::uri;
use serde_json::Value;

use super::avro;
use crate::pipeline::ports::Fatal;
use crate::registry::{self, Kind, NewSchema};

/// A schema that data can be read or written with.
pub struct Schema {
    /// No other schema of this process has it.
    pub serial: u64,
    /// The registry's.
    pub id: Option<u32>,
    pub kind: Kind,
    text: String,
    references: Vec<registry::Resolved>,
    body: Result<Body, String>,
}

enum Body {
    Avro(AvroSchema),
    Json(JsonSchema),
    Other,
}

/// An Avro schema, and what reads data that was written with it.
pub struct AvroSchema {
    pub schema: avro::Schema,
    pub decoder: avro::Decoder,
}

pub struct JsonSchema {
    validator: jsonschema::Validator,
    title: Option<String>,
}

impl Schema {
    pub(super) fn new(
        id: Option<u32>,
        kind: Kind,
        text: String,
        references: Vec<registry::Resolved>,
    ) -> Self {
        let body = match kind {
            Kind::Avro => AvroSchema::parse(&text, &references).map(Body::Avro),
            Kind::Json => JsonSchema::parse(&text, &references).map(Body::Json),
            Kind::Protobuf => Ok(Body::Other),
        };
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            id,
            kind,
            text,
            references,
            body,
        }
    }

    /// Reads a file; `kind` says what it is to hold.
    pub(super) fn read(path: &Path, kind: Kind) -> Result<Self, Fatal> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the schema file {} can't be read", path.display()))?;
        let schema = Self::new(None, kind, text, Vec::new());
        match &schema.body {
            Ok(_) => Ok(schema),
            Err(why) => Err(anyhow!("{} is no schema: {why}", path.display())),
        }
    }

    pub fn avro(&self) -> Result<&AvroSchema, String> {
        match &self.body {
            Ok(Body::Avro(schema)) => Ok(schema),
            Ok(_) => Err(self.is_other("an Avro schema")),
            Err(why) => Err(self.is_bad(why)),
        }
    }

    pub fn json(&self) -> Result<&JsonSchema, String> {
        match &self.body {
            Ok(Body::Json(schema)) => Ok(schema),
            Ok(_) => Err(self.is_other("a JSON Schema")),
            Err(why) => Err(self.is_bad(why)),
        }
    }

    /// What the record is called that it describes.
    pub fn record_name(&self) -> Result<&str, String> {
        let name = match &self.body {
            Ok(Body::Avro(schema)) => schema.schema.name(),
            Ok(Body::Json(schema)) => schema.title.as_deref(),
            Ok(Body::Other) => None,
            Err(why) => return Err(self.is_bad(why)),
        };
        name.ok_or_else(|| format!("{} has no name for its record", self.called()))
    }

    /// As it would be registered.
    pub fn to_register(&self) -> NewSchema {
        NewSchema {
            kind: self.kind,
            text: self.text.clone(),
            references: self
                .references
                .iter()
                .map(registry::Resolved::reference)
                .collect(),
        }
    }

    pub(super) fn called(&self) -> String {
        match self.id {
            Some(id) => format!("schema {id}"),
            None => "the schema".to_owned(),
        }
    }

    fn is_other(&self, wanted: &str) -> String {
        let is = match self.kind {
            Kind::Avro => "an Avro schema",
            Kind::Json => "a JSON Schema",
            Kind::Protobuf => "a Protobuf schema",
        };
        format!("{} is {is}, and not {wanted}", self.called())
    }

    fn is_bad(&self, why: &str) -> String {
        format!("{} can't be used: {why}", self.called())
    }
}

impl AvroSchema {
    fn parse(text: &str, references: &[registry::Resolved]) -> Result<Self, String> {
        // One that two others name comes twice.
        let mut seen = HashSet::new();
        let texts: Vec<String> = references
            .iter()
            .filter(|other| seen.insert((&other.subject, other.version)))
            .map(|other| other.text.clone())
            .collect();
        let schema = avro::Schema::parse(text, &texts)?;
        let decoder = avro::Decoder::new(&schema, None)?;
        Ok(Self { schema, decoder })
    }
}

impl JsonSchema {
    /// Whether bytes are JSON that fits it.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
        self.validator.validate(&value).map_err(|error| {
            let path = error.instance_path().to_string();
            match path.is_empty() {
                true => error.to_string(),
                false => format!("{path}: {error}"),
            }
        })
    }

    fn parse(text: &str, references: &[registry::Resolved]) -> Result<Self, String> {
        let read = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|error| format!("it is no JSON: {error}"))
        };
        let schema = read(text)?;
        let mut others = HashMap::new();
        for other in references {
            let text = read(&other.text).map_err(|why| format!("its {}: {why}", other.name))?;
            others.insert(other.name.clone(), text);
        }
        let validator = jsonschema::options()
            .with_retriever(Others::of(&schema, others))
            .build(&schema)
            .map_err(|error| error.to_string())?;
        let title = schema
            .get("title")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Ok(Self { validator, title })
    }
}

/// The schemas that one names, by what their names mean there. Nothing is fetched from
/// elsewhere.
struct Others(HashMap<String, Value>);

impl Others {
    /// A relative name is one under the `$id` (before draft 6 the `id`) of whoever names it,
    /// which may be another one of them, and without one under the library's own base.
    fn of(schema: &Value, others: HashMap<String, Value>) -> Self {
        let id = |schema: &Value| {
            let id = schema.get("$id").or_else(|| schema.get("id"));
            uri::from_str(id.and_then(Value::as_str)?).ok()
        };
        let all = [schema].into_iter().chain(others.values());
        let bases: Vec<_> = all.filter_map(id).chain(uri::from_str("")).collect();
        let mut by_uri = HashMap::new();
        for (name, other) in others {
            for base in &bases {
                if let Ok(uri) = uri::resolve_against(&base.borrow(), &name) {
                    by_uri.insert(uri.into_string(), other.clone());
                }
            }
        }
        Self(by_uri)
    }
}

impl jsonschema::Retrieve for Others {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let uri = uri.as_str();
        let name = uri.strip_prefix("json-schema:///").unwrap_or(uri);
        let other = self.0.get(uri);
        Ok(other
            .ok_or_else(|| format!("it names {name}, which is none of its references"))?
            .clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str, text: &str) -> registry::Resolved {
        registry::Resolved {
            name: name.to_owned(),
            subject: name.to_owned(),
            version: 1,
            text: text.to_owned(),
        }
    }

    /// Of `order` by `customer` by `name`, each of which names the next one so.
    fn check(order_id: &str, to_customer: &str, customer: &str, to_name: &str, name: &str) {
        let order = format!(
            r#"{{{order_id}"type":"object","properties":{{"by":{{"$ref":"{to_customer}"}}}}}}"#
        );
        let by = format!(r#"{{"properties":{{"name":{{"$ref":"{to_name}"}}}}}}"#);
        let references = [
            reference(customer, &by),
            reference(name, r#"{"type":"string"}"#),
        ];
        let schema = JsonSchema::parse(&order, &references).unwrap();
        assert_eq!(schema.check(br#"{"by":{"name":"a"}}"#), Ok(()));
        let why = schema.check(br#"{"by":{"name":1}}"#).unwrap_err();
        assert_eq!(why, r#"/by/name: 1 is not of type "string""#);
    }

    #[test]
    fn a_json_schema_is_checked_with_those_that_it_names() {
        check(
            "",
            "customer.json",
            "customer.json",
            "name.json",
            "name.json",
        );
    }

    #[test]
    fn a_name_is_one_under_the_id_of_whoever_says_it() {
        let id = r#""$id":"https://a.example/of/order.json","#;
        check(
            id,
            "customer.json",
            "customer.json",
            "name.json",
            "name.json",
        );
        let full = "https://a.example/of/customer.json";
        check(
            id,
            "customer.json",
            full,
            "../name.json",
            "https://a.example/name.json",
        );
        check(id, full, full, "name.json", "name.json");
    }

    #[test]
    fn a_json_schema_that_names_another_one_is_refused() {
        let others = [reference("y.json", "{}")];
        let Err(why) = JsonSchema::parse(r#"{"$ref":"x.json"}"#, &others) else {
            panic!("it is taken");
        };
        assert!(why.contains("x.json"), "{why}");
    }
}
