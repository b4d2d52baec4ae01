//! gzip both ways (RFC 1952): inputs are recognised by their first bytes, whatever their name, and may have several
//! members; artifacts are written without name or time, so that the same rows give the same bytes (SPEC 1, 5).
//!
//! Memory is constant however well the data is compressed. Damage is told from failed reads: it is a [`Damage`] inside
//! the [`io::Error`]. flate2 does the compression; headers and trailers are read here, so that damage has a name.

use std::io::{self, BufRead, Read, Write};
use std::{error, fmt};

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// The first bytes of a member.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The only method of compression that RFC 1952 knows.
const DEFLATE: u8 = 8;
const HEADER_CHECK: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;
/// Header of what is written: deflate, no flags, no time, no hint, system unknown.
const HEADER: [u8; 10] = [MAGIC[0], MAGIC[1], DEFLATE, 0, 0, 0, 0, 0, 0, 255];
/// Compressed bytes that a writer holds.
const WRITER_BYTES: usize = 32 << 10;

/// What is wrong with compressed data (always 65).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The input ends inside a member.
    CutOff,
    /// A header that RFC 1952 does not allow, or whose own checksum is wrong.
    Header,
    /// Compressed data that cannot be.
    Data,
    /// The data's checksum differs from the trailer's.
    Checksum,
    /// The data's size differs from the trailer's.
    Size,
    /// Something else follows the last member.
    TrailingGarbage,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::CutOff => "gzip data that is cut off",
            Damage::Header => "a gzip header that is damaged",
            Damage::Data => "gzip data that is damaged",
            Damage::Checksum => "gzip data with a wrong checksum",
            Damage::Size => "gzip data with a wrong size",
            Damage::TrailingGarbage => "something else after the gzip data",
        })
    }
}

impl error::Error for Damage {}

impl Damage {
    /// The damage that a read failed of, if it did of one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(io::ErrorKind::InvalidData, damage)
    }
}

/// Reads what `inner` holds, decompressed if it begins as gzip does.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    stage: Stage,
    decompress: Decompress,
    crc: Crc,
    /// Bytes of plain input that were looked at and not given out yet.
    looked_at: Vec<u8>,
}

/// Where a reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was read.
    Begun,
    /// In plain input.
    Plain,
    /// In the data of a member.
    Member,
    /// Behind a member.
    Between,
    /// At the end of the input.
    Ended,
}

