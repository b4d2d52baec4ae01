"""Expressions: their text, their type by SQL.md, and a function from a record or a group to the exact value.

The text is the same for windrow and DuckDB. `tags` say where DuckDB is known to differ, so that a difference without a
tag that explains it is reported even where windrow and the oracle agree.
"""

import math
import zlib
from fractions import Fraction

import model
from model import BIGINT, BOOLEAN, DOUBLE, EXACT, HUGEINT, TIMESTAMP, VARCHAR, WIDE, Fault, Refused, decimal, scale_of

# Deviations of SQL.md, by the tag that a node carries.
QUOTIENT = "exact quotient"
DOUBLE_SUM = "exact sum of DOUBLE"
MEAN = "exact mean"
REMAINDER = "DECIMAL %"
MIXED = "decimals of different scales meet"
TEXT_CAST = "text to number or time"
TIE = "ties of arg_min, arg_max"
ZERO = "which zero a group has"
TO_DECIMAL = "DOUBLE to DECIMAL"
APPROX = "within 1e-12"
# A character whose other case is longer, or another one: SQL.md keeps it.
LETTERS = "case mapping one to one"
# SQL.md: U+0020 alone, where DuckDB strips every blank of Unicode.
TRIM = "trim of U+0020 alone"
# 0.5 where DuckDB writes .5, and not at the start of a text.
POINT = "a digit before the point"
SPREAD = "exact spread and regression"
QUANTILE = "exact quantile"
# DuckDB 2.0.0 rounds a NULL of DECIMAL(5,5) to -1 digits to 0.
ROUND_NULL = "DuckDB rounds NULL to zero"


# How tightly operators bind, loosest first, by PostgreSQL's grammar, which is DuckDB's.
OR, AND, NOT, IS, COMPARISON, RANGE, CONCAT, SUM, PRODUCT, SIGN, CAST, PRIMARY = range(12)


class Node:
    """One expression. `sql` has its parentheses; without them it binds by `level`."""

    def __init__(self, sql, ty, value, kids=(), tags=(), constant=None, is_null=False, is_text=False, varies=False, level=PRIMARY):
        self.sql, self.ty, self.value, self.level = sql, ty, value, level
        self.kids = list(kids)
        self.tags = frozenset(tags).union(*(kid.tags for kid in self.kids))
        self.constant, self.is_null, self.is_text = constant, is_null, is_text
        # Whether a column or an aggregate is in it.
        self.varies = varies or any(kid.varies for kid in self.kids)

    def beside(self, level):
        """The text where what binds less than `level` needs its parentheses; half of those that are not needed go."""
        if self.level == PRIMARY or self.level < level or zlib.crc32(self.sql.encode()) % 2:
            return self.sql
        return self.sql[1:-1]

    def bare(self):
        """The text where nothing else binds."""
        return self.beside(OR)

    def digits(self):
        """Digits before and after the point that values can have."""
        scale = scale_of(self.ty)
        if self.ty[0] == "DECIMAL":
            whole = self.ty[1]
        elif self.constant is not None:
            whole = len(str(abs(self.constant)))
        else:
            whole = 1 if self.is_null else {"BIGINT": 19, "HUGEINT": WIDE}[self.ty[0]]
        return max(0, whole - scale), scale


def widest(nodes, carry=0):
    before = max(node.digits()[0] for node in nodes)
    after = max(node.digits()[1] for node in nodes)
    return decimal(min(WIDE, max(1, before + after + carry)), after)


def is_exact(node):
    return node.ty[0] in EXACT


# Leaves.


def sign_level(is_negative):
    return SIGN if is_negative else PRIMARY


def integer(value):
    ty = BIGINT if -(2**63) <= value < 2**63 else HUGEINT
    return Node(f"({value})" if value < 0 else str(value), ty, lambda _: value, constant=value, level=sign_level(value < 0))


