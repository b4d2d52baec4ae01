"""Random queries, and what they give by SQL.md: the rows in order, or a Fault."""

import math
import re

import expressions as e
import model
from expressions import Aggregate, Group, Node
from model import BIGINT, BOOLEAN, DOUBLE, HUGEINT, TIMESTAMP, VARCHAR, Fault, Refused, decimal

KINDS = {"BIGINT": "int", "HUGEINT": "int", "DECIMAL": "dec", "DOUBLE": "dbl", "VARCHAR": "text", "BOOLEAN": "bool", "TIMESTAMP": "time"}
ALL = ["int", "dec", "dbl", "text", "bool", "time"]
INTERVALS = [("INTERVAL '90 seconds'", 0, 0, 90 * model.SECOND), ("INTERVAL '1' MONTH", 1, 0, 0), ("INTERVAL '1 year 2 days'", 12, 2, 0), ("INTERVAL '1.5 hours'", 0, 0, 5400 * model.SECOND),
             ("INTERVAL 3 WEEKS", 0, 21, 0), ("INTERVAL '-1 day'", 0, -1, 0), ("INTERVAL '1 quarter 1 microsecond'", 3, 0, 1), ("INTERVAL '13 months -1 day 1 ms'", 13, -1, 1000),
             ("interval 11 month", 11, 0, 0), ("INTERVAL '29 d'", 0, 29, 0), ("INTERVAL '-999' MILLISECONDS", 0, 0, -999000)]
BUCKETS = [("INTERVAL '1 minute'", 0, model.MINUTE), ("INTERVAL 15 MINUTES", 0, 15 * model.MINUTE), ("INTERVAL '1 day'", 0, model.DAY), ("INTERVAL '7' DAY", 0, 7 * model.DAY), ("INTERVAL '1 month'", 1, 0),
           ("INTERVAL 5 MONTH", 5, 0), ("INTERVAL '1 year'", 12, 0), ("INTERVAL '7 microseconds'", 0, 7), ("INTERVAL '36 hours'", 0, 36 * model.HOUR), ("INTERVAL '1 day 1 second'", 0, model.DAY + model.SECOND)]
TRUNCS = ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium"]
PARTS = TRUNCS + ["dow", "isodow", "doy", "isoyear"]


