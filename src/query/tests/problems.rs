//! FAULTS row 6: what is wrong with a query is said with its place, what was expected, what was found and what to do.
//! A `^` marks the byte at which the problem must start.

use super::{compile, marked};
use crate::query::Problem;

fn problem(query: &str) -> (String, usize, Problem) {
    let (query, at) = marked(query);
    let problem = compile(&query)
        .err()
        .unwrap_or_else(|| panic!("accepted: {query}"));
    (query, at, problem)
}

#[test]
#[rustfmt::skip]
fn f006_syntax_names_arity_and_types() {
    for (query, expected, found) in [
        ("^", "SELECT", "the end of the text"),
        ("^SELEC id FROM input", "SELECT", "SELEC"),
        ("SELECT id ^FORM input", "a comma, AS or FROM", "FORM"),
        ("SELECT id, ^FROM input", "an expression", "FROM"),
        ("SELECT ^FROM input", "an expression", "FROM"),
        ("SELECT id FROM^", "input", "the end of the text"),
        ("SELECT id FROM ^trades", "input", "trades"),
        ("SELECT id FROM input ^GRUOP BY id", "the end of the query", "GRUOP"),
        ("SELECT id FROM input WHERE^", "an expression", "the end of the text"),
        ("SELECT id FROM input WHERE id = ^", "an expression", "the end of the text"),
        ("SELECT id FROM input WHERE id = 1 ^id", "the end of the query", "id"),
        ("SELECT id FROM input LIMIT 5 ^WHERE id = 1", "the end of the query", "WHERE"),
        ("SELECT id FROM input LIMIT ^-1", "a whole number of rows after LIMIT", "-"),
        ("SELECT id FROM input LIMIT ^1.5", "a whole number of rows after LIMIT", "1.5"),
        ("SELECT id FROM input; ^SELECT 1", "the end of the query", "SELECT"),
        ("SELECT id ^qty FROM input", "a comma, AS or FROM", "qty"),
        ("SELECT id ^\"x\" FROM input", "a comma, AS or FROM", "\"x\""),
        ("SELECT id AS ^'x' FROM input", "a name after AS", "'x'"),
        ("SELECT id AS ^FROM input", "a name after AS", "FROM"),
        ("SELECT (id ^FROM input", ") to end the parentheses", "FROM"),
        ("SELECT id^) AS x FROM input", "a comma or FROM", ")"),
        ("SELECT (id^, qty) AS x FROM input", ") to end the parentheses", ","),
        ("SELECT ^ids FROM input", "a column or an alias", "ids"),
        ("SELECT ^\"nope\" FROM input", "a column or an alias", "\"nope\""),
        ("SELECT id FROM input WHERE shop = ^\"north\"", "a column or an alias", "\"north\""),
        ("SELECT ^pi AS x FROM input", "a column or an alias", "pi"),
        ("SELECT ^other.id FROM input", "input before the point", "other"),
        ("SELECT ^input.nope FROM input", "a column or an alias", "input.nope"),
        ("SELECT input.^* FROM input", "a column after the point", "*"),
        ("SELECT ^b AS a, id AS b FROM input", "a column or an alias", "b"),
        ("SELECT ^summ(id) AS x FROM input", "a function", "summ"),
        ("SELECT ^foo(id) AS x FROM input", "a function", "foo"),
        ("SELECT ^sum() AS x FROM input", "1 argument of sum", "0"),
        ("SELECT ^sum(id, qty) AS x FROM input", "1 argument of sum", "2"),
        ("SELECT sum(^*) AS x FROM input", "* in count(*) only", "sum(*)"),
        ("SELECT ^pow(id) AS x FROM input", "2 arguments of pow", "1"),
        ("SELECT ^round(id, 1, 2) AS x FROM input", "1 or 2 arguments of round", "3"),
        ("SELECT ^coalesce() AS x FROM input", "1 or more arguments of coalesce", "0"),
        ("SELECT ^time_bucket(INTERVAL '1 day', ts, ts) AS x FROM input", "2 arguments of time_bucket", "3"),
        ("SELECT time_bucket(^'1 day', ts) AS x FROM input", "an INTERVAL as the width", "'1 day'"),
        ("SELECT time_bucket(^INTERVAL '1 month 1 day', ts) AS x FROM input", "months, or days and time, not both", "INTERVAL '1 month 1 day'"),
        ("SELECT time_bucket(^INTERVAL '0 s', ts) AS x FROM input", "a width above zero", "INTERVAL '0 s'"),
        ("SELECT time_bucket(^INTERVAL '-1 day', ts) AS x FROM input", "a width above zero", "INTERVAL '-1 day'"),
        ("SELECT time_bucket(INTERVAL ^-5 minute, ts) AS x FROM input", "a text or a number after INTERVAL", "-"),
        ("SELECT time_bucket(INTERVAL ^(qty) minute, ts) AS x FROM input", "a text or a number after INTERVAL", "("),
        ("SELECT time_bucket(INTERVAL 5^, ts) AS x FROM input", "a unit such as MINUTE after the number", ","),
        ("SELECT time_bucket(INTERVAL ^'5', ts) AS x FROM input", "a unit after 5, such as second, minute, hour, day, week, month, year", "'5'"),
        ("SELECT time_bucket(INTERVAL '1 day', ^qty) AS x FROM input", "a TIMESTAMP in time_bucket", "qty, a BIGINT"),
        ("SELECT time_bucket(INTERVAL '1 day', ^shop) AS x FROM input", "a TIMESTAMP in time_bucket", "shop, a VARCHAR"),
        ("SELECT date_trunc(^'houre', ts) AS x FROM input", "a unit of time", "'houre'"),
        ("SELECT date_trunc(^'dow', ts) AS x FROM input", "a unit that has a start", "'dow'"),
        ("SELECT date_trunc(^shop, ts) AS x FROM input", "a unit in quotes", "shop"),
        ("SELECT date_part(^'era', ts) AS x FROM input", "a unit of time", "'era'"),
        ("SELECT ^INTERVAL '1 day' AS x FROM input", "an INTERVAL beside a TIMESTAMP only", "INTERVAL '1 day'"),
        ("SELECT ^ts + 1 AS x FROM input", "numbers in arithmetic", "ts, a TIMESTAMP"),
        ("SELECT ^ts - ts AS x FROM input", "numbers in arithmetic", "a difference of two TIMESTAMPs"),
        ("SELECT ^-INTERVAL '1 day' AS x FROM input", "an INTERVAL beside a TIMESTAMP only", "-INTERVAL '1 day'"),
        ("SELECT id + ^shop AS x FROM input", "a number in arithmetic", "shop, a VARCHAR"),
        ("SELECT id + ^'2' AS x FROM input", "a number in arithmetic", "'2', a VARCHAR"),
        ("SELECT id + ^paid AS x FROM input", "a number in arithmetic", "paid, a BOOLEAN"),
        ("SELECT id = ^shop AS x FROM input", "a BIGINT in a comparison, beside id", "shop, a VARCHAR"),
        ("SELECT ^shop = 1 AS x FROM input", "a BIGINT in a comparison, beside 1", "shop, a VARCHAR"),
        ("SELECT ^shop = paid AS x FROM input", "a BOOLEAN in a comparison, beside paid", "shop, a VARCHAR"),
        ("SELECT ts = ^1 AS x FROM input", "a TIMESTAMP in a comparison, beside ts", "1, a BIGINT"),
        ("SELECT ts = ^paid AS x FROM input", "a TIMESTAMP in a comparison, beside ts", "paid, a BOOLEAN"),
        ("SELECT ts > ^'yesterday' AS x FROM input", "a text that is a TIMESTAMP", "'yesterday'"),
        ("SELECT coalesce(ts, ^shop) AS x FROM input", "a TIMESTAMP in COALESCE, beside ts", "shop, a VARCHAR"),
        ("SELECT coalesce(^shop, 0) AS x FROM input", "a BIGINT in COALESCE, beside 0", "shop, a VARCHAR"),
        ("SELECT CASE WHEN paid THEN ^'a' ELSE 0 END AS x FROM input", "a BIGINT in the results of CASE, beside 0", "'a', a VARCHAR"),
        ("SELECT CASE WHEN ^id THEN 'a' END AS x FROM input", "a BOOLEAN in WHEN", "id, a BIGINT"),
        ("SELECT CASE ^END AS x FROM input", "an expression", "END"),
        ("SELECT CASE WHEN paid THEN 1 ^AS x FROM input", "WHEN, ELSE or END", "AS"),
        ("SELECT id IN (^'1', 2) AS x FROM input", "a BIGINT in IN, beside id", "'1', a VARCHAR"),
        ("SELECT id IN (^) AS x FROM input", "a value in the list of IN", ")"),
        ("SELECT id BETWEEN 1 AND ^'b' AS x FROM input", "a BIGINT in BETWEEN, beside id", "'b', a VARCHAR"),
        ("SELECT id < 1 ^< 2 AS x FROM input", "one comparison", "a second one, <, after it"),
        ("SELECT id = 1 ^= true AS x FROM input", "one comparison", "a second one, =, after it"),
        ("SELECT NOT ^id AS x FROM input", "a BOOLEAN in NOT", "id, a BIGINT"),
        ("SELECT ^id AND paid AS x FROM input", "a BOOLEAN in AND", "id, a BIGINT"),
        ("SELECT ^shop OR paid AS x FROM input", "a BOOLEAN in OR", "shop, a VARCHAR"),
        ("SELECT id FROM input WHERE ^ts", "a BOOLEAN in WHERE", "ts, a TIMESTAMP"),
        ("SELECT id FROM input WHERE ^shop", "a BOOLEAN in WHERE", "shop, a VARCHAR"),
        ("SELECT sum(^paid) AS x FROM input", "a number in sum", "paid, a BOOLEAN"),
        ("SELECT sum(^shop) AS x FROM input", "a number in sum", "shop, a VARCHAR"),
        ("SELECT avg(^ts) AS x FROM input", "a number in avg", "ts, a TIMESTAMP"),
        ("SELECT sum(^sum(id)) AS x FROM input", "no aggregate inside an aggregate", "sum"),
        ("SELECT id FROM input WHERE ^sum(id) > 1", "no aggregate in WHERE", "sum"),
        ("SELECT sum(id) AS s FROM input WHERE ^s > 1", "no aggregate in WHERE", "s"),
        ("SELECT sum(id) AS s FROM input GROUP BY ^s", "no aggregate in GROUP BY", "s"),
        ("SELECT sum(id) AS s FROM input GROUP BY ^1", "no aggregate in GROUP BY", "1"),
        ("SELECT id FROM input GROUP BY ^2", "a position from 1 to 1", "2"),
        ("SELECT shop, ^qty FROM input GROUP BY shop", "a function of the group's keys and aggregates", "qty"),
        ("SELECT shop, sum(qty) + ^id AS x FROM input GROUP BY shop", "a function of the group's keys and aggregates", "id"),
        ("SELECT shop, sum(qty) AS x FROM input GROUP BY shop HAVING ^qty > 1", "a function of the group's keys and aggregates", "qty"),
        ("SELECT shop, sum(qty) AS x FROM input GROUP BY shop ORDER BY ^qty", "a function of the group's keys and aggregates", "qty"),
        ("SELECT shop, sum(qty) AS x FROM input GROUP BY shop ORDER BY ^3", "a position from 1 to 2", "3"),
        ("SELECT shop, sum(qty) AS x FROM input GROUP BY shop ORDER BY ^'x'", "what to order by", "'x', a constant"),
        ("SELECT ^*, count(*) AS n FROM input", "* in a query without groups only", "* beside groups"),
        ("SELECT *, ^id FROM input", "output names that differ", "id twice"),
        ("SELECT id FROM ^read_csv('x')", "input", "read_csv"),
        ("^FROM input PIVOT (sum(id) FOR shop IN ('a'))", "SELECT", "FROM"),
        ("SELECT id IS ^TRUE AS x FROM input", "NULL after IS", "TRUE"),
        ("SELECT id IS ^DISTINCT FROM qty AS x FROM input", "NULL after IS", "DISTINCT"),
        ("SELECT max(^DISTINCT id) AS x FROM input", "DISTINCT in count, sum and avg only", "DISTINCT"),
        ("SELECT abs(^DISTINCT id) AS x FROM input", "DISTINCT in an aggregate only", "DISTINCT"),
        ("SELECT abs(id) FILTER (WHERE ^paid) AS x FROM input", "FILTER after an aggregate only", "abs"),
        ("SELECT sum(id) FILTER (^paid) AS x FROM input", "WHERE in FILTER (WHERE …)", "paid"),
        ("SELECT sum(id) FILTER (WHERE ^id) AS x FROM input", "a BOOLEAN in FILTER", "id, a BIGINT"),
        ("SELECT CAST(id AS ^INTEGER) AS x FROM input", "a type", "INTEGER"),
        ("SELECT CAST(id AS ^BIGIN) AS x FROM input", "a type", "BIGIN"),
        ("SELECT CAST(id AS ^DECIMAL) AS x FROM input", "DECIMAL(precision, scale)", "DECIMAL without them"),
        ("SELECT CAST(id AS DECIMAL(^39,2)) AS x FROM input", "a precision of 1 to 38 digits", "39"),
        ("SELECT CAST(id AS DECIMAL(2,^3)) AS x FROM input", "a scale of 0 to 2 digits", "3"),
        ("SELECT CAST(id AS DECIMAL(^0,0)) AS x FROM input", "a precision of 1 to 38 digits", "0"),
        ("SELECT CAST(id AS DECIMAL(10^)) AS x FROM input", "a comma and the scale", ")"),
        ("SELECT ^CAST(id AS TIMESTAMP) AS x FROM input", "a value that can be a TIMESTAMP", "id, a BIGINT"),
        ("SELECT CAST(id AS ^TIMESTAMP_MS) AS x FROM input", "a type of a value", "TIMESTAMP_MS"),
        ("SELECT ^CAST(ts AS BIGINT) AS x FROM input", "a value that can be a BIGINT", "ts, a TIMESTAMP"),
        ("SELECT ^CAST('abc' AS BIGINT) AS x FROM input", "a value that is a BIGINT", "abc: not a number"),
        ("SELECT ^'abc'::TIMESTAMP AS x FROM input", "a value that is a TIMESTAMP", "abc: not an ISO 8601 date and time"),
        ("SELECT ^DATE '2026-01-01' AS x FROM input", "a type of windrow", "DATE"),
        ("SELECT 'a' ^'b' AS x FROM input", "a comma or FROM", "'b'"),
        ("SELECT id + ^AS x FROM input", "an expression", "AS"),
        ("SELECT sqrt(^shop) AS x FROM input", "a number in sqrt", "shop, a VARCHAR"),
        ("SELECT round(price, ^id) AS x FROM input", "a constant whole number of digits", "id"),
        ("SELECT ^price // 2 AS x FROM input", "integers beside //", "price, a DECIMAL(10,2)"),
        ("SELECT ^rate // 2 AS x FROM input", "integers beside //", "rate, a DOUBLE"),
        ("SELECT epoch_ms(^id) AS x FROM input", "a TIMESTAMP in epoch_ms", "id, a BIGINT"),
        ("SELECT ^1e400 AS x FROM input", "a number that fits DOUBLE", "1e400"),
        ("SELECT ^999999999999999999999999999999999999999999 AS x FROM input", "an integer that fits HUGEINT", "999999999999999999999999999999999999999999"),
        ("SELECT ^end FROM input", "an expression", "end"),
        ("SELECT ^\"odd name\" FROM input", "a column or an alias", "\"odd name\""),
        ("SELECT odd ^name FROM input", "a comma, AS or FROM", "name"),
        ("SELECT id ^x, qty FROM input", "a comma, AS or FROM", "x"),
        ("SELECT id AS x, id AS ^X FROM input", "output names that differ", "X twice"),
        ("SELECT ^current_timestamp AS x FROM input", "a column or an alias", "current_timestamp"),
        ("SELECT id FROM input WHERE ^end = 1", "an expression", "end"),
        ("SELECT id AS x FROM input ORDER BY ^nope", "a column or an alias", "nope"),
        ("SELECT id FROM input WHERE id = 1 AND^", "an expression", "the end of the text"),
        ("SELECT count(*) AS n FROM input GROUP BY^", "an expression", "the end of the text"),
        ("SELECT id FROM input WHERE id > ^'2'", "a BIGINT in a comparison, beside id", "'2', a VARCHAR"),
        ("SELECT ^price * w * w * 0.0000000000000000000000000000000001 AS x FROM input", "a product of at most 38 digits after the point", "44 digits"),
        ("SELECT id FROM input LIMIT 10 ^20", "the end of the query", "20"),
        ("SELECT ^id.x FROM input", "input before the point", "id"),
        ("SELECT ^input FROM input", "a column or an alias", "input"),
        ("SELECT id FROM \"INPUT\" WHERE qty BETWEEN 1 ^OR 2", "AND between the bounds of BETWEEN", "OR"),
        ("SELECT sum(id) FILTER (WHERE ^sum(id) > 1) AS x FROM input", "no aggregate inside an aggregate", "sum"),
        ("SELECT sum(^count(*)) AS x FROM input", "no aggregate inside an aggregate", "count"),
        ("SELECT id, ^'a FROM input", "' to end a text", "the end of the text"),
    ] {
        let (query, at, problem) = problem(query);
        assert_eq!(problem.span.start as usize, at, "{query}");
        assert_eq!((problem.expected.as_str(), problem.found.as_str()), (expected, found), "{query}");
    }
}

