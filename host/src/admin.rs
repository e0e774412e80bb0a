//! The admin address: a run is asked, and told, things over HTTP while it runs.
//!
//! | | |
//! |---|---|
//! | `GET /plugins` | what runs, since when, and how it does |
//! | `POST /plugins/reload` | reads the plugin files again |
//! | `POST /plugins/NAME` | takes the body as that plugin's file (`admin.upload`) |
//! | `POST /plugins/NAME/rollback` | goes back to the version before |
//!
//! Answers are JSON; an error's is `{"error":"…"}`.

mod plugins;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use axum::Json;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::sync::oneshot;

use crate::config;
use crate::pipeline::ports::Fatal;
use crate::pipeline::shadow::Compared;
use crate::runner::swap::Handle;
use crate::telemetry::{self, Counters};

/// How long a stop waits for answers that are under way.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// An address that is taken, and answers as soon as there is something to say.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    upload: bool,
}

impl Bound {
    /// Takes the address before anything else is begun: mostly another process has it.
    pub fn new(settings: &config::Admin) -> Result<Self, Fatal> {
        let bind = || {
            let listener = TcpListener::bind(&settings.listen)?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(listener)
        };
        Ok(Self {
            listener: bind().with_context(|| {
                format!("admin.listen: {} can't be listened at", settings.listen)
            })?,
            upload: settings.upload,
        })
    }
}

/// Answers until it is dropped.
pub struct Admin {
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Admin {
    pub fn start(
        bound: Bound,
        handle: Handle,
        counters: &Arc<Counters>,
        shadow: Option<Arc<Compared>>,
    ) -> Result<Self, Fatal> {
        let Bound { listener, upload } = bound;
        let address = listener.local_addr()?;
        let plugins = plugins::routes(handle, Arc::clone(counters), shadow, upload);
        let routes = routes(address, plugins);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the admin address can't be served")?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || runtime.block_on(serve(listener, routes, ended)))
            .context("no thread could be started")?;
        telemetry::admin_listens(address, upload);
        Ok(Self {
            thread: Some((end, thread)),
        })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            // One that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: tokio::net::TcpListener, routes: Router, ended: oneshot::Receiver<()>) {
    let (last, is_last) = oneshot::channel::<()>();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(async {
        // The other end is only ever dropped.
        let _ = ended.await;
        drop(last);
    });
    let too_late = async {
        let _ = is_last.await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        // It fails on no error of a connection.
        _ = serving.into_future() => {}
        () = too_late => {}
    }
}

fn routes(address: SocketAddr, routes: Router) -> Router {
    routes
        .fallback(|| async { failed(StatusCode::NOT_FOUND, "there is no such address") })
        .method_not_allowed_fallback(|| async {
            failed(StatusCode::METHOD_NOT_ALLOWED, "that can't be done here")
        })
        .layer(middleware::from_fn(
            move |request: Request, next: Next| async move {
                match forbidden(address, &request) {
                    Some(why) => failed(StatusCode::FORBIDDEN, why),
                    None => next.run(request).await,
                }
            },
        ))
}

/// A page in somebody's browser must not tell a pipeline anything: browsers name the
/// page's origin wherever it is another one (CSRF). What only a name that was rebound
/// to a loopback address would reach is refused by that name.
fn forbidden(address: SocketAddr, request: &Request) -> Option<&'static str> {
    let header = |name| request.headers().get(name);
    if *request.method() != Method::GET && header(header::ORIGIN).is_some() {
        return Some("no web page may ask for that");
    }
    let host = header(header::HOST).and_then(|host| host.to_str().ok());
    (address.ip().is_loopback() && !host.is_some_and(is_loopback))
        .then_some("this address is asked as localhost or by its number")
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let number = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || number
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn failed(status: StatusCode, why: impl Into<String>) -> Response {
    (status, Json(json!({ "error": why.into() }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_loopback_by_name_or_number_alone() {
        for host in [
            "localhost",
            "localhost:9090",
            "127.0.0.1:80",
            "127.0.0.2",
            "[::1]:80",
            "LOCALHOST",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:80",
            "10.0.0.1",
            "127.0.0.1.example.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        let error = Bound::new(&config::Admin {
            listen: listen.clone(),
            upload: false,
        })
        .unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains(&listen) && error.contains("in use"),
            "{error}"
        );
    }
}
