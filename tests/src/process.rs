//! One child process: started so that it cannot outlive the test process,
//! signalled by its id, killed when dropped.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, getppid, kill_process, set_parent_process_death_signal};

use crate::wait::eventually;

/// A running or ended child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; `name` is for messages.
    pub fn spawn(name: &str, command: Command) -> Process {
        let child = spawn(command).unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Process {
            name: name.to_owned(),
            child,
            status: None,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child itself, to take its pipes from.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The exit status, if it has ended.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("a child can be waited for");
        }
        self.status
    }

    /// Sends a signal. One that has ended already gets none: its id may be
    /// another process's by now.
    pub fn signal(&mut self, signal: Signal) {
        if self.try_wait().is_none() {
            // It is our child and was not waited for, so that at worst it is a
            // zombie, which takes any signal.
            kill_process(Pid::from_child(&self.child), signal)
                .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
        }
    }

    /// Waits for the end; panics after `deadline`.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("{} (process {}) to end", self.name, self.id());
        eventually(deadline, &what, || self.try_wait())
    }

    /// Waits for the end and says whether it came within `deadline`.
    pub fn ends_within(&mut self, deadline: Duration) -> bool {
        let start = std::time::Instant::now();
        while self.try_wait().is_none() {
            if start.elapsed() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        if self.try_wait().is_none() {
            self.child.kill().expect("a child can be killed");
            self.status = Some(self.child.wait().expect("a child can be waited for"));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a child that the kernel kills when this process dies, however it
/// dies. That promise is tied to the *thread* that forks, and a test's thread
/// ends with its test, so one thread that never ends starts all children.
fn spawn(mut command: Command) -> io::Result<Child> {
    type Job = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();

    let parent = Pid::from_raw(i32::try_from(std::process::id()).expect("an id is an i32"));
    // SAFETY: between fork and exec only two system calls are made; nothing
    // is allocated and no lock is taken.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the line above.
            if getppid() != parent {
                return Err(io::Error::from_raw_os_error(
                    rustix::io::Errno::SRCH.raw_os_error(),
                ));
            }
            Ok(())
        });
    }

    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || {
                for (mut command, answer) in inbox {
                    // A receiver that is gone dropped the child's owner too.
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread can be started");
        Mutex::new(jobs)
    });
    let (answer, child) = mpsc::channel();
    spawner
        .lock()
        .expect("sending does not panic")
        .send((command, answer))
        .expect("the spawner never ends");
    child.recv().expect("the spawner answers every job")
}