def decimal_literal(text):
    whole, fraction = text.lstrip("-").split(".")
    precision = max(len(whole.lstrip("0")), min(1, len(whole))) + len(fraction)
    value = int(text.replace(".", ""))
    ty, is_negative = decimal(precision, len(fraction)), text[0] == "-"
    return Node(f"({text})" if is_negative else text, ty, lambda _: value, constant=value, level=sign_level(is_negative))


def double_literal(value):
    text = repr(value)
    if "e" not in text:
        text += "e0"
    is_negative = text[0] == "-"
    return Node(f"({text})" if is_negative else text, DOUBLE, lambda _: value, level=sign_level(is_negative))


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def text_literal(text):
    return Node(quoted(text), VARCHAR, lambda _: text, is_text=True)


def truth(value):
    return Node("true" if value else "false", BOOLEAN, lambda _: value)


def time_literal(us):
    return Node(f"TIMESTAMP '{model.time_text(us)}'", TIMESTAMP, lambda _: us)


def null():
    return Node("NULL", BIGINT, lambda _: None, is_null=True)


def strict(sql, ty, of, args, tags=(), level=PRIMARY):
    """NULL where an argument is; every argument is evaluated."""

    def value(row):
        values = [arg.value(row) for arg in args]
        return None if None in values else of(*values)

    return Node(sql, ty, value, args, tags, level=level)


# Conversions that no text shows.


def as_type(node, ty):
    source = node.ty
    if source == ty:
        return node.value
    if node.is_null:
        return lambda _: None

    def value(row):
        inner = node.value(row)
        return None if inner is None else model.cast(inner, source, ty)

    return value


def meeting(nodes):
    """The one type of several values, and the tags of how they came to it."""
    typed = [node for node in nodes if not node.is_null]
    types = {node.ty[0] for node in typed}
    if not typed:
        return BIGINT, ()
    if "DOUBLE" in types and types <= model.NUMERIC:
        return DOUBLE, ()
    if types <= EXACT:
        if "DECIMAL" not in types:
            return (HUGEINT if "HUGEINT" in types else BIGINT), ()
        mixed = len({node.ty for node in typed}) > 1
        return widest(nodes), (MIXED,) if mixed else ()
    if types == {"TIMESTAMP", "VARCHAR"} and all(node.ty == TIMESTAMP or node.is_text for node in typed):
        return TIMESTAMP, ()
    if len(types) == 1:
        return typed[0].ty, ()
    raise Refused("types that do not meet")


# Arithmetic.

OPERATIONS = {"+": lambda l, r: l + r, "-": lambda l, r: l - r, "*": lambda l, r: l * r}


def double_quotient(left, right):
    if right == 0:
        raise Fault("division by zero")
    return left / right


def double_remainder(left, right):
    if right == 0:
        raise Fault("division by zero")
    return math.fmod(left, right)


def compute(op, left, right):
    level = SUM if op in "+-" else PRODUCT
    sql = f"({left.beside(level)} {op} {right.beside(level + 1)})"
    if left.ty[0] not in model.NUMERIC or right.ty[0] not in model.NUMERIC:
        raise Refused("not numbers")
    if DOUBLE in (left.ty, right.ty):
        return compute_doubles(op, left, right, sql, level)
    if op == "/":
        return strict(sql, DOUBLE, lambda l, r: exact_quotient(l, left.ty, r, right.ty), [left, right], [QUOTIENT], level)
    if op == "//":
        if "DECIMAL" in (left.ty[0], right.ty[0]):
            raise Refused("// of a DECIMAL")
        ty = meeting([left, right])[0]
        return strict(sql, ty, lambda l, r: whole_quotient(l, r, ty), [left, right], level=level)
    return compute_exact(op, left, right, sql, level)


def compute_doubles(op, left, right, sql, level):
    of = OPERATIONS | {"/": double_quotient, "%": double_remainder}
    if op not in of:
        raise Refused("// of a DOUBLE")
    converted = [converted_node(left), converted_node(right)]
    return strict(sql, DOUBLE, lambda l, r: model.finite(of[op](l, r)), converted, level=level)


