//! Who is let in, whom the client trusts, and what stays out of every message.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::server::{Reply, error, ok};
use super::*;

const SECRET: &str = "hunter2";

fn basic() -> Option<Auth> {
    Some(Auth::Basic {
        username: "ada".to_owned(),
        password: SECRET.to_owned(),
    })
}

fn with(server: &Server, auth: Option<Auth>) -> Settings {
    Settings {
        auth,
        ..settings(&[server.url()])
    }
}

/// What the server got as authorization.
fn shown(settings: &Settings, server: &Server) -> Option<String> {
    let registry = Registry::start_at(settings, pace()).unwrap();
    ready(&registry, || registry.by_id(7));
    server.seen()[0].header("authorization").map(str::to_owned)
}

#[test]
fn credentials_are_shown_as_the_settings_say() {
    let script = |_: &server::Request| ok(json!({ "schema": "s" }));
    // ada:hunter2
    let wanted = Some("Basic YWRhOmh1bnRlcjI=".to_owned());
    let server = Server::start(script);
    assert_eq!(shown(&with(&server, basic()), &server), wanted);

    let server = Server::start(script);
    let url = server.url_with("ada:hunter2");
    assert_eq!(shown(&settings(&[url]), &server), wanted);

    let server = Server::start(script);
    let bearer = Some(Auth::Bearer(SECRET.to_owned()));
    let wanted = Some("Bearer hunter2".to_owned());
    assert_eq!(shown(&with(&server, bearer), &server), wanted);
}

#[test]
fn no_secret_is_in_a_message() {
    let script = |_: &server::Request| error(401, 401, "ada:hunter2 is not let in");
    let server = Server::start(script);
    let in_url = settings(&[server.url_with("ada:hunter2")]);
    let bearer = with(&server, Some(Auth::Bearer(SECRET.to_owned())));
    for settings in [with(&server, basic()), bearer, in_url] {
        let registry = Registry::start_at(&settings, pace()).unwrap();
        let said = [
            fault(&registry, || registry.by_id(7)).to_string(),
            format!("{:?}", registry.check().unwrap_err()),
            format!("{settings:?} {registry:?}"),
        ];
        for text in said {
            assert!(!text.contains(SECRET), "{text}");
        }
    }
}

#[test]
fn no_secret_is_in_what_the_registry_refuses() {
    let server = Server::start(|_| error(404, 40403, "nothing for hunter2"));
    let registry = Registry::start_at(&with(&server, basic()), pace()).unwrap();
    let why = missing(&registry, || registry.by_id(7));
    assert_eq!(&*why, "schema id 7: nothing for ***");
}

#[test]
fn a_redirect_within_the_server_is_followed_with_the_credentials() {
    let server = Server::start(|request| match &*request.target {
        "/schemas/ids/7" => Reply::Redirect(307, "/v2/schemas/ids/7".to_owned()),
        _ => ok(json!({ "schema": "s" })),
    });
    let registry = Registry::start_at(&with(&server, basic()), pace()).unwrap();
    ready(&registry, || registry.by_id(7));
    let seen = server.seen();
    assert_eq!(seen[1].target, "/v2/schemas/ids/7");
    assert!(seen[1].header("authorization").is_some());
}

#[test]
fn a_redirect_to_another_server_is_not_followed_but_named() {
    let other = Server::start(|_| ok(json!({ "schema": "s" })));
    let place = format!("{}/in?token=hunter2", other.url());
    let server = Server::start(move |_| Reply::Redirect(302, place.clone()));
    let registry = Registry::start_at(&with(&server, basic()), pace()).unwrap();
    let why = fault(&registry, || registry.by_id(7));
    assert!(why.contains(&other.url()) && why.contains("302"), "{why}");
    assert!(!why.contains(SECRET), "{why}");
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn redirects_in_a_circle_end() {
    let server = Server::start(|request| Reply::Redirect(307, request.target.clone()));
    let registry = start(&server);
    let why = fault(&registry, || registry.by_id(7));
    assert!(why.contains("307"), "{why}");
}

fn refused(ca: PathBuf) -> String {
    let settings = Settings {
        ca: Some(ca),
        ..settings(&["https://127.0.0.1:1".to_owned()])
    };
    format!("{:#}", Registry::start_at(&settings, pace()).unwrap_err())
}

#[test]
fn a_file_of_roots_that_is_none_is_named_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    for text in [None, Some(""), Some("no PEM"), Some(broken), Some(open)] {
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        let error = refused(file.clone());
        assert!(error.contains("schema_registry.ca"), "{error}");
        assert!(error.contains("ca.pem"), "{error}");
    }
}

/// `openssl s_server`, which answers every path with a file of that name.
struct Tls(Child);

impl Tls {
    /// Starts it in `dir`, with a certificate that it signed itself.
    fn start(dir: &Path) -> (Self, String) {
        let made = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
            .args("-keyout key.pem -out ca.pem -subj /CN=test".split(' '))
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .current_dir(dir)
            .output()
            .expect("the openssl command is needed");
        assert!(made.status.success(), "{made:?}");
        let mut server = Command::new("openssl")
            .args("s_server -accept 127.0.0.1:0 -cert ca.pem -key key.pem -HTTP".split(' '))
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.as_mut().unwrap()).lines();
        let address = lines
            .find_map(|line| Some(line.unwrap().strip_prefix("ACCEPT ")?.to_owned()))
            .expect("it says where it listens");
        (Self(server), format!("https://{address}"))
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_is_trusted_if_the_file_of_roots_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("schemas/ids")).unwrap();
    let answer = "HTTP/1.0 200 OK\r\n\r\n{\"schema\": \"s\"}";
    fs::write(dir.path().join("schemas/ids/7"), answer).unwrap();
    let (_server, url) = Tls::start(dir.path());

    let trusting = Settings {
        ca: Some(dir.path().join("ca.pem")),
        ..settings(std::slice::from_ref(&url))
    };
    let registry = Registry::start_at(&trusting, pace()).unwrap();
    assert_eq!(ready(&registry, || registry.by_id(7)).text, "s");

    let registry = Registry::start_at(&settings(&[url]), pace()).unwrap();
    let why = fault(&registry, || registry.by_id(7));
    assert!(
        why.contains("certificate") && why.contains("schema_registry.ca"),
        "{why}"
    );
}
