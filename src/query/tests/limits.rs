//! Limits, at and one past each; and that no text makes the parsers panic.

use super::super::columns::{Family, parse_columns, parse_path};
use super::compile;
use super::values::value_of;
use crate::limits::{COLUMNS, EXPRESSION_DEPTH, EXPRESSION_HEIGHT, JSON_DEPTH, QUERY_BYTES};

/// `SELECT expr AS x FROM input`, compiled: what the problem expected, if there is one.
fn refusal(expr: &str) -> Option<String> {
    compile(&format!("SELECT {expr} AS x FROM input"))
        .err()
        .map(|problem| problem.expected)
}

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn nesting_of_an_expression() {
    let deep = Some(format!(
        "expressions nested at most {EXPRESSION_DEPTH} deep"
    ));
    for (name, levels, open, inner, close) in [
        ("parentheses", 1, "(", "id", ")"),
        ("calls", 1, "abs(", "id", ")"),
        ("signs", 1, "- ", "id", ""),
        ("NOT", 1, "NOT ", "paid", ""),
        ("CASE", 1, "CASE WHEN paid THEN ", "id", " END"),
        ("CAST", 1, "CAST(", "id", " AS BIGINT)"),
        ("IN", 2, "(TRUE IN (", "paid", "))"),
        (
            "operators of every level",
            2,
            "CASE WHEN paid OR paid AND 0 < 1 + 2 * abs(",
            "id",
            ") THEN 1 END",
        ),
    ] {
        let fits = EXPRESSION_DEPTH / levels;
        assert_eq!(refusal(&nested(open, inner, close, fits)), None, "{name}");
        assert_eq!(
            refusal(&nested(open, inner, close, fits + 1)),
            deep,
            "{name}"
        );
    }
    // What was left does not count: the guard restores itself, on the way of errors too.
    let beside = vec![nested("(", "id", ")", EXPRESSION_DEPTH); 3].join(" + ");
    assert_eq!(refusal(&beside), None);
}

#[test]
fn length_of_a_chain() {
    let high = Some(format!(
        "an expression of at most {EXPRESSION_HEIGHT} levels"
    ));
    let chain = |operator: &str, terms: usize| vec!["id"; terms].join(operator);
    let sum = value_of(&chain(" + ", EXPRESSION_HEIGHT));
    assert_eq!(
        sum,
        ("BIGINT".to_owned(), (7 * EXPRESSION_HEIGHT).to_string())
    );
    assert_eq!(refusal(&chain(" + ", EXPRESSION_HEIGHT + 1)), high);
    assert_eq!(
        refusal(&chain("::BIGINT::", 1).replace("::BIGINT::", "")),
        None
    );
    // Chains of AND and OR become balanced trees: as long as the query allows.
    let terms = (QUERY_BYTES - 200) / "id = 1 OR ".len();
    assert_eq!(refusal(&vec!["id = 1"; terms].join(" OR ")), None);
}

#[test]
fn aliases_written_out() {
    // Each alias doubles the one before: 2^n nodes.
    let doubling = |aliases: usize| {
        let mut items = vec!["id + id AS a0".to_owned()];
        items.extend((1..aliases).map(|n| format!("a{} + a{} AS a{n}", n - 1, n - 1)));
        compile(&format!("SELECT {} FROM input", items.join(", ")))
    };
    assert!(doubling(12).is_ok());
    let problem = doubling(40).expect_err("too many nodes");
    assert_eq!(
        problem.expected,
        "a query of at most 65536 operations, its aliases written out"
    );
    // Each adds a level to the one before, which has 300 already.
    let rising = |aliases: usize| {
        let mut items = vec![format!("{} AS a0", vec!["id"; 300].join(" + "))];
        items.extend((1..=aliases).map(|n| format!("a{} + 1 AS a{n}", n - 1)));
        compile(&format!("SELECT {} FROM input", items.join(", ")))
    };
    assert!(rising(EXPRESSION_HEIGHT - 300).is_ok());
    let problem = rising(EXPRESSION_HEIGHT - 299).expect_err("too high");
    assert_eq!(
        problem.expected,
        "an expression of at most 320 levels, its aliases written out"
    );
    // A BETWEEN needs its value twice, a simple CASE its operand once an arm.
    let between = nested("(", "paid", " BETWEEN FALSE AND TRUE)", 40);
    assert_eq!(
        refusal(&between),
        Some("a query of at most 65536 operations, its aliases written out".to_owned())
    );
}

#[test]
fn length_of_a_query() {
    let query = |bytes: usize| {
        let query = "SELECT id FROM input WHERE id IN (1";
        let item = ",12345678";
        let mut query = query.to_owned() + &item.repeat((bytes - query.len() - 1) / item.len());
        query += &" ".repeat(bytes - 1 - query.len());
        query + ")"
    };
    assert!(compile(&query(QUERY_BYTES)).is_ok());
    let problem = compile(&query(QUERY_BYTES + 1)).expect_err("one byte more");
    assert_eq!(
        problem.expected,
        format!("a query of at most {QUERY_BYTES} bytes")
    );
}

