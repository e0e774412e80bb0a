//! One request and its answer: HTTP, the time that it may take, and which of the
//! registry's URLs is asked. Trying again is the asker's business.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, Response, Url};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::Semaphore;

use super::answer::{Trouble, Wants, trouble};
use super::endpoint::Endpoint;
use super::{Auth, Pace};
use crate::telemetry;
use crate::throttle::Throttle;

/// How many requests are on their way at once: enough for a start with many
/// schemas, and no burden for a registry that many pipelines ask.
const AT_ONCE: usize = 8;

/// The longest answer that is read. Confluent Cloud takes schemas of up to 1 MB.
const ANSWER_AT_MOST: usize = 16 << 20;

/// How many redirects are followed, all of them within one server.
const REDIRECTS: usize = 5;

/// How long an unused connection is kept: less than any server keeps it, so that
/// none is written to that has just been closed.
const IDLE: Duration = Duration::from_secs(4);

/// How often it is said that another URL is used.
const SAY: Duration = Duration::from_secs(30);

/// The API's own media type; the second one is for proxies that know only that.
const ACCEPTED: &str = "application/vnd.schemaregistry.v1+json, application/json";
const SENT: &str = "application/vnd.schemaregistry.v1+json";

/// Asks for something small that every registry has, and only for those who may
/// ask at all. Servers that don't know the limit list all subjects.
const CHECK_PATH: &str = "/subjects?offset=0&limit=1";

pub struct Client {
    http: reqwest::Client,
    endpoints: Vec<Endpoint>,
    /// Which endpoint answered last, and is asked first.
    current: AtomicUsize,
    slots: Semaphore,
    pace: Pace,
    lines: Mutex<Throttle>,
}

/// What is asked of whichever URL answers.
struct Request<'a> {
    path: &'a str,
    /// What is to be registered, as JSON.
    body: Option<Vec<u8>>,
}

impl Client {
    pub fn new(
        endpoints: Vec<Endpoint>,
        ca: Option<&Path>,
        pace: &Pace,
    ) -> Result<Self, anyhow::Error> {
        let roots = ca.map(roots).transpose()?.unwrap_or_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(pace.connect)
            .timeout(pace.request)
            .pool_idle_timeout(IDLE)
            .redirect(within_one_server())
            .tls_certs_merge(roots)
            .build()
            .context("schema_registry: its HTTP client could not be made")?;
        Ok(Self {
            http,
            endpoints,
            current: AtomicUsize::new(0),
            slots: Semaphore::new(AT_ONCE),
            pace: pace.clone(),
            lines: Mutex::new(Throttle::new(1, SAY)),
        })
    }

    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// All URLs, for a message.
    pub fn urls(&self) -> String {
        let urls: Vec<String> = self.endpoints.iter().map(ToString::to_string).collect();
        urls.join(", ")
    }