#[test]
#[rustfmt::skip]
fn f006_constructs_refused_by_name() {
    for (query, found) in [
        ("SELECT id FROM input ^GRUOP", "another name for input"),
        ("SELECT id FROM input LIMIT 5 ^OFFSET 2", "OFFSET"),
        ("SELECT * ^EXCLUDE (id) FROM input", "a changed *"),
        ("SELECT ^mean(id) AS x FROM input", "mean"),
        ("SELECT id IN (^SELECT 1) AS x FROM input", "a subquery"),
        ("SELECT shop, count(*) AS n FROM input GROUP BY shop ORDER BY ^ALL", "ORDER BY ALL"),
        ("SELECT shop FROM input GROUP BY ^ROLLUP (shop)", "several groupings in one query"),
        ("SELECT shop FROM input GROUP BY ^GROUPING SETS ((shop), ())", "several groupings in one query"),
        ("SELECT shop FROM input GROUP BY ^()", "several groupings in one query"),
        ("SELECT a.id FROM input a ^JOIN input b ON a.id = b.id", "a join"),
        ("SELECT id FROM input AS a ^LEFT JOIN b", "a join"),
        ("SELECT id FROM input ^NATURAL JOIN b", "a join"),
        ("SELECT id FROM input^, other", "a join"),
        ("SELECT id FROM input i^, other o", "a join"),
        ("SELECT id FROM input ^i", "another name for input"),
        ("SELECT id FROM input ^AS i WHERE id = 1", "another name for input"),
        ("SELECT id FROM ^(SELECT 1)", "a subquery"),
        ("SELECT (^SELECT 1) AS x FROM input", "a subquery"),
        ("SELECT ^EXISTS (SELECT 1) AS x FROM input", "a subquery"),
        ("^WITH a AS (SELECT 1) SELECT id FROM a", "WITH"),
        ("SELECT id FROM input ^UNION ALL SELECT id FROM input", "a set operation"),
        ("SELECT id FROM input ^EXCEPT SELECT id FROM input", "a set operation"),
        ("SELECT sum(id) ^OVER (PARTITION BY shop) AS x FROM input", "a window function"),
        ("SELECT row_number() ^OVER () AS x FROM input", "a window function"),
        ("SELECT id FROM input ^QUALIFY id = 1", "QUALIFY"),
        ("SELECT id FROM input ^WINDOW w AS ()", "a window function"),
        ("^PIVOT input ON shop", "PIVOT"),
        ("SELECT id FROM input ^PIVOT (sum(id) FOR shop IN ('a'))", "PIVOT"),
        ("SELECT ^unnest(shop) AS x FROM input", "unnest"),
        ("SELECT list_transform(shop, x ^-> x) AS x FROM input", "a lambda or a JSON path"),
        ("SELECT coalesce(id, x ^-> x) AS x FROM input", "a lambda or a JSON path"),
        ("SELECT coalesce(id, ^lambda x: x) AS x FROM input", "a lambda"),
        ("SELECT id FROM input WHERE id = ^?", "a parameter"),
        ("SELECT id FROM input WHERE id = ^$1", "a parameter"),
        ("SELECT DISTINCT ^ON (id) id FROM input", "DISTINCT ON"),
        ("SELECT id FROM input WHERE shop ^ILIKE 'a'", "ILIKE"),
        ("SELECT id FROM input WHERE shop NOT ^ILIKE 'a'", "ILIKE"),
        ("SELECT id FROM input WHERE shop ^SIMILAR TO 'a'", "SIMILAR TO"),
        ("SELECT id FROM input WHERE shop ^~ 'a'", "a regular expression"),
        ("SELECT shop^[1] AS x FROM input", "a list or an element of one"),
        ("SELECT ^[1, 2] AS x FROM input", "a list or an element of one"),
        ("SELECT ^{'a': 1} AS x FROM input", "a struct value"),
        ("SELECT ^ARRAY[1] AS x FROM input", "a list value"),
        ("SELECT id ^^ 2 AS x FROM input", "the operator of powers"),
        ("SELECT id ^& 2 AS x FROM input", "an operator on bits"),
        ("SELECT id ^ISNULL AS x FROM input", "ISNULL"),
        ("SELECT first(id ^ORDER BY ts) AS x FROM input", "ORDER BY inside a function"),
        ("SELECT ^E'abc' AS x FROM input", "a text with a letter before it"),
        ("SELECT id FROM input ^FETCH FIRST 5 ROWS ONLY", "FETCH"),
        ("SELECT id FROM input ^TABLESAMPLE 10", "a sample"),
        ("SELECT id FROM input WHERE ^!paid", "the operator !"),
        ("SELECT id FROM input WHERE paid ^&& paid", "an operator on lists"),
        ("SELECT id FROM input WHERE id = ^ANY (1, 2)", "ANY or ALL of a list"),
        ("^INSERT INTO input VALUES (1)", "a statement that writes"),
        ("SELECT ^now() AS x FROM input", "now"),
    ] {
        let (query, at, problem) = problem(query);
        assert_eq!(problem.span.start as usize, at, "{query}");
        assert_eq!(problem.found, found, "{query}");
        assert!(problem.expected == "the SQL that windrow takes" || problem.expected == "a function of windrow", "{query}");
        assert!(!problem.advice.is_empty(), "{query}");
    }
}