class Query:
    """A query's parts; its text and its result are made from them, so that parts can be left out."""

    def __init__(self, items, where=None, limit=None, grouping=None, star=False, order=(), distinct=False):
        self.items, self.where, self.limit, self.grouping, self.star = items, where, limit, grouping, star
        # Of a row-wise query, and of one with DISTINCT; a grouped one without has its own.
        self.order, self.distinct = list(order), distinct

    def respelled(self, random):
        """The same text with other spellings of names, words and blanks."""
        parts = re.split(r"('(?:[^']|'')*')", self.sql())
        spell = lambda name: random.choice([name.upper(), f'"{name}"', f"input.{name}", f"Input . {name}"])
        blank = lambda word: random.choice([word.lower(), f"\n{word}-- so\n", f" /* and */{word}"])
        for index in range(0, len(parts), 2):
            parts[index] = re.sub(r"(?<!AS )\bc[0-9]\b", lambda name: spell(name[0]) if random.random() < 0.2 else name[0], parts[index])
            parts[index] = re.sub(r" (AND|OR|FROM|WHERE|BY) ", lambda word: blank(word[0]) if random.random() < 0.2 else word[0], parts[index])
            parts[index] = parts[index].replace(" <> ", random.choice([" <> ", " != ", "<>"])).replace(" = ", random.choice([" = ", " == ", "="]))
        return "".join(parts)

    def sql(self, more_order=""):
        """`more_order` is for DuckDB: it makes the order of ties sure, and beside GROUP BY ALL, DuckDB takes no ORDER
        BY of more than the items, and groups by the columns of HAVING too."""
        items = ", ".join(node.sql if alias is None else f"{node.bare()} AS {alias}" for node, alias in self.items)
        text = f"SELECT {'DISTINCT ' if self.distinct else ''}{'*' if self.star else items} FROM input"
        if self.where:
            text += f" WHERE {self.where.bare()}"
        grouping = self.grouping
        if grouping:
            by = grouping.plain().by if more_order and (grouping.order or grouping.having) else grouping.by
            if by:
                text += f" GROUP BY {by}"
            if grouping.having:
                text += f" HAVING {grouping.having.bare()}"
        order = [key.sql() for key in (grouping.order if grouping and not self.distinct else self.order)]
        if more_order and self.distinct:
            order += [f"{index + 1} NULLS LAST" for index in range(len(self.items))]
        elif more_order and grouping:
            order += [f"{node.sql} NULLS LAST" for node in grouping.keys]
        elif more_order and order:
            order.append("rowid")
        if order:
            text += f" ORDER BY {', '.join(order)}"
        return text + (f" LIMIT {self.limit}" if self.limit is not None else "")

    def tags(self):
        """Of what decides which rows there are and their order, and of each output."""
        grouping = self.grouping
        decisive = [self.where] if self.where else []
        if grouping:
            decisive += grouping.keys + ([grouping.having] if grouping.having else []) + [key.node for key in grouping.order]
        decisive += [key.node for key in self.order]
        if self.distinct:
            decisive += [node for node, _ in self.items]
            # Which of two zeros a row shows.
            decisive += [Node("", BIGINT, None, tags=[e.ZERO]) for node, _ in self.items if node.ty == DOUBLE]
        return frozenset().union(*(node.tags for node in decisive)), [node.tags for node, _ in self.items]

    def names(self):
        return [alias or node.sql for node, alias in self.items]

    def types(self):
        return [node.ty for node, _ in self.items]

    def rows(self, table):
        kept = (row for row in table.rows if self.where is None or self.where.value(row) is True)
        if self.distinct:
            return self.once(self.plain(kept, None) if not self.grouping else self.grouped(kept, None))
        if not self.grouping:
            return self.ordered(kept) if self.order else self.plain(kept, self.limit)
        return self.grouped(kept, self.limit)

    def once(self, rows):
        """Each row once, in order."""
        rows = [[plain_zero(value) for value in row] for row in rows]
        rows = list({tuple(row): row for row in rows}.values())
        rows.sort(key=lambda row: [last(value, ty) for value, ty in zip(row, self.types())])
        places = [next(index for index, (node, _) in enumerate(self.items) if node.sql == key.node.sql) for key in self.order]
        return in_order(rows, self.order, [lambda row, place=place: row[place] for place in places])[: self.limit]

    def ordered(self, kept):
        kept = list(kept)
        if self.limit == 0:
            return []
        kept = in_order(kept, self.order, [key.value for key in self.order])[: self.limit]
        return [[node.value(row) for node, _ in self.items] for row in kept]

    def plain(self, kept, limit):
        rows = []
        if limit == 0:
            return rows
        for row in kept:
            rows.append([node.value(row) for node, _ in self.items])
            if len(rows) == limit:
                break
        return rows

    def grouped(self, kept, limit):
        grouping, groups = self.grouping, {}
        if not grouping.keys:
            groups[()] = Group(())
        for row in kept:
            keys = tuple(plain_zero(node.value(row)) for node in grouping.keys)
            if keys not in groups:
                groups[keys] = Group(keys)
            for aggregate in grouping.aggregates:
                values = aggregate.given(row)
                if values is not None:
                    groups[keys].see(aggregate, values)
        kept = [group for group in groups.values() if grouping.having is None or grouping.having.value(group) is True]
        kept.sort(key=lambda group: [last(value, node.ty) for value, node in zip(group.keys, grouping.keys)])
        order = [] if self.distinct else grouping.order
        kept = in_order(kept, order, [key.value for key in order])[:limit]
        return [[node.value(group) for node, _ in self.items] for group in kept]


def in_order(kept, order, values_of):
    """Rows or groups by an order; ties stay."""
    for key, value_of in reversed(list(zip(order, values_of))):
        values = {id(one): value_of(one) for one in kept}
        present = [one for one in kept if values[id(one)] is not None]
        absent = [one for one in kept if values[id(one)] is None]
        # Python's reverse keeps the order of ties.
        present.sort(key=lambda one: model.order_key(values[id(one)], key.node.ty), reverse=key.descending)
        kept = absent + present if key.nulls_first else present + absent
    return kept


def plain_zero(value):
    return 0.0 if isinstance(value, float) and value == 0 else value


def last(value, ty):
    return (1, 0) if value is None else (0, model.order_key(value, ty))


