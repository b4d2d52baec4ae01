//! What the plan of a query is: columns read, keys, aggregates, order; names and the rules of SQL.md about them.

use super::super::columns::Family;
use super::super::plan::{
    AggregateFunction, Direction, Function, Groups, Interval, Node, Nulls, Plan, Rows, Shape,
};
use super::{columns_of, compile};
use crate::value::{Type, Value};

fn plan(query: &str) -> Plan {
    compile(query).unwrap_or_else(|problem| panic!("{query}: {problem:?}"))
}

fn groups(query: &str) -> Groups {
    match plan(query).shape {
        Shape::Groups(groups) => groups,
        Shape::Rows(_) => panic!("row-wise: {query}"),
    }
}

fn rows(query: &str) -> Rows {
    match plan(query).shape {
        Shape::Rows(rows) => rows,
        Shape::Groups(_) => panic!("grouped: {query}"),
    }
}

/// The outputs as `name TYPE`.
fn outputs(plan: &Plan) -> Vec<String> {
    let outputs = plan.outputs.iter();
    outputs
        .map(|output| format!("{} {}", output.name, output.ty))
        .collect()
}

#[test]
fn the_columns_that_are_read() {
    let columns = columns_of("a BIGINT, b BIGINT NOT NULL, c BIGINT, d BIGINT");
    for (query, want) in [
        ("SELECT count(*) AS n FROM input", vec![1]),
        ("SELECT d, a FROM input", vec![0, 1, 3]),
        ("SELECT d FROM input WHERE c > 1", vec![1, 2, 3]),
        (
            "SELECT sum(d) FILTER (WHERE c > 1) AS s FROM input GROUP BY a",
            vec![0, 1, 2, 3],
        ),
        (
            "SELECT count(*) AS n FROM input GROUP BY c ORDER BY max(a)",
            vec![0, 1, 2],
        ),
        ("SELECT * FROM input", vec![0, 1, 2, 3]),
    ] {
        let plan = crate::query::compile(query, &columns).expect(query);
        assert_eq!(plan.columns, want, "{query}");
    }
    // Expressions count in the columns that are read.
    let plan = crate::query::compile("SELECT d, b FROM input", &columns).expect("two");
    let Shape::Rows(rows) = plan.shape else {
        panic!("grouped")
    };
    let nodes: Vec<Node> = rows.outputs.into_iter().map(|output| output.node).collect();
    assert_eq!(nodes, [Node::Column(1), Node::Column(0)]);
}

#[test]
fn names_of_outputs() {
    for (query, want) in [
        (
            "select ID, \"Price\" from INPUT",
            vec!["id BIGINT", "price DECIMAL(10,2)"],
        ),
        (
            "SELECT input.id, qty AS \"a \"\"b\"\"\" FROM \"input\";",
            vec!["id BIGINT", "a \"b\" BIGINT"],
        ),
        (
            "SELECT id AS end, qty AS First FROM input",
            vec!["end BIGINT", "First BIGINT"],
        ),
        ("SELECT (id) FROM input", vec!["id BIGINT"]),
        (
            "SELECT sum(price) AS p, avg(qty) AS a, count(none) AS n FROM input",
            vec!["p DECIMAL(38,2)", "a DOUBLE", "n BIGINT"],
        ),
        (
            "SELECT sum(qty) AS q, sum(rate) AS r, sum(NULL) AS n FROM input",
            vec!["q HUGEINT", "r DOUBLE", "n HUGEINT"],
        ),
        (
            "SELECT min(shop) AS a, max(paid) AS b, arg_min(ts, price) AS c, first(rate) AS d, last(w) AS e FROM input",
            vec![
                "a VARCHAR",
                "b BOOLEAN",
                "c TIMESTAMP",
                "d DOUBLE",
                "e DECIMAL(30,4)",
            ],
        ),
        (
            "SELECT regr_slope(qty, price) AS s FROM input",
            vec!["s DOUBLE"],
        ),
    ] {
        assert_eq!(outputs(&plan(query)), want, "{query}");
    }
    assert_eq!(
        plan("SELECT *, id + 1 AS more FROM input").outputs.len(),
        10
    );
}

