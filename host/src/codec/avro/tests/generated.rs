//! Schemas and data made from a seed, by a writer that shares nothing with the one
//! under test.

use num_bigint::BigInt;
use serde_json::{Value, json};

use super::varint;

/// A type, as much of it as writing data takes.
#[derive(Debug, Clone)]
pub enum Type {
    /// null, boolean, int, …; with a logical type's name where it has one.
    Primitive(&'static str, Option<&'static str>),
    Decimal {
        precision: u32,
        scale: u32,
    },
    Fixed {
        name: String,
        size: usize,
        decimal: Option<u32>,
        logical: Option<&'static str>,
    },
    Enum {
        name: String,
        symbols: usize,
    },
    Array(Box<Type>),
    Map(Box<Type>),
    Record {
        name: String,
        fields: Vec<Type>,
    },
    Union(Vec<Type>),
    /// One that was defined before, or is being defined.
    Named(String),
}

const PRIMITIVES: [(&str, Option<&str>); 18] = [
    ("null", None),
    ("boolean", None),
    ("int", None),
    ("long", None),
    ("float", None),
    ("double", None),
    ("bytes", None),
    ("string", None),
    ("string", Some("uuid")),
    ("int", Some("date")),
    ("int", Some("time-millis")),
    ("long", Some("time-micros")),
    ("long", Some("timestamp-millis")),
    ("long", Some("timestamp-micros")),
    ("long", Some("timestamp-nanos")),
    ("long", Some("local-timestamp-millis")),
    ("long", Some("local-timestamp-micros")),
    ("long", Some("local-timestamp-nanos")),
];

pub struct Generator {
    pub random: fastrand::Rng,
    /// How many types may still be made, or values written.
    fuel: usize,
    /// What apache-avro reads otherwise is left out.
    apache: bool,
    /// The definitions that are complete, and the records that are not.
    defined: Vec<Type>,
    open: Vec<String>,
}

