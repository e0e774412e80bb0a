//! What Confluent's clients put before a message: a zero byte, the schema's id in
//! four bytes (big-endian), and which message of the schema's file it is. That is a
//! list of indexes, as zigzag varints, the count before it: of a message in the
//! file, of a message in that one, and so on. An empty list is short for [0].

use millrace_sdk::Result;

/// The zero byte and the id.
const HEAD: usize = 5;

/// The indexes of the message that a payload holds, and where the message begins.
pub fn read(payload: &[u8]) -> Result<(Vec<u32>, usize)> {
    let (head, mut rest) = payload
        .split_at_checked(HEAD)
        .ok_or_else(|| format!("not framed: it has {} bytes, and a frame 6", payload.len()))?;
    if head[0] != 0 {
        return Err(format!("not framed: it begins with the byte {}, not 0", head[0]).into());
    }
    let indexes = indexes(&mut rest).map_err(|why| format!("not framed: {why}"))?;
    Ok((indexes, payload.len() - rest.len()))
}

fn indexes(rest: &mut &[u8]) -> Result<Vec<u32>> {
    let count = number(rest)?;
    // Each is a byte at least.
    if usize::try_from(count)? > rest.len() {
        return Err(format!("{count} message indexes in {} bytes", rest.len()).into());
    }
    match count {
        0 => Ok(vec![0]),
        count => (0..count).map(|_| number(rest)).collect(),
    }
}

/// A zigzag varint that is no less than 0.
fn number(rest: &mut &[u8]) -> Result<u32> {
    let mut zigzag = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first().ok_or("it ends in its message indexes")?;
        *rest = after;
        zigzag |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if zigzag & 1 == 1 {
                return Err(format!("a message index of -{}", zigzag / 2 + 1).into());
            }
            return Ok(u32::try_from(zigzag >> 1)?);
        }
    }
    Err("a message index of more than 5 bytes".into())
}

/// The bytes before each message.
pub fn write(id: u32, indexes: &[u32]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend(id.to_be_bytes());
    match indexes {
        [0] => frame.push(0),
        indexes => {
            // As a count never is above u32: a message is in no more than a few others.
            put(&mut frame, indexes.len() as u64);
            for index in indexes {
                put(&mut frame, u64::from(*index));
            }
        }
    }
    frame
}

fn put(frame: &mut Vec<u8>, number: u64) {
    prost::encoding::encode_varint(number << 1, frame);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_written_as_others_do() {
        for (indexes, bytes) in [
            (vec![0], &[0][..]),
            (vec![1], &[2, 2]),
            (vec![0, 0], &[4, 0, 0]),
            (vec![3, 1], &[4, 6, 2]),
            (vec![63], &[2, 126]),
            (vec![64], &[2, 0x80, 1]),
            (vec![1000, 2, 0], &[6, 0xd0, 0x0f, 4, 0]),
        ] {
            let frame = [&[0, 0, 1, 2, 3], bytes].concat();
            assert_eq!(write(0x01_02_03, &indexes), frame, "{indexes:?}");
            let payload = [&frame[..], b"rest"].concat();
            assert_eq!(read(&payload).unwrap(), (indexes, frame.len()));
        }
        // The long form of [0].
        assert_eq!(read(&[0, 0, 0, 0, 9, 2, 0]).unwrap(), (vec![0], 7));
    }

    #[test]
    fn what_is_no_frame_says_why() {
        for (payload, why) in [
            (&b""[..], "it has 0 bytes, and a frame 6"),
            (&[0, 0, 0, 0], "it has 4 bytes, and a frame 6"),
            (b"{\"id\":1}", "it begins with the byte 123, not 0"),
            (&[0, 0, 0, 0, 1], "it ends in its message indexes"),
            (&[0, 0, 0, 0, 1, 4, 2], "2 message indexes in 1 bytes"),
            (
                &[0, 0, 0, 0, 1, 4, 2, 0x80],
                "it ends in its message indexes",
            ),
            (&[0, 0, 0, 0, 1, 1], "a message index of -1"),
            (&[0, 0, 0, 0, 1, 2, 3], "a message index of -2"),
            (
                &[0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f],
                "2147483647 message indexes in 0 bytes",
            ),
            (
                &[0, 0, 0, 0, 1, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
                "a message index of more than 5 bytes",
            ),
        ] {
            let error = read(payload).unwrap_err().to_string();
            assert_eq!(error, format!("not framed: {why}"));
        }
    }
}
