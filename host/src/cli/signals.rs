//! SIGINT and SIGTERM: the first one stops in good order, the second at once. SIGHUP
//! reads the plugins' files again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::pipeline::ports::Fatal;
use crate::stop::Stop;
use crate::telemetry;

/// Listens from now on, on a thread of its own. `hangup` is set by
/// SIGHUP, which else ends the process.
pub fn listen(stop: &Arc<Stop>, hangup: Option<&Arc<AtomicBool>>) -> Result<(), Fatal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the signal handler could not be made")?;
    let (mut interrupt, mut terminate, hang_up) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            hangup.map(|_| signal(SignalKind::hangup())).transpose()?,
        )
    };
    let stop = Arc::clone(stop);
    let mut hangup = hang_up.zip(hangup.cloned());
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let mut signals = 0;
                loop {
                    let name = tokio::select! {
                        _ = interrupt.recv() => "SIGINT",
                        _ = terminate.recv() => "SIGTERM",
                        () = next(&mut hangup) => continue,
                    };
                    signals += 1;
                    if signals > 1 {
                        exit_at_once(name);
                    }
                    telemetry::stopping(name);
                    stop.request_by_signal();
                }
            });
        })
        .context("the signal handler could not be started")?;
    Ok(())
}

/// Waits for a SIGHUP, and passes it on.
async fn next(hangup: &mut Option<(Signal, Arc<AtomicBool>)>) {
    match hangup {
        Some((signal, flag)) => {
            signal.recv().await;
            flag.store(true, Ordering::Relaxed);
        }
        None => std::future::pending().await,
    }
}

#[expect(clippy::exit, reason = "a second signal asks for exactly this")]
fn exit_at_once(name: &str) {
    tracing::warn!("{name} again: ending at once; what is not committed is read again");
    std::process::exit(1);
}
