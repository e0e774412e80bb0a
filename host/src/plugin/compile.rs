//! Compiling, in this process or in one of its own. A file that is small may take
//! minutes and gigabytes to compile, and a thread can't be stopped: while a pipeline
//! runs, a child of this program compiles, with little priority and within limits
//! (docs/decisions/a-child-compiles.md).

use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Resource, Rlimit, Signal};

use super::engine::{self, Engine};
use crate::pipeline::ports::Fatal;
use crate::stop::Stop;

/// The hidden command of this program that compiles what comes from stdin.
pub const COMMAND: &str = "compile";

/// The most processor time that a compilation takes. Components of tens of megabytes,
/// which bring an interpreter along, take a third of it.
const MOST_TIME: Duration = Duration::from_secs(30);

/// The longest that it takes by the clock: it only gets what the workers leave.
const MOST_WAIT: Duration = Duration::from_secs(180);

/// The most memory that it takes, in bytes of address space.
const MOST_MEMORY: u64 = 1024 * 1024 * 1024;

/// Least of all: the workers go first.
const NICENESS: i32 = 19;

/// How often a compilation is looked after.
const LOOK: Duration = Duration::from_millis(20);

/// Who compiles.
#[derive(Clone, Copy)]
pub enum Compiler<'a> {
    /// This process, as fast as it can: nothing runs yet.
    Here,
    /// A child of this process, until the run is told to stop.
    Child(&'a Stop),
}

impl Compiler<'_> {
    pub(super) fn compile(
        self,
        engine: &Engine,
        bytes: &[u8],
    ) -> Result<wasmtime::component::Component, Fatal> {
        match self {
            Self::Here => wasmtime::component::Component::new(engine.native(), bytes)
                .map_err(|error| anyhow!("{error:#}")),
            Self::Child(stop) => {
                let code = by_child(bytes, stop)?;
                // SAFETY: a child of this very program wrote it, into our pipe.
                unsafe { wasmtime::component::Component::deserialize(engine.native(), code) }
                    .map_err(|error| anyhow!("{error:#}"))
            }
        }
    }
}

/// Compiled code, as wasmtime writes it.
fn by_child(bytes: &[u8], stop: &Stop) -> Result<Vec<u8>, Fatal> {
    // Where this program's file was replaced meanwhile, it is still itself.
    let mut child = Command::new("/proc/self/exe")
        .arg(COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("the process that compiles could not be started")?;
    let outcome = look_after(&mut child, bytes, stop);
    // It has ended, or has to.
    let _ = child.kill();
    let _ = child.wait();
    outcome
}

fn look_after(child: &mut Child, bytes: &[u8], stop: &Stop) -> Result<Vec<u8>, Fatal> {
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        bail!("the process that compiles has no pipes");
    };
    thread::scope(|scope| {
        let code = scope.spawn(move || {
            let mut code = Vec::new();
            stdout.read_to_end(&mut code).map(|_| code)
        });
        let said = scope.spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).map(|_| said)
        });
        // It reads all of it before anything else. Where it can't, its end says why.
        scope.spawn(move || {
            let _ = stdin.write_all(bytes);
        });
        let ended = wait(child, stop);
        if ended.is_err() {
            // Its pipes end with it.
            let _ = child.kill();
        }
        let code = code
            .join()
            .map_err(|_| anyhow!("a pipe's reader panicked"))?;
        let said = said
            .join()
            .map_err(|_| anyhow!("a pipe's reader panicked"))?;
        let status = ended?;
        if !status.success() {
            bail!(why(status, said.unwrap_or_default().trim()));
        }
        code.context("the compiled code could not be read")
    })
}

fn wait(child: &mut Child, stop: &Stop) -> Result<ExitStatus, Fatal> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if stop.requested() {
            bail!("the run ends");
        }
        if begun.elapsed() >= MOST_WAIT {
            bail!("it takes longer than {MOST_WAIT:?} to compile beside the running pipeline");
        }
        stop.wait(LOOK);
    }
}

/// Why there is no code.
fn why(status: ExitStatus, said: &str) -> String {
    let was = |signal: Signal| status.signal() == Some(signal.as_raw());
    // The second one comes where the first is not heeded.
    if was(Signal::XCPU) || was(Signal::KILL) {
        format!(
            "it takes more than {MOST_TIME:?} of processor time to compile, or more memory than \
             this machine has left"
        )
    } else if was(Signal::ABORT) || was(Signal::SEGV) || was(Signal::BUS) {
        let most = MOST_MEMORY / (1024 * 1024);
        format!("it takes more than {most} MiB to compile, or breaks the compiler: {said}")
    } else if said.is_empty() {
        format!("the process that compiles ended with {status}")
    } else {
        said.to_owned()
    }
}

/// What the child does: a component from stdin, its compiled code to stdout.
pub fn child() -> Result<(), Fatal> {
    limit().context("the limits of a compilation could not be set")?;
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let engine = engine::compiling()?;
    let code = engine
        .precompile_component(&bytes)
        .map_err(|error| anyhow!("{error:#}"))?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&code)?;
    Ok(stdout.flush()?)
}

fn limit() -> Result<(), Fatal> {
    // No compilation outlives who wants it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::nice(NICENESS)?;
    // Where memory is short, it goes first, and not the pipeline. Not every system lets
    // a process say so.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let at_most = |limit| Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    rustix::process::setrlimit(Resource::As, at_most(MOST_MEMORY))?;
    // Running out of memory aborts.
    rustix::process::setrlimit(Resource::Core, at_most(0))?;
    rustix::process::setrlimit(Resource::Cpu, at_most(MOST_TIME.as_secs()))?;
    Ok(())
}
