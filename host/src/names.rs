//! Names: which ones Kafka takes for a topic, and which known one was meant.

/// The longest topic name (Kafka's `Topic.MAX_NAME_LENGTH`).
const LONGEST_NAME: usize = 249;

/// Why Kafka would not take this name for a topic, if it would not
/// (`org.apache.kafka.common.internals.Topic.validate`).
pub fn illegal_name(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Some("a topic's name can't be empty".to_owned())
    } else if name == "." || name == ".." {
        Some(format!("a topic's name can't be {name:?}"))
    } else if name.len() > LONGEST_NAME {
        Some(format!(
            "a topic's name has at most {LONGEST_NAME} characters, and this one has {}",
            name.len()
        ))
    } else if !name.chars().all(legal) {
        Some(format!(
            "{name:?} is no legal topic name: it may hold ASCII letters, digits, '.', '_' and '-'"
        ))
    } else {
        None
    }
}

/// The name of `names` that is most like `name`, if one is like it at all.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// Tells that a topic is not there, with the nearest name of those that are.
pub fn missing<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, names) {
        Some(nearest) => {
            format!("topic {name} does not exist (the nearest existing name is {nearest})")
        }
        None => format!("topic {name} does not exist"),
    }
}