class Grouping:
    def __init__(self, by, keys, aggregates, having, order):
        self.by, self.keys, self.aggregates, self.having, self.order = by, keys, aggregates, having, order

    def is_plain(self):
        """Whether no position, alias or ALL hangs on the items."""
        return self.by == self.plain().by and all(key.text == key.node.sql for key in self.order)

    def plain(self):
        order = [OrderKey(key.node.sql, key.node, key.direction, key.nulls) for key in self.order]
        return Grouping(", ".join(key.sql for key in self.keys), self.keys, self.aggregates, self.having, order)


class OrderKey:
    def __init__(self, text, node, direction, nulls):
        self.text, self.node = text, node
        self.direction, self.nulls = direction, nulls
        self.descending, self.nulls_first = direction == "DESC", nulls == "NULLS FIRST"

    def sql(self):
        return " ".join(filter(None, [self.text, self.direction, self.nulls]))

    def value(self, group):
        return self.node.value(group)


class Maker:
    """Makes expressions of a kind from the leaves of a scope."""

    def __init__(self, random, leaves, pools):
        self.random, self.leaves, self.pools = random, leaves, pools

    def chance(self, share):
        return self.random.random() < share

    def of(self, kind, depth):
        """An expression; one that windrow would not take is made anew."""
        for _ in range(20):
            try:
                node = getattr(self, kind)(depth)
            except Refused:
                continue
            # NULLs alone are a BIGINT, which is no truth and no text.
            if KINDS[node.ty[0]] == kind or kind in ("dec", "dbl") and node.ty[0] in model.NUMERIC:
                return node
        return self.constant(kind)

    def any(self, depth, kinds=ALL):
        return self.of(self.random.choice(kinds), depth)

    def number(self, depth):
        return self.any(depth, ["int", "int", "dec", "dec", "dbl"])

    def exact(self, depth):
        return self.any(depth, ["int", "dec"])

    def leaf(self, kind):
        leaves = [node for node in self.leaves if KINDS[node.ty[0]] == kind]
        if kind == "bool" and not leaves and self.chance(0.9):
            return e.compare(self.random.choice(list(e.COMPARISONS)), *self.comparable_pair(0))
        if leaves and self.chance(0.85):
            return self.random.choice(leaves)
        return self.constant(kind)

    def constant(self, kind):
        pool = self.pools.get(kind)
        value, ty = self.random.choice(pool) if pool and self.chance(0.7) else (None, None)
        if kind == "int":
            if value is not None and self.chance(0.1):
                value += self.random.choice([-1, 1])
            return e.integer(value if value is not None else self.random.choice([0, 1, 2, 3, 7, 10, -1, 100, 2**63, -(2**63) - 1, 2**64]))
        if kind == "dec":
            text = model.text_of(value, ty) if value is not None else self.random.choice(["0.5", "1.25", "-2.0", "10.00", "3.3", "0.000001", ".5"])
            return e.decimal_literal(text) if "." in text else e.integer(int(text))
        if kind == "dbl":
            if value is not None and self.chance(0.1) and abs(value) < 1e308:
                value = math.nextafter(value, self.random.choice([-math.inf, math.inf]))
            return e.double_literal(value if value is not None else self.random.choice([0.5, 1.0, 2.5, -1.5, 1e3, 1e-3]))
        if kind == "text":
            return e.text_literal(value if value is not None else self.random.choice(["a", "", "it's", "é", "12"]))
        if kind == "bool":
            return e.truth(self.chance(0.5))
        return e.time_literal(value if value is not None else model.time_of_text("2026-02-01 00:00:00"))

    def maybe_null(self, node):
        return e.null() if self.chance(0.06) else node

    def choice(self, kind, depth):
        """What any kind can be made of."""
        way, one = self.random.randrange(5), lambda: self.of(kind, depth - 1)
        if way == 4:
            args = [self.maybe_null(one()) for _ in range(self.random.randint(1, 3))]
            return e.outermost(self.random.choice(["greatest", "least"]), args)
        if way == 0:
            arms = [(self.of("bool", depth - 1), self.maybe_null(one())) for _ in range(self.random.randint(1, 2))]
            return e.case(arms, self.maybe_null(one()) if self.chance(0.7) else None)
        if way == 1:
            return e.coalesce([self.maybe_null(one()) for _ in range(self.random.randint(1, 3))])
        if way == 2:
            return e.null_if(one(), one())
        operand = self.any(depth - 1)
        arms = [(self.of(KINDS[operand.ty[0]], 0), one()) for _ in range(self.random.randint(1, 2))]
        return e.simple_case(operand, arms, one() if self.chance(0.7) else None)

    def divisor(self, node):
        return e.null_if(node, e.integer(0)) if self.chance(0.8) else node

    def int(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.leaf("int")
        one = lambda: self.of("int", depth - 1)
        ways = [
            lambda: e.compute(self.random.choice("+-*"), one(), one()),
            lambda: e.compute(self.random.choice("+-*"), one(), self.constant("int")),
            lambda: e.compute(self.random.choice(["//", "%"]), one(), self.divisor(one())),
            lambda: e.negative(one()),
            lambda: e.absolute(one()),
            lambda: e.rounded(one(), self.random.choice([-2, -1, 0, 3])),
            lambda: self.cast(BIGINT, depth),
            lambda: self.cast(self.random.choice([BIGINT, HUGEINT]), depth),
            lambda: e.date_part(self.random.choice(PARTS), self.of("time", depth - 1), self.chance(0.4)),
            lambda: e.epoch_ms(self.of("time", depth - 1)),
            lambda: e.sign(self.number(depth - 1)),
            lambda: e.length(self.of("text", depth - 1)),
            lambda: self.choice("int", depth),
        ]
        return self.random.choice(ways)()

    def dec(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.leaf("dec")
        one, other = lambda: self.of("dec", depth - 1), lambda: self.exact(depth - 1)
        ways = [
            lambda: self.swapped(self.random.choice("+-*"), one(), other()),
            lambda: e.compute("*", one(), self.constant("dec")),
            lambda: e.compute("%", one(), self.divisor(other())),
            lambda: e.negative(one()),
            lambda: e.absolute(one()),
            lambda: e.rounded(one(), self.random.choice([-1, 0, 1, 2, 4])),
            lambda: e.whole(self.random.choice(["floor", "ceil"]), one()),
            lambda: self.cast(self.random.choice([decimal(10, 2), decimal(18, 3), decimal(38, 12), decimal(3, 1)]), depth),
            lambda: self.choice("dec", depth),
            lambda: e.coalesce([one(), other()]),
        ]
        return self.random.choice(ways)()

    def swapped(self, op, left, right):
        return e.compute(op, left, right) if self.chance(0.5) else e.compute(op, right, left)

    def dbl(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.leaf("dbl")
        one = lambda: self.of("dbl", depth - 1)
        ways = [
            lambda: e.compute("/", self.number(depth - 1), self.divisor(self.number(depth - 1))),
            lambda: e.compute("/", self.exact(depth - 1), self.divisor(self.exact(depth - 1))),
            lambda: self.swapped(self.random.choice("+-*"), one(), self.number(depth - 1)),
            lambda: e.compute("%", one(), self.divisor(one())),
            lambda: e.negative(one()),
            lambda: e.absolute(one()),
            lambda: e.double_function("sqrt", [e.absolute(self.number(depth - 1))]),
            lambda: e.epoch(self.of("time", depth - 1)),
            lambda: e.rounded(one(), self.random.choice([-2, -1, 0, 1, 2, 6, 15])),
            lambda: e.whole(self.random.choice(["floor", "ceil"]), self.any(depth - 1, ["int", "dbl"])),
            lambda: self.cast(DOUBLE, depth),
            lambda: self.choice("dbl", depth),
            lambda: e.coalesce([one(), self.number(depth - 1)]),
        ]
        return self.random.choice(ways)()

    def cast(self, ty, depth):
        kinds = ["int", "dec", "dbl", "bool", "text"] if ty != TIMESTAMP else ["text"]
        arg = self.any(depth - 1, kinds) if ty != VARCHAR else self.any(depth - 1)
        node = e.cast(arg, ty, trying=arg.ty == VARCHAR and self.chance(0.85) or self.chance(0.4))
        if not arg.varies:
            try:
                node.value([])
            except Fault:
                raise Refused("a cast that must fail") from None
        return node

    def text(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.leaf("text")
        one, few = lambda: self.of("text", depth - 1), lambda: e.integer(self.random.choice([0, 1, 2, 3, -1, -2, 5, 100, -100]))
        ways = [
            lambda: self.cast(VARCHAR, depth),
            lambda: self.choice("text", depth),
            lambda: e.letters(self.random.choice(["lower", "upper"]), one()),
            lambda: e.trim(one()),
            lambda: e.replace(one(), self.piece(), self.piece()),
            lambda: e.substr(one(), few(), few() if self.chance(0.6) else None),
            lambda: e.substr(one(), self.of("int", 0)) if self.chance(0.3) else e.concat(one(), self.any(depth - 1)),
            lambda: e.concat(self.any(depth - 1), one()),
        ]
        return self.random.choice(ways)()

    def piece(self):
        """A short text that may be in a longer one."""
        return e.text_literal(self.random.choice(["a", "b", "", " ", "é", "日", "it", "'", "0", "aa", "%"])) if self.chance(0.8) else self.of("text", 0)

    def pattern(self):
        parts = ["%", "%", "_", "a", "b", "é", "日本", "1", " ", "!", "it"]
        return e.text_literal("".join(self.random.choice(parts) for _ in range(self.random.randint(0, 5)))) if self.chance(0.85) else self.of("text", 0)

    def time(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.leaf("time")
        one = lambda: self.of("time", depth - 1)
        ways = [
            lambda: e.time_bucket(*self.random.choice(BUCKETS), one()),
            lambda: e.date_trunc(self.random.choice(TRUNCS), one()),
            lambda: e.shifted(one(), self.random.choice([1, -1]), *self.random.choice(INTERVALS)),
            lambda: self.cast(TIMESTAMP, depth),
            lambda: self.choice("time", depth),
            lambda: self.made_time(depth),
        ]
        return self.random.choice(ways)()

    def made_time(self, depth):
        if self.chance(0.4):
            return e.make_timestamp([self.of("int", 0)])
        number = lambda values: e.integer(self.random.choice(values)) if self.chance(0.9) else self.of("int", 0)
        second = self.random.choice([e.integer(59), e.decimal_literal("1.25"), e.decimal_literal("59.9999996"), e.double_literal(0.000001), e.integer(0)])
        parts = [[2024, 2023, 1969, 1, 9999], [1, 2, 12], [1, 28, 29, 31], [0, 23, 12], [0, 59]]
        return e.make_timestamp([*map(number, parts), second])

    def comparable_pair(self, depth):
        kind = self.random.choice(ALL if depth > 0 else [kind for kind in ALL if kind != "bool"])
        if kind == "bool" and self.chance(0.2):
            return self.of("bool", depth), self.number(depth)
        if kind in ("int", "dec", "dbl"):
            return self.number(depth), self.number(depth)
        left = self.of(kind, depth)
        if kind == "time" and self.chance(0.3):
            return left, e.text_literal(model.time_text(self.constant("time").value(None)))
        return left, self.of(kind, depth)

    def bool(self, depth):
        if depth <= 0 or self.chance(0.1):
            return self.leaf("bool")
        one, negated = lambda: self.of("bool", depth - 1), self.chance(0.3)
        ways = [
            lambda: e.compare(self.random.choice(list(e.COMPARISONS)), *self.comparable_pair(depth - 1)),
            lambda: e.compare(self.random.choice(list(e.COMPARISONS)), *self.comparable_pair(0)),
            lambda: e.conjunction(self.random.choice(["AND", "OR"]), [one() for _ in range(self.random.randint(2, 3))]),
            lambda: e.negation(one()),
            lambda: e.is_null(self.any(depth - 1), negated),
            lambda: self.within(depth, negated),
            lambda: e.like(self.of("text", depth - 1), self.pattern(), "!" if self.chance(0.3) else None, negated),
            lambda: e.starts_with(self.of("text", depth - 1), self.piece()),
            lambda: e.contains(self.of("text", depth - 1), self.piece()),
            lambda: self.between(depth, negated),
            lambda: self.cast(BOOLEAN, depth),
            lambda: self.choice("bool", depth),
        ]
        return self.random.choice(ways)()

    def within(self, depth, negated):
        left, first = self.comparable_pair(depth - 1)
        more = [self.maybe_null(self.of(KINDS[left.ty[0]], 0)) for _ in range(self.random.randint(0, 3))]
        return e.within(left, [first, *more], negated)

    def between(self, depth, negated):
        value, low = self.comparable_pair(depth - 1)
        return e.between(value, low, self.of(KINDS[value.ty[0]], 0), negated)

    def item(self, depth):
        """An expression for an output: what is only near the true value stands outermost."""
        if self.chance(0.04):
            return e.double_function(self.random.choice(["sin", "cos", "tan", "exp", "ln", "log10"]), [self.number(1)])
        if self.chance(0.04):
            return e.double_function("pow", [self.number(1), self.random.choice([e.integer(2), e.decimal_literal("0.5"), e.integer(-1)])])
        return self.any(depth)


def pools(table):
    """Values of the table, to write as constants."""
    found = {}
    for column in table.columns:
        found.setdefault(KINDS[column.ty[0]], []).extend((value, column.ty) for value in column.pool)
    return found


def columns(table):
    return [Node(column.name, column.ty, lambda row, index=index: row[index], varies=True) for index, column in enumerate(table.columns)]


def aliased(node, alias):
    """The alias, as a leaf for what follows it."""
    leaf = Node(alias, node.ty, node.value, tags=node.tags, varies=node.varies)
    leaf.constant, leaf.is_null, leaf.is_text = node.constant, node.is_null, node.is_text
    return leaf


def query(random, table):
    return plain_query(random, table) if random.random() < 0.4 else grouped_query(random, table)


def plain_query(random, table):
    make = Maker(random, columns(table), pools(table))
    items = []
    if random.random() < 0.04:
        items = [(node, None) for node in columns(table)]
        return Query(items, make.of("bool", 2) if random.random() < 0.5 else None, star=True)
    for number in range(random.randint(1, 5)):
        if random.random() < 0.25:
            node = random.choice([node for node in columns(table)])
            if node.sql not in [one.sql for one, alias in items if alias is None]:
                items.append((node, None))
                continue
        node = make.item(random.randint(1, 3))
        items.append((node, f"a{number}"))
        if e.APPROX not in node.tags:
            make.leaves = make.leaves + [aliased(node, f"a{number}")]
    where = make.of("bool", random.randint(1, 3)) if random.random() < 0.5 else None
    limit = random.choice([0, 1, 2, 3, 5, 7, 10, 20]) if random.random() < 0.2 else None
    if random.random() < 0.15:
        return distinct(random, Query(items, where, limit))
    if random.random() < 0.2:
        order = [order_key(random, items, make, [0, 1, 2]) for _ in range(random.randint(1, 2))]
        order = [key for key in order if key]
        return Query(items, where, random.choice([0, 1, 2, 3, 5, 10, 50, 3000]) if order else limit, order=order)
    return Query(items, where, limit)


def distinct(random, query):
    """The same with DISTINCT, which orders by outputs alone."""
    if any(e.APPROX in node.tags for node, _ in query.items):
        return query
    order = [order_key(random, query.items, None, [0, 1]) for _ in range(random.choice([0, 0, 1, 2]))]
    if query.grouping:
        query.grouping.order = []
        query.grouping = query.grouping.plain()
    query.order, query.distinct = [key for key in order if key], True
    return query


def aggregate(random, make):
    name = random.choice(["count", "count", "sum", "sum", "avg", "avg", "min", "max", "arg_min", "arg_max", "first", "last", "bool_and", "bool_or",
                          "median", "quantile_cont", "quantile_disc", *random.sample(e.SPREADS, 3)])
    depth = random.choice([0, 0, 1, 2])
    distinct, fraction = name in ("count", "sum", "avg") and random.random() < 0.3, None
    if name == "count":
        args = [make.any(depth)] if distinct or random.random() < 0.5 else []
    elif name in ("sum", "avg"):
        args = [make.number(depth)]
    elif name in e.SPREADS:
        args = [make.number(depth) for _ in range(2 if name in e.PAIRS else 1)]
    elif name in ("bool_and", "bool_or"):
        args = [make.of("bool", max(1, depth))]
    elif name in ("median", "quantile_cont"):
        args = [make.any(depth, ["int", "dec", "dbl", "time"])]
        fraction = random.choice(["0", "1", ".5", "0.25", "0.90", "0.01", "0.333333"]) if name == "quantile_cont" else None
    elif name == "quantile_disc":
        args, fraction = [make.any(depth)], random.choice(["0", "1.0", "0.5", ".25", "0.9", "0.07", "0.333333"])
    else:
        args = [make.any(depth) for _ in range(2 if name.startswith("arg") else 1)]
    return Aggregate(name, args, make.of("bool", 1) if random.random() < 0.2 else None, distinct, fraction)


def grouped_query(random, table):
    make = Maker(random, columns(table), pools(table))
    where = make.of("bool", random.randint(1, 2)) if random.random() < 0.3 else None
    keys = []
    for _ in range(random.choice([0, 1, 1, 1, 2, 3])):
        node = random.choice(columns(table)) if random.random() < 0.6 else make.any(random.randint(1, 2))
        # A number alone would be a position.
        if node.varies and node.sql not in [key.sql for key in keys]:
            keys.append(node)
    # A key of -0.0 is 0.0 here, and stays what it was in DuckDB.
    zero = lambda key: {e.ZERO} if key.ty == DOUBLE else set()
    key_nodes = [Node(key.sql, key.ty, lambda group, index=index: group.keys[index], tags=key.tags | zero(key), varies=True) for index, key in enumerate(keys)]
    aggregates = []
    for _ in range(random.randint(1, 4)):
        try:
            aggregates.append(aggregate(random, make))
        except Refused:
            pass
    if not keys and not aggregates:
        aggregates.append(Aggregate("count", [], None))
    results = [one.node() for one in aggregates]
    exact = [node for node in results if e.APPROX not in node.tags]
    over = Maker(random, key_nodes + exact, pools(table))
    items, named = [], []
    for node in key_nodes + results:
        if node in key_nodes and random.random() < 0.15:
            continue
        is_column = any(node.sql == column.name for column in table.columns)
        alias = f"a{len(items)}" if not is_column or random.random() < 0.5 else None
        items.append((node, alias))
        if alias and e.APPROX not in node.tags:
            named.append(aliased(node, alias))
    for _ in range(random.choice([0, 0, 1, 2])):
        over.leaves = key_nodes + exact + named
        node = over.any(random.randint(1, 2))
        items.append((node, f"a{len(items)}"))
        named.append(aliased(node, f"a{len(items) - 1}"))
    if not items:
        items.append((results[0], "a0"))
    having = over.of("bool", random.randint(1, 2)) if random.random() < 0.2 and (aggregates or keys) else None
    order = [one for one in (order_key(random, items, over) for _ in range(random.choice([0, 0, 1, 2]))) if one]
    limit = random.choice([0, 1, 2, 3, 5, 8, 13]) if random.random() < 0.15 else None
    made = Query(items, where, limit, Grouping(group_by(random, keys, items, aggregates), keys, aggregates, having, order))
    return distinct(random, made) if random.random() < 0.08 else made


def group_by(random, keys, items, aggregates):
    """Each key by its text, its alias or its position."""
    def one(key):
        places = [index for index, (node, _) in enumerate(items) if node.sql == key.sql]
        if places and random.random() < 0.4:
            alias = items[places[0]][1]
            return alias if alias and random.random() < 0.5 else str(places[0] + 1)
        return key.sql

    # A constant is no key of ALL.
    plain = [node for node, _ in items if node.varies and not any(call.sql in node.sql or is_alias_of(node, call, items) for call in aggregates)]
    if random.random() < 0.15 and keys and all(key.varies for key in keys) and list(dict.fromkeys(node.sql for node in plain)) == [key.sql for key in keys]:
        return "ALL"
    return ", ".join(one(key) for key in keys)


def is_alias_of(node, call, items):
    """Whether an alias in it stands for the aggregate call."""
    names = re.findall(r"\ba[0-9]+\b", node.sql)
    return any(alias in names and (call.sql in other.sql or other is not node and is_alias_of(other, call, items)) for other, alias in items)


def order_key(random, items, over, ways=(0, 1, 2)):
    direction, nulls = random.choice(["", "ASC", "DESC"]), random.choice(["", "", "NULLS FIRST", "NULLS LAST"])
    place = random.randrange(len(items))
    node, alias = items[place]
    way = random.choice(ways)
    if way == 0:
        text = alias or node.sql
    elif way == 1:
        text = str(place + 1)
    else:
        node = over.any(1)
        # A number alone would be a position, and DuckDB refuses some of the other constants.
        if not node.varies:
            return None
        text = node.sql
    if e.APPROX in node.tags:
        return None
    return OrderKey(text, node, direction, nulls)
