//! Avro data as JSON and back, led by schemas. The table of what becomes what is
//! docs/avro.md. It knows nothing of registries and of framing.

mod binary;
mod decimal;
mod decode;
mod defaults;
mod encode;
mod fault;
mod logical;
mod node;
mod op;
mod parse;
mod resolve;
#[cfg(test)]
mod tests;
mod text;
mod time;

use node::{Id, Node};
use op::Op;

/// A schema: parsed, its names resolved.
#[derive(Debug)]
pub struct Schema {
    nodes: Vec<Node>,
    root: Id,
}

impl Schema {
    /// `text`: the schema's JSON. `references`: the texts of the schemas that it names,
    /// nested ones too, dependencies first.
    pub fn parse(text: &str, references: &[String]) -> Result<Self, String> {
        let (nodes, root) = parse::parse(text, references)?;
        Ok(Self { nodes, root })
    }

    /// The full name of the record, enum or fixed at its root.
    pub fn name(&self) -> Option<&str> {
        self.nodes[self.root].name().map(|name| name.full.as_str())
    }

    /// Appends to `into` the datum that this JSON text stands for. On an error, which
    /// begins with the place inside of the record, `into` is as it was.
    pub fn encode(&self, json: &[u8], into: &mut Vec<u8>) -> Result<(), String> {
        encode::encode(&self.nodes, self.root, json, into).map_err(|fault| fault.to_string())
    }
}

/// What it takes to read data of one schema, perhaps as another schema's.
#[derive(Debug)]
pub struct Decoder {
    ops: Vec<Op>,
    root: Id,
    /// How much text a byte may become.
    text_each: usize,
}

impl Decoder {
    /// Reads what was written with `writer`, as `reader` has it if there is one. An
    /// error: the reader's schema can't read any of it.
    pub fn new(writer: &Schema, reader: Option<&Schema>) -> Result<Self, String> {
        let (ops, root) = match reader {
            None => (op::of_writer(&writer.nodes), writer.root),
            Some(reader) => {
                resolve::resolve((&writer.nodes, writer.root), (&reader.nodes, reader.root))
                    .map_err(|fault| fault.to_string())?
            }
        };
        let text_each = decode::text_each(&ops);
        Ok(Self {
            ops,
            root,
            text_each,
        })
    }

    /// Appends to `into` the JSON text of the datum that is all of `bytes`. On an error,
    /// which begins with the place inside of the record, `into` is as it was.
    pub fn decode(&self, bytes: &[u8], into: &mut Vec<u8>) -> Result<(), String> {
        decode::decode((&self.ops, self.root), self.text_each, bytes, into)
            .map_err(|fault| fault.to_string())
    }
}
