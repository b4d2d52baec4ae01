//! gzip, both ways and only here (RFC 1952): inputs of several members by their first bytes, artifacts whose bytes
//! depend on nothing but their content.

use std::io::{self, BufReader, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

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
/// Compressed bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The content of an object: decompressed where its first bytes are gzip's, whatever its name.
///
/// # Errors
/// Those of `raw`. Damage is an error of the reader, of the kind `InvalidData` or `UnexpectedEof`.
pub fn content(raw: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, Compression)> {
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, raw);
    let mut start = Vec::with_capacity(MAGIC.len());
    raw.by_ref().take(2).read_to_end(&mut start)?;
    let is_gzip = start == MAGIC;
    let whole = io::Cursor::new(start).chain(raw);
    Ok(if is_gzip {
        let members = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole));
        (Box::new(members), Compression::Gzip)
    } else {
        (Box::new(whole), Compression::None)
    })
}

/// Why damaged gzip cannot be read on, where `cause` is damage and no failure of what is below it.
#[must_use]
pub fn damage(cause: &io::Error) -> Option<&'static str> {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => Some("its end in the middle of a member"),
        io::ErrorKind::InvalidInput => {
            Some("bytes that are no gzip, or a checksum or size that differs")
        }
        io::ErrorKind::InvalidData => Some("bytes that cannot be decompressed"),
        _ => None,
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
