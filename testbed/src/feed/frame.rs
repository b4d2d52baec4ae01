//! Frames of RFC 6455 as bytes. What is sent may break every rule on purpose; what a client sends is read strictly.
//! Own code, so that a mistake of the worker's library cannot be hidden by the same mistake here.

use std::io::{self, Read};

/// Opcodes of RFC 6455, section 5.2.
pub const CONTINUATION: u8 = 0;
/// A text message.
pub const TEXT: u8 = 1;
/// A binary message.
pub const BINARY: u8 = 2;
/// The end of a connection, with code and reason.
pub const CLOSE: u8 = 8;
/// A question whether the other is there.
pub const PING: u8 = 9;
/// Its answer.
pub const PONG: u8 = 10;

/// The longest payload of a control frame.
const CONTROL_BYTES: u64 = 125;
/// The longest payload taken from a client: far more than any subscription.
const CLIENT_BYTES: u64 = 1 << 20;

/// One frame; what its bits say need not be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it ends its message.
    pub is_last: bool,
    /// The three reserved bits, 4 for the first.
    pub reserved: u8,
    /// Opcode, 0 to 15.
    pub opcode: u8,
    /// The masking key, which only a client may use.
    pub mask: Option<[u8; 4]>,
    /// The length that is written, where it is not that of the payload.
    pub length: Option<u64>,
    /// Unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A whole frame with nothing odd.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Frame {
        Frame {
            is_last: true,
            reserved: 0,
            opcode,
            mask: None,
            length: None,
            payload: payload.into(),
        }
    }

    /// A close frame; without a code its payload is empty.
    pub fn close(code: Option<u16>, reason: &str) -> Frame {
        let mut payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
        payload.extend_from_slice(reason.as_bytes());
        Frame::new(CLOSE, payload)
    }

    /// The same, with more to come.
    #[must_use]
    pub fn unfinished(mut self) -> Frame {
        self.is_last = false;
        self
    }

    /// Its bytes on the wire.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let first = (u8::from(self.is_last) << 7) | ((self.reserved & 7) << 4) | (self.opcode & 15);
        out.push(first);
        let masked = u8::from(self.mask.is_some()) << 7;
        let length = self.length.unwrap_or(self.payload.len() as u64);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..=125), _) => out.push(masked | short),
            (_, Ok(middle)) => {
                out.push(masked | 126);
                out.extend_from_slice(&middle.to_be_bytes());
            }
            _ => {
                out.push(masked | 127);
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
        let Some(key) = self.mask else {
            out.extend_from_slice(&self.payload);
            return;
        };
        out.extend_from_slice(&key);
        out.extend(xor(&self.payload, key));
    }

    /// Its bytes alone.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.payload.len() + 14);
        self.write_to(&mut out);
        out
    }
}

fn xor(payload: &[u8], key: [u8; 4]) -> impl Iterator<Item = u8> {
    payload
        .iter()
        .zip(key.into_iter().cycle())
        .map(|(byte, key)| byte ^ key)
}

/// A message as frames of these payloads, with `between` in each gap.
pub fn fragments(opcode: u8, payloads: &[&[u8]], between: &[Frame]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for (place, payload) in payloads.iter().enumerate() {
        let opcode = if place == 0 { opcode } else { CONTINUATION };
        let frame = Frame::new(opcode, *payload);
        if place + 1 == payloads.len() {
            frames.push(frame);
        } else {
            frames.push(frame.unfinished());
            frames.extend_from_slice(between);
        }
    }
    frames
}

