//! The `host` binary as a user runs it: arguments in, exit status, stdout and
//! stderr out. Killed when dropped; its output is printed where a test panics.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::output::Output;
use crate::panics;
use crate::process::{Process, Signal};
use crate::target::{must_exist, profile_dir, target_dir};
use crate::wait::{eventually, eventually_ok};

/// A running or ended `host`.
#[derive(Debug)]
pub struct Host {
    arguments: String,
    process: Process,
    stdout: Output,
    stderr: Output,
}

impl Host {
    /// Starts `host` with these arguments.
    pub fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Host {
        let mut command = Host::command();
        command.args(arguments);
        Host::spawn(command)
    }

    /// The binary, still to be given arguments, a folder or an environment.
    ///
    /// Its cache is one below the target folder, shared by all tests, and not
    /// the user's.
    pub fn command() -> Command {
        let mut command = Command::new(binary());
        command
            .env_remove("MILLRACE_BROKERS")
            .env_remove("RUST_LOG")
            .env("XDG_CACHE_HOME", target_dir().join("tests-cache"))
            .stdin(Stdio::null());
        command
    }

    /// Starts what [`Host::command`] began.
    pub fn spawn(mut command: Command) -> Host {
        panics::remember();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let arguments = arguments.join(" ");
        let mut process = Process::spawn("host", command);
        let stdout = Output::collect(process.child().stdout.take().expect("it is piped"));
        let stderr = Output::collect(process.child().stderr.take().expect("it is piped"));
        Host {
            arguments,
            process,
            stdout,
            stderr,
        }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().is_none()
    }

    /// Waits for its end (all output then is here); panics after `deadline`.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let status = self.process.wait(deadline);
        eventually(deadline, "host's output to end", || {
            (self.stdout.ended() && self.stderr.ended()).then_some(())
        });
        status
    }

    /// Waits until stderr holds `text`, and returns that whole line; panics
    /// after `deadline`, or where it ends without it.
    #[track_caller]
    pub fn wait_for_log(&mut self, text: &str, deadline: Duration) -> String {
        let what = format!("the log line {text:?}");
        eventually_ok(deadline, &what, || {
            // Looked at before the text, not to miss what came in between.
            let ended = self.stderr.ended();
            match self.stderr.text().lines().find(|line| line.contains(text)) {
                Some(line) => Ok(line.to_owned()),
                None if ended => panic!("host ended without {what}"),
                None => Err("host runs"),
            }
        })
    }

    /// All of stderr so far: the log.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// All of stdout so far: the answers.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if thread::panicking() {
            let state = self
                .process
                .try_wait()
                .map_or("running".to_owned(), |s| s.to_string());
            eprintln!("--- host {} ({state})", self.arguments);
            eprintln!("--- its stdout\n{}", self.stdout());
            eprintln!("--- its stderr\n{}", self.stderr());
            if let Some(why) = panics::last() {
                eprintln!("--- again why the test fails: {why}");
            }
        }
    }
}

/// `MILLRACE_HOST`, else the one that was built as these tests were.
fn binary() -> PathBuf {
    match env::var_os("MILLRACE_HOST") {
        Some(path) => must_exist(path.into(), "MILLRACE_HOST names it"),
        None => must_exist(
            profile_dir().join("host"),
            "run cargo build -p millrace-host",
        ),
    }
}