impl<R: BufRead> Reader<R> {
    /// A reader at the start of an object.
    #[must_use]
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            stage: Stage::Begun,
            decompress: Decompress::new(false),
            crc: Crc::new(),
            looked_at: Vec::new(),
        }
    }

    /// Whether the object is compressed; only known once something was read.
    #[must_use]
    pub fn is_gzip(&self) -> bool {
        !matches!(self.stage, Stage::Begun | Stage::Plain)
    }

    /// Back to the input.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The next compressed byte, `None` at the end of the input.
    fn next(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        loop {
            match self.inner.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(byte[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next byte of a header, which its checksum counts.
    fn header_byte(&mut self) -> io::Result<u8> {
        let byte = self.next()?.ok_or(Damage::CutOff)?;
        self.crc.update(&[byte]);
        Ok(byte)
    }

    /// Looks whether the object is compressed.
    fn begin(&mut self) -> io::Result<()> {
        for wanted in MAGIC {
            let byte = self.next()?;
            self.looked_at.extend(byte);
            if byte != Some(wanted) {
                self.stage = Stage::Plain;
                return Ok(());
            }
        }
        self.looked_at.clear();
        self.begin_member()
    }

    /// Reads a header behind its magic bytes.
    ///
    /// Source: RFC 1952, 2.3.
    fn begin_member(&mut self) -> io::Result<()> {
        self.stage = Stage::Member;
        self.crc.reset();
        self.crc.update(&MAGIC);
        let method = self.header_byte()?;
        let flags = self.header_byte()?;
        if method != DEFLATE || flags & RESERVED != 0 {
            return Err(Damage::Header.into());
        }
        // Time, hint, system.
        for _ in 0..6 {
            self.header_byte()?;
        }
        if flags & EXTRA != 0 {
            let length = u16::from_le_bytes([self.header_byte()?, self.header_byte()?]);
            for _ in 0..length {
                self.header_byte()?;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && self.header_byte()? != 0 {}
        }
        if flags & HEADER_CHECK != 0 {
            let [low, high, _, _] = self.crc.sum().to_le_bytes();
            if [self.header_byte()?, self.header_byte()?] != [low, high] {
                return Err(Damage::Header.into());
            }
        }
        self.crc.reset();
        self.decompress.reset(false);
        Ok(())
    }

    /// Decompresses into `out`, which is not empty; 0 at the end of the member.
    fn read_member(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.inner.fill_buf()?;
            let at_end = input.is_empty();
            let (before_in, before_out) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self
                .decompress
                .decompress(input, out, FlushDecompress::None)
                .map_err(|_| Damage::Data)?;
            let consumed = counted(self.decompress.total_in() - before_in);
            let produced = counted(self.decompress.total_out() - before_out);
            self.inner.consume(consumed);
            self.crc.update(out.get(..produced).unwrap_or_default());
            if status == Status::StreamEnd {
                self.end_member()?;
                return Ok(produced);
            }
            if produced > 0 {
                return Ok(produced);
            }
            if at_end {
                return Err(Damage::CutOff.into());
            }
            if consumed == 0 {
                return Err(Damage::Data.into());
            }
        }
    }

    /// Reads a trailer.
    fn end_member(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            *byte = self.next()?.ok_or(Damage::CutOff)?;
        }
        let [c0, c1, c2, c3, size @ ..] = trailer;
        if [c0, c1, c2, c3] != self.crc.sum().to_le_bytes() {
            return Err(Damage::Checksum.into());
        }
        // The size is that of the data modulo 2^32, as the checksum counts it.
        if size != self.crc.amount().to_le_bytes() {
            return Err(Damage::Size.into());
        }
        self.stage = Stage::Between;
        Ok(())
    }

    /// Looks for another member.
    fn begin_next(&mut self) -> io::Result<()> {
        for (index, wanted) in MAGIC.into_iter().enumerate() {
            match self.next()? {
                Some(byte) if byte == wanted => {}
                None if index == 0 => {
                    self.stage = Stage::Ended;
                    return Ok(());
                }
                _ => return Err(Damage::TrailingGarbage.into()),
            }
        }
        self.begin_member()
    }

    fn read_plain(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.looked_at.is_empty() {
            return self.inner.read(out);
        }
        let count = self.looked_at.len().min(out.len());
        for (to, from) in out.iter_mut().zip(self.looked_at.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

impl<R: BufRead> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.stage {
                Stage::Begun => self.begin()?,
                Stage::Between => self.begin_next()?,
                Stage::Plain => return self.read_plain(out),
                Stage::Ended => return Ok(0),
                Stage::Member => match self.read_member(out)? {
                    0 => {}
                    count => return Ok(count),
                },
            }
        }
    }
}

/// A count of bytes of a buffer.
fn counted(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Writes one member to `inner`. Without [`Writer::finish`] it is cut off: nothing is written when it is dropped.
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
    compress: Compress,
    crc: Crc,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer of an artifact.
    #[must_use]
    pub fn new(inner: W) -> Self {
        let mut buffer = Vec::with_capacity(WRITER_BYTES);
        buffer.extend_from_slice(&HEADER);
        Self {
            inner,
            compress: Compress::new(Compression::default(), false),
            crc: Crc::new(),
            buffer,
        }
    }

    /// Ends the member and gives `inner` back.
    pub fn finish(mut self) -> io::Result<W> {
        loop {
            let (_, status) = self.compress(&[], FlushCompress::Finish)?;
            if status == Status::StreamEnd {
                break;
            }
            self.empty()?;
        }
        self.buffer.extend_from_slice(&self.crc.sum().to_le_bytes());
        self.buffer
            .extend_from_slice(&self.crc.amount().to_le_bytes());
        self.empty()?;
        Ok(self.inner)
    }

    /// Compresses some of `input` into what room the buffer has, and says how much.
    fn compress(&mut self, input: &[u8], flush: FlushCompress) -> io::Result<(usize, Status)> {
        let before = self.compress.total_in();
        let status = self
            .compress
            .compress_vec(input, &mut self.buffer, flush)
            .map_err(io::Error::other)?;
        Ok((counted(self.compress.total_in() - before), status))
    }

    fn empty(&mut self) -> io::Result<()> {
        self.inner.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            if self.buffer.len() >= WRITER_BYTES / 2 {
                self.empty()?;
            }
            let (consumed, _) = self.compress(bytes, FlushCompress::None)?;
            if consumed > 0 {
                self.crc.update(bytes.get(..consumed).unwrap_or_default());
                return Ok(consumed);
            }
            self.empty()?;
        }
    }

    /// Passes on what is compressed so far; the compressor keeps what it still looks for repetitions in.
    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    /// Reads with every size of input buffer from one byte up; the same each time.
    fn unzipped(bytes: &[u8]) -> Result<Vec<u8>, Damage> {
        let read = |capacity| {
            let mut reader = Reader::new(io::BufReader::with_capacity(capacity, bytes));
            let mut text = Vec::new();
            match reader.read_to_end(&mut text) {
                Ok(_) => Ok(text),
                Err(error) => Err(Damage::of(&error).unwrap()),
            }
        };
        let whole = read(bytes.len().max(1));
        for capacity in 1..bytes.len().min(40) {
            assert_eq!(read(capacity), whole, "buffer of {capacity}");
        }
        whole
    }

    fn changed(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        bytes
    }

    #[test]
    fn f079_members_and_damage() {
        let one = zipped(b"symbol,price\nA,1\n");
        let two = zipped(b"B,2\n");
        let end = one.len();
        let flagged: Vec<u8> = [
            &[
                0x1f,
                0x8b,
                8,
                HEADER_CHECK | EXTRA | NAME | COMMENT,
                1,
                2,
                3,
                4,
                0,
                3,
            ][..],
            &[2, 0, b'x', b'y'],
            b"name\0comment\0",
        ]
        .concat();
        let mut crc = Crc::new();
        crc.update(&flagged);
        let check = crc.sum().to_le_bytes();
        let all_flags = [&flagged[..], &check[..2], &one[10..]].concat();
        let wrong_check = [&flagged[..], &[!check[0], check[1]], &one[10..]].concat();
        for (name, bytes, want) in [
            ("one member", one.clone(), Ok("symbol,price\nA,1\n")),
            (
                "two members",
                [&one[..], &two].concat(),
                Ok("symbol,price\nA,1\nB,2\n"),
            ),
            (
                "an empty member between",
                [&one[..], &zipped(b""), &two].concat(),
                Ok("symbol,price\nA,1\nB,2\n"),
            ),
            ("all header fields", all_flags, Ok("symbol,price\nA,1\n")),
            ("wrong header checksum", wrong_check, Err(Damage::Header)),
            ("unknown method", changed(&one, 2, 7), Err(Damage::Header)),
            ("reserved flag", changed(&one, 3, 0x80), Err(Damage::Header)),
            (
                "trailing garbage",
                [&one[..], b"x"].concat(),
                Err(Damage::TrailingGarbage),
            ),
            (
                "trailing zeros",
                [&one[..], &[0; 8]].concat(),
                Err(Damage::TrailingGarbage),
            ),
            (
                "half of the magic bytes behind",
                [&one[..], &[0x1f]].concat(),
                Err(Damage::TrailingGarbage),
            ),
            (
                "wrong checksum",
                changed(&one, end - 8, !one[end - 8]),
                Err(Damage::Checksum),
            ),
            (
                "wrong size",
                changed(&one, end - 4, !one[end - 4]),
                Err(Damage::Size),
            ),
            ("broken data", changed(&one, 10, 0xff), Err(Damage::Data)),
        ] {
            assert_eq!(
                unzipped(&bytes),
                want.map(|text| text.as_bytes().to_vec()),
                "{name}"
            );
        }
        for length in 2..end {
            assert_eq!(
                unzipped(&one[..length]),
                Err(Damage::CutOff),
                "cut off at {length}"
            );
        }
        for length in end + 2..end + two.len() {
            let cut = [&one[..], &two].concat()[..length].to_vec();
            assert_eq!(unzipped(&cut), Err(Damage::CutOff), "cut off at {length}");
        }
    }

    #[test]
    fn f080_contents_decide_what_is_gzip() {
        for (name, bytes, want, is_gzip) in [
            ("empty", vec![], "", false),
            ("an empty member", zipped(b""), "", true),
            ("plain", b"a,b\n1,2\n".to_vec(), "a,b\n1,2\n", false),
            ("one byte", b"x".to_vec(), "x", false),
            ("the first magic byte alone", vec![0x1f], "\u{1f}", false),
            (
                "the first magic byte and another",
                vec![0x1f, b'x'],
                "\u{1f}x",
                false,
            ),
        ] {
            assert_eq!(unzipped(&bytes), Ok(want.as_bytes().to_vec()), "{name}");
            let mut reader = Reader::new(&bytes[..]);
            let _ = reader.read(&mut [0; 8]).unwrap();
            assert_eq!(reader.is_gzip(), is_gzip, "{name}");
        }
    }

    #[test]
    fn f057_a_bomb_takes_constant_memory() {
        let zeros = vec![0; 1 << 20];
        let bomb = [zipped(&zeros), zipped(&zeros)].concat();
        assert!(bomb.len() < 4096, "{} bytes", bomb.len());
        let mut reader = Reader::new(&bomb[..]);
        let (mut out, mut total) = ([1; 777], 0);
        loop {
            match reader.read(&mut out).unwrap() {
                0 => break,
                count => {
                    assert!(out[..count].iter().all(|&byte| byte == 0));
                    total += count;
                }
            }
        }
        assert_eq!(total, 2 << 20);
    }

    #[test]
    fn what_is_written_is_the_same_however_it_comes() {
        let text: Vec<u8> = (0..20_000_u32)
            .flat_map(|number| format!("{},{}\n", number, number * number % 977).into_bytes())
            .collect();
        let whole = zipped(&text);
        assert_eq!(whole[..10], HEADER);
        let mut reader = Reader::new(&whole[..]);
        let mut back = Vec::new();
        reader.read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
        let mut writer = Writer::new(Vec::new());
        for piece in text.chunks(1_000) {
            writer.write_all(piece).unwrap();
            writer.flush().unwrap();
        }
        assert_eq!(writer.finish().unwrap(), whole);
    }
}