impl Generator {
    pub fn new(seed: u64, apache: bool) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            fuel: 0,
            apache,
            defined: Vec::new(),
            open: Vec::new(),
        }
    }

    /// A type of about so many types.
    pub fn of_size(&mut self, size: usize) -> Type {
        self.fuel = size;
        self.make(0, false)
    }

    /// `guarded`: a record that is not complete may be meant, because a value need not
    /// have one.
    fn make(&mut self, depth: usize, guarded: bool) -> Type {
        self.fuel = self.fuel.saturating_sub(1);
        let leaf = self.fuel == 0 || depth > 6;
        match self.random.u8(if leaf { 0..12 } else { 0..24 }) {
            0..7 => {
                let (of, logical) = PRIMITIVES[self.random.usize(..PRIMITIVES.len())];
                Type::Primitive(of, logical)
            }
            7 => {
                let precision = self.random.u32(1..60);
                let scale = self.random.u32(..=precision);
                Type::Decimal { precision, scale }
            }
            8 | 9 => self.fixed(),
            10 => {
                let name = self.name();
                let symbols = self.random.usize(1..5);
                self.define(Type::Enum { name, symbols })
            }
            11 => self.known(guarded),
            12..15 => Type::Array(Box::new(self.make(depth + 1, true))),
            15 | 16 => Type::Map(Box::new(self.make(depth + 1, true))),
            17..20 => self.union(depth),
            _ => {
                let name = self.name();
                self.open.push(name.clone());
                let count = self.random.usize(..6);
                let fields = (0..count).map(|_| self.make(depth + 1, false)).collect();
                self.open.pop();
                self.define(Type::Record { name, fields })
            }
        }
    }

    fn define(&mut self, of: Type) -> Type {
        self.defined.push(of.clone());
        of
    }

    fn known(&mut self, guarded: bool) -> Type {
        let open = if guarded { self.open.len() } else { 0 };
        let place = self.random.usize(..self.defined.len() + open + 1);
        if place < open {
            Type::Named(self.open[place].clone())
        } else if let Some(defined) = self.defined.get(place - open) {
            let name = named(defined).unwrap();
            // apache-avro forgets the logical type of what it only names.
            match defined {
                Type::Fixed {
                    logical: Some(_), ..
                } if self.apache => Type::Primitive("int", None),
                _ => Type::Named(name.to_owned()),
            }
        } else {
            Type::Primitive("int", None)
        }
    }

    fn fixed(&mut self) -> Type {
        let name = self.name();
        let (size, logical, decimal) = match self.random.u8(..5) {
            // apache-avro reads a UUID as a string, whatever it is on.
            0 if !self.apache => (16, Some("uuid"), None),
            1 => (12, Some("duration"), None),
            2 => {
                let size = self.random.usize(1..30);
                // A bit is 0.30103 digits.
                let digits = u32::try_from((size * 8 - 1) * 30_103 / 100_000).unwrap();
                (size, Some("decimal"), Some(self.random.u32(1..=digits)))
            }
            _ => (self.random.usize(..20), None, None),
        };
        self.define(Type::Fixed {
            name,
            size,
            decimal,
            logical,
        })
    }

    fn union(&mut self, depth: usize) -> Type {
        let mut branches: Vec<Type> = Vec::new();
        let mut taken: Vec<String> = Vec::new();
        for _ in 0..self.random.usize(1..6) {
            let (defined, fuel) = (self.defined.clone(), self.fuel);
            let branch = self.make(depth + 1, true);
            let label = match &branch {
                Type::Union(_) => None,
                Type::Primitive(of, _) => Some((*of).to_owned()),
                Type::Decimal { .. } => Some("bytes".to_owned()),
                Type::Array(_) => Some("array".to_owned()),
                Type::Map(_) => Some("map".to_owned()),
                // Two of them are two decimals, or two durations, to apache-avro; whatever
                // they are on.
                Type::Fixed {
                    logical: Some("decimal"),
                    ..
                } if self.apache => Some("bytes".to_owned()),
                Type::Fixed {
                    logical: Some(logical),
                    ..
                } if self.apache => Some((*logical).to_owned()),
                named_one => named(named_one).map(str::to_owned),
            };
            match label {
                Some(label) if !taken.contains(&label) => {
                    taken.push(label);
                    branches.push(branch);
                }
                // What it defined does not come to be.
                _ => (self.defined, self.fuel) = (defined, fuel),
            }
        }
        if branches.iter().all(|branch| named(branch).is_some()) {
            // So that the recursion through a union has an end.
            branches.insert(0, Type::Primitive("null", None));
        }
        Type::Union(branches)
    }

    fn name(&mut self) -> String {
        // A name without a namespace is not found by apache-avro from inside of one.
        let namespaces = ["a.", "a.b.", "x_1.", ""];
        let namespace = namespaces[self.random.usize(..if self.apache { 3 } else { 4 })];
        format!("{namespace}N{}", self.random.u64(..1 << 40))
    }

    /// The schema's JSON.
    pub fn schema(&self, of: &Type) -> Value {
        schema(of, "")
    }

    /// A datum of this type, of about so many values.
    pub fn datum(&mut self, of: &Type, size: usize) -> Vec<u8> {
        self.fuel = size;
        let mut into = Vec::new();
        self.put(of, &mut into, 0);
        into
    }

    fn put(&mut self, of: &Type, into: &mut Vec<u8>, depth: usize) {
        self.fuel = self.fuel.saturating_sub(1);
        let exhausted = self.fuel == 0 || depth > 40;
        match of {
            Type::Primitive(of, logical) => self.put_primitive(of, *logical, into),
            Type::Decimal { precision, .. } => {
                let bytes = self.unscaled(*precision).to_signed_bytes_be();
                into.extend(varint(bytes.len()));
                into.extend(bytes);
            }
            Type::Fixed {
                size,
                decimal: Some(precision),
                ..
            } => {
                let value = self.unscaled(*precision);
                let bytes = value.to_signed_bytes_be();
                let sign = if value < BigInt::ZERO { 0xff } else { 0 };
                into.extend(vec![sign; size - bytes.len()]);
                into.extend(bytes);
            }
            Type::Fixed { size, .. } => into.extend((0..*size).map(|_| self.random.u8(..))),
            Type::Enum { symbols, .. } => into.extend(varint(self.random.usize(..*symbols))),
            Type::Array(items) => self.put_block(items, false, exhausted, into, depth),
            Type::Map(values) => self.put_block(values, true, exhausted, into, depth),
            Type::Record { fields, .. } => {
                for field in fields {
                    self.put(field, into, depth + 1);
                }
            }
            Type::Union(branches) => {
                let flat = |branch: &Type| named(branch).is_none();
                let branch = match branches.iter().position(flat) {
                    Some(branch) if exhausted => branch,
                    _ => self.random.usize(..branches.len()),
                };
                into.extend(varint(branch));
                self.put(&branches[branch], into, depth + 1);
            }
            Type::Named(name) => {
                let defined = self.defined.iter().find(|of| named(of) == Some(name));
                let defined = defined.unwrap().clone();
                self.put(&defined, into, depth);
            }
        }
    }

    fn put_block(
        &mut self,
        items: &Type,
        keyed: bool,
        exhausted: bool,
        into: &mut Vec<u8>,
        depth: usize,
    ) {
        let count = if exhausted { 0 } else { self.random.usize(..5) };
        if count > 0 {
            into.extend(varint(count));
            for _ in 0..count {
                if keyed {
                    self.put_string(into);
                }
                self.put(items, into, depth + 1);
            }
        }
        into.push(0);
    }

    fn put_primitive(&mut self, of: &str, logical: Option<&str>, into: &mut Vec<u8>) {
        let random = &mut self.random;
        // Times: half of them such as there are.
        let likely = random.bool();
        match (of, logical) {
            ("null", _) => {}
            ("boolean", _) => into.push(random.u8(..2)),
            ("int", Some("date")) if likely => into.extend(varint(random.i64(-800_000..3_000_000))),
            ("int", Some(_)) if likely => into.extend(varint(random.i64(0..86_400_000))),
            ("int", _) => {
                let shift = random.u32(..32);
                into.extend(varint(i64::from(random.i32(..) >> shift)));
            }
            ("long", Some("time-micros")) if likely => {
                into.extend(varint(random.i64(0..86_400_000_000)));
            }
            ("long", Some(_)) if likely => {
                into.extend(varint(random.i64(-70_000_000_000_000..260_000_000_000_000)));
            }
            ("long", _) => {
                let shift = random.u32(..64);
                into.extend(varint(random.i64(..) >> shift));
            }
            ("float", _) => {
                let float = f32::from_bits(random.u32(..));
                let float = [float, f32::NAN, f32::INFINITY, -0.0, 1.5][random.usize(..5)];
                let float = if float.is_nan() { f32::NAN } else { float };
                into.extend(float.to_le_bytes());
            }
            ("double", _) => {
                let double = f64::from_bits(random.u64(..));
                let double = [double, f64::NAN, f64::NEG_INFINITY, -0.0, 0.1][random.usize(..5)];
                let double = if double.is_nan() { f64::NAN } else { double };
                into.extend(double.to_le_bytes());
            }
            ("bytes", _) => {
                let bytes: Vec<u8> = (0..random.usize(..10)).map(|_| random.u8(..)).collect();
                into.extend(varint(bytes.len()));
                into.extend(bytes);
            }
            (_, Some("uuid")) => {
                let text = format!("{:08x}-0000-4000-8000-000000000000", random.u32(..));
                into.extend(varint(text.len()));
                into.extend(text.into_bytes());
            }
            _ => self.put_string(into),
        }
    }

    fn put_string(&mut self, into: &mut Vec<u8>) {
        let random = &mut self.random;
        let text: String = (0..random.usize(..8))
            .map(|_| {
                if random.bool() {
                    random.char('\0'..'\u{7f}')
                } else {
                    random.char(..)
                }
            })
            .collect();
        into.extend(varint(text.len()));
        into.extend(text.into_bytes());
    }

    fn unscaled(&mut self, precision: u32) -> BigInt {
        let digits = self.random.u32(1..=precision);
        let text: String = (0..digits).map(|_| self.random.digit(10)).collect();
        let value: BigInt = text.parse().unwrap();
        if self.random.bool() { -value } else { value }
    }
}

