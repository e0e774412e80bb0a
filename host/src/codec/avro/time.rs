//! Dates, times of day and instants: numbers in Avro, RFC 3339 in JSON. What RFC 3339
//! can't say (a year of five digits) is none of this file's: it returns false.

const DAY: i64 = 86_400;

/// Days from 0000-03-01, where the calendar's 400 years begin, to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Days of 400 years.
const ERA: i64 = 146_097;

/// What one unit of the number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    fn digits(self) -> usize {
        match self {
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }

    fn per_second(self) -> i64 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Millis => "millisecond",
            Self::Micros => "microsecond",
            Self::Nanos => "nanosecond",
        }
    }
}

/// Appends `"2024-02-29"`. False, and nothing, where the year has not four digits.
pub(super) fn put_date(into: &mut Vec<u8>, days: i64) -> bool {
    let Some(date) = Date::of(days) else {
        return false;
    };
    into.push(b'"');
    date.put(into);
    into.push(b'"');
    true
}

/// Appends `"13:45:00.123"`. False, and nothing, where it is no time of a day.
pub(super) fn put_time(into: &mut Vec<u8>, time: i64, unit: Unit) -> bool {
    if !(0..DAY * unit.per_second()).contains(&time) {
        return false;
    }
    into.push(b'"');
    put_clock(into, time, unit);
    into.push(b'"');
    true
}

/// Appends `"2024-02-29T13:45:00.123Z"`, without the Z where it is local. False, and
/// nothing, where the year has not four digits.
pub(super) fn put_instant(into: &mut Vec<u8>, instant: i64, unit: Unit, local: bool) -> bool {
    let per_day = DAY * unit.per_second();
    let Some(date) = Date::of(instant.div_euclid(per_day)) else {
        return false;
    };
    into.push(b'"');
    date.put(into);
    into.push(b'T');
    put_clock(into, instant.rem_euclid(per_day), unit);
    into.extend_from_slice(if local { b"\"" } else { b"Z\"" });
    true
}

fn put_clock(into: &mut Vec<u8>, time: i64, unit: Unit) {
    let (seconds, fraction) = (time / unit.per_second(), time % unit.per_second());
    put_padded(into, seconds / 3600, 2);
    into.push(b':');
    put_padded(into, seconds / 60 % 60, 2);
    into.push(b':');
    put_padded(into, seconds % 60, 2);
    into.push(b'.');
    put_padded(into, fraction, unit.digits());
}

fn put_padded(into: &mut Vec<u8>, value: i64, width: usize) {
    let start = into.len();
    into.resize(start + width, b'0');
    let mut rest = value.unsigned_abs();
    for place in into[start..].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The date so many days after 1970-01-01, if its year has four digits. (Howard
    /// Hinnant's `civil_from_days`: the year begins in March, so that a leap day is
    /// its last.)
    fn of(days: i64) -> Option<Self> {
        let days = days.checked_add(EPOCH)?;
        let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = era * 400 + year_of_era + next;
        (0..=9999)
            .contains(&year)
            .then_some(Self { year, month, day })
    }

    fn days(&self) -> i64 {
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month = (self.month + 9) % 12;
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * ERA + day_of_era - EPOCH
    }

    fn put(&self, into: &mut Vec<u8>) {
        put_padded(into, self.year, 4);
        into.push(b'-');
        put_padded(into, self.month, 2);
        into.push(b'-');
        put_padded(into, self.day, 2);
    }
}

/// What a text is not, or not finely enough.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Malformed,
    Finer,
    OutOfRange,
}

/// The days of `2024-02-29`.
pub(super) fn date(text: &str) -> Result<i64, Unfit> {
    let mut rest = text.as_bytes();
    let days = take_date(&mut rest)?;
    ended(rest)?;
    Ok(days)
}

/// The units since midnight of `13:45:00.123`.
pub(super) fn time(text: &str, unit: Unit) -> Result<i64, Unfit> {
    let mut rest = text.as_bytes();
    let (seconds, fraction) = take_clock(&mut rest, unit)?;
    ended(rest)?;
    Ok(seconds * unit.per_second() + fraction)
}

