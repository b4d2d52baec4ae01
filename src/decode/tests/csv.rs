//! CSV, rows 60 to 69 of the fault catalogue.

use super::*;

const QUOTE_IN_FIELD: &str = "expected a field that holds a quote to be quoted itself, found…";
const AFTER_QUOTE: &str = "expected a delimiter or a line end after the closing quote, found…";
const LONE_RETURN: &str = "expected a line feed after the carriage return, found…";

/// Cases over a file with a header, of which `a VARCHAR` and `b BIGINT` are read.
fn check_ab(cases: &[(&str, &[u8], &[&str])]) {
    let columns = [by_name("a", Type::Varchar), by_name("b", Type::BigInt)];
    for (name, object, want) in cases {
        check(name, &csv(Header::Present), &columns, object, want);
    }
}

fn bad(offset: u64, reason: &str) -> String {
    format!("{offset}!:{reason}")
}

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
            &[&bad(4, LONE_RETURN), "10:z|2"],
        ),
        (
            "before a delimiter",
            b"a,b\nx\r,1\nz,2\n",
            &[&bad(4, LONE_RETURN), "9:z|2"],
        ),
        (
            "before a quote",
            b"a,b\n\r\"x\",1\nz,2\n",
            &[&bad(4, LONE_RETURN), "11:z|2"],
        ),
        (
            "two carriage returns",
            b"a,b\nx,1\r\r\nz,2\n",
            &[&bad(4, LONE_RETURN), "10:z|2"],
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

#[test]
fn f060_no_header() {
    let columns = [
        column("b", Form::Plain(Type::BigInt), Source::Position(2)),
        column("a", Form::Plain(Type::Varchar), Source::Position(1)),
    ];
    let counted = csv(Header::Absent);
    let few = "expected 3 fields, found 2";
    check(
        "counted in the first record",
        &counted,
        &columns,
        b"\n\r\nx,1,q\ny,2\nz,3,r\n",
        &["3:1|x", &format!("9!:{few}"), "13:3|z"],
    );
    check(
        "a position past the first record",
        &counted,
        &columns,
        b"x\ny,2\n",
        &["FAULT 0:expected a field at position 2, found 1 fields"],
    );
    check("blank lines only", &counted, &columns, b"\n\n", &[]);
    check("empty", &counted, &columns, b"", &[]);
    let named = [by_name("a", Type::Varchar)];
    check(
        "a name has no header to be found in",
        &counted,
        &named,
        b"x,1\n",
        &["FAULT 0:expected one field named \"a\" in the header, found none"],
    );
}

#[test]
fn f061_byte_order_marks() {
    check_ab(&[
        ("UTF-8", b"\xef\xbb\xbfa,b\nx,1\n", &["7:x|1"]),
        ("UTF-8 and nothing else", b"\xef\xbb\xbf", &[]),
        (
            "UTF-8, quoted header",
            b"\xef\xbb\xbf\"a\",b\nx,1\n",
            &["9:x|1"],
        ),
        (
            "UTF-16, little end first",
            b"\xff\xfea\0,\0",
            &["FAULT 0:expected UTF-8, found the byte-order mark of UTF-16"],
        ),
        (
            "UTF-16, big end first",
            b"\xfe\xff\0a\0,",
            &["FAULT 0:expected UTF-8, found the byte-order mark of UTF-16"],
        ),
    ]);
    let json = Format::Ndjson { records: None };
    check("NDJSON", &json, &[], b"\xef\xbb\xbf{}\n", &["3:"]);
    check(
        "NDJSON in UTF-16",
        &json,
        &[],
        b"\xff\xfe{\0}\0",
        &["FAULT 0:expected UTF-8…"],
    );
}

#[test]
fn f062_fields_and_headers() {
    check_ab(&[
        (
            "too few",
            b"a,b\nx\ny,2\n",
            &["4!:expected 2 fields, found 1", "6:y|2"],
        ),
        (
            "too many",
            b"a,b\nx,1,\ny,2\n",
            &["4!:expected 2 fields, found 3", "9:y|2"],
        ),
        (
            "too many and too few, as many together",
            b"a,b\nx,1,2\ny\nz,3\n",
            &[
                "4!:expected 2 fields, found 3",
                "10!:expected 2 fields, found 1",
                "12:z|3",
            ],
        ),
        ("unnamed fields", b",a,,b\n1,x,2,3\n", &["6:x|3"]),
        (
            "a name twice that is not read",
            b"a,c,c,b\nx,1,2,3\n",
            &["8:x|3"],
        ),
        (
            "a name twice that is read",
            b"a,b,a\nx,1,y\n",
            &["FAULT 0:expected one field named \"a\" in the header, found two"],
        ),
        (
            "a name that is missing",
            b"a,c\nx,1\n",
            &["FAULT 0:expected one field named \"b\" in the header, found none"],
        ),
        (
            "names match exactly",
            b"a,B\nx,1\n",
            &["FAULT 0:expected one field named \"b\" in the header, found none"],
        ),
        ("quoted names", b"\"a\",\"b\"\nx,1\n", &["8:x|1"]),
        (
            "a broken header",
            b"a\",b\nx,1\n",
            &[&format!("FAULT 0:{QUOTE_IN_FIELD}")],
        ),
        (
            "an unclosed header",
            b"a,\"b\nx,1\n",
            &["FAULT 0:expected a closing quote, found the end of the object inside quotes"],
        ),
        (
            "a blank header",
            b"\na,b\n",
            &["FAULT 0:expected one field named \"a\" in the header, found none"],
        ),
    ]);
    let odd = [by_name("a\"b,\n", Type::Varchar)];
    check(
        "an odd name",
        &csv(Header::Present),
        &odd,
        b"\"a\"\"b,\n\"\nx\n",
        &["9:x"],
    );
}

#[test]
fn f063_quotes_that_are_wrong() {
    check_ab(&[
        (
            "inside a field",
            b"a,b\n5\" disk,1\ny,2\n",
            &[&bad(4, QUOTE_IN_FIELD), "14:y|2"],
        ),
        (
            "two inside a field",
            b"a,b\n5\"x\",1\ny,2\n",
            &[&bad(4, QUOTE_IN_FIELD), "11:y|2"],
        ),
        (
            "inside a field, quotes in the next record",
            b"a,b\n5\",1\n\"y\n\",2\n",
            &[&bad(4, QUOTE_IN_FIELD), "9:y\n|2"],
        ),
        (
            "text after a closing quote",
            b"a,b\n\"x\"y,1\nz,2\n",
            &[&bad(4, AFTER_QUOTE), "11:z|2"],
        ),
        (
            "a blank after a closing quote",
            b"a,b\n\"x\" ,1\nz,2\n",
            &[&bad(4, AFTER_QUOTE), "11:z|2"],
        ),
        (
            "a quote after text after a closing quote",
            b"a,b\n\"x\"y\"\ny,1\n",
            &[&bad(4, AFTER_QUOTE), "10:y|1"],
        ),
        (
            "a later field opens quotes as ever",
            b"a,b\n\"x\"y,\"\n1\"\nz,2\n",
            &[&bad(4, AFTER_QUOTE), "14:z|2"],
        ),
        (
            "unclosed at the end",
            b"a,b\nx,1\n\"y,2\n",
            &[
                "4:x|1",
                "FAULT 8:expected a closing quote, found the end of the object inside quotes",
            ],
        ),
        (
            "unclosed after a doubled one",
            b"a,b\n\"y\"\",2\n",
            &["FAULT 4:expected a closing quote…"],
        ),
        (
            "wrong in a column that is not read",
            b"c,a,b\n5\",x,1\ny,z,2\n",
            &[&bad(6, QUOTE_IN_FIELD), "13:z|2"],
        ),
        (
            "the first of two is named",
            b"a,b\n\"x\"y,5\"\nz,2\n",
            &[&bad(4, AFTER_QUOTE), "12:z|2"],
        ),
    ]);
}

#[test]
fn f064_quotes() {
    check_ab(&[
        ("quoted", b"a,b\n\"x\",\"1\"\n", &["4:x|1"]),
        ("newline", b"a,b\n\"x\ny\",1\n", &["4:x\ny|1"]),
        (
            "CRLF",
            b"a,b\r\n\"x\r\ny\",1\r\nz,2\r\n",
            &["5:x\r\ny|1", "15:z|2"],
        ),
        ("delimiter", b"a,b\n\",x,\",1\n", &["4:,x,|1"]),
        ("doubled", b"a,b\n\"x\"\"y\",1\n", &["4:x\"y|1"]),
        (
            "doubled at both ends",
            b"a,b\n\"\"\"x\"\"\",1\n",
            &["4:\"x\"|1"],
        ),
        ("only doubled", b"a,b\n\"\"\"\",1\n", &["4:\"|1"]),
        (
            "only doubled twice",
            b"a,b\n\"\"\"\"\"\",1\n",
            &["4:\"\"|1"],
        ),
        (
            "empty is NULL",
            b"a,b\n\"\",\"\"\n,\n",
            &["4:NULL|NULL", "10:NULL|NULL"],
        ),
        ("last field quoted, CRLF", b"b,a\r\n1,\"x\"\r\n", &["5:x|1"]),
        (
            "long runs around the block of 64",
            b"a,b\n\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\"y\n\",1\nz,2\n",
            &[
                "4:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"y\n|1",
                "69:z|2",
            ],
        ),
    ]);
}

#[test]
fn f065_utf8() {
    check_ab(&[
        (
            "in a column that is read",
            b"a,b\n\xff,1\ny,2\n",
            &["4!0:expected UTF-8, found other bytes", "8:y|2"],
        ),
        (
            "overlong",
            b"a,b\n\xc0\x80,1\n",
            &["4!0:expected UTF-8, found other bytes"],
        ),
        (
            "a surrogate",
            b"a,b\n\xed\xa0\x80,1\n",
            &["4!0:expected UTF-8, found other bytes"],
        ),
        (
            "in a number",
            b"a,b\nx,\xff\n",
            &["4!1:expected BIGINT (not a number), found \"\\xff\""],
        ),
        ("in one that is not", b"c,a,b\n\xff,x,1\n", &["6:x|1"]),
        ("good", "a,b\näöü€😀,1\n".as_bytes(), &["4:äöü€😀|1"]),
    ]);
}

#[test]
fn f066_nul_bytes_are_data() {
    check_ab(&[("NUL", b"a,b\nx\0y,1\n\0,2\n", &["4:x\0y|1", "10:\0|2"])]);
}

#[test]
fn f067_header_orders() {
    check_ab(&[
        ("one order", b"b,a,c\n1,x,q\n", &["6:x|1"]),
        ("another", b"c,a,b\nq,x,1\n", &["6:x|1"]),
        (
            "without a column",
            b"a,c\nx,q\n",
            &["FAULT 0:expected one field named \"b\" in the header, found none"],
        ),
    ]);
}

#[test]
fn f068_many_unused_columns() {
    let names: Vec<String> = (0..100_000).map(|number| format!("c{number}")).collect();
    let header = names.join(",");
    let record = vec!["7"; 100_000].join(",");
    let object = format!("{header}\n{record}\n{record},8\n{record}\n");
    let columns = [by_name("c99999", Type::BigInt), by_name("c0", Type::BigInt)];
    let start = header.len() + 1;
    let wide = start + record.len() + 1;
    let want = [
        format!("{start}:7|7"),
        format!("{wide}!:expected 100000 fields, found 100001"),
        format!("{}:7|7", wide + record.len() + 3),
    ];
    for chunk_bytes in [1, 1 << 16, 1 << 20] {
        let format = csv(Header::Present);
        assert_eq!(
            read(
                &format,
                &columns,
                object.as_bytes(),
                chunk_bytes,
                2_048,
                usize::MAX
            ),
            want
        );
    }
}

#[test]
fn f068_a_record_with_far_too_many_fields_takes_no_room() {
    let columns = [by_name("a", Type::BigInt)];
    let object = format!(
        "a,b\n1,2\n{}\n3,4\n{}\n",
        ",".repeat(100_000),
        ",".repeat(50_000)
    );
    let format = csv(Header::Present);
    let want = [
        "4:1",
        "8!:expected 2 fields, found 100001",
        "100009:3",
        "100013!:expected 2 fields, found 50001",
    ];
    assert_eq!(
        read(
            &format,
            &columns,
            object.as_bytes(),
            CHUNK_BYTES,
            2_048,
            usize::MAX
        ),
        want
    );
}

#[test]
fn f069_every_type_at_every_chunk_size() {
    let plain = |name: &str, ty| by_name(name, ty);
    let columns = [
        plain("b", Type::Boolean),
        plain("i", Type::BigInt),
        plain(
            "d",
            Type::Decimal {
                precision: 10,
                scale: 2,
            },
        ),
        plain(
            "w",
            Type::Decimal {
                precision: 38,
                scale: 0,
            },
        ),
        plain("f", Type::Double),
        plain("t", Type::Timestamp),
        column(
            "s",
            Form::Epoch { unit_us: 1_000_000 },
            Source::Header("s".into()),
        ),
        column("n", Form::Nanoseconds, Source::Header("n".into())),
        column("o", Form::Plain(Type::Varchar), Source::Object),
    ];
    let object = b"b,i,d,w,f,t,s,n\n\
        true,-3.0,1.5,99999999999999999999999999999999999999,1e3,1970-01-01T00:00:01Z,2,3999\n\
        ,,,,,,,\n\
        false,3.5,1,1,1,1970-01-01,1,1\n\
        yes,1,1,1,1,1970-01-01,1,1\n\
        true,1,1.005,1,1,1970-01-01,1,1\n\
        true,1,1,1,1e400,1970-01-01,1,1\n\
        true,1,1,1,1,1970-01-32,1,1\n\
        true,1,1,1,1,1970-01-01,9223372036854775807,1\n";
    let want = [
        "16:true|-3|150|99999999999999999999999999999999999999|1000.0|1000000|2000000|3|file:///o",
        "101:NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|file:///o",
        "109!1:expected BIGINT (not a whole number), found \"3.5\"",
        "140!0:expected BOOLEAN (not a BOOLEAN), found \"yes\"",
        "167!2:expected DECIMAL(10,2) (more than 2 digits after the point), found \"1.005\"",
        "199!4:expected DOUBLE (out of range for DOUBLE), found \"1e400\"",
        "231!5:expected TIMESTAMP (no such day), found \"1970-01-32\"",
        "259!6:expected TIMESTAMP_S (outside the years 0001 to 9999), found \"9223372036854775807\"",
    ];
    check("every type", &csv(Header::Present), &columns, object, &want);
}

#[test]
fn other_delimiters_and_nulls() {
    let columns = [by_name("a", Type::Varchar), by_name("b", Type::BigInt)];
    let format = Format::Csv {
        header: Header::Present,
        delimiter: b'\t',
        null: Some(b"NA".to_vec()),
    };
    check(
        "tab and NA",
        &format,
        &columns,
        b"a\tb\nx,y\t1\nNA\tNA\n\"NA\"\t\"2\"\nNAN\t\n",
        &["4:x,y|1", "10:NULL|NULL", "16:NULL|2", "25:NAN|NULL"],
    );
    check(
        "no column at all",
        &format,
        &[],
        b"a\tb\nx\t1\ny\nz\t2\n",
        &["4:", "8!:expected 2 fields, found 1", "10:"],
    );
}

#[test]
fn a_record_is_named_for_its_first_bad_column() {
    check_ab(&[(
        "two bad values",
        b"a,b\n\xff,x\ny,x\nz,1\n",
        &[
            "4!0:expected UTF-8…",
            "8!1:expected BIGINT (not a number), found \"x\"",
            "12:z|1",
        ],
    )]);
}

/// The masks take quotes in pairs, the loop takes byte by byte: the same marks and states for any bytes.
#[test]
fn blocks_agree_with_a_byte_loop() {
    use crate::decode::csv::Machine;
    use crate::decode::scan::BLOCK;

    let mut state = 7_u64;
    for round in 0..4_000 {
        let alphabet: &[u8] = match round % 3 {
            0 => b"\",\nx\r",
            1 => b"\"\",\nxxxxx",
            _ => b"xxxxxxx,\n\"",
        };
        let (mut blocks, mut bytes) = (Machine::new(b','), Machine::new(b','));
        for _ in 0..3 {
            let block: [u8; BLOCK] = std::array::from_fn(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()]
            });
            let text = String::from_utf8_lossy(&block).into_owned();
            assert_eq!(blocks.block(&block), bytes.bytes(&block), "{text:?}");
            assert_eq!(blocks.state, bytes.state, "{text:?}");
        }
    }
}