fn named(of: &Type) -> Option<&str> {
    match of {
        Type::Fixed { name, .. }
        | Type::Enum { name, .. }
        | Type::Record { name, .. }
        | Type::Named(name) => Some(name),
        _ => None,
    }
}

fn schema(of: &Type, around: &str) -> Value {
    match of {
        Type::Primitive(of, None) => json!(of),
        Type::Primitive(of, Some(logical)) => json!({"type": of, "logicalType": logical}),
        Type::Decimal { precision, scale } => json!({
            "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale
        }),
        Type::Fixed {
            name,
            size,
            decimal,
            logical,
        } => {
            let mut schema = json!({"type": "fixed", "size": size});
            put_name(&mut schema, name, around);
            if let Some(logical) = logical {
                schema["logicalType"] = json!(logical);
            }
            if let Some(precision) = decimal {
                schema["precision"] = json!(precision);
                schema["scale"] = json!(precision / 2);
            }
            schema
        }
        Type::Enum { name, symbols } => {
            let symbols: Vec<String> = (0..*symbols).map(|n| format!("S{n}")).collect();
            let mut schema = json!({"type": "enum", "symbols": symbols});
            put_name(&mut schema, name, around);
            schema
        }
        Type::Array(items) => json!({"type": "array", "items": schema(items, around)}),
        Type::Map(values) => json!({"type": "map", "values": schema(values, around)}),
        Type::Record { name, fields } => {
            let own = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
            let fields: Vec<Value> = fields
                .iter()
                .enumerate()
                .map(|(n, field)| json!({"name": format!("f{n}"), "type": schema(field, own)}))
                .collect();
            let mut schema = json!({"type": "record", "fields": fields});
            put_name(&mut schema, name, around);
            schema
        }
        Type::Union(branches) => branches
            .iter()
            .map(|branch| schema(branch, around))
            .collect(),
        // Without its namespace where that is the one around it.
        Type::Named(name) => match name.rsplit_once('.') {
            Some((namespace, short)) if namespace == around => json!(short),
            _ => json!(name),
        },
    }
}

/// Names as schemas have them: full, or with a namespace of their own, or inherited.
fn put_name(schema: &mut Value, name: &str, around: &str) {
    match name.rsplit_once('.') {
        Some((namespace, short)) if namespace == around => schema["name"] = json!(short),
        Some((namespace, short)) if name.len().is_multiple_of(2) => {
            schema["namespace"] = json!(namespace);
            schema["name"] = json!(short);
        }
        Some(_) => schema["name"] = json!(name),
        None => {
            schema["namespace"] = json!("");
            schema["name"] = json!(name);
        }
    }
}
