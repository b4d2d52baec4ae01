//! What other SQL has and windrow refuses by name, with what to do instead (SPEC 5; SQL.md, Names).

use super::super::lex::{Kind, Token};
use super::super::{Problem, Span, same_name};

/// A construct: its name and what to do instead.
#[derive(Clone, Copy)]
pub(super) struct Refused {
    what: &'static str,
    instead: &'static str,
}

impl Refused {
    pub(super) fn at(self, span: Span) -> Problem {
        Problem::new(span, "the SQL that windrow takes", self.what, self.instead)
    }
}

const fn refused(what: &'static str, instead: &'static str) -> Refused {
    Refused { what, instead }
}

pub(super) const JOIN: Refused = refused(
    "a join",
    "windrow reads one input: join before, or after the rollup",
);
pub(super) const SUBQUERY: Refused = refused(
    "a subquery",
    "write one SELECT; run the inner query first and read its result",
);
pub(super) const TABLE_ALIAS: Refused = refused(
    "another name for input",
    "leave it out: columns need no prefix, or input.column",
);
pub(super) const DISTINCT_ON: Refused =
    refused("DISTINCT ON", "use GROUP BY with first(…) or arg_min(…, …)");
pub(super) const ORDER_BY_ALL: Refused = refused("ORDER BY ALL", "name the columns to order by");
pub(super) const GROUPING_SETS: Refused = refused(
    "several groupings in one query",
    "run one query for each grouping",
);
pub(super) const WINDOW: Refused =
    refused("a window function", "use GROUP BY; windrow has no OVER");
pub(super) const LIKE_ANY: Refused = refused(
    "ANY or ALL of a list",
    "write IN (…), or the comparisons with OR",
);
pub(super) const ORDER_INSIDE: Refused = refused(
    "ORDER BY inside a function",
    "use arg_min(value, key) or arg_max(value, key)",
);
pub(super) const TEXT_PREFIX: Refused = refused(
    "a text with a letter before it",
    "write the text in '…' alone, its characters as they are",
);
const STAR_CHANGED: Refused = refused("a changed *", "list the columns that you want");
const SET: Refused = refused(
    "a set operation",
    "give INPUT an array of URIs to read several inputs as one",
);
const SAMPLE: Refused = refused("a sample", "filter by a condition, such as id % 100 = 0");

/// Words that begin or join something refused.
const WORDS: [(&str, Refused); 41] = [
    ("JOIN", JOIN),
    ("INNER", JOIN),
    ("LEFT", JOIN),
    ("RIGHT", JOIN),
    ("FULL", JOIN),
    ("CROSS", JOIN),
    ("NATURAL", JOIN),
    ("POSITIONAL", JOIN),
    ("ASOF", JOIN),
    ("SEMI", JOIN),
    ("ANTI", JOIN),
    ("LATERAL", JOIN),
    ("UNION", SET),
    ("INTERSECT", SET),
    ("EXCEPT", SET),
    (
        "WITH",
        refused(
            "WITH",
            "write one SELECT: a name for an expression is given by AS",
        ),
    ),
    ("OVER", WINDOW),
    ("WINDOW", WINDOW),
    (
        "QUALIFY",
        refused(
            "QUALIFY",
            "there are no window functions: use GROUP BY and HAVING",
        ),
    ),
    (
        "PIVOT",
        refused(
            "PIVOT",
            "use an aggregate with FILTER (WHERE …) for each column",
        ),
    ),
    (
        "UNPIVOT",
        refused("UNPIVOT", "reshape before or after the rollup"),
    ),
    (
        "OFFSET",
        refused(
            "OFFSET",
            "LIMIT takes the first rows only: filter by WHERE or HAVING",
        ),
    ),
    ("FETCH", refused("FETCH", "write LIMIT n")),
    ("TABLESAMPLE", SAMPLE),
    ("USING", SAMPLE),
    (
        "ILIKE",
        refused(
            "ILIKE",
            "compare lower(…) with LIKE and a pattern in lower case",
        ),
    ),
    (
        "SIMILAR",
        refused("SIMILAR TO", "windrow has no regular expressions: use LIKE"),
    ),
    (
        "GLOB",
        refused("GLOB", "use LIKE, with % for * and _ for ?"),
    ),
    (
        "COLLATE",
        refused(
            "COLLATE",
            "texts compare by their bytes: use lower(…) to ignore case",
        ),
    ),
    ("ISNULL", refused("ISNULL", "write IS NULL")),
    ("NOTNULL", refused("NOTNULL", "write IS NOT NULL")),
    ("EXISTS", SUBQUERY),
    ("ANY", LIKE_ANY),
    ("SOME", LIKE_ANY),
    (
        "ARRAY",
        refused(
            "a list value",
            "windrow has no lists: name an element by its JSON path in COLUMNS",
        ),
    ),
    (
        "LAMBDA",
        refused("a lambda", "windrow has no lists to apply one to"),
    ),
    ("VALUES", refused("VALUES", "the rows come from INPUT")),
    (
        "AT",
        refused(
            "AT TIME ZONE",
            "times are UTC: add an INTERVAL for a fixed offset",
        ),
    ),
    (
        "INSERT",
        refused("a statement that writes", "a query is one SELECT"),
    ),
    (
        "CREATE",
        refused("a statement that writes", "a query is one SELECT"),
    ),
    (
        "COPY",
        refused(
            "a statement that writes",
            "a query is one SELECT: OUTPUT says where rows go",
        ),
    ),
];