def converted_node(node, ty=DOUBLE):
    return node if node.ty == ty else Node(node.sql, ty, as_type(node, ty), [node])


def exact_quotient(left, left_ty, right, right_ty):
    if right == 0:
        raise Fault("division by zero")
    if left == 0:
        return -0.0 if right < 0 else 0.0
    return model.nearest(model.rational(left, left_ty) / model.rational(right, right_ty))


def whole_quotient(left, right, ty):
    if right == 0:
        raise Fault("division by zero")
    return model.fits(model.truncated_quotient(left, right), ty)


def compute_exact(op, left, right, sql, level):
    tags = []
    if "DECIMAL" not in (left.ty[0], right.ty[0]):
        ty = meeting([left, right])[0]
    elif op == "*":
        before, after = left.digits()[0] + right.digits()[0], scale_of(left.ty) + scale_of(right.ty)
        if after > WIDE:
            raise Refused("a product of more than 38 digits after the point")
        ty = decimal(min(WIDE, max(1, before + after)), after)
    else:
        ty = widest([left, right], 0 if op == "%" else 1)
        tags = [REMAINDER] if op == "%" else []

    def of(l, r):
        if op == "*":
            return model.fits(l * r, ty)
        l, r = l * 10 ** (scale_of(ty) - scale_of(left.ty)), r * 10 ** (scale_of(ty) - scale_of(right.ty))
        if op != "%":
            return model.fits(OPERATIONS[op](l, r), ty)
        if r == 0:
            raise Fault("division by zero")
        return model.fits(l - r * model.truncated_quotient(l, r), ty)

    return strict(sql, ty, of, [left, right], tags, level)


def negative(arg):
    sql = f"(- {arg.beside(SIGN)})"
    if arg.ty == DOUBLE:
        return strict(sql, DOUBLE, lambda x: -x, [arg], level=SIGN)
    if arg.constant is not None:
        # A literal and its sign are one, of the smallest type that holds it.
        value, literal = -arg.constant, integer(-arg.constant)
        ty = arg.ty if arg.ty[0] == "DECIMAL" else literal.ty
        return Node(sql, ty, lambda _: value, [arg], constant=value, level=SIGN)
    return strict(sql, arg.ty, lambda x: model.fits(-x, arg.ty), [arg], level=SIGN)


def absolute(arg):
    if arg.ty == DOUBLE:
        return strict(f"abs({arg.bare()})", DOUBLE, abs, [arg])
    return strict(f"abs({arg.bare()})", arg.ty, lambda x: model.fits(abs(x), arg.ty), [arg])


def rounded(arg, digits):
    sql = f"round({arg.bare()}, {digits})" if digits else f"round({arg.bare()})"
    if arg.ty == DOUBLE:
        return strict(sql, DOUBLE, lambda x: model.round_double(x, digits), [arg])
    scale = scale_of(arg.ty)
    ty = decimal(arg.ty[1], min(max(digits, 0), scale)) if arg.ty[0] == "DECIMAL" else arg.ty
    if digits >= scale:
        return strict(sql, ty, lambda x: x, [arg])

    def of(x):
        units = model.half_away(Fraction(x, 10 ** (scale - digits)))
        return model.fits(units * 10 ** (scale_of(ty) - digits), ty)

    return strict(sql, ty, of, [arg], [ROUND_NULL] if arg.ty[0] == "DECIMAL" and digits < 0 else [])


def whole(name, arg):
    sql, of = f"{name}({arg.bare()})", {"floor": math.floor, "ceil": math.ceil}[name]
    if arg.ty[0] == "DECIMAL":
        ty = decimal(arg.ty[1], 0)
        return strict(sql, ty, lambda x: model.fits(of(model.rational(x, arg.ty)), ty), [arg])
    if arg.ty == DOUBLE:
        return strict(sql, DOUBLE, lambda x: math.copysign(float(of(x)), x), [arg])
    return strict(sql, DOUBLE, float, [arg])


