//! What a feed sent: in memory for tests, as NDJSON for programs. A message stands here before its bytes go out, so
//! what a client got on a connection is always a beginning of what stands here for it.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When: microseconds since 1970.
    pub at_us: i64,
    /// On which connection of the feed, from 0.
    pub connection: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
struct Kept {
    sent: Vec<Sent>,
    count: u64,
    file: Option<(BufWriter<File>, Instant)>,
}

#[derive(Debug)]
pub(crate) struct Truth {
    kept: Mutex<Kept>,
    remembers: bool,
}

impl Truth {
    pub(crate) fn new(file: Option<&Path>, remembers: bool) -> io::Result<Truth> {
        let file = file.map(File::create).transpose()?;
        Ok(Truth {
            kept: Mutex::new(Kept {
                sent: Vec::new(),
                count: 0,
                file: file.map(|file| (BufWriter::new(file), Instant::now())),
            }),
            remembers,
        })
    }

    /// Errors: those of the file.
    pub(crate) fn keep(&self, sent: Sent) -> io::Result<()> {
        let mut kept = self.kept.lock().expect("nobody panics with the truth");
        kept.count += 1;
        if let Some((file, flushed)) = &mut kept.file {
            let line = match std::str::from_utf8(&sent.bytes) {
                Ok(text) => {
                    json!({"at_us": sent.at_us, "connection": sent.connection, "text": text})
                }
                Err(_) => {
                    json!({"at_us": sent.at_us, "connection": sent.connection, "base64": STANDARD.encode(&sent.bytes)})
                }
            };
            writeln!(file, "{line}")?;
            if flushed.elapsed().as_secs() >= 1 {
                file.flush()?;
                *flushed = Instant::now();
            }
        }
        if self.remembers {
            kept.sent.push(sent);
        }
        Ok(())
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.kept
            .lock()
            .expect("nobody panics with the truth")
            .sent
            .clone()
    }

    pub(crate) fn count(&self) -> u64 {
        self.kept
            .lock()
            .expect("nobody panics with the truth")
            .count
    }
}
