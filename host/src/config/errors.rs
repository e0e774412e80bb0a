//! What is to become of records that fail, as the settings say it.

use std::str::FromStr;

use super::{ConfigError, Settings, defaults};
use crate::names::{illegal_name, nearest};
use crate::pipeline::policy::Breaker;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    pub policy: Choice,
    /// The dead-letter topic, though the policy may not write to it.
    pub reserved: Option<String>,
    /// When a run stops that rejects nearly everything; `None`: never.
    pub breaker: Option<Breaker>,
}

/// What becomes of a rejected record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Stop,
    /// With the dead-letter topic.
    DeadLetter(String),
    Drop,
}

const POLICIES: [&str; 3] = ["stop", "dead-letter", "drop"];

impl Errors {
    pub fn from_settings(
        settings: &Settings,
        inputs: &[String],
        output: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let topic = settings.text("errors.dead_letter")?;
        if let Some(topic) = &topic {
            check_topic(settings, topic, inputs, output)?;
        }
        let reserved = topic.clone();
        let policy = settings.text("errors.policy")?;
        let place = settings.place("errors.policy");
        let policy = match (policy.as_deref(), topic) {
            (None | Some("dead-letter"), Some(topic)) => Choice::DeadLetter(topic),
            (None | Some("stop"), _) => Choice::Stop,
            (Some("drop"), _) => Choice::Drop,
            (Some("dead-letter"), None) => {
                return Err(ConfigError(format!(
                    "{place}: \"dead-letter\" needs a topic: --dead-letter TOPIC, or \
                     errors.dead_letter in the file"
                )));
            }
            (Some(other), _) => {
                let meant = nearest(other, POLICIES.into_iter())
                    .map_or(String::new(), |name| format!(" (did you mean {name}?)"));
                return Err(ConfigError(format!(
                    "{place}: {other:?} is no policy: there are {}{meant}",
                    POLICIES.join(", ")
                )));
            }
        };
        let breaker = match settings.text("errors.breaker")?.as_deref() {
            None => Some(defaults::BREAKER),
            Some("off") => None,
            Some(text) => Some(text.parse().map_err(|why: String| {
                ConfigError(format!("{}: {why}", settings.place("errors.breaker")))
            })?),
        };
        Ok(Self {
            policy,
            reserved,
            breaker,
        })
    }

    /// The dead-letter topic, where there is one.
    pub fn topic(&self) -> Option<&str> {
        match &self.policy {
            Choice::DeadLetter(topic) => Some(topic),
            Choice::Stop | Choice::Drop => None,
        }
    }
}

fn check_topic(
    settings: &Settings,
    topic: &str,
    inputs: &[String],
    output: Option<&str>,
) -> Result<(), ConfigError> {
    let place = settings.place("errors.dead_letter");
    if let Some(why) = illegal_name(topic) {
        return Err(ConfigError(format!("{place}: {why}")));
    }
    if inputs.iter().any(|input| input == topic) {
        return Err(ConfigError(format!(
            "{place}: topic {topic} is also an input ({}): the pipeline would read its own dead \
             letters for ever (host dlq replay runs them through it again)",
            settings.place("input.topics")
        )));
    }
    if output == Some(topic) {
        return Err(ConfigError(format!(
            "{place}: topic {topic} is also the output ({}): dead letters need a topic of their own",
            settings.place("output.topic")
        )));
    }
    Ok(())
}

/// The most records that a breaker looks back.
const LONGEST_WINDOW: u64 = 1_000_000;

/// `SHARE% of COUNT`.
impl FromStr for Breaker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once("of").and_then(|(share, of)| {
            let share: f64 = share.trim().strip_suffix('%')?.trim().parse().ok()?;
            let of: u64 = of.trim().parse().ok()?;
            let legal = share > 0.0 && share <= 100.0 && (1..=LONGEST_WINDOW).contains(&of);
            legal.then_some((share, of))
        });
        let Some((share, of)) = parsed else {
            return Err(format!(
                "{text:?} is no breaker: write a share of a number of records, such as \"100% of \
                 1000\" (at most {LONGEST_WINDOW}), or \"off\""
            ));
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "at most a million, and at least 0"
        )]
        let failed = (share * of as f64 / 100.0).ceil() as u64;
        Ok(Self {
            failed: failed.clamp(1, of),
            of,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_is_a_share_of_a_number_of_records() {
        for (text, failed, of) in [
            ("100% of 1000", 1000, 1000),
            ("50% of 10", 5, 10),
            ("0.1%of 5", 1, 5),
            ("33.4 % of 10", 4, 10),
        ] {
            assert_eq!(text.parse(), Ok(Breaker { failed, of }), "{text}");
        }
        for text in [
            "",
            "100%",
            "100 of 10",
            "0% of 10",
            "101% of 10",
            "5% of 0",
            "NaN% of 5",
        ] {
            let error = text.parse::<Breaker>().unwrap_err();
            assert!(error.contains("100% of 1000"), "{error}");
        }
    }
}