#[test]
fn an_alias_stands_for_its_item() {
    let by_alias = "SELECT qty * 2 AS d, d + 1 AS e FROM input WHERE d > 1 AND e > 2";
    let written_out =
        "SELECT qty * 2 AS d, qty * 2 + 1 AS e FROM input WHERE qty * 2 > 1 AND qty * 2 + 1 > 2";
    assert_eq!(plan(by_alias), plan(written_out));
    // A column of the name wins, except where it is all of an ORDER BY item; inside a larger one it wins there too.
    let shadowed = rows("SELECT qty AS id, id + 1 AS more FROM input WHERE id = 7");
    assert_eq!(
        shadowed.outputs[1],
        rows("SELECT id + 1 AS more, qty FROM input WHERE id = 7").outputs[0]
    );
    let shadowed = groups("SELECT max(qty) AS id FROM input GROUP BY id ORDER BY id, id + 0");
    assert_eq!(
        shadowed.order[0].expr.node,
        Node::Column(1),
        "the aggregate"
    );
    assert!(
        matches!(&shadowed.order[1].expr.node, Node::Call(Function::Add, args) if args[0].node == Node::Column(0))
    );
    let summed = groups("SELECT sum(qty) AS qty FROM input GROUP BY shop ORDER BY sum(qty)");
    assert_eq!(
        summed.aggregates.len(),
        1,
        "inside an aggregate the column is meant"
    );
}

/// Two expressions that differed in the sign of a zero alone were once taken for one.
#[test]
fn expressions_with_zeros_of_both_signs_are_two() {
    let groups = groups("SELECT min(qty * 0e0) AS a, min(qty * -0e0) AS b FROM input");
    assert_eq!(groups.aggregates.len(), 2);
}

#[test]
fn group_by_in_all_its_forms() {
    let want =
        groups("SELECT shop, qty > 2 AS many, count(*) AS n FROM input GROUP BY shop, qty > 2");
    assert_eq!(want.keys.len(), 2);
    let nodes: Vec<&Node> = want.outputs.iter().map(|output| &output.node).collect();
    assert_eq!(
        nodes,
        [&Node::Column(0), &Node::Column(1), &Node::Column(2)]
    );
    for form in ["shop, many", "1, 2", "ALL", "shop, 2, many, input.shop"] {
        let query =
            format!("SELECT shop, qty > 2 AS many, count(*) AS n FROM input GROUP BY {form}");
        assert_eq!(groups(&query), want, "{form}");
    }
    assert!(
        groups("SELECT count(*) AS n FROM input GROUP BY ALL")
            .keys
            .is_empty()
    );
    assert_eq!(groups("SELECT shop FROM input GROUP BY ALL").keys.len(), 1);
    // A constant is no key of ALL: over an empty input there is one group, as in DuckDB.
    let constant = groups("SELECT 1 + 1 AS two, count(*) AS n FROM input GROUP BY ALL");
    assert!(constant.keys.is_empty());
    assert_eq!(
        rows("SELECT 1 + 1 AS two FROM input GROUP BY ALL").limit,
        None,
        "nothing to group by"
    );
    assert!(
        groups("SELECT 1 AS one FROM input HAVING TRUE")
            .aggregates
            .is_empty()
    );
    // An expression of a key is a function of the key.
    let query = "SELECT qty % 2 + 1 AS a, CASE WHEN qty % 2 = 0 THEN 'even' END AS b FROM input GROUP BY qty % 2";
    assert_eq!(groups(query).keys.len(), 1);
}

