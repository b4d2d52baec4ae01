//! gzip, both ways and only here (RFC 1952): inputs of several members by their first bytes, artifacts whose bytes
//! depend on nothing but their content.

use std::io::{self, BufReader, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::limits::CAPTURE_LEVEL;

/// Whether bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// gzip
    Gzip,
}

impl Compression {
    /// The word that documents use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
        }
    }
}

/// The first bytes of every gzip file (RFC 1952, section 2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// How many first bytes tell what is gzip.
pub const MAGIC_BYTES: u64 = MAGIC.len() as u64;
/// Compressed bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The content of an object: decompressed where its first bytes are gzip's, whatever its name.
///
/// # Errors
/// Those of `raw`. Damage is an error of the reader, of the kind `InvalidInput` or `UnexpectedEof`.
pub fn content<'a>(raw: Box<dyn Read + 'a>) -> io::Result<(Box<dyn Read + 'a>, Compression)> {
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, raw);
    let mut start = Vec::with_capacity(MAGIC.len());
    raw.by_ref().take(2).read_to_end(&mut start)?;
    let is_gzip = is_magic(&start);
    let whole = io::Cursor::new(start).chain(raw);
    Ok(if is_gzip {
        let members = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole));
        (Box::new(members), Compression::Gzip)
    } else {
        (Box::new(whole), Compression::None)
    })
}

/// Whether an object that starts so is gzip.
#[must_use]
pub fn is_magic(start: &[u8]) -> bool {
    start == MAGIC
}

/// Why damaged gzip cannot be read on, where `cause` is damage and no failure of what is below it.
#[must_use]
pub fn damage(cause: &io::Error) -> Option<&'static str> {
    // flate2 tells these apart by kind alone; a failure of what is below has other kinds. A wrong header, broken data and
    // a wrong trailer are of one kind.
    if cause.kind() == io::ErrorKind::UnexpectedEof {
        Some("their end in the middle of one")
    } else if cause.kind() == io::ErrorKind::InvalidInput {
        Some("bytes that are no gzip, or damaged: data, checksum or size are wrong")
    } else {
        None
    }
}

/// Compresses as bytes come. The same content gives the same bytes: no time, no name.
#[derive(Debug)]
pub struct Compressor(GzEncoder<Vec<u8>>);

impl Default for Compressor {
    fn default() -> Self {
        Self(GzEncoder::new(Vec::new(), flate2::Compression::default()))
    }
}

impl Compressor {
    /// For captures, which are compressed while messages come.
    #[must_use]
    pub fn fast() -> Self {
        let level = flate2::Compression::new(CAPTURE_LEVEL);
        Self(GzEncoder::new(Vec::new(), level))
    }

    /// Takes the next bytes of the content; gives the compressed ones that are ready.
    ///
    /// # Errors
    /// Those of the encoder, which has none of its own.
    pub fn write(&mut self, content: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(content)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    /// The rest of the compressed bytes.
    ///
    /// # Errors
    /// As [`Compressor::write`].
    pub fn finish(self) -> io::Result<Vec<u8>> {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::default();
        let start = compressor.write(text).unwrap();
        [start, compressor.finish().unwrap()].concat()
    }

    /// Gives one byte a call where `step` is 1: headers and trailers arrive in pieces.
    struct Slow(io::Cursor<Vec<u8>>, usize);

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let length = out.len().min(self.1);
            self.0.read(&mut out[..length])
        }
    }

    /// What is read, or whether it is damage; the same for every size of read.
    fn unzipped(bytes: &[u8]) -> Result<(Vec<u8>, Compression), &'static str> {
        let read = |step| {
            let raw = Slow(io::Cursor::new(bytes.to_vec()), step);
            let (mut reader, compression) = content(Box::new(raw)).unwrap();
            let mut text = Vec::new();
            match reader.read_to_end(&mut text) {
                Ok(_) => Ok((text, compression)),
                Err(cause) => Err(damage(&cause).unwrap()),
            }
        };
        let whole = read(usize::MAX);
        for step in [1, 2, 7] {
            assert_eq!(read(step), whole, "{step} bytes a read");
        }
        whole
    }

    fn changed(bytes: &[u8], at: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[at] = !bytes[at];
        bytes
    }

    #[test]
    fn f079_members_and_damage() {
        let (one, two) = (zipped(b"symbol,price\nA,1\n"), zipped(b"B,2\n"));
        let end = one.len();
        let both = || Some("symbol,price\nA,1\nB,2\n");
        for (name, bytes, want) in [
            ("one member", one.clone(), Some("symbol,price\nA,1\n")),
            ("two members", [&one[..], &two].concat(), both()),
            (
                "an empty one between",
                [&one[..], &zipped(b""), &two].concat(),
                both(),
            ),
            ("unknown method", changed(&one, 2), None),
            ("trailing garbage", [&one[..], b"x"].concat(), None),
            ("trailing zeros", [&one[..], &[0; 20]].concat(), None),
            ("wrong checksum", changed(&one, end - 8), None),
            ("wrong size", changed(&one, end - 4), None),
            ("broken data", changed(&one, 10), None),
        ] {
            let want = want.map(|text| (text.as_bytes().to_vec(), Compression::Gzip));
            assert_eq!(unzipped(&bytes).ok(), want, "{name}");
        }
        let both = [&one[..], &two].concat();
        for length in (2..both.len()).filter(|&length| length != end) {
            assert!(unzipped(&both[..length]).is_err(), "cut off at {length}");
        }
    }

    #[test]
    fn f080_contents_decide_what_is_gzip() {
        for (name, bytes, want, compression) in [
            ("empty", vec![], &b""[..], Compression::None),
            ("an empty member", zipped(b""), b"", Compression::Gzip),
            (
                "plain",
                b"a,b\n1,2\n".to_vec(),
                b"a,b\n1,2\n",
                Compression::None,
            ),
            ("one byte", b"x".to_vec(), b"x", Compression::None),
            ("half of the magic", vec![0x1f], b"\x1f", Compression::None),
            (
                "half, and another",
                vec![0x1f, b'x'],
                b"\x1fx",
                Compression::None,
            ),
        ] {
            assert_eq!(unzipped(&bytes), Ok((want.to_vec(), compression)), "{name}");
        }
    }

    #[test]
    fn f057_a_bomb_comes_out_piece_by_piece() {
        let bomb = zipped(&vec![0; 4 << 20]);
        assert!(bomb.len() < 8192, "{} bytes", bomb.len());
        let (mut reader, _) = content(Box::new(io::Cursor::new(bomb))).unwrap();
        let (mut out, mut total) = ([1; 777], 0);
        loop {
            match reader.read(&mut out).unwrap() {
                0 => break,
                count => total += count,
            }
        }
        assert_eq!(total, 4 << 20);
    }

    #[test]
    fn what_is_written_is_the_same_however_it_comes() {
        let text: Vec<u8> = (0..20_000_u32)
            .flat_map(|number| format!("{number},{}\n", number * number % 977).into_bytes())
            .collect();
        let whole = zipped(&text);
        assert_eq!(unzipped(&whole), Ok((text.clone(), Compression::Gzip)));
        for piece in [1, 1_000, 70_000] {
            let mut compressor = Compressor::default();
            let mut written = Vec::new();
            for part in text.chunks(piece) {
                written.extend(compressor.write(part).unwrap());
            }
            written.extend(compressor.finish().unwrap());
            assert_eq!(written, whole, "{piece} bytes a write");
        }
    }
}
