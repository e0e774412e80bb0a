//! Confluent's framing: a zero byte and the schema's id, big-endian, before the data.
//! (docs.confluent.io, "Schema Registry wire format")

const MAGIC: u8 = 0;
/// In bytes.
pub const LENGTH: usize = 5;
/// Registries count in Java's `int`, and take a larger number for a wrong path.
const LARGEST: u32 = i32::MAX.cast_unsigned();

/// The schema's id, and the data behind the frame.
pub fn open(bytes: &[u8]) -> Result<(u32, &[u8]), String> {
    match bytes {
        [MAGIC, a, b, c, d, data @ ..] => {
            let id = u32::from_be_bytes([*a, *b, *c, *d]);
            match id > LARGEST {
                false => Ok((id, data)),
                true => Err(format!(
                    "its schema id {id} can be none: the largest one is {LARGEST}"
                )),
            }
        }
        [] => Err("it is empty, and has no schema id (an empty payload is no null)".to_owned()),
        [MAGIC, rest @ ..] => Err(format!(
            "it ends within its schema id: {} of 4 bytes are there",
            rest.len()
        )),
        [first, ..] => Err(format!(
            "it is not framed: it begins with byte {first:#04x}, and a payload with a schema id \
             begins with 0x00"
        )),
    }
}

/// Begins a payload.
pub fn begin(id: u32, into: &mut Vec<u8>) {
    into.reserve(LENGTH);
    into.push(MAGIC);
    into.extend_from_slice(&id.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_can_be_opened() {
        let mut payload = Vec::new();
        begin(0x0102_0304, &mut payload);
        payload.extend_from_slice(b"data");
        assert_eq!(payload, b"\0\x01\x02\x03\x04data");
        assert_eq!(open(&payload), Ok((0x0102_0304, &b"data"[..])));
        assert_eq!(open(&payload[..5]), Ok((0x0102_0304, &b""[..])));
    }

    #[test]
    fn what_is_no_frame_says_why() {
        assert!(open(b"").unwrap_err().contains("is empty"));
        assert!(open(b"\0\0\0").unwrap_err().contains("2 of 4 bytes"));
        let id = open(b"\0\x80\0\0\0x").unwrap_err();
        assert!(id.contains("2147483648"), "{id}");
        assert!(open(b"\0\x7f\xff\xff\xff").is_ok());
        assert!(open(b"{\"id\":1}").unwrap_err().contains("byte 0x7b"));
    }
}