    /// Asks for what stands at `path`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.send(Request { path, body: None }).await
    }

    /// Registers what `body` says.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T, Trouble> {
        let body = Some(body);
        self.send(Request { path, body }).await
    }

    /// Whether the registry answers at one of the URLs; if not, why.
    pub async fn check(&self, url: usize) -> Result<(), String> {
        let request = Request {
            path: CHECK_PATH,
            body: None,
        };
        match self
            .send_to::<Vec<IgnoredAny>>(&self.endpoints[url], &request)
            .await
        {
            Ok(_) => Ok(()),
            Err(Trouble::Missing(why) | Trouble::Fault(why)) => Err(why),
        }
    }

    /// Asks one URL after the other until one of them gives an answer.
    async fn send<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, Trouble> {
        let first = self.current.load(Ordering::Relaxed);
        let mut faults: Vec<String> = Vec::new();
        for n in 0..self.endpoints.len() {
            let url = (first + n) % self.endpoints.len();
            match self.send_to(&self.endpoints[url], &request).await {
                Err(Trouble::Fault(why)) => faults.push(why),
                answer => {
                    if !faults.is_empty() {
                        self.use_instead(url, &faults);
                    }
                    return answer;
                }
            }
        }
        Err(Trouble::Fault(faults.join("; ")))
    }

    /// The URL is the first one from now on.
    fn use_instead(&self, url: usize, faults: &[String]) {
        if self.current.swap(url, Ordering::Relaxed) == url {
            return;
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left_out) = lines.pass(Instant::now()) {
            telemetry::registry_url_changed(&self.endpoints[url], &faults.join("; "), left_out);
        }
    }

    async fn send_to<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        request: &Request<'_>,
    ) -> Result<T, Trouble> {
        // It is never closed.
        let _slot = self.slots.acquire().await;
        let method = match request.body {
            Some(_) => Method::POST,
            None => Method::GET,
        };
        let url = endpoint.url(request.path);
        // Said of every fault; it holds no credentials.
        let asked = format!("{method} {url}");
        let fault = |why: &str| Trouble::Fault(format!("{asked}: {}", endpoint.scrub(why)));

        let mut sent = self.http.request(method, &url).header(ACCEPT, ACCEPTED);
        sent = match endpoint.auth() {
            Some(Auth::Basic { username, password }) => sent.basic_auth(username, Some(password)),
            Some(Auth::Bearer(token)) => sent.bearer_auth(token),
            None => sent,
        };
        let wants = match &request.body {
            Some(body) => {
                sent = sent.header(CONTENT_TYPE, SENT).body(body.clone());
                Wants::Register
            }
            None => Wants::LookUp,
        };
        let answer = sent
            .send()
            .await
            .map_err(|error| fault(&self.broken(&error)))?;
        let status = answer.status();
        if let Some(place) = elsewhere(&answer) {
            return Err(fault(&format!(
                "answers {status}, which leads to {place}: if the registry is there, \
                 schema_registry.url has to say so"
            )));
        }
        let body = self.body(answer).await.map_err(|why| fault(&why))?;
        if !status.is_success() {
            return Err(match trouble(wants, status, &body) {
                Trouble::Missing(why) => Trouble::Missing(endpoint.scrub(&why)),
                Trouble::Fault(why) => Trouble::Fault(format!("{asked} {}", endpoint.scrub(&why))),
            });
        }
        // Without what serde says: it may repeat the body.
        serde_json::from_slice(&body).map_err(|_| {
            fault(&format!(
                "answers {status} with what no schema registry writes: look at \
                 schema_registry.url, its path too"
            ))
        })
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + part.len() > ANSWER_AT_MOST {
                return Err(format!("answers with more than {ANSWER_AT_MOST} bytes"));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    /// Why there is no answer, from the last of an error's causes: those before
    /// say only that it has one.
    fn broken(&self, error: &reqwest::Error) -> String {
        match (error.is_timeout(), error.is_connect()) {
            (true, true) => return format!("no connection within {:?}", self.pace.connect),
            (true, false) => return format!("no whole answer within {:?}", self.pace.request),
            _ => {}
        }
        let mut cause: Option<&dyn Error> = error.source();
        while let Some(deeper) = cause.and_then(Error::source) {
            cause = Some(deeper);
        }
        let cause = cause.map_or_else(|| "it broke".to_owned(), ToString::to_string);
        let advice = match cause.contains("certificate") {
            true => " (schema_registry.ca names a file with the authority that signed it)",
            false => "",
        };
        match error.is_connect() {
            true => format!("no connection: {cause}{advice}"),
            false => format!("no whole answer: {cause}{advice}"),
        }
    }
}

/// Redirects that lead elsewhere are an answer, not a way: credentials are for the
/// server that the pipeline names.
fn within_one_server() -> Policy {
    Policy::custom(|attempt| {
        let first = attempt.previous().first().map(Url::origin);
        if first == Some(attempt.url().origin()) && attempt.previous().len() <= REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// Where a redirect leads that was not followed: only the server, as the rest may
/// hold what a log-in page has made of the request.
fn elsewhere(answer: &Response) -> Option<String> {
    if !answer.status().is_redirection() {
        return None;
    }
    let to = answer.headers().get(LOCATION)?.to_str().ok()?;
    let to = answer.url().join(to).ok()?;
    Some(to.origin().ascii_serialization())
}

/// The certificates of a PEM file.
fn roots(file: &Path) -> Result<Vec<Certificate>, anyhow::Error> {
    let named = || format!("schema_registry.ca: {}", file.display());
    let pem = fs::read(file).with_context(named)?;
    let roots = Certificate::from_pem_bundle(&pem)
        .context("it does not hold certificates in PEM")
        .with_context(named)?;
    if roots.is_empty() {
        bail!("{}: there is no certificate in PEM in it", named());
    }
    Ok(roots)
}
