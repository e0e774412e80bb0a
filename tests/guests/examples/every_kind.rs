//! One file that is a transform, a deserializer and a serializer: each says which
//! it is.

use millrace_sdk::{
    Deserializer, Message, Output, Place, Result, Serializer, Source, Transform, Verdict, log,
};

struct Every;

impl Transform for Every {
    fn new(_config: &str) -> Result<Self> {
        Ok(Every)
    }

    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        log::debug!("a record");
        Ok(Output::value("transform").into())
    }
}

impl Deserializer for Every {
    fn new(_config: &str) -> Result<Self> {
        Ok(Every)
    }

    fn deserialize(&mut self, _payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
        log::debug!("a payload");
        Ok("deserializer".into())
    }
}

impl Serializer for Every {
    fn new(_config: &str) -> Result<Self> {
        Ok(Every)
    }

    fn serialize(&mut self, _payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
        Ok("serializer".into())
    }
}

millrace_sdk::plugin!(transform: Every, deserializer: Every, serializer: Every);
