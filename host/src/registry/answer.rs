//! What an answer of the registry means: one, none for good, or a fault. Pure.

use reqwest::StatusCode;
use serde::Deserialize;

/// How much of what the registry says goes into a message.
const SAID_AT_MOST: usize = 300;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The registry says no, and would say it again.
    Missing(String),
    /// The registry, or the way to it, is not well.
    Fault(String),
}

/// What a request asks for: the same status says different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Something that may not be there.
    LookUp,
    /// To register something, which may be refused.
    Register,
}

/// An error as all these registries write it.
#[derive(Deserialize)]
struct Said {
    error_code: i64,
    #[serde(default)]
    message: Option<String>,
}

// Error codes of the Confluent API.
const INVALID_VERSION: i64 = 42202;
/// The registry, or the subject, is read-only for now.
const NOT_PERMITTED: i64 = 42205;

/// Judges an answer that is not a good one.
pub fn trouble(wants: Wants, status: StatusCode, body: &[u8]) -> Trouble {
    let said: Option<Said> = serde_json::from_slice(body).ok();
    let code = said.as_ref().map(|said| said.error_code);
    let message = said.and_then(|said| said.message);
    if is_definite(wants, status, code) {
        let message = message.unwrap_or_else(|| format!("the registry answers {status}"));
        return Trouble::Missing(short(&message));
    }
    let mut why = format!("answers {status}");
    if let Some(message) = message {
        why.push_str(&format!(" ({})", short(&message)));
    }
    if let Some(advice) = advice(status) {
        why.push_str(": ");
        why.push_str(advice);
    }
    Trouble::Fault(why)
}

fn is_definite(wants: Wants, status: StatusCode, code: Option<i64>) -> bool {
    match (status, code) {
        // 40401 subject, 40402 version, 40403 schema, and those that are deleted. All
        // servers say it so; a 404 with 404 or 0 is theirs for a path that they don't
        // know, which is a wrong base URL.
        (StatusCode::NOT_FOUND, Some(40401..=40499)) => true,
        (StatusCode::CONFLICT, _) => wants == Wants::Register,
        (StatusCode::UNPROCESSABLE_ENTITY, Some(INVALID_VERSION)) => true,
        (StatusCode::UNPROCESSABLE_ENTITY, Some(NOT_PERMITTED)) => false,
        (StatusCode::UNPROCESSABLE_ENTITY, _) => wants == Wants::Register,
        _ => false,
    }
}

/// What a person can do about it.
fn advice(status: StatusCode) -> Option<&'static str> {
    Some(match status {
        StatusCode::UNAUTHORIZED => "look at schema_registry.username and .password, or at .token",
        StatusCode::FORBIDDEN => "the registry does not let this user do that",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "a proxy is in between (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)"
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "no schema registry is there: look at the path of schema_registry.url"
        }
        _ => return None,
    })
}

/// The beginning of what the registry says, on one line.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SAID_AT_MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(wants: Wants, status: u16, body: &str) -> Trouble {
        trouble(
            wants,
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
        )
    }

    fn missing(text: &str) -> Trouble {
        Trouble::Missing(text.to_owned())
    }

    fn fault(wants: Wants, status: u16, body: &str) -> String {
        match judged(wants, status, body) {
            Trouble::Fault(why) => why,
            missing => panic!("{missing:?}"),
        }
    }

    #[test]
    fn a_404_with_a_code_of_the_api_is_missing() {
        for code in ["40401", "40402", "40403", "40404"] {
            let body = format!(r#"{{"error_code":{code},"message":"gone"}}"#);
            assert_eq!(judged(Wants::LookUp, 404, &body), missing("gone"));
        }
        assert_eq!(
            judged(Wants::LookUp, 404, r#"{"error_code":40403}"#),
            missing("the registry answers 404 Not Found")
        );
    }

    #[test]
    fn a_404_that_the_registry_did_not_write_is_a_fault_of_the_url() {
        for body in [
            "<html><body>404 Not Found</body></html>",
            "",
            r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
            r#"{"error_code":0,"message":"Could not find resource for full path: http://r/x"}"#,
            r#"{"code":404,"message":"Not found"}"#,
            r#"{"detail":"Not Found"}"#,
        ] {
            let why = fault(Wants::LookUp, 404, body);
            assert!(why.contains("the path of schema_registry.url"), "{why}");
        }
    }

    #[test]
    fn a_refusal_of_what_is_to_be_registered_is_the_registrys_message() {
        for status in [409, 422] {
            assert_eq!(
                judged(
                    Wants::Register,
                    status,
                    r#"{"error_code":42201,"message":"Invalid\n schema"}"#
                ),
                missing("Invalid schema")
            );
        }
        assert!(fault(Wants::LookUp, 409, "{}").contains("409 Conflict"));
    }

    #[test]
    fn a_registry_that_is_read_only_for_now_is_a_fault() {
        let body = r#"{"error_code":42205,"message":"Subject s is in read-only mode"}"#;
        let why = fault(Wants::Register, 422, body);
        assert!(why.contains("read-only mode"), "{why}");
    }

    #[test]
    fn everything_else_is_a_fault() {
        for status in [301, 400, 401, 403, 405, 408, 415, 429, 500, 502, 503] {
            for wants in [Wants::LookUp, Wants::Register] {
                let why = fault(wants, status, r#"{"error_code":40403,"message":"x"}"#);
                assert!(why.contains(&status.to_string()), "{why}");
            }
        }
        assert!(fault(Wants::LookUp, 401, "").contains("schema_registry.username"));
    }

    #[test]
    fn a_long_message_is_cut() {
        let body = format!(r#"{{"error_code":40403,"message":"{}"}}"#, "ü".repeat(1000));
        let Trouble::Missing(why) = judged(Wants::LookUp, 404, &body) else {
            panic!();
        };
        assert_eq!(why.chars().count(), SAID_AT_MOST + 1);
    }
}
