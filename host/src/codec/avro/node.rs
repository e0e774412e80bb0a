//! A schema as nodes that name each other by their place in a list, so that types
//! which contain themselves need no pointers, and interpreting one no look-up of names.

use std::collections::HashMap;
use std::sync::Arc;

use super::decimal::Decimal;
use super::time::Unit;

/// The place of a node in its schema.
pub(super) type Id = usize;

#[derive(Debug, Clone)]
pub(super) enum Node {
    Null,
    Boolean,
    Int(Option<IntLogical>),
    Long(Option<LongLogical>),
    Float,
    Double,
    Bytes(Option<Decimal>),
    String,
    Array(Id),
    Map(Id),
    Union(Union),
    Record(Record),
    Enum(Enum),
    Fixed(Fixed),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntLogical {
    Date,
    TimeMillis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongLogical {
    TimeMicros,
    Instant { unit: Unit, local: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FixedLogical {
    Decimal(Decimal),
    Uuid,
    Duration,
}

/// The full name of a record, an enum or a fixed, and its aliases', full too.
#[derive(Debug, Clone, Default)]
pub(super) struct Name {
    pub full: String,
    pub aliases: Vec<String>,
}

impl Name {
    /// The name without its namespace.
    pub fn short(&self) -> &str {
        self.full
            .rsplit_once('.')
            .map_or(&self.full, |(_, short)| short)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub name: Name,
    pub fields: Vec<Field>,
    /// Where each field's name stands in `fields`.
    pub places: HashMap<String, usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    pub aliases: Vec<String>,
    pub node: Id,
    /// Its default, or why there can be none of it.
    pub default: Option<Result<Datum, String>>,
}

/// A value as Avro has it.
#[derive(Debug, Clone)]
pub(super) struct Datum {
    pub bytes: Arc<[u8]>,
    /// How many levels of JSON it has.
    pub levels: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Enum {
    pub name: Name,
    pub symbols: Vec<String>,
    pub places: HashMap<String, usize>,
    /// What a reader takes for a symbol that it does not know.
    pub default: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub name: Name,
    pub size: usize,
    pub logical: Option<FixedLogical>,
}

#[derive(Debug, Clone)]
pub(super) struct Union {
    pub branches: Vec<Id>,
    /// What each branch is called in `{"name": value}`.
    pub names: Vec<String>,
    pub form: Form,
}

/// How a union's values stand in JSON.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// As they are: the kind of a JSON value says which branch it is of.
    Plain([Option<usize>; Kind::ALL.len()]),
    /// `{"name": value}`, but for null.
    Named { null: Option<usize> },
}

/// What JSON values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Null,
        Self::Boolean,
        Self::Number,
        Self::String,
        Self::Array,
        Self::Object,
    ];
}

impl Node {
    /// The Avro type that it is, logical or not.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int(_) => "int",
            Self::Long(_) => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes(_) => "bytes",
            Self::String => "string",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Record(_) => "record",
            Self::Enum(_) => "enum",
            Self::Fixed(_) => "fixed",
        }
    }

    pub fn name(&self) -> Option<&Name> {
        match self {
            Self::Record(record) => Some(&record.name),
            Self::Enum(of) => Some(&of.name),
            Self::Fixed(fixed) => Some(&fixed.name),
            _ => None,
        }
    }

    /// What it is called in a union and in messages: its full name, else its type.
    pub fn label(&self) -> &str {
        self.name()
            .map_or(self.type_name(), |name| name.full.as_str())
    }

    /// How its values can look in JSON.
    fn kinds(&self) -> &'static [Kind] {
        match self {
            Self::Null => &[Kind::Null],
            Self::Boolean => &[Kind::Boolean],
            Self::Int(None) | Self::Long(None) => &[Kind::Number],
            // Not a number; a time that RFC 3339 can't say; an amount as a number.
            Self::Float
            | Self::Double
            | Self::Int(Some(_))
            | Self::Long(Some(_))
            | Self::Bytes(Some(_)) => &[Kind::Number, Kind::String],
            Self::Bytes(None) | Self::String | Self::Enum(_) => &[Kind::String],
            Self::Fixed(fixed) => match fixed.logical {
                Some(FixedLogical::Decimal(_)) => &[Kind::Number, Kind::String],
                Some(FixedLogical::Duration) => &[Kind::Object],
                Some(FixedLogical::Uuid) | None => &[Kind::String],
            },
            Self::Array(_) => &[Kind::Array],
            Self::Map(_) | Self::Record(_) => &[Kind::Object],
            // No union is a union's branch.
            Self::Union(_) => &[],
        }
    }
}

impl Form {
    /// How a union of these branches stands in JSON.
    pub fn of<'a>(branches: impl ExactSizeIterator<Item = &'a Node>) -> Self {
        let count = branches.len();
        let (mut null, mut other) = (None, None);
        let mut table = [None; Kind::ALL.len()];
        let mut alike = false;
        for (branch, node) in branches.enumerate() {
            if matches!(node, Node::Null) {
                null = Some(branch);
            } else {
                other = Some(branch);
            }
            for kind in node.kinds() {
                alike |= table[*kind as usize].replace(branch).is_some();
            }
        }
        if alike {
            return Self::Named { null };
        }
        // With one type beside null there is nothing to choose: what does not fit it is
        // told what it should have been.
        if let Some(other) = other
            && count - usize::from(null.is_some()) == 1
        {
            table = [Some(other); Kind::ALL.len()];
            table[Kind::Null as usize] = null.or(Some(other));
        }
        Self::Plain(table)
    }
}
