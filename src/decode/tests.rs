//! Every case whole and split at every byte, in batches of 1, 2 and 2,048 records: always the same.

mod csv;
mod json;

use super::{Chunk, Cursor, Decoder, Format, Framer, Header};
use crate::limits::{CHUNK_BYTES, RECORD_BYTES, REJECTED_RAW_BYTES};
use crate::value::Type;
use crate::value::column::{Column, Form, Source};
use crate::value::vector::{Batch, Data};

/// The one-line form of what an object holds: `offset:value|value` a record, `offset!column:reason` a bad one,
/// `FAULT offset:reason` at the end.
fn read(
    format: &Format,
    columns: &[Column],
    object: &[u8],
    chunk_bytes: usize,
    max_rows: usize,
    feed: usize,
) -> Vec<String> {
    let framer = framer(format, columns).with_chunk_bytes(chunk_bytes);
    read_framed(framer, format, columns, object, max_rows, feed)
}

fn framer(format: &Format, columns: &[Column]) -> Framer {
    Framer::new(format, columns, 7, "file:///o".into())
}

fn read_framed(
    mut framer: Framer,
    format: &Format,
    columns: &[Column],
    object: &[u8],
    max_rows: usize,
    feed: usize,
) -> Vec<String> {
    let mut decoder = Decoder::new(format, columns.to_vec());
    let mut lines = Vec::new();
    let mut left = object;
    loop {
        match framer.next() {
            Err(fault) => {
                lines.push(format!("FAULT {}:{}", fault.offset, fault.reason));
                return lines;
            }
            Ok(Some(chunk)) => {
                if let Err(fault) = read_chunk(&mut decoder, &chunk, max_rows, &mut lines) {
                    lines.push(fault);
                    return lines;
                }
                framer.recycle(chunk.bytes);
            }
            Ok(None) if left.is_empty() && framer.has_ended() => return lines,
            Ok(None) => {
                let room = framer.room();
                let count = room.len().min(left.len()).min(feed);
                assert!(!room.is_empty(), "room after None");
                room[..count].copy_from_slice(&left[..count]);
                left = &left[count..];
                framer.filled(count);
            }
        }
    }
}

fn read_chunk(
    decoder: &mut Decoder,
    chunk: &Chunk,
    max_rows: usize,
    lines: &mut Vec<String>,
) -> Result<(), String> {
    let mut cursor = Cursor::default();
    let mut batch = Batch::default();
    while !cursor.is_at_end(chunk) {
        let before = cursor;
        let mut rejects = Vec::new();
        decoder
            .decode(chunk, &mut cursor, max_rows, &mut batch, &mut rejects)
            .map_err(|fault| format!("FAULT {}:{}", fault.offset, fault.reason))?;
        assert!(cursor != before, "the cursor moves");
        assert!(batch.rows + rejects.len() <= max_rows);
        assert_eq!(batch.input, 7);
        let mut found = Vec::new();
        for row in 0..batch.rows {
            let values: Vec<String> = batch
                .columns
                .iter()
                .map(|column| {
                    assert_eq!(column.len(), batch.rows);
                    match (&column.data, column.valid.is_valid(row)) {
                        (_, false) => "NULL".into(),
                        (Data::Boolean(values), _) => values[row].to_string(),
                        (Data::Int(values), _) => values[row].to_string(),
                        (Data::Wide(values), _) => values[row].to_string(),
                        (Data::Double(values), _) => format!("{:?}", values[row]),
                        (Data::Text(texts), _) => {
                            String::from_utf8(texts.bytes(row).to_vec()).unwrap()
                        }
                    }
                })
                .collect();
            found.push((
                batch.records[row],
                format!("{}:{}", batch.offsets[row], values.join("|")),
            ));
            assert!(
                !decoder.record_at(chunk, batch.offsets[row]).is_empty()
                    || values.iter().all(|v| v == "NULL")
            );
        }
        for reject in rejects {
            let column = reject
                .column
                .map_or(String::new(), |column| column.to_string());
            let raw = &chunk.bytes[reject.raw.clone()];
            if reject.column.is_some() {
                assert_eq!(
                    raw,
                    decoder.record_at(chunk, reject.offset),
                    "raw of {}",
                    reject.reason
                );
            }
            found.push((
                reject.record,
                format!("{}!{column}:{}", reject.offset, reject.reason),
            ));
        }
        found.sort_by_key(|(record, _)| *record);
        for (expected, (record, _)) in (before.record..).zip(&found) {
            assert_eq!(
                u64::from(*record),
                expected,
                "records are numbered without gaps"
            );
        }
        assert_eq!(cursor.record, before.record + found.len() as u64);
        lines.extend(found.into_iter().map(|(_, line)| line));
    }
    Ok(())
}

