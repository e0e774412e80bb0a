//! Resolution: the operations that show a writer's data by a reader's schema, as the
//! Avro specification (1.12, "Schema Resolution") has it.
//!
//! Pairs of types are worked off a list and not by recursion: schemas may lead through
//! any number of types. What can't be is an operation too, because only a datum can
//! say whether a union's branch is ever met.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::decode;
use super::fault::{Fault, Names, Outcome, Segment, Shortened};
use super::node::{Id, Node, Record, Union};
use super::op::{Branch, Fields, Op, Part, named_alike, of_leaf, of_writer};

/// The operations, and which one is the root's. An error: no datum could be read.
pub(super) fn resolve(
    (writer, writer_root): (&[Node], Id),
    (reader, reader_root): (&[Node], Id),
) -> Outcome<(Vec<Op>, Id)> {
    let reader_ops = of_writer(reader);
    let mut resolver = Resolver {
        writer,
        reader,
        reader_each: decode::text_each(&reader_ops),
        reader_ops,
        defaults: HashMap::new(),
        parts: 0,
        // What the reader lacks is passed over by the writer's own operations.
        ops: of_writer(writer),
        pairs: HashMap::new(),
        left: Vec::new(),
    };
    let root = resolver.pair(writer_root, reader_root);
    while let Some((id, writer, reader)) = resolver.left.pop() {
        resolver.ops[id] = resolver.op(writer, reader).unwrap_or_else(Op::Impossible);
        if resolver.parts > MOST_PARTS {
            return Err(Fault::new(
                "the two schemas pair too many of their records with each other",
            ));
        }
    }
    possible(&resolver.ops, root)?;
    Ok((resolver.ops, root))
}

/// How many fields all pairs of records may come to: each of the writer's can be read as
/// each of the reader's.
const MOST_PARTS: usize = 1 << 20;

/// A default's text and its levels, or why it can't be shown.
type Shown = Result<(Arc<[u8]>, usize), String>;

struct Resolver<'a> {
    writer: &'a [Node],
    reader: &'a [Node],
    /// To show the reader's defaults.
    reader_ops: Vec<Op>,
    reader_each: usize,
    /// Those that were needed, by record and field.
    defaults: HashMap<(Id, usize), Shown>,
    /// How many fields the pairs of records have so far.
    parts: usize,
    ops: Vec<Op>,
    /// The operation of a writer's and a reader's type.
    pairs: HashMap<(Id, Id), Id>,
    /// Operations that are still to be made.
    left: Vec<(Id, Id, Id)>,
}

impl Resolver<'_> {
    fn pair(&mut self, writer: Id, reader: Id) -> Id {
        *self.pairs.entry((writer, reader)).or_insert_with(|| {
            let id = self.ops.len();
            self.ops.push(Op::Null);
            self.left.push((id, writer, reader));
            id
        })
    }

    fn op(&mut self, writer: Id, reader: Id) -> Result<Op, String> {
        let (nodes, readers) = (self.writer, self.reader);
        match (&nodes[writer], &readers[reader]) {
            (Node::Union(from), _) => {
                let branches = from.branches.iter();
                let branches = branches.map(|branch| Branch::plain(self.pair(*branch, reader)));
                Ok(Op::Union(branches.collect()))
            }
            (from, Node::Union(to)) => {
                let place = chosen(from, to, readers).ok_or_else(|| {
                    format!(
                        "the reader's union ({}) has no branch for the writer's {}",
                        Names(&to.names),
                        Shortened(from.label())
                    )
                })?;
                let op = self.pair(writer, to.branches[place]);
                Ok(Op::Branch(Branch::of(to, place, op)))
            }
            (Node::Array(from), Node::Array(to)) => Ok(Op::Array(self.pair(*from, *to))),
            (Node::Map(from), Node::Map(to)) => Ok(Op::Map(self.pair(*from, *to))),
            (Node::Record(from), Node::Record(to)) if named_alike(&from.name, &to.name) => {
                self.record(from, reader, to).map(Op::Record)
            }
            (from, to) => of_leaf(from, to),
        }
    }

    fn record(&mut self, writer: &Record, id: Id, reader: &Record) -> Result<Fields, String> {
        self.parts += 1 + writer.fields.len() + reader.fields.len();
        let (takers, defaults) = takers(writer, reader);
        let taken: Vec<usize> = takers.iter().copied().flatten().collect();
        let ordered = taken.is_sorted();
        let mut parts = Vec::new();
        // Where each of the reader's fields stands among the parts.
        let mut order = vec![0; reader.fields.len()];
        let mut defaults = defaults.into_iter().peekable();
        let mut shown = 0;
        for (field, taker) in writer.fields.iter().zip(takers) {
            let Some(taker) = taker else {
                parts.push(Part::Skip {
                    name: field.name.clone(),
                    op: field.node,
                });
                continue;
            };
            while ordered && let Some(place) = defaults.next_if(|place| *place < taker) {
                parts.push(self.default(id, reader, place, shown == 0)?);
                shown += 1;
            }
            let name = &reader.fields[taker].name;
            order[taker] = parts.len();
            parts.push(Part::Show {
                name: name.clone(),
                before: Part::before(name, shown == 0 || !ordered),
                op: self.pair(field.node, reader.fields[taker].node),
            });
            shown += 1;
        }
        for place in defaults {
            order[place] = parts.len();
            parts.push(self.default(id, reader, place, shown == 0 || !ordered)?);
            shown += 1;
        }
        Ok(Fields {
            parts,
            order: (!ordered).then_some(order),
        })
    }

    /// What a field that the writer doesn't have is shown as.
    fn default(
        &mut self,
        id: Id,
        record: &Record,
        place: usize,
        first: bool,
    ) -> Result<Part, String> {
        let field = &record.fields[place];
        let shown = self.defaults.entry((id, place)).or_insert_with(|| {
            let default = match &field.default {
                None => return Err("the reader's has no default for it".to_owned()),
                Some(Err(reason)) => return Err(reason.clone()),
                Some(Ok(default)) => default,
            };
            let mut text = Vec::new();
            let ops = (self.reader_ops.as_slice(), field.node);
            decode::decode(ops, self.reader_each, &default.bytes, &mut text)
                .map_err(|fault| format!("of its default: {fault}"))?;
            Ok((text.into(), default.levels))
        });
        let (text, levels) = shown.as_ref().map_err(|why| {
            format!(
                "the writer's schema has no field {} of {}, and {why}",
                Shortened(&field.name),
                Shortened(&record.name.full)
            )
        })?;
        Ok(Part::Text {
            name: field.name.clone(),
            before: Part::before(&field.name, first),
            text: Arc::clone(text),
            levels: *levels,
        })
    }
}