PYTHON_NAMES = {"ln": "log"}


def double_function(name, args):
    """sqrt, pow, exp, logarithms, angles."""

    def of(*values):
        try:
            return model.finite(getattr(math, PYTHON_NAMES.get(name, name))(*values))
        except (ValueError, OverflowError):
            raise Fault("not finite") from None

    sql = f"{name}({', '.join(arg.bare() for arg in args)})"
    return strict(sql, DOUBLE, of, [converted_node(arg) for arg in args], [] if name == "sqrt" else [APPROX])


def sign(arg):
    return strict(f"sign({arg.bare()})", BIGINT, lambda x: (x > 0) - (x < 0), [arg])


def outermost(name, args):
    ty, tags = meeting(args)
    if ty == DOUBLE:
        # Which of two zeros it is.
        tags = (*tags, ZERO)
    values = [as_type(node, ty) for node in args]

    def value(row):
        given = [one for one in (of(row) for of in values) if one is not None]
        best = None
        for one in given:
            if best is None or better(model.order_key(one, ty), model.order_key(best, ty)):
                best = one
        return best

    better = (lambda one, other: one > other) if name == "greatest" else (lambda one, other: one < other)
    return Node(f"{name}({', '.join(arg.bare() for arg in args)})", ty, value, args, tags)


# Text.


def of_texts(nodes):
    if any(node.ty != VARCHAR and not node.is_null for node in nodes):
        raise Refused("no text")
    return nodes


def bigints(nodes):
    if any(node.ty != BIGINT for node in nodes):
        raise Refused("no BIGINT")
    return nodes


def text_function(name, args, ty, of, tags=()):
    return strict(f"{name}({', '.join(arg.bare() for arg in args)})", ty, of, args, tags)


def one_to_one(text, mapped):
    return "".join(mapped(one) if len(mapped(one)) == 1 else one for one in text)


def letters(name, arg):
    mapped = str.lower if name == "lower" else str.upper
    return text_function(name, of_texts([arg]), VARCHAR, lambda text: one_to_one(text, mapped), [LETTERS])


def length(arg):
    return text_function("length", of_texts([arg]), BIGINT, len)


def trim(arg):
    return text_function("trim", of_texts([arg]), VARCHAR, lambda text: text.strip(" "), [TRIM])


def replace(arg, old, new):
    of = lambda text, one, other: text.replace(one, other) if one else text
    return text_function("replace", of_texts([arg, old, new]), VARCHAR, of)


def starts_with(arg, start):
    return text_function("starts_with", of_texts([arg, start]), BOOLEAN, str.startswith)


def contains(arg, part):
    return text_function("contains", of_texts([arg, part]), BOOLEAN, lambda text, one: one in text)


def substr(arg, start, size=None):
    def of(text, first, count=None):
        first = first - 1 if first >= 0 else len(text) + first
        low, high = (first, len(text)) if count is None else (first, first + count) if count >= 0 else (first + count, first)
        return text[max(0, low) : max(0, high)]

    return text_function("substr", [*of_texts([arg]), *bigints([start, *([size] if size else [])])], VARCHAR, of)


def concat(left, right):
    if left.is_null and right.is_null:
        raise Refused("NULL of no type")
    args = [converted_node(arg, VARCHAR) if not arg.is_null else arg for arg in (left, right)]
    tags = [POINT] if any(arg.ty[0] == "DECIMAL" and arg.ty[1] == arg.ty[2] for arg in (left, right)) else []
    sql = f"({left.beside(CONCAT)} || {right.beside(SUM)})"
    return strict(sql, VARCHAR, lambda l, r: l + r, args, tags, CONCAT)


def like(arg, pattern, escape, negated):
    if pattern.is_text:
        try:
            tokens_of(pattern.value(None), escape)
        except Fault:
            raise Refused("a pattern that must fail") from None

    def of(text, form):
        return matches(text, tokens_of(form, escape)) != negated

    sql = f"({arg.beside(CONCAT)} {'NOT ' if negated else ''}LIKE {pattern.beside(CONCAT)}" + (f" ESCAPE {quoted(escape)})" if escape else ")")
    return strict(sql, BOOLEAN, of, of_texts([arg, pattern]), level=RANGE)


