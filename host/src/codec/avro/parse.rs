//! A schema's JSON to nodes: names, namespaces, references, logical types.
//!
//! Why not apache-avro's parser: it drops what a UUID on a fixed and a duration were
//! fixed by, panics on some names that are none, and refuses unions of two decimals.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::defaults;
use super::fault::{Fault, Outcome, Segment, Shortened};
use super::logical;
use super::node::{Enum, Field, Fixed, Form, Id, Name, Node, Record, Union};

const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// The nodes of a schema, and which one is its root. `references` are the schemas
/// that it names, each after those that it names itself.
pub(super) fn parse(text: &str, references: &[String]) -> Result<(Vec<Node>, Id), String> {
    let read = |text: &str| {
        // Its own limit of depth, 128, is ours: whatever recurses here, recurses on it.
        serde_json::from_str::<Value>(text)
            .map_err(|error| format!("the schema is not JSON: {error}"))
    };
    let references = references
        .iter()
        .map(|text| read(text))
        .collect::<Result<Vec<_>, _>>()?;
    let schema = read(text)?;
    let mut parser = Parser::default();
    for reference in &references {
        parser
            .schema(reference, "")
            .map_err(|fault| format!("in a referenced schema: {fault}"))?;
    }
    let root = parser
        .schema(&schema, "")
        .map_err(|fault| fault.to_string())?;
    Ok((parser.finish(), root))
}

#[derive(Default)]
struct Parser<'a> {
    nodes: Vec<Node>,
    /// Where each full name was defined, and how.
    names: HashMap<String, (Id, &'a Map<String, Value>)>,
    /// The defaults, by record and field: what they are can only be said once all
    /// nodes are there.
    defaults: HashMap<(Id, usize), &'a Value>,
}

impl<'a> Parser<'a> {
    fn finish(mut self) -> Vec<Node> {
        for id in 0..self.nodes.len() {
            if let Node::Union(union) = &self.nodes[id] {
                let form = Form::of(union.branches.iter().map(|branch| &self.nodes[*branch]));
                if let Node::Union(union) = &mut self.nodes[id] {
                    union.form = form;
                }
            }
        }
        defaults::fill(&mut self.nodes, &self.defaults);
        self.nodes
    }

    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn schema(&mut self, schema: &'a Value, namespace: &str) -> Outcome<Id> {
        match schema {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => match object.get("type") {
                Some(Value::String(name)) => self.object(object, name, namespace),
                // {"type": {"type": "long"}}, with attributes on either.
                Some(inner @ (Value::Object(_) | Value::Array(_))) => {
                    let id = self.schema(inner, namespace)?;
                    Ok(self.with_logical(id, object))
                }
                _ => Err(Fault::new("a schema without a type")),
            },
            // A number, true, false or null.
            other => Err(Fault::new(format!(
                "{} is not a schema",
                Shortened(&other.to_string())
            ))),
        }
    }

    fn object(&mut self, object: &'a Map<String, Value>, of: &str, namespace: &str) -> Outcome<Id> {
        match of {
            "record" | "error" => self.definition(object, namespace, Self::record),
            "enum" => self.definition(object, namespace, Self::enumeration),
            "fixed" => self.definition(object, namespace, Self::fixed),
            "array" => {
                let items = object
                    .get("items")
                    .ok_or_else(|| Fault::new("an array without items"))?;
                let items = self.schema(items, namespace)?;
                Ok(self.add(Node::Array(items)))
            }
            "map" => {
                let values = object
                    .get("values")
                    .ok_or_else(|| Fault::new("a map without values"))?;
                let values = self.schema(values, namespace)?;
                Ok(self.add(Node::Map(values)))
            }
            name => {
                let id = self.named(name, namespace)?;
                Ok(self.with_logical(id, object))
            }
        }
    }

