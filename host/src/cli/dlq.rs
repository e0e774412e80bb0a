//! `host dlq`: what is in a dead-letter topic, and its way back. Answers go to
//! stdout, whole or not at all.

mod list;
mod replay;
mod show;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::text::{counted, lines, one_line};
use super::{Failed, answer, is_broken_pipe, logging};

#[derive(Args)]
pub struct DlqArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count a topic's dead letters by stage, plugin and reason
    List(list::ListArguments),
    /// Show one dead letter: the original record beside the reason
    Show(show::ShowArguments),
    /// Run a pipeline's dead letters through it again, up to the end that their topic has now
    Replay(Box<replay::ReplayArguments>),
}

pub fn run(arguments: DlqArguments) -> Result<(), Failed> {
    let outcome = match arguments.command {
        Command::List(arguments) => {
            logging::quiet();
            list::run(&arguments)
        }
        Command::Show(arguments) => {
            logging::quiet();
            show::run(&arguments)
        }
        Command::Replay(arguments) => replay::run(&arguments),
    };
    match outcome {
        Err(failed) if is_broken_pipe(&failed.error) => Ok(()),
        outcome => outcome,
    }
}

/// The last moment of the year 9999, the end of RFC 3339.
const LAST: u64 = 253_402_300_799_999;

/// Milliseconds since the epoch as RFC 3339 writes them, where it can.
fn moment(ms: i64) -> String {
    match time(ms) {
        Some(time) => humantime::format_rfc3339_millis(time).to_string(),
        None => format!("{ms} ms"),
    }
}

/// The same without the milliseconds.
fn to_the_second(ms: i64) -> String {
    match time(ms) {
        Some(time) => humantime::format_rfc3339_seconds(time).to_string(),
        None => format!("{ms} ms"),
    }
}

fn time(ms: i64) -> Option<SystemTime> {
    let since = u64::try_from(ms).ok().filter(|ms| *ms <= LAST)?;
    Some(UNIX_EPOCH + Duration::from_millis(since))
}

fn millis(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// Milliseconds since the epoch of a time as RFC 3339 writes it.
fn rfc3339(text: &str) -> Option<i64> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return millis(time);
    }
    // humantime knows no offset from UTC: +hh:mm or -hh:mm.
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, offset) = match offset.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':')?;
    let digits = |text: &str, below: i64| {
        let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number = two.then(|| text.parse().ok()).flatten();
        number.filter(|n: &i64| *n < below)
    };
    let ahead = sign * (digits(hours, 24)? * 60 + digits(minutes, 60)?) * 60_000;
    let utc = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    Some(millis(utc)? - ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_every_offset() {
        let noon = 1_764_000_000_000;
        assert_eq!(rfc3339("2025-11-24T16:00:00Z"), Some(noon));
        assert_eq!(rfc3339("2025-11-24T16:00:00.250Z"), Some(noon + 250));
        assert_eq!(rfc3339("2025-11-24T18:00:00+02:00"), Some(noon));
        assert_eq!(rfc3339("2025-11-24T10:30:00.250-05:30"), Some(noon + 250));
        for wrong in [
            "",
            "2025-11-24",
            "16:00:00Z",
            "2025-11-24T16:00:00",
            "2025-11-24T16:00:00+24:00",
            "2025-11-24T16:00:00+2:000",
            "2025-11-24T16:00:00++1:00",
            "ääää",
        ] {
            assert_eq!(rfc3339(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_number_can_be_written_as_a_moment() {
        assert_eq!(moment(1_764_000_000_123), "2025-11-24T16:00:00.123Z");
        assert_eq!(moment(0), "1970-01-01T00:00:00.000Z");
        let last = i64::try_from(LAST).unwrap();
        assert_eq!(moment(last), "9999-12-31T23:59:59.999Z");
        assert_eq!(moment(last + 1), "253402300800000 ms");
        assert_eq!(moment(-1), "-1 ms");
        assert_eq!(moment(i64::MIN), "-9223372036854775808 ms");
        assert_eq!(to_the_second(1_764_000_000_999), "2025-11-24T16:00:00Z");
        assert_eq!(to_the_second(i64::MAX), "9223372036854775807 ms");
    }
}