#[test]
fn number_of_columns() {
    let text = |columns: usize| {
        (0..columns)
            .map(|n| format!("c{n} BIGINT"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let columns = parse_columns(&text(COLUMNS), Family::Csv).expect("256 columns");
    let sum = (0..COLUMNS)
        .map(|n| format!("c{n}"))
        .collect::<Vec<_>>()
        .join(" + ");
    let query = format!("SELECT {sum} AS x FROM input");
    let plan = crate::query::compile(&query, &columns).expect("a sum over all");
    assert_eq!(plan.columns.len(), COLUMNS);
    let problems = parse_columns(&text(COLUMNS + 1), Family::Csv).expect_err("257 columns");
    assert_eq!(problems[0].expected, "at most 256 columns");
    assert_eq!(problems[0].span.start as usize, text(COLUMNS).len() + 2);
}

#[test]
fn steps_of_a_path() {
    let text = |steps: usize| format!("a BIGINT FROM {}", vec!["k"; steps].join("."));
    assert!(parse_columns(&text(JSON_DEPTH), Family::Json).is_ok());
    assert!(parse_columns(&text(JSON_DEPTH + 1), Family::Json).is_err());
}

/// Numbers that look random and are the same in every run.
struct Shuffled(u64);

impl Shuffled {
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX multiplier; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

/// An expression that parses; its types may not fit.
fn expression(random: &mut Shuffled, depth: usize) -> String {
    #[rustfmt::skip]
    let leaves = [
        "id", "shop", "qty", "price", "w", "rate", "paid", "ts", "none", "nope", "NULL", "TRUE", "1", "2.5", "1e3",
        "'a'", "'2026-01-01'", "99999999999999999999", "pi()", "INTERVAL '1 day'", "0.00000000000000000000000000001",
    ];
    #[rustfmt::skip]
    let forms = [
        "(_ + _)", "_ * _", "_ / _", "_ // _", "_ % _", "-_", "_ = _", "_ < _", "_ AND _ OR _", "NOT _", "_ IS NULL",
        "_ IN (_, _)", "_ NOT BETWEEN _ AND _", "CASE WHEN _ THEN _ ELSE _ END", "CASE _ WHEN _ THEN _ END", "_::BIGINT",
        "CAST(_ AS DECIMAL(20,10))", "TRY_CAST(_ AS TIMESTAMP)", "coalesce(_, _)", "nullif(_, _)", "abs(_)", "round(_, 1)",
        "floor(_)", "pow(_, _)", "date_trunc('day', _)", "time_bucket(INTERVAL '1 hour', _)", "epoch_ms(_)",
        "_ + INTERVAL '1 month'", "sum(_)", "arg_max(_, _)", "avg(_) FILTER (WHERE _)",
    ];
    if depth == 0 || random.below(4) == 0 {
        return leaves[random.below(leaves.len())].to_owned();
    }
    let mut text = String::new();
    for (index, piece) in forms[random.below(forms.len())].split('_').enumerate() {
        // Underscores of names are followed by letters; a hole is followed by none of ours.
        let is_name = piece.starts_with(|next: char| next.is_ascii_lowercase());
        match (index, is_name) {
            (0, _) => {}
            (_, true) => text.push('_'),
            (_, false) => text += &expression(random, depth - 1),
        }
        text += piece;
    }
    text
}

/// Compiles `query`; a problem lies in it and says all that a problem says.
fn compiles(query: &str) -> bool {
    let Err(problem) = compile(query) else {
        return true;
    };
    assert!(problem.span.start <= problem.span.end, "{query}");
    assert!(problem.span.end as usize <= query.len(), "{query}");
    let facts = [&problem.expected, &problem.found, &problem.advice];
    assert!(
        facts.iter().all(|fact| !fact.is_empty()),
        "{query}: {problem:?}"
    );
    false
}

#[test]
fn no_expression_makes_the_checker_panic() {
    let mut random = Shuffled(1);
    let mut good = 0;
    for _ in 0..2_000 {
        let expr = expression(&mut random, 4);
        let other = expression(&mut random, 2);
        good += usize::from(compiles(&format!(
            "SELECT {expr} AS x FROM input WHERE {other}"
        )));
        good += usize::from(compiles(&format!(
            "SELECT {expr} AS x, count(*) AS n FROM input GROUP BY {other}, x"
        )));
        good += usize::from(compiles(&format!(
            "SELECT {expr} AS x, count(*) AS n FROM input GROUP BY ALL ORDER BY {other}"
        )));
    }
    assert!(good > 250, "too few compile: {good}");
}

#[test]
fn no_text_makes_the_parsers_panic() {
    #[rustfmt::skip]
    let pieces = [
        "SELECT", "FROM", "input", "WHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "AS", "x", "id", "shop", "ts", "*",
        ",", "(", ")", ".", "+", "-", "//", "=", "<", "<>", "::", "||", "AND", "NOT", "IS", "NULL", "IN", "BETWEEN", "LIKE",
        "CASE", "WHEN", "THEN", "END", "CAST", "BIGINT", "DECIMAL", "(2,1)", "TIMESTAMP", "INTERVAL", "'1 day'", "1", "2.5",
        "1e3", "sum(", "count(*)", "coalesce(", "date_trunc(", "extract(", "FILTER", "DISTINCT", "ALL", "NULLS", "FIRST",
        "DESC", "OVER", "JOIN", "\"q\"", "\"", "'", "--", "/*", "*/", "ä", "\u{0}", "\u{a0}", "🕐", "[", "]", "{",
        "@object", "@feed", "NOT NULL", "[*]", "0", "\n", ";",
    ];
    let mut random = Shuffled(2);
    for _ in 0..4_000 {
        let mut text =
            ["SELECT ", "SELECT id AS x FROM input ", "x ", ""][random.below(4)].to_owned();
        for _ in 0..random.below(20) {
            text += pieces[random.below(pieces.len())];
            text += if random.below(4) > 0 { " " } else { "" };
        }
        compiles(&text);
        for family in [Family::Csv, Family::CsvWithoutHeader, Family::Json] {
            let problems = parse_columns(&text, family).err().unwrap_or_default();
            assert!(
                problems
                    .iter()
                    .all(|problem| problem.span.end as usize <= text.len()),
                "{text}"
            );
        }
        let _ = parse_path(&text);
    }
}