/// Reads the object in every way and asserts that each gives `want`: lines, where a trailing `…` stands for anything.
fn check(name: &str, format: &Format, columns: &[Column], object: &[u8], want: &[&str]) {
    let whole = read(format, columns, object, 1 << 20, 2_048, usize::MAX);
    let fits = whole.len() == want.len()
        && whole
            .iter()
            .zip(want)
            .all(|(line, want)| match want.strip_suffix('…') {
                Some(start) => line.starts_with(start),
                None => line == want,
            });
    assert!(fits, "{name}:\n got {whole:#?}\nwant {want:#?}");
    let sizes = (1..=object.len().min(70)).chain([object.len().max(1)]);
    for size in sizes {
        for max_rows in [1, 2, 2_048] {
            let split = read(format, columns, object, size, max_rows, usize::MAX);
            assert_eq!(split, whole, "{name}: chunks of {size}, {max_rows} rows");
        }
        let dripping = read(format, columns, object, size, 2_048, 1);
        assert_eq!(dripping, whole, "{name}: chunks of {size}, byte by byte");
        let stored = framer(format, columns).for_stored(size as u64);
        let stored = read_framed(stored, format, columns, object, 2_048, usize::MAX);
        assert_eq!(stored, whole, "{name}: stored in {size} bytes");
    }
}

/// Half a megabyte for each of a hundred thousand objects of a few bytes took ten times as long as to read them.
#[test]
fn f126_a_small_object_takes_little_room() {
    for (stored, want) in [
        (0, 1),
        (5, 6),
        (CHUNK_BYTES as u64 - 1, CHUNK_BYTES),
        (CHUNK_BYTES as u64, CHUNK_BYTES),
        (u64::MAX, CHUNK_BYTES),
    ] {
        let mut framer = framer(&json::LINES, &[]).for_stored(stored);
        assert_eq!(framer.room().len(), want, "{stored}");
    }
}

fn column(name: &str, form: Form, source: Source) -> Column {
    Column {
        name: name.into(),
        form,
        source,
        not_null: false,
    }
}

fn by_name(name: &str, ty: Type) -> Column {
    column(name, Form::Plain(ty), Source::Header(name.into()))
}

fn csv(header: Header) -> Format {
    Format::Csv {
        header,
        delimiter: b',',
        null: None,
    }
}

/// At a limit that is small enough to go through every line end and chunk size; the real one is the framer's own.
#[test]
fn f055_the_longest_record_works_and_one_byte_more_is_bad() {
    const LIMIT: usize = REJECTED_RAW_BYTES + 100;
    let key = [json::field("a", Type::Varchar)];
    let position = [column("a", Form::Plain(Type::Varchar), Source::Position(1))];
    let one_field = csv(Header::Absent);
    let too_long = "expected a record of at most 16777216 bytes, found a longer one";
    for (name, format, columns, before, after, sign) in [
        ("csv", &one_field, &position, "", "", "FAULT 0:"),
        ("quoted", &one_field, &position, "\"", "\"", "FAULT 0:"),
        ("ndjson", &json::LINES, &key, "{\"a\":\"", "\"}", "0!:"),
        (
            "json",
            &json::DOCUMENT,
            &key,
            "{\"a\":\"",
            "\"}",
            "FAULT 0:",
        ),
    ] {
        let line_ends: &[&str] = if name == "json" {
            &[""]
        } else {
            &["", "\n", "\r\n"]
        };
        for (line_end, chunk_bytes) in line_ends
            .iter()
            .flat_map(|line_end| [1, 1_000, LIMIT].map(|chunk_bytes| (line_end, chunk_bytes)))
        {
            for more in [0, 1] {
                let fill = "x".repeat(LIMIT + more - before.len() - after.len());
                let object = format!("{before}{fill}{after}{line_end}");
                let mut framer = framer(format, columns).with_chunk_bytes(chunk_bytes);
                assert_eq!(framer.record_bytes, RECORD_BYTES);
                framer.record_bytes = LIMIT;
                let want = match more {
                    0 => format!("0:{fill}"),
                    _ => format!("{sign}{too_long}"),
                };
                let lines = read_framed(
                    framer,
                    format,
                    columns,
                    object.as_bytes(),
                    2_048,
                    usize::MAX,
                );
                assert!(lines == [want], "{name} {more} {line_end:?} {chunk_bytes}");
            }
        }
    }
}

#[test]
fn f055_an_endless_line_takes_no_memory_and_reading_goes_on_behind_it() {
    let format = Format::Ndjson { records: None };
    let mut framer = framer(&format, &[]);
    let mut chunks = Vec::new();
    let mut give = |framer: &mut Framer, mut input: &[u8]| {
        while !input.is_empty() {
            let room = framer.room();
            assert!(
                room.len() <= RECORD_BYTES + 2,
                "the buffer does not grow past a record"
            );
            let count = room.len().min(input.len());
            room[..count].copy_from_slice(&input[..count]);
            input = &input[count..];
            framer.filled(count);
            while let Some(chunk) = framer.next().unwrap() {
                chunks.push(chunk);
            }
        }
    };
    give(&mut framer, b"{}\n");
    let mebibyte = vec![b'y'; 1 << 20];
    for _ in 0..50 {
        give(&mut framer, &mebibyte);
    }
    give(&mut framer, b"\n{}\n");
    framer.filled(0);
    while let Some(chunk) = framer.next().unwrap() {
        chunks.push(chunk);
    }
    let found: Vec<_> = chunks
        .iter()
        .map(|chunk| (chunk.offset, chunk.bytes.len(), chunk.oversize))
        .collect();
    let long = 50 << 20;
    assert_eq!(
        found,
        [
            (0, 3, None),
            (3, REJECTED_RAW_BYTES, Some(long)),
            (3 + long + 1, 3, None)
        ]
    );
}
