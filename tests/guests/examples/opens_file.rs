//! Reads the file that the value names: a host that gives none refuses it at load.

use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};

struct OpensFile;

impl Transform for OpensFile {
    fn new(_config: &str) -> Result<Self> {
        Ok(OpensFile)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        Ok(Output::value(std::fs::read(message.value_str()?)?).into())
    }
}

millrace_sdk::plugin!(OpensFile);
