//! An error on its way out of a datum or of a schema: it gathers the path to its
//! place, such as `order.lines[3].amount`.

use std::fmt;

/// Of a value that stands in a message, no more than so many characters.
const SHOWN: usize = 60;

/// And of a list of names, no more than so many.
const LISTED: usize = 10;

/// One step of a path.
#[derive(Debug, Clone)]
pub(super) enum Segment {
    Field(String),
    Index(usize),
    /// A map's key, or the name of a union's branch.
    Key(String),
    /// Whichever item of an array or a map it is.
    Each,
    /// The same place: a union's branch that is not named.
    Same,
}

/// What is wrong, and where. Boxed, so that what goes well pays for one pointer.
#[derive(Debug)]
pub(super) struct Fault {
    message: String,
    /// The innermost segment first.
    path: Vec<Segment>,
}

pub(super) type Outcome<T = ()> = Result<T, Box<Fault>>;

impl Fault {
    #[cold]
    pub fn new(message: impl Into<String>) -> Box<Self> {
        Self::at(message, Vec::new())
    }

    #[cold]
    pub fn at(message: impl Into<String>, path: Vec<Segment>) -> Box<Self> {
        Box::new(Self {
            message: message.into(),
            path,
        })
    }

    /// It happened inside of this.
    #[cold]
    pub fn within(mut self: Box<Self>, segment: Segment) -> Box<Self> {
        self.path.push(segment);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.path.iter().rev().enumerate() {
            match segment {
                Segment::Field(name) if place == 0 => write!(f, "{}", Shortened(name))?,
                Segment::Field(name) => write!(f, ".{}", Shortened(name))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Each => f.write_str("[*]")?,
                Segment::Same => {}
                Segment::Key(key) => write!(f, "[\"{}\"]", Shortened(key))?,
            }
        }
        if !self.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

/// A text as a message shows it: cut where it is long, without control characters.
pub(super) struct Shortened<'a>(pub &'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for c in characters.by_ref().take(SHOWN) {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if characters.next().is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}

/// Names as a message shows them: the first ones.
pub(super) struct Names<'a>(pub &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().take(LISTED).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{}", Shortened(name))?;
        }
        if let Some(left) = self.0.len().checked_sub(LISTED + 1) {
            write!(f, " and {} more", left + 1)?;
        }
        Ok(())
    }
}