    /// The node, or one of the logical type that these attributes make of it. Named
    /// types have theirs from where they are defined.
    fn with_logical(&mut self, id: Id, attributes: &Map<String, Value>) -> Id {
        match logical::of_primitive(&self.nodes[id], attributes) {
            Some(node) => self.add(node),
            None => id,
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Outcome<Id> {
        let primitive = match name {
            "null" => Node::Null,
            "boolean" => Node::Boolean,
            "int" => Node::Int(None),
            "long" => Node::Long(None),
            "float" => Node::Float,
            "double" => Node::Double,
            "bytes" => Node::Bytes(None),
            "string" => Node::String,
            _ => {
                // A name that its own namespace does not know may be one without any.
                return [&qualified(name, namespace), name]
                    .into_iter()
                    .find_map(|name| self.names.get(name))
                    .map(|(id, _)| *id)
                    .ok_or_else(|| Fault::new(format!("no schema is called {}", Shortened(name))));
            }
        };
        Ok(self.add(primitive))
    }

    fn union(&mut self, schemas: &'a [Value], namespace: &str) -> Outcome<Id> {
        let mut union = Union {
            branches: Vec::new(),
            names: Vec::new(),
            form: Form::Named { null: None },
        };
        let mut names = HashSet::new();
        for schema in schemas {
            let branch = self.schema(schema, namespace)?;
            let name = self.nodes[branch].label().to_owned();
            if matches!(self.nodes[branch], Node::Union(_)) {
                return Err(Fault::new("a union directly inside a union"));
            }
            if !names.insert(name.clone()) {
                let name = Shortened(&name);
                return Err(Fault::new(format!("a union with two branches of {name}")));
            }
            union.branches.push(branch);
            union.names.push(name);
        }
        Ok(self.add(Node::Union(union)))
    }

    /// A named type: its place is known before what it consists of, which may be itself.
    fn definition(
        &mut self,
        object: &'a Map<String, Value>,
        namespace: &str,
        parse: fn(&mut Self, &'a Map<String, Value>, Name, Id) -> Outcome<Node>,
    ) -> Outcome<Id> {
        let name = text(object, "name").ok_or_else(|| Fault::new("a named type without a name"))?;
        let given = object.get("namespace").and_then(Value::as_str);
        let full = qualified(name, given.unwrap_or(namespace));
        if name.is_empty() || PRIMITIVES.contains(&full.as_str()) {
            let full = Shortened(&full);
            return Err(Fault::new(format!("a type can't be called \"{full}\"")));
        }
        if let Some((id, same)) = self.names.get(&full) {
            // Two references may both have brought along what they share.
            return if *same == object {
                Ok(*id)
            } else {
                let full = Shortened(&full);
                Err(Fault::new(format!("{full} is defined twice, differently")))
            };
        }
        let own = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let aliases = strings(object, "aliases");
        let name = Name {
            aliases: aliases.iter().map(|alias| qualified(alias, own)).collect(),
            full: full.clone(),
        };
        let id = self.add(Node::Null);
        self.names.insert(full.clone(), (id, object));
        // A record that is not there yet counts as one where a union asks for its name.
        self.nodes[id] = Node::Record(Record {
            name: name.clone(),
            ..Record::default()
        });
        self.nodes[id] =
            parse(self, object, name, id).map_err(|fault| fault.within(Segment::Field(full)))?;
        Ok(id)
    }

    fn record(&mut self, object: &'a Map<String, Value>, name: Name, id: Id) -> Outcome<Node> {
        let fields = object
            .get("fields")
            .and_then(Value::as_array)
            .ok_or_else(|| Fault::new("a record without fields"))?;
        let own = name
            .full
            .rsplit_once('.')
            .map_or(String::new(), |(namespace, _)| namespace.to_owned());
        let mut record = Record {
            name,
            ..Record::default()
        };
        for (place, field) in fields.iter().enumerate() {
            let (name, of) = field
                .as_object()
                .and_then(|field| Some((text(field, "name")?, field.get("type")?)))
                .ok_or_else(|| Fault::new("a field without a name and a type"))?;
            let node = self
                .schema(of, &own)
                .map_err(|fault| fault.within(Segment::Field(name.to_owned())))?;
            if record.places.insert(name.to_owned(), place).is_some() {
                let name = Shortened(name);
                return Err(Fault::new(format!("two fields are called {name}")));
            }
            if let Some(default) = field.get("default") {
                self.defaults.insert((id, place), default);
            }
            record.fields.push(Field {
                name: name.to_owned(),
                aliases: field
                    .as_object()
                    .map_or(Vec::new(), |field| strings(field, "aliases")),
                node,
                default: None,
            });
        }
        Ok(Node::Record(record))
    }

    fn enumeration(&mut self, object: &'a Map<String, Value>, name: Name, _: Id) -> Outcome<Node> {
        let symbols = object
            .get("symbols")
            .and_then(Value::as_array)
            .and_then(|symbols| {
                symbols
                    .iter()
                    .map(|symbol| symbol.as_str().map(str::to_owned))
                    .collect::<Option<Vec<_>>>()
            })
            .ok_or_else(|| Fault::new("an enum without symbols"))?;
        let mut places = HashMap::new();
        for (place, symbol) in symbols.iter().enumerate() {
            if places.insert(symbol.clone(), place).is_some() {
                let symbol = Shortened(symbol);
                return Err(Fault::new(format!("two symbols are called {symbol}")));
            }
        }
        let default = text(object, "default").map(str::to_owned);
        if let Some(default) = &default
            && !places.contains_key(default)
        {
            return Err(Fault::new(format!(
                "the default {} is not one of the symbols",
                Shortened(default)
            )));
        }
        Ok(Node::Enum(Enum {
            name,
            symbols,
            places,
            default,
        }))
    }

    fn fixed(&mut self, object: &'a Map<String, Value>, name: Name, _: Id) -> Outcome<Node> {
        let size = object
            .get("size")
            .and_then(Value::as_u64)
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| Fault::new("a fixed without a size"))?;
        Ok(Node::Fixed(Fixed {
            name,
            size,
            logical: logical::of_fixed(size, object),
        }))
    }
}

fn qualified(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn strings(object: &Map<String, Value>, key: &str) -> Vec<String> {
    let strings = object.get(key).and_then(Value::as_array);
    strings
        .into_iter()
        .flatten()
        .filter_map(|string| string.as_str().map(str::to_owned))
        .collect()
}
