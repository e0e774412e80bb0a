//! `host recovery show`: what a store holds, as a table or as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::answer;
use crate::cli::table::table;
use crate::recovery::{Contents, Place, Store};

#[derive(Args)]
pub struct ShowArguments {
    /// The store's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &ShowArguments) -> anyhow::Result<()> {
    let contents = Store::look(&arguments.dir)?;
    answer(&match arguments.json {
        true => format!("{}\n", object(&contents)),
        false => text(&contents),
    })
}

fn text(contents: &Contents) -> String {
    let pipeline = contents.pipeline.as_deref();
    let mut text = format!(
        "pipeline    {}\n",
        pipeline.unwrap_or("the first one's that uses it")
    );
    if let Some(share) = &contents.share {
        _ = writeln!(text, "partitions  {share}");
    }
    for (topic, partitions) in &contents.topics {
        _ = match partitions {
            0 => writeln!(text, "topic       {topic}, not begun"),
            1 => writeln!(text, "topic       {topic}, 1 partition"),
            n => writeln!(text, "topic       {topic}, {n} partitions"),
        };
    }
    if contents.places.is_empty() {
        return text + "no positions\n";
    }
    let rows = contents.places.iter().map(|(partition, place)| {
        let (offset, partition) = match place {
            Place::At(position) => (position.to_string(), partition.to_string()),
            place => (
                "-".to_owned(),
                format!("{partition}, not begun: at {place}"),
            ),
        };
        [offset, partition]
    });
    let rows: Vec<_> = rows.collect();
    text + "\n" + &table(["NEXT", "PARTITION"], &rows, None)
}

/// `offset` is the next one to be read; null where `begin` says how that one is
/// found: `start` (as `input.start` says) or `earliest`.
fn object(contents: &Contents) -> Value {
    let topics = contents.topics.iter();
    let topics = topics.map(|(topic, n)| json!({ "topic": topic, "partitions": n }));
    let positions = contents.places.iter().map(|(partition, place)| {
        let mut position = json!({
            "topic": &*partition.topic,
            "partition": partition.partition,
            "offset": null,
        });
        match place {
            Place::At(next) => position["offset"] = next.0.into(),
            Place::Start => position["begin"] = "start".into(),
            Place::Beginning => position["begin"] = "earliest".into(),
        }
        position
    });
    json!({
        "pipeline": contents.pipeline,
        "partitions": contents.share.as_ref().map(ToString::to_string),
        "topics": topics.collect::<Value>(),
        "positions": positions.collect::<Value>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{NextOffset, TopicPartition};

    fn contents() -> Contents {
        let of = |n| TopicPartition::new("orders", n);
        let mut contents = Contents {
            pipeline: Some("clean".to_owned()),
            share: Some("0-3".parse().unwrap()),
            ..Contents::default()
        };
        contents.grow("orders", 2);
        contents.grow("orders", 3);
        contents.set_topics(&["orders".to_owned(), "returns".to_owned()]);
        contents
            .move_to(&of(0), Place::At(NextOffset(1234)))
            .unwrap();
        contents
    }

    #[test]
    fn the_table_says_whose_the_store_is_and_where_each_partition_goes_on() {
        assert_eq!(
            text(&contents()),
            "pipeline    clean\n\
             partitions  0-3\n\
             topic       orders, 3 partitions\n\
             topic       returns, not begun\n\
             \n\
             NEXT  PARTITION\n\
             1234  orders/0\n\
             \x20  -  orders/1, not begun: at input.start\n\
             \x20  -  orders/2, not begun: at its beginning\n"
        );
    }

    #[test]
    fn an_empty_store_says_so() {
        assert_eq!(
            text(&Contents::default()),
            "pipeline    the first one's that uses it\nno positions\n"
        );
    }

    #[test]
    fn the_object_is_for_programs() {
        assert_eq!(
            object(&contents()),
            json!({
                "pipeline": "clean",
                "partitions": "0-3",
                "topics": [
                    { "topic": "orders", "partitions": 3 },
                    { "topic": "returns", "partitions": 0 },
                ],
                "positions": [
                    { "topic": "orders", "partition": 0, "offset": 1234 },
                    { "topic": "orders", "partition": 1, "offset": null, "begin": "start" },
                    { "topic": "orders", "partition": 2, "offset": null, "begin": "earliest" },
                ],
            })
        );
    }
}
