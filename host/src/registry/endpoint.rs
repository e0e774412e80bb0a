//! The registry's URLs: what a person wrote, taken apart, so that what is secret
//! in it stays out of every message.

use std::fmt;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;

use super::Auth;

/// Stands in a message where something secret stood.
const HIDDEN: &str = "***";

/// One base URL of the registry, and what is shown there to be let in.
pub struct Endpoint {
    /// Without credentials, and without a slash at the end.
    base: String,
    auth: Option<Auth>,
    /// What must not be said: each secret, also as a header has it.
    secrets: Vec<String>,
}

impl Endpoint {
    /// All URLs, in their order. `auth` goes with each of them.
    pub fn all(urls: &[String], auth: Option<&Auth>) -> Result<Vec<Self>, anyhow::Error> {
        if urls.is_empty() {
            bail!("schema_registry.url: no URL is given");
        }
        match auth {
            // Or the header could not be written, which looks like a fault to wait for.
            Some(Auth::Bearer(token))
                if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                bail!("schema_registry.token: no token can be empty or have such a character");
            }
            Some(Auth::Basic { username, .. }) if username.contains(':') => {
                bail!("schema_registry.username: a colon would end the name (RFC 7617)");
            }
            _ => {}
        }
        urls.iter()
            .map(|url| {
                Self::new(url, auth).with_context(|| format!("schema_registry.url: {}", shown(url)))
            })
            .collect()
    }

    fn new(text: &str, auth: Option<&Auth>) -> Result<Self, anyhow::Error> {
        if !text.starts_with("http://") && !text.starts_with("https://") {
            bail!("a URL begins with http:// or https://");
        }
        let mut url = Url::parse(text).context("it is no URL")?;
        if url.query().is_some() || url.fragment().is_some() {
            bail!("a base URL ends with its path: without ? and #");
        }
        let own = match (url.username(), url.password()) {
            ("", None) => None,
            (username, password) => Some(Auth::Basic {
                username: decode(username),
                password: decode(password.unwrap_or_default()),
            }),
        };
        if own.is_some() && auth.is_some() {
            bail!(
                "credentials stand both in it and in schema_registry.username or .token; one of \
                 them is enough"
            );
        }
        // They fail only for URLs without a host, which http has not.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let auth = own.or_else(|| auth.cloned());
        Ok(Self {
            base: url.as_str().trim_end_matches('/').to_owned(),
            secrets: auth.as_ref().map(secrets).unwrap_or_default(),
            auth,
        })
    }

    /// The URL of a path, which begins with a slash and is encoded already.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn auth(&self) -> Option<&Auth> {
        self.auth.as_ref()
    }

    /// A text from outside, which may repeat what was sent there.
    pub fn scrub(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret, HIDDEN);
        self.secrets.iter().fold(text.to_owned(), hide)
    }
}

/// The longer ones first: one may stand within another.
fn secrets(auth: &Auth) -> Vec<String> {
    let mut secrets = match auth {
        Auth::Basic { username, password } => vec![
            BASE64_STANDARD.encode(format!("{username}:{password}")),
            password.clone(),
        ],
        Auth::Bearer(token) => vec![token.clone()],
    };
    // Without a password, nothing is one.
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

/// A URL for a message: without credentials, also where it is none.
pub fn shown(url: &str) -> String {
    match url.rsplit_once('@') {
        None => url.to_owned(),
        Some((before, after)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://{HIDDEN}@{after}"),
            None => format!("{HIDDEN}@{after}"),
        },
    }
}

/// A name as one segment of a path. Everything but RFC 3986's unreserved
/// characters is encoded: a slash would begin another segment, a semicolon what
/// some servers take for a parameter.
pub fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Whether a segment can't be sent: a URL takes these for steps along the path,
/// encoded or not.
pub fn is_step(name: &str) -> bool {
    matches!(name, "" | "." | "..")
}

fn decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(url: &str) -> Result<Endpoint, String> {
        Endpoint::all(&[url.to_owned()], None)
            .map(|mut all| all.remove(0))
            .map_err(|error| format!("{error:#}"))
    }

    fn basic(username: &str, password: &str) -> Auth {
        Auth::Basic {
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn a_path_follows_the_base_with_one_slash() {
        for base in ["http://r:8081/apis/v7", "http://r:8081/apis/v7/"] {
            let endpoint = one(base).unwrap();
            assert_eq!(endpoint.url("/subjects"), "http://r:8081/apis/v7/subjects");
        }
        assert_eq!(one("http://r").unwrap().url("/x"), "http://r/x");
    }

    #[test]
    fn credentials_of_a_url_are_taken_out_of_it_and_decoded() {
        let endpoint = one("https://us%40er:p%3Ass%zz@r/x").unwrap();
        assert_eq!(endpoint.to_string(), "https://r/x");
        assert_eq!(endpoint.auth(), Some(&basic("us@er", "p:ss%zz")));
    }

    #[test]
    fn credentials_in_two_places_are_refused_and_not_shown() {
        let error = Endpoint::all(
            &["http://user:hunter2@r".to_owned()],
            Some(&Auth::Bearer("hunter3".to_owned())),
        )
        .err()
        .map(|error| format!("{error:#}"))
        .unwrap();
        assert!(error.contains("schema_registry.url"), "{error}");
        assert!(error.contains("one of them is enough"), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }

    #[test]
    fn what_is_no_base_url_is_refused_by_the_name_of_the_key_and_without_its_secrets() {
        for url in [
            "localhost:8081",
            "user:hunter2@localhost:8081",
            "ftp://user:hunter2@r",
            "http://",
            "http://user:hunter2@r:port",
            "http://user:hunt@er2@r?x=1",
            "http://r#x",
        ] {
            let error = one(url).err().expect(url);
            assert!(error.starts_with("schema_registry.url: "), "{error}");
            assert!(!error.contains("hunt"), "{error}");
            assert!(!error.contains("er2"), "{error}");
        }
        assert!(Endpoint::all(&[], None).is_err());
    }

    #[test]
    fn credentials_that_no_header_can_carry_are_refused_and_not_shown() {
        for (auth, key) in [
            (
                Auth::Bearer("hunter2\n".to_owned()),
                "schema_registry.token",
            ),
            (Auth::Bearer(String::new()), "schema_registry.token"),
            (basic("na:me", "hunter2"), "schema_registry.username"),
        ] {
            let refused = Endpoint::all(&["http://r".to_owned()], Some(&auth));
            let error = refused.err().map(|error| format!("{error:#}")).unwrap();
            assert!(error.contains(key), "{error}");
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn a_subject_is_one_segment_whatever_it_holds() {
        assert_eq!(segment("orders-value"), "orders-value");
        assert_eq!(
            segment("a/b c;d?e#f%g:ü"),
            "a%2Fb%20c%3Bd%3Fe%23f%25g%3A%C3%BC"
        );
        assert!(is_step("..") && is_step("") && !is_step("..a"));
    }

    #[test]
    fn a_secret_that_the_registry_repeats_is_hidden() {
        let endpoint = one("http://user:hunter2@r").unwrap();
        assert_eq!(endpoint.scrub("no hunter2 here"), "no *** here");
        assert_eq!(endpoint.scrub("Basic dXNlcjpodW50ZXIy"), "Basic ***");
        assert_eq!(one("http://r").unwrap().scrub("as it is"), "as it is");
    }
}