/// Which of the reader's fields takes each of the writer's; and those of the reader's
/// that take none. Aliases rewrite the writer's schema before names are compared, so
/// that one goes before another field of that very name, which then has its own aliases
/// left. But a field whose own name the writer has needs none.
fn takers(writer: &Record, reader: &Record) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut takers = vec![None; writer.fields.len()];
    let mut defaults = Vec::new();
    let fields = reader.fields.iter().enumerate();
    let mut nameless: VecDeque<usize> = fields
        .filter(|(_, field)| !writer.places.contains_key(&field.name))
        .map(|(place, _)| place)
        .collect();
    while let Some(place) = nameless.pop_front() {
        let aliases = reader.fields[place].aliases.iter();
        let alias = aliases
            .filter_map(|alias| writer.places.get(alias))
            .find(|from| takers[**from].is_none());
        let Some(from) = alias else {
            defaults.push(place);
            continue;
        };
        takers[*from] = Some(place);
        nameless.extend(reader.places.get(&writer.fields[*from].name));
    }
    for (taker, field) in takers.iter_mut().zip(&writer.fields) {
        *taker = taker.or_else(|| reader.places.get(&field.name).copied());
    }
    defaults.sort_unstable();
    (takers, defaults)
}

/// The reader's branch for a writer's type: one of the same type and name, else by an
/// alias, else of the same name without its namespace, else one that it can be promoted
/// to.
fn chosen(writer: &Node, reader: &Union, nodes: &[Node]) -> Option<usize> {
    let likeness = |branch: &Id| {
        let node = &nodes[*branch];
        match (writer.name(), node.name()) {
            (Some(from), Some(to)) if writer.type_name() == node.type_name() => {
                let same_size = match (writer, node) {
                    (Node::Fixed(from), Node::Fixed(to)) => from.size == to.size,
                    _ => true,
                };
                if from.full == to.full && same_size {
                    return Some(0);
                }
                if to.aliases.contains(&from.full) && same_size {
                    return Some(1);
                }
                if named_alike(from, to) && same_size {
                    return Some(2);
                }
            }
            (None, None) if writer.type_name() == node.type_name() => return Some(0),
            _ => {}
        }
        of_leaf(writer, node).is_ok().then_some(3)
    };
    let branches = reader.branches.iter().enumerate();
    branches
        .filter_map(|(place, branch)| Some((likeness(branch)?, place)))
        .min()
        .map(|(_, place)| place)
}

/// Whether something can be read at all: what no datum avoids must not be impossible.
fn possible(ops: &[Op], root: Id) -> Outcome {
    // Each operation that was reached, with the one before it and the step from there.
    let mut reached: HashMap<Id, Option<(Id, Segment)>> = HashMap::from([(root, None)]);
    let mut left = vec![root];
    while let Some(id) = left.pop() {
        let mut next = |to: Id, segment: Segment| {
            reached.entry(to).or_insert_with(|| {
                left.push(to);
                Some((id, segment))
            });
        };
        match &ops[id] {
            Op::Array(items) => next(*items, Segment::Each),
            Op::Map(values) => next(*values, Segment::Each),
            Op::Branch(branch) => match &branch.tag {
                Some(tag) => next(branch.op, Segment::Key(tag.name.clone())),
                None => next(branch.op, Segment::Same),
            },
            Op::Record(fields) => {
                for part in &fields.parts {
                    if let Part::Show { name, op, .. } = part {
                        next(*op, Segment::Field(name.clone()));
                    }
                }
            }
            // Whichever branch the data is of.
            Op::Union(branches)
                if branches
                    .iter()
                    .all(|branch| matches!(ops[branch.op], Op::Impossible(_))) =>
            {
                if let Some(branch) = branches.first() {
                    next(branch.op, Segment::Same);
                }
            }
            Op::Impossible(reason) => {
                let mut fault = Fault::new(reason.as_str());
                let mut at = id;
                while let Some(Some((before, segment))) = reached.get(&at) {
                    fault = fault.within(segment.clone());
                    at = *before;
                }
                return Err(fault);
            }
            _ => {}
        }
    }
    Ok(())
}