#[test]
#[rustfmt::skip]
fn f006_advice_says_what_to_write() {
    for (query, advice) in [
        ("^SELEC id FROM input", "did you mean SELECT?"),
        ("SELECT id FROM input ^GRUOP BY id", "did you mean GROUP?"),
        ("SELECT id, ^FROM input", "remove the comma before it"),
        ("SELECT ^ids FROM input", "did you mean id?"),
        ("SELECT id FROM input WHERE shop = ^\"north\"", "a text stands in single quotes: 'north'; the columns are id, shop, qty, price, w, rate, paid, ts, none"),
        ("SELECT ^b AS a, id AS b FROM input", "b is defined by a later item: put that item first"),
        ("SELECT ^summ(id) AS x FROM input", "did you mean sum?"),
        ("SELECT ^mean(id) AS x FROM input", "write avg"),
        ("SELECT ^pow(id) AS x FROM input", "write pow(x, y): x to the power of y"),
        ("SELECT ^pi AS x FROM input", "a function is called with parentheses: pi()"),
        ("SELECT ^end FROM input", "end is a reserved word: a column of that name is written \"end\""),
        ("SELECT id = ^shop AS x FROM input", "write CAST(shop AS BIGINT)"),
        ("SELECT id FROM input WHERE id > ^'2'", "write 2 without quotes, or CAST('2' AS BIGINT)"),
        ("SELECT ^ts - ts AS x FROM input", "write epoch_ms(ts) - epoch_ms(ts)"),
        ("SELECT sum(^paid) AS x FROM input", "count the rows: count(*) FILTER (WHERE paid)"),
        ("SELECT avg(^ts) AS x FROM input", "take milliseconds: avg(epoch_ms(ts))"),
        ("SELECT id < 1 ^< 2 AS x FROM input", "write a < b AND b < c; put parentheses around a comparison that is compared itself"),
        ("SELECT shop, ^qty FROM input GROUP BY shop", "put qty into GROUP BY, or into an aggregate such as first(qty)"),
        ("SELECT CAST(id AS ^INTEGER) AS x FROM input", "write BIGINT"),
        ("SELECT id FROM input WHERE shop ^ILIKE 'a'", "compare lower(…) with LIKE and a pattern in lower case"),
        ("SELECT id FROM input LIMIT 5 ^OFFSET 2", "LIMIT takes the first rows only: filter by WHERE or HAVING"),
        ("SELECT date_trunc(^'houre', ts) AS x FROM input", "did you mean hour?"),
    ] {
        let (query, _, problem) = problem(query);
        assert_eq!(problem.advice, advice, "{query}");
    }
}

#[test]
fn what_a_problem_repeats_is_fit_to_print() {
    let long = "x".repeat(60_000);
    for query in [
        format!("SELECT {long} FROM input"),
        format!("SELECT id AS \"{long}\", qty AS \"{long}\" FROM input"),
        format!("SELECT id FROM input GROUP BY {}", "9".repeat(60_000)),
        format!(
            "SELECT ts + INTERVAL '{} s' AS x FROM input",
            "9".repeat(60_000)
        ),
        format!("SELECT date_trunc('{long}', ts) AS x FROM input"),
        "SELECT \"a\u{1b}[0m\n\" FROM input".to_owned(),
        "SELECT id AS \"\n\", qty AS \"\n\" FROM input".to_owned(),
    ] {
        let problem = compile(&query).expect_err("a problem");
        for said in [problem.expected, problem.found, problem.advice] {
            assert!(
                said.len() < 500 && !said.contains(char::is_control),
                "{said}"
            );
        }
    }
}