const SYMBOLS: [(&str, Refused); 22] = [
    ("?", PARAMETER),
    ("$", PARAMETER),
    (
        "$$",
        refused(
            "a dollar-quoted text",
            "texts stand in '…', a quote inside them doubled",
        ),
    ),
    (
        "->",
        refused("a lambda or a JSON path", "name the JSON path in COLUMNS"),
    ),
    (
        "->>",
        refused("a JSON path", "name the JSON path in COLUMNS"),
    ),
    (
        "=>",
        refused("a named argument", "write the arguments in order"),
    ),
    (
        ":=",
        refused("a named argument", "write the arguments in order"),
    ),
    (
        "[",
        refused(
            "a list or an element of one",
            "name the element by its JSON path in COLUMNS",
        ),
    ),
    (
        "{",
        refused(
            "a struct value",
            "windrow has no structs: make one column of each part",
        ),
    ),
    ("^", POWER),
    ("**", POWER),
    ("&", BITS),
    ("|", BITS),
    ("<<", BITS),
    (">>", BITS),
    (
        "&&",
        refused("an operator on lists", "write AND between conditions"),
    ),
    ("~", refused("a regular expression", "use LIKE")),
    ("~~", refused("the operator ~~", "write LIKE")),
    ("!~~", refused("the operator !~~", "write NOT LIKE")),
    (
        "!",
        refused("the operator !", "write NOT, or <> for not equal"),
    ),
    ("@", refused("the operator @", "write abs(…)")),
    ("#", refused("a column by position", "write its name")),
];
const PARAMETER: Refused = refused("a parameter", "write the value into the query");
const POWER: Refused = refused("the operator of powers", "write pow(x, y)");
const BITS: Refused = refused(
    "an operator on bits",
    "windrow has none: use // and % by powers of two",
);

/// The problem of `word`, where it is one of those.
pub(super) fn word(word: &str, span: Span) -> Option<Problem> {
    let (_, refused) = WORDS.iter().find(|(known, _)| same_name(known, word))?;
    Some(refused.at(span))
}

/// The problem of `symbol`, where it is one of those.
pub(super) fn symbol(symbol: &str, span: Span) -> Option<Problem> {
    let (_, refused) = SYMBOLS.iter().find(|(known, _)| *known == symbol)?;
    Some(refused.at(span))
}

/// What may follow `*` in DuckDB and changes it.
pub(super) fn after_star(token: Token<'_>) -> Option<Problem> {
    let Kind::Word(word) = token.kind else {
        return None;
    };
    ["EXCLUDE", "EXCEPT", "REPLACE", "RENAME", "LIKE", "ILIKE"]
        .iter()
        .any(|known| same_name(known, word))
        .then(|| STAR_CHANGED.at(token.span))
}
