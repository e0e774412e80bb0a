//! One request of Kafka's protocol: the frame as it came, and what of it a test
//! has to know. <https://kafka.apache.org/protocol> names the fields.

use std::io::{self, Read};

/// A kind of request, by its API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api(pub i16);

impl Api {
    pub const PRODUCE: Api = Api(0);
    pub const HEARTBEAT: Api = Api(12);
    pub const INIT_PRODUCER_ID: Api = Api(22);
    pub const ADD_PARTITIONS_TO_TXN: Api = Api(24);
    pub const ADD_OFFSETS_TO_TXN: Api = Api(25);
    pub const END_TXN: Api = Api(26);
    pub const TXN_OFFSET_COMMIT: Api = Api(28);

    /// From which version on its strings are compact and its header has tagged
    /// fields, where its body begins with a transactional id.
    fn flexible_if_transactional(self) -> Option<i16> {
        match self {
            Api::PRODUCE => Some(9),
            Api::INIT_PRODUCER_ID => Some(2),
            Api::ADD_PARTITIONS_TO_TXN
            | Api::ADD_OFFSETS_TO_TXN
            | Api::END_TXN
            | Api::TXN_OFFSET_COMMIT => Some(3),
            _ => None,
        }
    }
}

/// One request.
#[derive(Debug)]
pub struct Request {
    pub api: Api,
    pub client_id: String,
    /// Of a request of a transactional producer's, `Metadata` and the like
    /// excepted.
    pub transactional_id: Option<String>,
    pub(super) correlation: i32,
    pub(super) flexible: bool,
    /// All of it but the length before it.
    pub(super) frame: Vec<u8>,
}

impl Request {
    /// Whether it is of this kind and of the producer with this transactional
    /// id.
    pub fn is(&self, api: Api, transactional_id: &str) -> bool {
        self.api == api && self.transactional_id.as_deref() == Some(transactional_id)
    }

    pub(super) fn parse(frame: Vec<u8>) -> Option<Request> {
        let mut rest = Fields(&frame);
        let api = Api(rest.i16()?);
        let version = rest.i16()?;
        let correlation = rest.i32()?;
        // Compact in no version.
        let client_id = rest.string()?;
        let first_flexible = api.flexible_if_transactional();
        let flexible = first_flexible.is_some_and(|first| version >= first);
        let transactional_id = match (first_flexible, flexible) {
            (None, _) => None,
            (Some(_), false) => rest.string()?,
            (Some(_), true) => {
                rest.tagged_fields()?;
                rest.compact_string()?
            }
        };
        Some(Request {
            api,
            client_id: client_id.unwrap_or_default(),
            transactional_id,
            correlation,
            flexible,
            frame,
        })
    }
}

/// Reads one frame: a length, and so many bytes, which are returned.
pub(super) fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    let mut frame = vec![0; usize::try_from(length).expect("64 bits")];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

/// The frame with its length before it, to be written at once.
pub(super) fn with_length(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).expect("it came as one");
    [&length.to_be_bytes(), frame].concat()
}

/// What is still to be read of a frame.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    fn bytes(&mut self, count: usize) -> Option<&[u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = usize::from(*self.bytes(1)?.first()?);
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The inner none is null.
    fn string(&mut self) -> Option<Option<String>> {
        match usize::try_from(self.i16()?) {
            Err(_) => Some(None),
            Ok(length) => Some(Some(String::from_utf8_lossy(self.bytes(length)?).into())),
        }
    }

    /// The same, where the length is a varint and one more, and 0 is null.
    fn compact_string(&mut self) -> Option<Option<String>> {
        match self.varint()?.checked_sub(1) {
            None => Some(None),
            Some(length) => Some(Some(String::from_utf8_lossy(self.bytes(length)?).into())),
        }
    }

    fn tagged_fields(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.bytes(length)?;
        }
        Some(())
    }

    /// The error of an answer that begins with it, but for its header and the
    /// time that the client is to wait.
    pub(super) fn error_of_answer(&mut self, flexible: bool) -> Option<i16> {
        let _correlation = self.i32()?;
        if flexible {
            self.tagged_fields()?;
        }
        let _throttle = self.i32()?;
        self.i16()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `EndTxn` of this version of the client `c` and the producer `tx`.
    fn end_txn(version: u8, before_id: &[u8], id: &[u8]) -> Request {
        let header = [0, 26, 0, version, 0, 0, 0, 7, 0, 1, b'c'];
        let rest = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1];
        let frame = [&header, before_id, id, &rest].concat();
        Request::parse(frame).expect("it is whole")
    }

    #[test]
    fn a_request_says_whose_it_is_in_both_encodings() {
        let classic = end_txn(1, &[], b"\x00\x02tx");
        let flexible = end_txn(3, &[0], b"\x03tx");
        let tagged = end_txn(3, &[1, 5, 2, 1, 2], b"\x03tx");
        for request in [classic, flexible, tagged] {
            assert!(request.is(Api::END_TXN, "tx"));
            assert_eq!(request.client_id, "c");
            assert_eq!(request.correlation, 7);
        }
    }

    #[test]
    fn a_request_without_a_transaction_has_no_transactional_id() {
        let null = Request::parse(vec![0, 0, 0, 7, 0, 0, 0, 1, 255, 255, 255, 255, 0, 1]);
        let null = null.expect("it is whole");
        assert_eq!(null.api, Api::PRODUCE);
        assert_eq!(null.transactional_id, None);
        assert_eq!(null.client_id, "");
    }

    #[test]
    fn what_is_cut_off_is_no_request() {
        assert!(Request::parse(vec![0, 26, 0, 1, 0, 0]).is_none());
        assert!(Request::parse(vec![0, 26, 0, 1, 0, 0, 0, 1, 0, 9, b'c']).is_none());
    }
}
