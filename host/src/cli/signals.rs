//! SIGINT and SIGTERM: the first one stops in good order, the second at once.

use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::pipeline::ports::Fatal;
use crate::stop::Stop;
use crate::telemetry;

/// Listens from now on, on a thread of its own.
pub fn listen(stop: &Arc<Stop>) -> Result<(), Fatal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the signal handler could not be made")?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let stop = Arc::clone(stop);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let mut signals = 0;
                loop {
                    let name = tokio::select! {
                        _ = interrupt.recv() => "SIGINT",
                        _ = terminate.recv() => "SIGTERM",
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

#[expect(clippy::exit, reason = "a second signal asks for exactly this")]
fn exit_at_once(name: &str) {
    tracing::warn!("{name} again: ending at once; what is not committed is read again");
    std::process::exit(1);
}
