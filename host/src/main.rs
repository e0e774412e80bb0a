//! The `host` command: arguments, logging, one command, and an error with its
//! causes if there is one.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use millrace_host::cli::{self, Arguments};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            // Nobody is left to tell if stderr is closed.
            let _ = print(&failed);
            ExitCode::from(failed.status)
        }
    }
}

fn print(failed: &cli::Failed) -> std::io::Result<()> {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "error: {}", failed.error)?;
    let mut causes = failed.error.chain().skip(1).peekable();
    if causes.peek().is_some() {
        writeln!(stderr, "\nCaused by:")?;
    }
    for cause in causes {
        writeln!(stderr, "    {cause}")?;
    }
    Ok(())
}