def tokens_of(form, escape):
    tokens, rest = [], iter(form)
    for one in rest:
        if one == escape:
            following = next(rest, None)
            if following is None:
                raise Fault("a pattern that ends in its escape")
            tokens.append(following)
        else:
            tokens.append({"%": any, "_": all}.get(one, one))
    return tokens


def matches(text, tokens):
    """One character at a time, with every place that the pattern may be at."""
    def closed(places):
        for place in sorted(places):
            while place < len(tokens) and tokens[place] is any:
                place += 1
                places.add(place)
        return places

    places = closed({0})
    for one in text:
        following = set()
        for place in places:
            if place < len(tokens):
                token = tokens[place]
                if token is any:
                    following.add(place)
                elif token is all or token == one:
                    following.add(place + 1)
        places = closed(following)
    return len(tokens) in places


# Conditions.

COMPARISONS = {
    "=": lambda l, r: l == r,
    "<>": lambda l, r: l != r,
    "<": lambda l, r: l < r,
    "<=": lambda l, r: l <= r,
    ">": lambda l, r: l > r,
    ">=": lambda l, r: l >= r,
}


def comparable(nodes):
    """Functions to values that Python compares as SQL does."""
    typed = {node.ty[0] for node in nodes if not node.is_null}
    if typed == {"TIMESTAMP", "VARCHAR"}:
        ty = TIMESTAMP
    elif "BOOLEAN" in typed and typed <= model.NUMERIC | {"BOOLEAN"} and len(typed) > 1:
        # As in DuckDB, BOOLEAN beside a number is 0 or 1.
        return comparable([truth_number(node) if node.ty == BOOLEAN else node for node in nodes])
    else:
        ty = meeting(nodes)[0]

    def one(node):
        if node.is_null:
            return lambda _: None
        if is_exact(node) and ty != DOUBLE:
            return lambda row: over(node.value(row), lambda value: model.rational(value, node.ty))
        value = as_type(node, ty)
        return lambda row: over(value(row), lambda inner: model.order_key(inner, ty))

    return [one(node) for node in nodes]


def truth_number(node):
    return Node(node.sql, BIGINT, as_type(node, BIGINT), [node])


def over(value, of):
    return None if value is None else of(value)


def compare(op, left, right):
    values = comparable([left, right])

    def value(row):
        l, r = values[0](row), values[1](row)
        return None if l is None or r is None else COMPARISONS[op](l, r)

    sql = f"({left.beside(RANGE)} {op} {right.beside(RANGE)})"
    return Node(sql, BOOLEAN, value, [left, right], double_tags([left, right]), level=COMPARISON)


def double_tags(nodes):
    return [TEXT_CAST] if {node.ty for node in nodes} >= {TIMESTAMP, VARCHAR} else []


def conjunction(word, terms):
    decides = word == "OR"

    def value(row):
        result = not decides
        for term in terms:
            one = term.value(row)
            if one is decides:
                return decides
            result = None if one is None else result
        return result

    level = OR if decides else AND
    sql = f" {word} ".join(term.beside(level + (place > 0)) for place, term in enumerate(terms))
    return Node(f"({sql})", BOOLEAN, value, terms, level=level)


def negation(arg):
    return strict(f"(NOT {arg.beside(NOT)})", BOOLEAN, lambda x: not x, [arg], level=NOT)


def is_null(arg, negated):
    sql = f"({arg.beside(IS)} IS {'NOT ' if negated else ''}NULL)"
    return Node(sql, BOOLEAN, lambda row: (arg.value(row) is None) != negated, [arg], level=IS)


