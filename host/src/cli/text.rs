//! Words and text of others, for people. Pure.

/// Text of others for one line of a terminal: what would steer it is escaped.
pub fn one_line(text: &str) -> String {
    escape(text, |_| false)
}

/// The same for text with lines of its own.
pub fn lines(text: &str) -> String {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !keep(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// So many of something whose plural has an s.
pub fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_escaped() {
        assert_eq!(one_line("a\u{1b}[2J\nb\u{9b}ä"), "a\\u{1b}[2J\\nb\\u{9b}ä");
        assert_eq!(lines("a\n\tb\r"), "a\n\tb\\r");
    }
}
