//! What `decode` does, compiled: one operation for each type that is read. It says how
//! the writer's bytes are read, and how the reader's JSON is written.

use std::sync::Arc;

use super::decimal::Decimal;
use super::node::{Enum, FixedLogical, Form, Id, IntLogical, LongLogical, Name, Node, Union};
use super::text::put_string;
use super::time::Unit;

#[derive(Debug)]
pub(super) enum Op {
    Null,
    Boolean,
    Int(Number),
    Long(Number),
    Float {
        double: bool,
    },
    Double,
    Bytes(Bytes),
    String {
        base64: bool,
    },
    Fixed {
        size: usize,
        shown: Bytes,
    },
    Enum(Vec<Symbol>),
    Array(Id),
    Map(Id),
    Record(Fields),
    /// The writer's branches.
    Union(Vec<Branch>),
    /// One of the reader's branches, where the writer has no union.
    Branch(Branch),
    /// Nothing that the reader's schema takes, for this reason.
    Impossible(String),
}

/// How an integer is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Plain,
    Float,
    Double,
    Date,
    Time(Unit),
    Instant { unit: Unit, local: bool },
}

/// How bytes are shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bytes {
    Base64,
    Utf8,
    Decimal(Decimal),
    Uuid,
    Duration,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub tag: Option<Tag>,
    pub op: Id,
}

/// A value of the branch is written `{"name": value}`.
#[derive(Debug)]
pub(super) struct Tag {
    pub name: String,
    /// All that stands before the value.
    pub before: Vec<u8>,
}

impl Branch {
    /// The branch of a union at this place, shown by this operation.
    pub fn of(union: &Union, place: usize, op: Id) -> Self {
        let tag = match union.form {
            Form::Named { null } if null != Some(place) => {
                let name = union.names[place].clone();
                let mut before = vec![b'{'];
                put_string(&mut before, &name);
                before.push(b':');
                Some(Tag { name, before })
            }
            _ => None,
        };
        Self { tag, op }
    }

    /// What decides for itself how it is shown.
    pub fn plain(op: Id) -> Self {
        Self { tag: None, op }
    }
}

/// One of the writer's symbols: as JSON, or why the reader takes none such.
pub(super) type Symbol = Result<Vec<u8>, String>;

#[derive(Debug, Default)]
pub(super) struct Fields {
    /// What happens, in the writer's order.
    pub parts: Vec<Part>,
    /// Where the reader's order is another one: which part comes first, second, ….
    pub order: Option<Vec<usize>>,
}

#[derive(Debug)]
pub(super) enum Part {
    /// The reader doesn't have it.
    Skip { name: String, op: Id },
    /// `before` is the name, with all that stands before the value.
    Show {
        name: String,
        before: Vec<u8>,
        op: Id,
    },
    /// A default of the reader's.
    Text {
        name: String,
        before: Vec<u8>,
        /// Shared by all that is read as the same record.
        text: Arc<[u8]>,
        /// How many levels of JSON it has.
        levels: usize,
    },
}

impl Part {
    /// `"name":`, behind a comma where it is not the first one.
    pub fn before(name: &str, first: bool) -> Vec<u8> {
        let mut before = Vec::new();
        if !first {
            before.push(b',');
        }
        put_string(&mut before, name);
        before.push(b':');
        before
    }
}

/// The operations that show a schema's own data; the place of each is that of its node.
pub(super) fn of_writer(nodes: &[Node]) -> Vec<Op> {
    nodes
        .iter()
        .map(|node| match node {
            Node::Array(items) => Op::Array(*items),
            Node::Map(values) => Op::Map(*values),
            Node::Record(record) => {
                let fields = record.fields.iter().enumerate();
                let parts = fields.map(|(place, field)| Part::Show {
                    name: field.name.clone(),
                    before: Part::before(&field.name, place == 0),
                    op: field.node,
                });
                Op::Record(Fields {
                    parts: parts.collect(),
                    order: None,
                })
            }
            Node::Union(union) => {
                let branches = union.branches.iter().enumerate();
                Op::Union(
                    branches
                        .map(|(place, op)| Branch::of(union, place, *op))
                        .collect(),
                )
            }
            leaf => of_leaf(leaf, leaf).unwrap_or_else(Op::Impossible),
        })
        .collect()
}

