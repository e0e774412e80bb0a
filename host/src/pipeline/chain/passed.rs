//! An output of one plugin as the next one's message.

use crate::record::{Header, Origin, Output, OwnedHeader, Record, Timestamp, Verdict};

/// A record with what would go out of it. It has the record's offset, and what the
/// output does not set.
pub struct Passed<'a, R: ?Sized> {
    source: &'a R,
    output: &'a Output,
}

impl<'a, R: Record> Passed<'a, R> {
    /// A message for each output, in order.
    pub fn all(records: &'a [R], verdicts: &'a [Verdict]) -> Vec<Self> {
        let of = |(source, verdict): (&'a R, &'a Verdict)| {
            let outputs = verdict.outputs().unwrap_or_default();
            outputs.iter().map(move |output| Self { source, output })
        };
        records.iter().zip(verdicts).flat_map(of).collect()
    }
}

impl<R: Record + ?Sized> Record for Passed<'_, R> {
    fn key(&self) -> Option<&[u8]> {
        self.output.key.resolve(self.source.key())
    }

    fn value(&self) -> Option<&[u8]> {
        self.output.value.resolve(self.source.value())
    }

    fn headers(&self) -> Vec<Header<'_>> {
        let mut headers = match self.output.headers.keep_source() {
            true => self.source.headers(),
            false => Vec::new(),
        };
        let own = self.output.headers.own().iter();
        headers.extend(own.map(OwnedHeader::borrowed));
        headers
    }

    fn offset(&self) -> i64 {
        self.source.offset()
    }

    fn timestamp(&self) -> Timestamp {
        let set = self.output.timestamp.map(Timestamp::Create);
        set.unwrap_or_else(|| self.source.timestamp())
    }

    fn origin(&self) -> Option<&Origin> {
        self.source.origin()
    }
}
