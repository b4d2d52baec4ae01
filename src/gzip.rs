//! gzip, both ways and only here (RFC 1952): inputs of several members by their first bytes, artifacts whose bytes
//! depend on nothing but their content.

use std::fmt::Debug;
use std::io::{self, BufRead, BufReader, Read, Write};

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