def within(needle, items, negated):
    nodes = [needle, *items]
    if {node.ty[0] for node in nodes if not node.is_null} == {"TIMESTAMP", "VARCHAR"}:
        ty, tags = TIMESTAMP, ()
    else:
        ty, tags = meeting(nodes)
    values = [as_type(node, ty) for node in nodes]

    def value(row):
        first, *rest = [one(row) for one in values]
        if first is None:
            return None
        if any(one == first for one in rest if one is not None):
            return not negated
        return None if None in rest else negated

    sql = f"({needle.beside(CONCAT)} {'NOT ' if negated else ''}IN ({', '.join(item.bare() for item in items)}))"
    return Node(sql, BOOLEAN, value, nodes, tags, level=RANGE)


def between(needle, low, high, negated):
    one, first, last = comparable([needle, low, high])

    def value(row):
        x, l = one(row), first(row)
        above = None if x is None or l is None else x >= l
        if above is False:
            return negated
        h = last(row)
        below = None if x is None or h is None else x <= h
        if below is False:
            return negated
        return None if above is None or below is None else not negated

    sql = f"({needle.beside(CONCAT)} {'NOT ' if negated else ''}BETWEEN {low.beside(CONCAT)} AND {high.beside(CONCAT)})"
    return Node(sql, BOOLEAN, value, [needle, low, high], level=RANGE)


# Choices.


def case(arms, otherwise):
    results = [then for _, then in arms] + ([otherwise] if otherwise else [])
    ty, tags = meeting(results)
    values = [as_type(node, ty) for node in results]

    def value(row):
        for (when, _), then in zip(arms, values):
            if when.value(row) is True:
                return then(row)
        return values[-1](row) if otherwise else None

    text = "".join(f" WHEN {when.bare()} THEN {then.bare()}" for when, then in arms)
    text += f" ELSE {otherwise.bare()}" if otherwise else ""
    return Node(f"CASE{text} END", ty, value, [node for arm in arms for node in arm] + ([otherwise] if otherwise else []), tags)


def simple_case(operand, arms, otherwise):
    node = case([(compare("=", operand, when), then) for when, then in arms], otherwise)
    text = "".join(f" WHEN {when.bare()} THEN {then.bare()}" for when, then in arms)
    text += f" ELSE {otherwise.bare()}" if otherwise else ""
    return Node(f"CASE {operand.bare()}{text} END", node.ty, node.value, node.kids, node.tags)


def coalesce(args):
    ty, tags = meeting(args)
    values = [as_type(node, ty) for node in args]

    def value(row):
        for one in values:
            result = one(row)
            if result is not None:
                return result
        return None

    return Node(f"COALESCE({', '.join(arg.bare() for arg in args)})", ty, value, args, tags)


def null_if(arg, other):
    ty, tags, of = arg.ty, (), arg.value
    left, right = arg, other
    if arg.ty[0] == other.ty[0] == "DECIMAL":
        ty, tags = meeting([arg, other])
        left, right = converted_node(arg, ty), converted_node(other, ty)
        of = left.value
    equal = compare("=", left, right)
    value = lambda row: None if equal.value(row) is True else of(row)
    return Node(f"NULLIF({arg.bare()}, {other.bare()})", ty, value, [arg, other], tags)


def cast(arg, ty, trying=False):
    if arg.ty != ty and TIMESTAMP in (arg.ty, ty) and VARCHAR not in (arg.ty, ty):
        raise Refused("no such cast")
    pointed = ty == VARCHAR and arg.ty[0] == "DECIMAL" and arg.ty[1] == arg.ty[2]
    tags = [POINT] if pointed else {("VARCHAR", "x"): [TEXT_CAST]}.get((arg.ty[0], "x" if ty != VARCHAR else ""), [])
    if arg.ty == DOUBLE and ty[0] == "DECIMAL":
        tags = [TO_DECIMAL]

    def value(row):
        inner = arg.value(row)
        if inner is None:
            return None
        try:
            return model.cast(inner, arg.ty, ty)
        except Fault:
            if trying:
                return None
            raise

    name = model.type_name(ty)
    word = "TRY_CAST" if trying else "CAST"
    if trying or len(arg.sql) % 3:
        return Node(f"{word}({arg.bare()} AS {name})", ty, value, [arg], tags)
    # What follows is the type's precision, not a column's: the whole stays in parentheses, or binds.
    return Node(f"({arg.beside(CAST)}::{name})", ty, value, [arg], tags, level=CAST)


