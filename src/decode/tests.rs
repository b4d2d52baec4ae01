//! Every case whole and split at every byte, in batches of 1, 2 and 2,048 records: always the same.

use std::sync::Arc;

use super::{Chunk, Cursor, Decoder, Format, Framer, Header, Reason};
use crate::value::Type;
use crate::value::column::{Column, Form, Path, Source, Step};
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
    let uri: Arc<str> = "file:///o".into();
    let mut framer = Framer::new(format, columns, 7, uri).with_chunk_bytes(chunk_bytes);
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
            if raw.len() as u64 == reject.total_bytes {
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

const DECIMAL: Type = Type::Decimal {
    precision: 10,
    scale: 2,
};

/// Cases over a file with a header, of which `a VARCHAR` and `b BIGINT` are read.
fn check_ab(cases: &[(&str, &[u8], &[&str])]) {
    let columns = [by_name("a", Type::Varchar), by_name("b", Type::BigInt)];
    for (name, object, want) in cases {
        check(name, &csv(Header::Present), &columns, object, want);
    }
}

const QUOTE_IN_FIELD: &str = "expected a field that holds a quote to be quoted itself, found…";
const AFTER_QUOTE: &str = "expected a delimiter or a line end after the closing quote, found…";

#[test]
fn f060_ends_of_lines_and_files() {
    check_ab(&[
        ("empty file", b"", &[]),
        ("header only", b"a,b\n", &[]),
        ("header only, no line end", b"a,b", &[]),
        ("header only, CRLF", b"a,b\r\n", &[]),
        ("one record", b"a,b\nx,1\n", &["4:x|1"]),
        ("no final newline", b"a,b\nx,1\ny,2", &["4:x|1", "8:y|2"]),
        ("CRLF", b"a,b\r\nx,1\r\ny,2\r\n", &["5:x|1", "10:y|2"]),
        (
            "CRLF, no final newline",
            b"a,b\r\nx,1\r\ny,2",
            &["5:x|1", "10:y|2"],
        ),
        (
            "mixed line ends",
            b"a,b\nx,1\r\ny,2\nz,3\r\n",
            &["4:x|1", "9:y|2", "13:z|3"],
        ),
        ("a carriage return ends the file", b"a,b\nx,1\r", &["4:x|1"]),
        (
            "lone carriage return",
            b"a,b\nx\ry,1\nz,2\n",
            &[
                "4!:expected a line feed after the carriage return, found…",
                "10:z|2",
            ],
        ),
        (
            "two carriage returns",
            b"a,b\nx,1\r\r\nz,2\n",
            &[
                "4!:expected a line feed after the carriage return, found…",
                "10:z|2",
            ],
        ),
        (
            "carriage return in quotes",
            b"a,b\n\"x\ry\",1\n",
            &["4:x\ry|1"],
        ),
        (
            "blank lines are no records of two fields",
            b"a,b\n\nx,1\n\r\n\ny,2\n\n",
            &["5:x|1", "12:y|2"],
        ),
    ]);
    let one = [by_name("a", Type::Varchar)];
    check(
        "a blank line is a record of one field",
        &csv(Header::Present),
        &one,
        b"a\nx\n\n\"\"\r\n\r\ny",
        &["2:x", "4:NULL", "5:NULL", "9:NULL", "11:y"],
    );
}
