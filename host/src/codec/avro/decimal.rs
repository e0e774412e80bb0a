//! Decimals: big-endian two's complement in Avro, digits around a point in JSON.

use num_bigint::BigInt;

use super::fault::Shortened;

/// The longest decimal that a schema may ask for, in digits: with more, a schema
/// alone would decide how long a record takes.
pub(super) const LONGEST: usize = 10_000;

/// So many decimal digits always fit an `i128`.
const SHORT: usize = 38;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    /// How many digits at most.
    pub precision: usize,
    /// How many of them stand behind the point.
    pub scale: usize,
}

impl Decimal {
    /// Appends what these bytes say, in quotes. Not judged by the precision, which
    /// binds only writers; but more bytes than any precision needs are refused.
    pub fn put_text(self, into: &mut Vec<u8>, bytes: &[u8]) -> Result<(), String> {
        // A byte holds more than two digits.
        if bytes.len() > LONGEST / 2 {
            return Err(format!("a decimal of {} bytes", bytes.len()));
        }
        if bytes.len() <= size_of::<i128>() {
            let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
            let mut wide = [if negative { 0xff } else { 0 }; size_of::<i128>()];
            wide[size_of::<i128>() - bytes.len()..].copy_from_slice(bytes);
            let value = i128::from_be_bytes(wide);
            let mut digits = [0; 40];
            let digits = digits_of(value.unsigned_abs(), &mut digits);
            self.put_digits(into, value < 0, digits);
        } else {
            let value = BigInt::from_signed_bytes_be(bytes);
            let digits = value.magnitude().to_string();
            let negative = value.sign() == num_bigint::Sign::Minus;
            self.put_digits(into, negative, digits.as_bytes());
        }
        Ok(())
    }

    fn put_digits(self, into: &mut Vec<u8>, negative: bool, digits: &[u8]) {
        into.push(b'"');
        if negative {
            into.push(b'-');
        }
        let whole = digits.len().saturating_sub(self.scale);
        into.extend_from_slice(if whole == 0 { b"0" } else { &digits[..whole] });
        if self.scale > 0 {
            into.push(b'.');
            let zeros = self.scale.saturating_sub(digits.len());
            into.resize(into.len() + zeros, b'0');
            into.extend_from_slice(&digits[whole..]);
        }
        into.push(b'"');
    }

    /// The shortest two's complement of this text's value times ten to the scale.
    pub fn parse(self, text: &str) -> Result<Unscaled, String> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let pointed = unsigned.len() > whole.len();
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || (pointed && fraction.is_empty())
            || !all_digits(whole)
            || !all_digits(fraction)
        {
            return Err(format!("\"{}\" is not a decimal", Shortened(text)));
        }
        if fraction.len() > self.scale {
            return Err(format!(
                "\"{}\" has more than {} digits behind the point",
                Shortened(text),
                self.scale
            ));
        }
        let zeros = self.scale - fraction.len();
        let whole = whole.trim_start_matches('0');
        let significant = if whole.is_empty() {
            fraction.trim_start_matches('0').len()
        } else {
            whole.len() + fraction.len()
        };
        // Zero has no digits, however many zeros it is written with.
        if significant > 0 && significant + zeros > self.precision {
            return Err(format!(
                "\"{}\" has more digits than a decimal of precision {} and scale {}",
                Shortened(text),
                self.precision,
                self.scale
            ));
        }
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .chain(std::iter::repeat_n(b'0', zeros));
        if self.precision <= SHORT {
            let value = digits.fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
            Ok(Unscaled::short(if negative { -value } else { value }))
        } else {
            let digits: Vec<u8> = digits.collect();
            let value = BigInt::parse_bytes(&digits, 10).unwrap_or_default();
            let value = if negative { -value } else { value };
            Ok(Unscaled::Long(value.to_signed_bytes_be()))
        }
    }
}

/// A decimal's bytes: the fewest that have its value and its sign.
pub(super) enum Unscaled {
    Short([u8; 16], usize),
    Long(Vec<u8>),
}

impl Unscaled {
    fn short(value: i128) -> Self {
        // The sign is one bit, so that a byte of nothing but it says nothing.
        let spare = if value < 0 {
            value.leading_ones()
        } else {
            value.leading_zeros()
        };
        Self::Short(value.to_be_bytes(), (spare as usize - 1) / 8)
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes, from) => &bytes[*from..],
            Self::Long(bytes) => bytes,
        }
    }

    /// Appends it, with its sign, as so many bytes. False where they don't hold it.
    pub fn put_fixed(&self, into: &mut Vec<u8>, size: usize) -> bool {
        let bytes = self.bytes();
        let Some(missing) = size.checked_sub(bytes.len()) else {
            return false;
        };
        let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) {
            0xff
        } else {
            0
        };
        into.resize(into.len() + missing, sign);
        into.extend_from_slice(bytes);
        true
    }
}

fn digits_of(value: u128, buffer: &mut [u8; 40]) -> &[u8] {
    let mut from = buffer.len();
    let mut high = value;
    // Of what doesn't fit 64 bits, digit by digit; divisions of them are ten times faster.
    let mut rest = loop {
        match u64::try_from(high) {
            Ok(rest) => break rest,
            Err(_) => {
                from -= 1;
                buffer[from] = digit((high % 10) as u64);
                high /= 10;
            }
        }
    };
    loop {
        from -= 1;
        buffer[from] = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            return &buffer[from..];
        }
    }
}

fn digit(value: u64) -> u8 {
    b"0123456789"[(value % 10) as usize]
}