# Time.


def time_bucket(text, months, micros, arg):
    return strict(f"time_bucket({text}, {arg.bare()})", TIMESTAMP, lambda us: model.bucket(us, months, micros), [arg])


# Other names of units, some of them.
SPELLINGS = {"microsecond": "us", "millisecond": "ms", "second": "SECS", "minute": "min", "hour": "h", "day": "Days", "week": "w", "month": "mon", "year": "yrs",
             "quarter": "quarters", "decade": "decs", "century": "cent", "millennium": "mil", "dow": "weekday", "doy": "dayofyear"}


def spelled(unit, arg):
    return unit if zlib.crc32(arg.sql.encode()) % 3 else SPELLINGS.get(unit, unit.upper())


def date_trunc(unit, arg):
    return strict(f"date_trunc('{spelled(unit, arg)}', {arg.bare()})", TIMESTAMP, lambda us: model.trunc(us, unit), [arg])


def date_part(unit, arg, extract):
    sql = f"extract({unit} FROM {arg.bare()})" if extract else f"date_part('{spelled(unit, arg)}', {arg.bare()})"
    return strict(sql, BIGINT, lambda us: model.part(us, unit), [arg])


def epoch(arg):
    return strict(f"epoch({arg.bare()})", DOUBLE, lambda us: model.nearest(Fraction(us, model.SECOND)), [arg])


def make_timestamp(args):
    bigints(args[:5])
    if len(args) == 1:
        return strict(f"make_timestamp({args[0].bare()})", TIMESTAMP, model.in_years, args)
    converted = [*args[:5], converted_node(args[5])]
    return strict(f"make_timestamp({', '.join(arg.bare() for arg in args)})", TIMESTAMP, model.made_time, converted)


def epoch_ms(arg):
    return strict(f"epoch_ms({arg.bare()})", BIGINT, model.epoch_ms, [arg])


def shifted(arg, sign, text, months, days, micros):
    of = lambda us: model.add_interval(us, sign * months, sign * days, sign * micros)
    return strict(f"({arg.beside(SUM)} {'+' if sign > 0 else '-'} {text})", TIMESTAMP, of, [arg], level=SUM)


# Aggregates: nodes over a group, which keeps what they were given (see Group).


SPREADS = ["stddev", "stddev_samp", "stddev_pop", "var_samp", "var_pop", "corr", "covar_samp", "covar_pop", "regr_slope", "regr_intercept", "regr_r2"]
PAIRS = SPREADS[5:]