#[test]
fn equal_aggregate_calls_are_one() {
    let query = "SELECT shop, sum(qty) AS s, sum( QTY ) + count(*) AS t, sum(qty) FILTER (WHERE paid) AS u FROM input \
        GROUP BY shop HAVING sum(qty) > 3 ORDER BY count() DESC, avg(qty)";
    let groups = groups(query);
    let functions: Vec<_> = groups
        .aggregates
        .iter()
        .map(|aggregate| aggregate.function)
        .collect();
    assert_eq!(
        functions,
        [
            AggregateFunction::Sum,
            AggregateFunction::CountStar,
            AggregateFunction::Sum,
            AggregateFunction::Avg
        ]
    );
    assert_eq!(
        groups.order[0].expr.node,
        Node::Column(2),
        "after one key, the second aggregate"
    );
    assert!(groups.aggregates[2].filter.is_some());
    assert_eq!(groups.aggregates[0].span.of(query), "sum(qty)");
}

#[test]
fn order_and_limit() {
    let groups = groups(
        "SELECT shop, count(*) AS n FROM input GROUP BY 1 ORDER BY n DESC NULLS FIRST, 1, max(ts) ASC LIMIT 3",
    );
    let order: Vec<_> = groups
        .order
        .iter()
        .map(|key| (key.expr.node.clone(), key.direction, key.nulls))
        .collect();
    assert_eq!(
        order,
        [
            (Node::Column(1), Direction::Descending, Nulls::First),
            (Node::Column(0), Direction::Ascending, Nulls::Last),
            (Node::Column(2), Direction::Ascending, Nulls::Last),
        ]
    );
    assert_eq!(groups.limit, Some(3));
    assert_eq!(rows("SELECT id FROM input LIMIT 0").limit, Some(0));
}

#[test]
fn constants_are_ready_for_the_kernels() {
    let constant = |query: &str, arg: usize| {
        let Node::Call(_, args) = rows(query).outputs[0].node.clone() else {
            panic!("{query}")
        };
        (args[arg].node.clone(), args[arg].ty)
    };
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    for (query, arg, value, ty) in [
        (
            "SELECT price > 5 AS x FROM input",
            1,
            Value::Int(500),
            decimal(3, 2),
        ),
        (
            "SELECT price + 1 AS x FROM input",
            1,
            Value::Int(100),
            decimal(3, 2),
        ),
        (
            "SELECT rate > 1 AS x FROM input",
            1,
            Value::Double(1.0),
            Type::Double,
        ),
        (
            "SELECT rate * 0.1 AS x FROM input",
            1,
            Value::Double(0.1),
            Type::Double,
        ),
        (
            "SELECT qty = -3 AS x FROM input",
            1,
            Value::Int(-3),
            Type::BigInt,
        ),
        (
            "SELECT ts < '1970-01-01 00:00:01' AS x FROM input",
            1,
            Value::Int(1_000_000),
            Type::Timestamp,
        ),
        (
            "SELECT shop = NULL AS x FROM input",
            1,
            Value::Null,
            Type::Varchar,
        ),
    ] {
        assert_eq!(constant(query, arg), (Node::Constant(value), ty), "{query}");
    }
    let Node::Call(function, _) = rows("SELECT ts - INTERVAL '1 month 2 days 3 s' AS x FROM input")
        .outputs[0]
        .node
        .clone()
    else {
        panic!("no call")
    };
    let interval = Interval {
        months: -1,
        days: -2,
        micros: -3_000_000,
    };
    assert_eq!(function, Function::AddInterval(interval));
}

#[test]
fn a_problem_of_values_names_its_expression() {
    let query = "SELECT id, qty + (id * 2) AS x FROM input";
    let Node::Call(_, args) = &rows(query).outputs[1].node else {
        panic!("no call")
    };
    assert_eq!(rows(query).outputs[1].span.of(query), "qty + (id * 2)");
    assert_eq!(args[1].span.of(query), "(id * 2)");
}

#[test]
fn the_same_query_reads_json() {
    let columns = super::super::columns::parse_columns("p DOUBLE FROM data.p", Family::Json)
        .expect("columns");
    assert!(crate::query::compile("SELECT max(p) AS high FROM input", &columns).is_ok());
}