/// The next frame of a client; none where it closed between two.
///
/// Errors: `InvalidData` with the rule of RFC 6455, section 5, that a client broke; the connection's own.
pub fn read_client(reader: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 2];
    if reader.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut head[1..])?;
    let [first, second] = head;
    let opcode = first & 15;
    if first & 0x70 != 0 {
        return Err(broken(
            "reserved bits are set, and no extension was agreed on",
        ));
    }
    if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        return Err(broken("an opcode that is reserved"));
    }
    if second & 0x80 == 0 {
        return Err(broken("a client's frame that is not masked"));
    }
    let length = length(reader, second & 0x7f)?;
    let is_last = first & 0x80 != 0;
    if opcode >= CLOSE && (length > CONTROL_BYTES || !is_last) {
        return Err(broken("a control frame that is long or fragmented"));
    }
    if length > CLIENT_BYTES {
        return Err(broken("more than a mebibyte, which no subscription needs"));
    }
    let mut key = [0; 4];
    reader.read_exact(&mut key)?;
    let mut payload = Vec::new();
    reader.take(length).read_to_end(&mut payload)?;
    if payload.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let payload = xor(&payload, key).collect();
    Ok(Some(Frame {
        is_last,
        reserved: 0,
        opcode,
        mask: Some(key),
        length: None,
        payload,
    }))
}

/// The length behind its first seven bits, which must be written as short as it can be.
fn length(reader: &mut impl Read, short: u8) -> io::Result<u64> {
    let (length, least) = match short {
        126 => {
            let mut bytes = [0; 2];
            reader.read_exact(&mut bytes)?;
            (u64::from(u16::from_be_bytes(bytes)), 126)
        }
        127 => {
            let mut bytes = [0; 8];
            reader.read_exact(&mut bytes)?;
            (u64::from_be_bytes(bytes), 1 << 16)
        }
        short => (u64::from(short), 0),
    };
    match length < least {
        true => Err(broken("a length that is not as short as it can be")),
        false => Ok(length),
    }
}

fn broken(rule: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 6455, section 5.7.
    #[test]
    fn published_examples() {
        let hello = Frame::new(TEXT, "Hello");
        assert_eq!(hello.bytes(), b"\x81\x05Hello");
        let masked = Frame {
            mask: Some([0x37, 0xfa, 0x21, 0x3d]),
            ..hello
        };
        let wire = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(masked.bytes(), wire);
        assert_eq!(read_client(&mut &wire[..]).unwrap(), Some(masked));
        let parts = fragments(TEXT, &[b"Hel", b"lo"], &[]);
        let wire: Vec<u8> = parts.iter().flat_map(Frame::bytes).collect();
        assert_eq!(wire, b"\x01\x03Hel\x80\x02lo");
        let long = Frame::new(BINARY, vec![0; 256]).bytes();
        assert_eq!(long[..4], [0x82, 0x7e, 0x01, 0x00]);
        let longer = Frame::new(BINARY, vec![0; 65536]).bytes();
        assert_eq!(longer[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(Frame::close(Some(1000), "x").bytes(), b"\x88\x03\x03\xe8x");
    }

    #[test]
    fn what_a_client_may_not_do() {
        let client = |frame: Frame| Frame {
            mask: Some([1, 2, 3, 4]),
            ..frame
        };
        let mut long = vec![0x81, 0xfe, 0, 5, 1, 2, 3, 4];
        long.extend([0; 5]);
        for (rule, bytes) in [
            ("not masked", Frame::new(TEXT, "a").bytes()),
            ("opcode", client(Frame::new(3, "a")).bytes()),
            (
                "reserved bits",
                client(Frame {
                    reserved: 4,
                    ..Frame::new(TEXT, "a")
                })
                .bytes(),
            ),
            ("control frame", client(Frame::new(PING, [0; 126])).bytes()),
            (
                "control frame",
                client(Frame::new(PING, "a").unfinished()).bytes(),
            ),
            ("as short as", long),
        ] {
            let error = read_client(&mut &bytes[..]).unwrap_err();
            assert!(error.to_string().contains(rule), "{rule}: {error}");
        }
        assert_eq!(read_client(&mut &b""[..]).unwrap(), None);
        assert!(read_client(&mut &b"\x81"[..]).is_err());
    }
}
