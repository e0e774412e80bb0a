//! What the admin address says of the plugins, and is told of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::failed;
use crate::pipeline::shadow::Compared;
use crate::plugin::tally::Sum;
use crate::runner::swap::{Became, Declined, Handle, Now};
use crate::telemetry::{Counters, PluginState, WorkerState};

/// How long a file may be on its way here.
const WHOLE: Duration = Duration::from_secs(60);

/// The largest file that is taken, in bytes: several times a Python component's size.
const LARGEST: usize = 128 * 1024 * 1024;

#[derive(Clone)]
struct Plugins {
    handle: Handle,
    counters: Arc<Counters>,
    shadow: Option<Arc<Compared>>,
    /// Held while a file is taken, so that one is in memory and no more; `None`: none is
    /// taken.
    upload: Option<Arc<Mutex<()>>>,
}

pub(super) fn routes(
    handle: Handle,
    counters: Arc<Counters>,
    shadow: Option<Arc<Compared>>,
    upload: bool,
) -> Router {
    Router::new()
        .route("/plugins", get(list))
        .route("/plugins/reload", post(reload))
        .route("/plugins/{name}", post(upload_file))
        .route("/plugins/{name}/rollback", post(roll_back))
        .with_state(Plugins {
            handle,
            counters,
            shadow,
            upload: upload.then(Arc::default),
        })
}

async fn list(State(plugins): State<Plugins>) -> Response {
    let states = plugins.counters.plugins();
    let mut answer = json!({ "plugins": states.iter().map(state).collect::<Vec<_>>() });
    if let Some(shadow) = &plugins.shadow {
        answer["shadow"] = json!({
            "records": shadow.records(),
            "differ": shadow.differ(),
            "broke": shadow.broke(),
        });
    }
    Json(answer).into_response()
}

async fn reload(State(plugins): State<Plugins>) -> Response {
    let answer = plugins.handle.reload().await;
    let is_refused = |now: &Now| matches!(now.became, Became::Refused(_));
    match answer {
        // Of several the others are told, too.
        Ok(all) if all.iter().any(is_refused) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Json(now(&all))).into_response()
        }
        answer => said(answer),
    }
}

async fn upload_file(
    State(plugins): State<Plugins>,
    Path(name): Path<String>,
    body: Body,
) -> Response {
    let Some(upload) = &plugins.upload else {
        return failed(
            StatusCode::FORBIDDEN,
            "this pipeline takes no files: admin.upload = true lets it",
        );
    };
    let _alone = upload.lock().await;
    let bytes = match timeout(WHOLE, to_bytes(body, LARGEST)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            return failed(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the file did not come whole, or has more than {LARGEST} bytes"),
            );
        }
        Err(_) => {
            return failed(
                StatusCode::REQUEST_TIMEOUT,
                format!("the file did not come within {WHOLE:?}"),
            );
        }
    };
    said(plugins.handle.upload(name, bytes.into()).await)
}

async fn roll_back(State(plugins): State<Plugins>, Path(name): Path<String>) -> Response {
    said(plugins.handle.roll_back(name).await)
}

fn said(answer: Result<Vec<Now>, Declined>) -> Response {
    match answer {
        Ok(all) => Json(now(&all)).into_response(),
        Err(declined) => {
            let status = match declined {
                Declined::Unknown(_) => StatusCode::NOT_FOUND,
                Declined::NothingBefore(_) => StatusCode::CONFLICT,
                Declined::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
                Declined::Ended => StatusCode::SERVICE_UNAVAILABLE,
            };
            failed(status, declined.to_string())
        }
    }
}

fn now(all: &[Now]) -> Value {
    let one = |now: &Now| {
        let (became, why) = match &now.became {
            Became::Unchanged => ("unchanged", None),
            Became::Swapped => ("swapped", None),
            Became::Tried => ("tried", None),
            Became::Recalled => ("recalled", None),
            Became::Refused(why) => ("refused", Some(why)),
        };
        let mut one = json!({
            "name": &*now.name,
            "outcome": became,
            "digest": &*now.runs,
        });
        if let Some(tried) = &now.tried {
            one["tried"] = json!(&**tried);
        }
        if let Some(why) = why {
            one["why"] = json!(why);
        }
        one
    };
    json!({ "plugins": all.iter().map(one).collect::<Vec<_>>() })
}

fn state(state: &PluginState) -> Value {
    let mut value = json!({
        "name": &*state.id.name,
        "digest": &*state.id.digest,
        "file": state.path.display().to_string(),
        "uses": state.uses,
        "since": time(state.since),
        "swaps": state.swaps,
        "previous": state.previous.as_deref(),
        "trial": state.trial.as_ref().map(|trial| {
            let mut value = json!({ "digest": &*trial.digest });
            put(&mut value, &trial.sum);
            value
        }),
        "refused": state.refused.as_ref().map(|refused| json!({
            "digest": (!refused.digest.is_empty()).then_some(&*refused.digest),
            "why": refused.why,
            "at": time(refused.at),
        })),
        "workers": state.workers.iter().map(worker).collect::<Vec<_>>(),
    });
    put(&mut value, &state.sum);
    value
}

/// What a version has done.
fn put(value: &mut Value, sum: &Sum) {
    value["records"] = sum.records.into();
    value["failures"] = sum.failures.into();
    value["faults"] = sum.faults.into();
    value["recycled"] = sum.recycled.into();
    value["busy_seconds"] = sum.busy.as_secs_f64().into();
}

fn worker(worker: &WorkerState) -> Value {
    let mut value = json!({
        "worker": worker.worker,
        "use": worker.of,
        "digest": &*worker.digest,
    });
    if let Some(taken) = &worker.taken {
        let from = taken.from.iter();
        let from: Map<_, _> = from
            .map(|(partition, next)| (partition.to_string(), next.0.into()))
            .collect();
        value["since"] = json!(time(taken.at));
        value["from"] = from.into();
        value["pause_seconds"] = taken.pause.as_secs_f64().into();
    }
    value
}

/// RFC 3339, as everywhere.
fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
