//! Avro's binary primitives: reading them from bytes that nobody vouches for, and
//! writing them.

use super::fault::{Fault, Outcome};

/// The longest variable-length integer: ten bytes of seven bits hold 64.
const LONGEST_VARINT: usize = 10;

/// What is left of a datum.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        match self.bytes.split_at_checked(count) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(Fault::new(format!(
                "the data ends: {count} bytes expected, {} left",
                self.bytes.len()
            ))),
        }
    }

    pub fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A zigzag variable-length integer.
    #[inline]
    pub fn long(&mut self) -> Outcome<i64> {
        if let [byte, rest @ ..] = self.bytes
            && *byte < 0x80
        {
            self.bytes = rest;
            return Ok(unzigzag(u64::from(*byte)));
        }
        self.longer()
    }

    fn longer(&mut self) -> Outcome<i64> {
        let mut value = 0_u64;
        for (place, byte) in self.bytes.iter().take(LONGEST_VARINT).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if place == LONGEST_VARINT - 1 && *byte > 1 {
                break;
            }
            value |= bits << (7 * place);
            if *byte < 0x80 {
                self.bytes = &self.bytes[place + 1..];
                return Ok(unzigzag(value));
            }
        }
        Err(Fault::new(if self.bytes.len() < LONGEST_VARINT {
            "the data ends inside an integer"
        } else {
            "an integer of more than 64 bits"
        }))
    }

    pub fn int(&mut self) -> Outcome<i32> {
        let value = self.long()?;
        i32::try_from(value)
            .map_err(|_| Fault::new(format!("{value} is outside of the range of an int")))
    }

    /// The bytes behind their length, as `bytes` and `string` have them.
    #[inline]
    pub fn prefixed(&mut self) -> Outcome<&'a [u8]> {
        let length = self.long()?;
        let length = usize::try_from(length)
            .map_err(|_| Fault::new(format!("a length of {length} bytes")))?;
        self.take(length)
    }

    pub fn string(&mut self) -> Outcome<&'a str> {
        std::str::from_utf8(self.prefixed()?).map_err(|_| Fault::new("the string is not UTF-8"))
    }

    /// How many items the next block of an array or a map has (0: it ends), and how
    /// many bytes where that is said.
    pub fn block(&mut self) -> Outcome<(u64, Option<usize>)> {
        let count = self.long()?;
        if count >= 0 {
            return Ok((count.unsigned_abs(), None));
        }
        let size = self.long()?;
        match usize::try_from(size) {
            Ok(size) if size <= self.left() => Ok((count.unsigned_abs(), Some(size))),
            _ => Err(Fault::new(format!(
                "a block of {size} bytes, where {} are left",
                self.left()
            ))),
        }
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Appends a zigzag variable-length integer.
#[inline]
pub(super) fn put_long(into: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        into.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    into.push((rest & 0x7f) as u8);
}

/// Appends bytes behind their length.
pub(super) fn put_prefixed(into: &mut Vec<u8>, bytes: &[u8]) {
    put_long(into, bytes.len().cast_signed() as i64);
    into.extend_from_slice(bytes);
}

/// Begins the one block of an array or a map, of which nobody knows yet how many
/// items it gets. Returns what `end_block` needs.
pub(super) fn begin_block(into: &mut Vec<u8>) -> usize {
    into.push(0);
    into.len() - 1
}

/// Puts the count where `begin_block` left a byte for it, which is enough for 63
/// items; more than those are moved once.
pub(super) fn end_block(into: &mut Vec<u8>, begun: usize, count: i64) {
    if count == 0 {
        return; // The byte is the end of the array already.
    }
    let mut prefix = Vec::new();
    put_long(&mut prefix, count);
    if let [byte] = prefix[..] {
        into[begun] = byte;
    } else {
        into.splice(begun..=begun, prefix);
    }
    into.push(0);
}
