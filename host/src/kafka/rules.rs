//! Which topics a plugin may name. Pure.

use globset::GlobSet;

use crate::names::illegal_name;

/// The most different topics that one worker may write to: a topic name made from
/// data by mistake must not fill the cluster.
pub const MOST_TOPICS: usize = 1000;

/// See the module's words.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The pipeline's inputs, to which nothing may go.
    pub inputs: Vec<String>,
    /// The dead-letter topic, which no output may name.
    pub dead_letters: Option<String>,
    /// Where outputs and dead letters go that name no topic: always allowed.
    pub own: Vec<String>,
    /// `output.allow`; `None`: any topic.
    pub allow: Option<GlobSet>,
}

impl Rules {
    /// Whether the pipeline itself names the topic, which was there at its start.
    pub fn is_own(&self, topic: &str) -> bool {
        self.own.iter().any(|own| own == topic)
    }

    /// Why no output may go to `topic`, if none may; `known` topics have outputs
    /// already.
    pub fn forbid(&self, topic: &str, known: usize) -> Option<String> {
        if self.is_own(topic) {
            return None;
        }
        if let Some(why) = illegal_name(topic) {
            return Some(why);
        }
        if self.inputs.iter().any(|input| input == topic) {
            return Some(format!(
                "topic {topic} is an input of this pipeline: what is written there would come \
                 back for ever"
            ));
        }
        if self.dead_letters.as_deref() == Some(topic) {
            return Some(format!(
                "topic {topic} is the pipeline's dead-letter topic, which no output may name"
            ));
        }
        if self
            .allow
            .as_ref()
            .is_some_and(|globs| !globs.is_match(topic))
        {
            return Some(format!(
                "topic {topic} is none of those that outputs may name (output.allow)"
            ));
        }
        (known >= MOST_TOPICS).then(|| {
            format!(
                "topic {topic} would be the output's topic number {}: a worker writes to at most \
                 {MOST_TOPICS}",
                known + 1
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use globset::{Glob, GlobSetBuilder};

    use super::*;

    fn rules(allow: &[&str]) -> Rules {
        let mut globs = GlobSetBuilder::new();
        for glob in allow {
            globs.add(Glob::new(glob).unwrap());
        }
        Rules {
            inputs: vec!["orders".to_owned()],
            dead_letters: Some("reserved".to_owned()),
            own: vec!["orders-clean".to_owned(), "dead".to_owned()],
            allow: (!allow.is_empty()).then(|| globs.build().unwrap()),
        }
    }

    #[test]
    fn any_topic_but_the_inputs_is_allowed_unless_globs_say_which() {
        assert_eq!(rules(&[]).forbid("elsewhere", 0), None);
        assert!(rules(&[]).forbid("orders", 0).unwrap().contains("an input"));
        let why = rules(&[]).forbid("reserved", 0).unwrap();
        assert!(why.contains("dead-letter topic"), "{why}");
        let some = rules(&["eu-*", "us-?"]);
        assert_eq!(some.forbid("eu-west", 0), None);
        assert_eq!(some.forbid("us-1", 0), None);
        let why = some.forbid("us-12", 0).unwrap();
        assert!(why.contains("output.allow"), "{why}");
    }

    #[test]
    fn the_pipelines_own_topics_need_no_permission() {
        assert_eq!(rules(&["eu-*"]).forbid("orders-clean", MOST_TOPICS), None);
        assert_eq!(rules(&["eu-*"]).forbid("dead", MOST_TOPICS), None);
    }

    #[test]
    fn an_illegal_name_and_one_topic_too_many_are_refused() {
        assert!(rules(&[]).forbid("a b", 0).is_some());
        assert_eq!(rules(&[]).forbid("a", MOST_TOPICS - 1), None);
        let why = rules(&[]).forbid("a", MOST_TOPICS).unwrap();
        assert!(why.contains("number 1001"), "{why}");
    }
}
