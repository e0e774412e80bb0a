//! `host recovery reset`: moves or forgets positions, and makes a store another
//! pipeline's, other topics' or another share's.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::answer;
use crate::config::Share;
use crate::names::illegal_name;
use crate::record::{NextOffset, TopicPartition};
use crate::recovery::{Contents, Misfit, Place, Store};

#[derive(Args)]
#[group(skip)]
#[command(after_help = "Examples:
  host recovery reset DIR orders/3 1500     go on with offset 1500
  host recovery reset DIR orders/3 --forget begin that partition where --start says
  host recovery reset DIR orders --forget   begin that topic where --start says
  host recovery reset DIR --forget          begin everything where --start says
  host recovery reset DIR --input a,b       the input is a and b from now on")]
pub struct ResetArguments {
    /// The store's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// A partition, or with --forget a topic
    #[arg(value_name = "TOPIC[/PARTITION]", required_unless_present_any = ["forget", "name", "input", "partitions"])]
    of: Option<Of>,
    /// The offset that the partition goes on with
    #[arg(value_name = "OFFSET", conflicts_with = "forget", value_parser = clap::value_parser!(i64).range(0..))]
    offset: Option<i64>,
    /// Forget positions, of everything where nothing is named: it begins where --start says
    #[arg(long)]
    forget: bool,
    /// Make the store this pipeline's
    #[arg(long)]
    name: Option<String>,
    /// Make the store one for these input topics: positions of others are forgotten, and new
    /// topics begin where --start says
    #[arg(long, value_name = "TOPIC[,TOPIC]", value_delimiter = ',', value_parser = topic)]
    input: Vec<String>,
    /// Make the store one for these partitions of each topic, as input.partitions has them (or
    /// all): positions of others are forgotten, and new ones begin where --start says
    #[arg(long, value_name = "PARTITIONS")]
    partitions: Option<Share>,
}

/// What positions are of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Topic(String),
    Partition(TopicPartition),
}

impl FromStr for Of {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, number)) = text.split_once('/') else {
            return topic(text).map(Self::Topic);
        };
        match number.parse::<i32>() {
            Ok(number) if number >= 0 => Ok(Self::Partition(TopicPartition::new(
                topic(name)?.as_str(),
                number,
            ))),
            _ => Err(format!("{number:?} is no partition's number")),
        }
    }
}

fn topic(text: &str) -> Result<String, String> {
    match illegal_name(text) {
        Some(why) => Err(why),
        None => Ok(text.to_owned()),
    }
}

/// Why the arguments do not go together.
pub fn check(arguments: &ResetArguments) -> Result<(), &'static str> {
    match (&arguments.of, arguments.offset, arguments.forget) {
        (Some(Of::Topic(_)), Some(_), _) => {
            Err("an offset is one partition's: name it as TOPIC/PARTITION")
        }
        (Some(_), None, false) => Err("say where it goes on: an OFFSET, or --forget"),
        _ => Ok(()),
    }
}

pub fn run(arguments: &ResetArguments) -> anyhow::Result<()> {
    let mut store = Store::open(&arguments.dir)?;
    let mut next = store.contents().clone();
    let said = apply(arguments, &mut next).map_err(|why| store.misfit(why))?;
    store.write(|contents| *contents = next)?;
    answer(&said)
}

/// Changes what the store holds, and says how.
fn apply(arguments: &ResetArguments, contents: &mut Contents) -> Result<String, Misfit> {
    let mut said = String::new();
    if let Some(name) = &arguments.name {
        contents.pipeline = Some(name.clone());
        _ = writeln!(said, "the store is pipeline {name}'s");
    }
    if !arguments.input.is_empty() {
        contents.set_topics(&arguments.input);
        _ = writeln!(
            said,
            "the store is for the topics {}",
            arguments.input.join(", ")
        );
    }
    if let Some(share) = &arguments.partitions {
        contents.set_share(share.clone());
        _ = writeln!(
            said,
            "the store is for the partitions {share} of each topic"
        );
    }
    match (&arguments.of, arguments.offset) {
        (Some(Of::Partition(partition)), offset) => {
            let place = offset.map_or(Place::Start, |offset| Place::At(NextOffset(offset)));
            let before = contents.move_to(partition, place)?;
            _ = writeln!(said, "{partition} goes on at {place} (it was {before})");
        }
        (Some(Of::Topic(topic)), _) => {
            contents.forget_topic(topic)?;
            _ = writeln!(said, "{topic} goes on at {}", Place::Start);
        }
        (None, _) if arguments.forget => {
            contents.forget_all();
            _ = writeln!(said, "everything goes on at {}", Place::Start);
        }
        (None, _) => {}
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: ResetArguments,
    }

    fn parse(arguments: &[&str]) -> Option<ResetArguments> {
        let all = ["reset", "DIR"].iter().chain(arguments);
        let parsed = Command::try_parse_from(all).ok()?.arguments;
        check(&parsed).ok().map(|()| parsed)
    }

    /// Of topic `a`, two partitions that stand at 10, after these arguments.
    fn after(arguments: &[&str]) -> (Contents, String) {
        let mut contents = Contents::default();
        contents.grow("a", 2);
        for place in contents.places.values_mut() {
            *place = Place::At(NextOffset(10));
        }
        let arguments = parse(arguments).expect("right usage");
        let said = apply(&arguments, &mut contents).unwrap();
        (contents, said)
    }

    fn places(contents: &Contents) -> Vec<String> {
        let places = contents.places.iter();
        places.map(|(p, place)| format!("{p} {place}")).collect()
    }

    #[test]
    fn one_position_is_moved() {
        let (contents, said) = after(&["a/1", "25"]);
        assert_eq!(places(&contents), ["a/0 10", "a/1 25"]);
        assert_eq!(said, "a/1 goes on at 25 (it was 10)\n");
    }

    #[test]
    fn a_partition_a_topic_or_everything_is_forgotten() {
        let (contents, said) = after(&["a/1", "--forget"]);
        assert_eq!(places(&contents), ["a/0 10", "a/1 input.start"]);
        assert_eq!(said, "a/1 goes on at input.start (it was 10)\n");
        for all in [&["a", "--forget"][..], &["--forget"]] {
            let (contents, said) = after(all);
            assert!(places(&contents).is_empty());
            assert_eq!(contents.topics["a"], 0);
            assert!(said.ends_with("goes on at input.start\n"), "{said}");
        }
    }

    #[test]
    fn a_store_becomes_anothers() {
        let (contents, said) = after(&["--name=q", "--input=a,b", "--partitions=1-"]);
        assert_eq!(contents.pipeline.as_deref(), Some("q"));
        assert_eq!(contents.topics.into_keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(contents.share.unwrap().to_string(), "1-");
        assert_eq!(said.lines().count(), 3);
    }

    #[test]
    fn what_does_not_go_together_is_wrong_usage() {
        for wrong in [
            &[][..],
            &["a"],
            &["a/1"],
            &["a", "5"],
            &["a/1", "5", "--forget"],
            &["a/1", "-5"],
            &["a/x", "5"],
            &["a/-1", "5"],
            &["a b", "--forget"],
            &["--input="],
            &["--partitions=x"],
        ] {
            assert!(parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