/// The units since 1970 of `2024-02-29T13:45:00.123+01:00`; of the same without an
/// offset where it is local.
pub(super) fn instant(text: &str, unit: Unit, local: bool) -> Result<i64, Unfit> {
    let mut rest = text.as_bytes();
    let days = take_date(&mut rest)?;
    match rest {
        [b'T' | b't' | b' ', behind @ ..] => rest = behind,
        _ => return Err(Unfit::Malformed),
    }
    let (clock, fraction) = take_clock(&mut rest, unit)?;
    let offset = if local { 0 } else { take_offset(&mut rest)? };
    ended(rest)?;
    let seconds = days * DAY + clock - offset;
    let units = i128::from(seconds) * i128::from(unit.per_second()) + i128::from(fraction);
    i64::try_from(units).map_err(|_| Unfit::OutOfRange)
}

fn ended(rest: &[u8]) -> Result<(), Unfit> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Unfit::Malformed)
    }
}

fn take_date(rest: &mut &[u8]) -> Result<i64, Unfit> {
    let year = take_number(rest, 4)?;
    take_byte(rest, b'-')?;
    let month = take_number(rest, 2)?;
    take_byte(rest, b'-')?;
    let day = take_number(rest, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return Err(Unfit::Malformed),
    };
    if !(1..=longest).contains(&day) {
        return Err(Unfit::Malformed);
    }
    Ok(Date { year, month, day }.days())
}

/// The seconds since midnight, and the rest of a second in units.
fn take_clock(rest: &mut &[u8], unit: Unit) -> Result<(i64, i64), Unfit> {
    let hour = take_number(rest, 2)?;
    take_byte(rest, b':')?;
    let minute = take_number(rest, 2)?;
    take_byte(rest, b':')?;
    let second = take_number(rest, 2)?;
    // A leap second has no number in Avro.
    if hour > 23 || minute > 59 || second > 59 {
        return Err(Unfit::Malformed);
    }
    let mut fraction = 0;
    if let [b'.', digits @ ..] = *rest {
        let count = digits.iter().take_while(|c| c.is_ascii_digit()).count();
        let (digits, behind) = digits.split_at(count);
        let (kept, finer) = digits.split_at(count.min(unit.digits()));
        if digits.is_empty() {
            return Err(Unfit::Malformed);
        }
        if finer.iter().any(|digit| *digit != b'0') {
            return Err(Unfit::Finer);
        }
        for place in 0..unit.digits() {
            fraction = fraction * 10 + kept.get(place).map_or(0, |digit| i64::from(digit - b'0'));
        }
        *rest = behind;
    }
    Ok((hour * 3600 + minute * 60 + second, fraction))
}

/// In seconds.
fn take_offset(rest: &mut &[u8]) -> Result<i64, Unfit> {
    let (sign, behind) = match *rest {
        [b'Z' | b'z', behind @ ..] => {
            *rest = behind;
            return Ok(0);
        }
        [b'+', behind @ ..] => (1, behind),
        [b'-', behind @ ..] => (-1, behind),
        _ => return Err(Unfit::Malformed),
    };
    *rest = behind;
    let hours = take_number(rest, 2)?;
    take_byte(rest, b':')?;
    let minutes = take_number(rest, 2)?;
    if hours > 23 || minutes > 59 {
        return Err(Unfit::Malformed);
    }
    Ok(sign * (hours * 3600 + minutes * 60))
}

fn take_number(rest: &mut &[u8], width: usize) -> Result<i64, Unfit> {
    let (digits, behind) = rest.split_at_checked(width).ok_or(Unfit::Malformed)?;
    *rest = behind;
    digits.iter().try_fold(0, |value, digit| {
        if digit.is_ascii_digit() {
            Ok(value * 10 + i64::from(digit - b'0'))
        } else {
            Err(Unfit::Malformed)
        }
    })
}

fn take_byte(rest: &mut &[u8], byte: u8) -> Result<(), Unfit> {
    match *rest {
        [first, behind @ ..] if *first == byte => {
            *rest = behind;
            Ok(())
        }
        _ => Err(Unfit::Malformed),
    }
}