/// The operation for types that contain no others: the writer's bytes as the reader's
/// JSON, or why there is none such. (The specification's promotions; and what it leaves
/// open: two logical types that differ are refused, because the numbers would mean
/// something else.)
pub(super) fn of_leaf(writer: &Node, reader: &Node) -> Result<Op, String> {
    let unlike = || {
        let alike = writer.name().is_none() && writer.type_name() == reader.type_name();
        let differently = if alike {
            ", a logical type that differs"
        } else {
            ""
        };
        format!(
            "the writer's {} can't be read as {}{differently}",
            writer.label(),
            reader.label()
        )
    };
    let op = match (writer, reader) {
        (Node::Null, Node::Null) => Op::Null,
        (Node::Boolean, Node::Boolean) => Op::Boolean,
        (Node::Int(from), Node::Int(to)) if agree(from, to) => Op::Int(number_of_int(*to)),
        (Node::Int(from), Node::Long(to)) if from.is_none() || to.is_none() => {
            Op::Int(number_of_long(*to))
        }
        (Node::Int(_), Node::Float) => Op::Int(Number::Float),
        (Node::Int(_), Node::Double) => Op::Int(Number::Double),
        (Node::Long(from), Node::Long(to)) if agree(from, to) => Op::Long(number_of_long(*to)),
        (Node::Long(_), Node::Float) => Op::Long(Number::Float),
        (Node::Long(_), Node::Double) => Op::Long(Number::Double),
        (Node::Float, Node::Float) => Op::Float { double: false },
        (Node::Float, Node::Double) => Op::Float { double: true },
        (Node::Double, Node::Double) => Op::Double,
        (Node::Bytes(from), Node::Bytes(to)) if agree(from, to) => {
            Op::Bytes(to.map_or(Bytes::Base64, Bytes::Decimal))
        }
        (Node::Bytes(None), Node::String) => Op::Bytes(Bytes::Utf8),
        (Node::String, Node::Bytes(None)) => Op::String { base64: true },
        (Node::String, Node::String) => Op::String { base64: false },
        // Decimals are alike where their precision and scale are, however they lie there.
        (Node::Bytes(Some(from)), Node::Fixed(to))
            if to.logical == Some(FixedLogical::Decimal(*from)) =>
        {
            Op::Bytes(Bytes::Decimal(*from))
        }
        (Node::Fixed(from), Node::Bytes(Some(to)))
            if from.logical == Some(FixedLogical::Decimal(*to)) =>
        {
            fixed(from.size, from.logical)
        }
        (Node::Fixed(from), Node::Fixed(to)) => {
            let decimals = matches!(from.logical, Some(FixedLogical::Decimal(_)))
                && from.logical == to.logical;
            let alike = from.size == to.size
                && named_alike(&from.name, &to.name)
                && agree(&from.logical, &to.logical);
            if !decimals && !alike {
                return Err(unlike());
            }
            fixed(from.size, to.logical)
        }
        (Node::Enum(from), Node::Enum(to)) if named_alike(&from.name, &to.name) => {
            Op::Enum(from.symbols.iter().map(|symbol| show(symbol, to)).collect())
        }
        _ => return Err(unlike()),
    };
    Ok(op)
}

/// Names match without their namespaces; or the reader knows the writer's by an alias.
pub(super) fn named_alike(writer: &Name, reader: &Name) -> bool {
    writer.short() == reader.short() || reader.aliases.contains(&writer.full)
}

fn agree<L: PartialEq>(writer: &Option<L>, reader: &Option<L>) -> bool {
    writer.is_none() || reader.is_none() || writer == reader
}

fn show(symbol: &str, reader: &Enum) -> Symbol {
    let known = reader.places.contains_key(symbol).then_some(symbol);
    let shown = known
        .or(reader.default.as_deref())
        .ok_or_else(|| format!("the reader's {} has no symbol {symbol}", reader.name.full))?;
    let mut text = Vec::new();
    put_string(&mut text, shown);
    Ok(text)
}

fn fixed(size: usize, logical: Option<FixedLogical>) -> Op {
    let shown = match logical {
        None => Bytes::Base64,
        Some(FixedLogical::Decimal(decimal)) => Bytes::Decimal(decimal),
        Some(FixedLogical::Uuid) => Bytes::Uuid,
        Some(FixedLogical::Duration) => Bytes::Duration,
    };
    Op::Fixed { size, shown }
}

fn number_of_int(logical: Option<IntLogical>) -> Number {
    match logical {
        None => Number::Plain,
        Some(IntLogical::Date) => Number::Date,
        Some(IntLogical::TimeMillis) => Number::Time(Unit::Millis),
    }
}

fn number_of_long(logical: Option<LongLogical>) -> Number {
    match logical {
        None => Number::Plain,
        Some(LongLogical::TimeMicros) => Number::Time(Unit::Micros),
        Some(LongLogical::Instant { unit, local }) => Number::Instant { unit, local },
    }
}