class Aggregate:
    """One call: what it is given of each record, and what it makes of all in input order."""

    def __init__(self, name, args, condition, distinct=False, fraction=None):
        self.name, self.args, self.condition = name, args, condition
        self.distinct, self.fraction = distinct, fraction
        first = args[0].ty if args else BIGINT
        if name in ("sum", "avg", *SPREADS) and any(arg.ty[0] not in model.NUMERIC for arg in args):
            raise Refused("no number")
        if name in ("median", "quantile_cont") and first[0] in ("VARCHAR", "BOOLEAN"):
            raise Refused("nothing between two of them")
        if name in ("bool_and", "bool_or") and first != BOOLEAN:
            raise Refused("no truth")
        between = lambda: DOUBLE if first in (BIGINT, HUGEINT) else first
        self.ty = {
            "count": lambda: BIGINT,
            "avg": lambda: DOUBLE,
            "median": between,
            "quantile_cont": between,
            **{spread: lambda: DOUBLE for spread in SPREADS},
            "sum": lambda: DOUBLE if first == DOUBLE else decimal(WIDE, first[2]) if first[0] == "DECIMAL" else HUGEINT,
        }.get(name, lambda: first)()
        inner = ", ".join([*(arg.bare() for arg in args), *([fraction] if fraction else [])]) or "*"
        inner = ("DISTINCT " if distinct else "") + inner
        self.sql = f"{name}({inner})" + (f" FILTER (WHERE {condition.bare()})" if condition else "")

    def given(self, row):
        """The arguments of a record, or None where it is not seen."""
        if self.condition and self.condition.value(row) is not True:
            return None
        values = tuple(arg.value(row) for arg in self.args)
        if self.name in SPREADS and None not in values:
            # Checked as it is added: a group that HAVING drops has taken its records too.
            for value, arg in zip(values, self.args):
                model.squarable(value, arg.ty)
        return values

    def result(self, seen):
        first = self.args[0].ty if self.args else None
        if self.distinct:
            once = {}
            for values in seen:
                once.setdefault(values, values)
            seen = list(once.values())
        if self.name == "count":
            return sum(1 for values in seen if None not in values)
        if self.name in ("first", "last"):
            return seen[0 if self.name == "first" else -1][0] if seen else None
        seen = [values for values in seen if None not in values]
        if not seen:
            return None
        ones = [values[0] for values in seen]
        key = model.order_key
        if self.name in ("min", "max", "median", "quantile_cont", "quantile_disc") and first == DOUBLE:
            # -0.0 before 0.0, so that no order of the records shows.
            key = lambda value, _: (value, math.copysign(1, value))
        if self.name == "sum":
            return model.total(ones, first, self.ty)
        if self.name == "avg":
            return model.mean(ones, first)
        if self.name == "min":
            return min(ones, key=lambda value: key(value, first))
        if self.name == "max":
            return max(ones, key=lambda value: key(value, first))
        if self.name == "arg_min":
            return min(seen, key=lambda pair: key(pair[1], self.args[1].ty))[0]
        if self.name == "arg_max":
            return max(seen, key=lambda pair: key(pair[1], self.args[1].ty))[0]
        if self.name in ("bool_and", "bool_or"):
            return (all if self.name == "bool_and" else any)(ones)
        if self.name in ("median", "quantile_cont", "quantile_disc"):
            fraction = Fraction(self.fraction) if self.fraction else Fraction(1, 2)
            return model.quantile(sorted(ones, key=lambda value: key(value, first)), fraction, first, self.name != "quantile_disc")
        pairs = [(model.rational(values[0], first), model.rational(values[-1], self.args[-1].ty)) for values in seen]
        return model.spread(self.name, pairs)

    def node(self):
        tags = {
            "sum": [DOUBLE_SUM] if self.ty == DOUBLE else [],
            "avg": [MEAN],
            "arg_min": [TIE],
            "arg_max": [TIE],
            "median": [QUANTILE],
            "quantile_cont": [QUANTILE],
            "quantile_disc": [QUANTILE],
            **{spread: [SPREAD] for spread in SPREADS},
        }.get(self.name, [])
        if self.name in ("min", "max") and self.ty == DOUBLE:
            tags = [ZERO]
        if self.name == "quantile_disc" and self.ty == DOUBLE:
            tags = [QUANTILE, ZERO]
        inner = [*self.args, *([self.condition] if self.condition else [])]
        tags = frozenset(tags).union(*(node.tags for node in inner))
        return Node(self.sql, self.ty, lambda group: group.result(self), tags=tags, varies=True)


class Group:
    """The keys of a group and what each aggregate was given; results are computed once, when they are asked for."""

    def __init__(self, keys):
        self.keys, self.seen, self.results = keys, {}, {}

    def see(self, aggregate, values):
        self.seen.setdefault(aggregate, []).append(values)

    def result(self, aggregate):
        if aggregate not in self.results:
            self.results[aggregate] = aggregate.result(self.seen.get(aggregate, []))
        return self.results[aggregate]
