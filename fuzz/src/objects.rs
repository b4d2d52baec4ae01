//! The bytes of objects: however they are cut into chunks and batches, the records are the same; JSON is what serde_json
//! takes for it.

use windrow::decode::{Cursor, Decoder, Format, Framer, Header};
use windrow::query::columns::{Family, parse_columns};
use windrow::value::column::Column;
use windrow::value::vector::Batch;

/// More than what is tried holds: chunk, batch and read are one.
const WHOLE: [usize; 3] = [8_192, 2_048, 8_192];

/// An object as CSV, with a header and without.
pub fn csv(bytes: &[u8]) {
    let format = |header, delimiter| Format::Csv {
        header,
        delimiter,
        null: Some(b"NA".to_vec()),
    };
    let positions = "x VARCHAR FROM 1, y BIGINT FROM 2";
    let (delimiter, bytes) = match bytes {
        [b't', rest @ ..] => (b'\t', rest),
        bytes => (b',', bytes),
    };
    for (header, family, columns) in [
        (Header::Absent, Family::CsvWithoutHeader, positions),
        (Header::Present, Family::Csv, "a VARCHAR, b DECIMAL(10,2)"),
        (Header::Present, Family::Csv, positions),
    ] {
        let columns = parse_columns(columns, family).expect("columns");
        cuts_do_not_show(&format(header, delimiter), &columns, bytes);
    }
}

/// An object as NDJSON.
pub fn ndjson(bytes: &[u8]) {
    let columns = parse_columns(
        "a VARCHAR, b BIGINT FROM x.y, c DOUBLE FROM z[0]",
        Family::Json,
    )
    .expect("columns");
    let format = Format::Ndjson { records: None };
    cuts_do_not_show(&format, &columns, bytes);
    let a = parse_columns("a VARCHAR", Family::Json).expect("columns");
    for line in bytes.split(|&byte| byte == b'\n') {
        one_opinion(&format, &a, line);
    }
}

fn cuts_do_not_show(format: &Format, columns: &[Column], bytes: &[u8]) {
    let whole = read(format, columns, bytes, WHOLE);
    for cut in [[1, 1, 1], [1, 2, 3], [7, 2_048, 5], [64, 3, 64]] {
        let found = read(format, columns, bytes, cut);
        assert_eq!(found, whole, "{cut:?}");
    }
}

/// Where serde_json reads an object with one `a`, so does windrow, and the text is the same.
fn one_opinion(format: &Format, columns: &[Column], line: &[u8]) {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(line) else {
        return;
    };
    let twice =
        line.windows(3).filter(|part| *part == b"\"a\"").count() > 1 || line.contains(&b'\\');
    if twice || depth(line) > 60 {
        return;
    }
    let found = read(format, columns, line, WHOLE);
    let want = match object.get("a") {
        None | Some(serde_json::Value::Null) => "0:NULL".to_owned(),
        Some(serde_json::Value::String(text)) => format!("0:{text:?}"),
        Some(_) => return,
    };
    // A byte-order mark or blanks may stand before the record.
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].split_once(':').map(|(_, values)| values),
        want.split_once(':').map(|(_, values)| values)
    );
}

fn depth(line: &[u8]) -> usize {
    line.iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
}

/// `offset:values` of each record, `offset!reason` of a bad one, in order; the fault last. `cut` is the size of chunks, of
/// batches, and of what is fed at a time.
fn read(
    format: &Format,
    columns: &[Column],
    bytes: &[u8],
    [chunk, rows, feed]: [usize; 3],
) -> Vec<String> {
    let mut framer = Framer::new(format, columns, 0, "file:///o".into()).with_chunk_bytes(chunk);
    let mut decoder = Decoder::new(format, columns.to_vec());
    let (mut lines, mut left) = (Vec::new(), bytes);
    loop {
        match framer.next() {
            Err(fault) => {
                lines.push(format!("FAULT {}:{}", fault.offset, fault.reason));
                return lines;
            }
            Ok(Some(chunk)) => {
                let (mut cursor, mut batch, mut rejects) =
                    (Cursor::default(), Batch::default(), Vec::new());
                let mut records = Vec::new();
                while !cursor.is_at_end(&chunk) {
                    rejects.clear();
                    if let Err(fault) =
                        decoder.decode(&chunk, &mut cursor, rows, &mut batch, &mut rejects)
                    {
                        lines.push(format!("FAULT {}:{}", fault.offset, fault.reason));
                        return lines;
                    }
                    assert!(
                        batch
                            .columns
                            .iter()
                            .all(|column| column.len() == batch.rows)
                    );
                    records.extend(
                        (0..batch.rows).map(|row| (batch.position(row).offset, shown(&batch, row))),
                    );
                    records.extend(
                        rejects
                            .iter()
                            .map(|reject| (reject.offset, format!("!{}", reject.reason))),
                    );
                }
                records.sort_by_key(|(offset, _)| *offset);
                lines.extend(
                    records
                        .into_iter()
                        .map(|(offset, text)| format!("{offset}:{text}")),
                );
                framer.recycle(chunk.bytes);
            }
            Ok(None) if left.is_empty() && framer.has_ended() => return lines,
            Ok(None) => {
                let room = framer.room();
                let count = room.len().min(left.len()).min(feed);
                room[..count].copy_from_slice(&left[..count]);
                left = &left[count..];
                framer.filled(count);
            }
        }
    }
}

fn shown(batch: &Batch, row: usize) -> String {
    let values = batch.columns.iter().map(|column| match column.value(row) {
        windrow::value::Value::Null => "NULL".to_owned(),
        windrow::value::Value::Text(text) => format!("{text:?}"),
        value => format!("{value:?}"),
    });
    values.collect::<Vec<_>>().join("|")
}
