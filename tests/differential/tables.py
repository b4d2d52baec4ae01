"""Random typed tables, and their text as CSV and NDJSON in the many ways that COLUMNS reads."""

import json
import struct

import model
from model import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, decimal

TEXTS = ["a", "b", "A", "ab", "é", "e\u0301", "ß", "日本", "𝄞", " ", " lead", "trail ", "a,b", 'say "so"', '"', "line\nend",
         "cr\r\nlf", "\t", "NULL", "null", "true", "12", "-3.50", "1e3", " 7 ", "2026-01-31 23:59:00", "1969-12-31T23:00:00+01:30",
         "x" * 70, "\\", "\\n", "'", "it's", "%", "_", "0", "﷽", "\u00a0", "z\u007f"]
# What a CAST reads, and what it must not.
CASTABLE = ["+1", "-0", "1.", ".5", "-.5", ".", "", "1e400", "-1e400", "1e-400", "  2.5\t", "0x10", "1_000", "inf", "nan", "-Infinity", "1e3", "1E+2", "1e",
            "25e-1", "2.5", "-2.5", "3.5", "0.49999999999999999999", "9223372036854775807", "9223372036854775808", "-9223372036854775808.4",
            "-9223372036854775808.5", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999.5", "170141183460469231731687303715884105727",
            "1.7976931348623157e308", "1.7976931348623159e308", "2.4703282292062327e-324", "2.4703282292062328e-324", "0.1", "007", "1 2", "- 1", "--1", "+-1", "١",
            "T", "F", "Yes", "NO", "y", "n", "1", "0", "tRue", " true", "on", "2026-01-31", "2026-01-31 24:00:00", "2026-01-31 24:00:01", "2026-02-29 00:00:00",
            "2024-02-29T12:00Z", "2026-01-31 23:59:60", "2026-01-31 23:59:59.1234560", "2026-01-31 23:59:59.1234567", "0001-01-01 00:00:00+00:01", "9999-12-31 23:59:59.999999",
            "9999-12-31 24:00:00", "0000-01-01", "2026-01-31 12:00:00-0930", "2026-01-31 12:00:00+16", "2026-13-01", "1969-12-31 23:59:59.9", " 2026-01-31 00:00:00 ", "2026-01-31 12"]
DOUBLES = [0.0, -0.0, 1.0, -1.0, 0.1, 0.2, 0.3, 1.5, 2.5, -2.5, 3.3, 1.1, 1e16, 1e15, 123456.789, 1e-5, 0.0001, -7.25, 100.0, 1 / 3]
EXTREME_DOUBLES = [1e308, -1e308, 1.7976931348623157e308, 5e-324, -5e-324, 2.2250738585072014e-308, 1e-308, 1e22, 1e23,
                   9007199254740993.0, 4503599627370496.5, 0.49999999999999994, 9.2233720368547758e18, -9.2233720368547758e18]
BIGINTS = [0, 1, -1, 2, 3, 5, 7, 10, -10, 12, 100, -5, 1000, 15, 25]
EXTREME_BIGINTS = [2**63 - 1, -(2**63), 2**63 - 2, -(2**63) + 1, 2**53, 2**53 + 1, -(2**53) - 1, 10**18, 2**31, 2**31 - 1, -(2**31), 2**62]
DECIMALS = [decimal(4, 1), decimal(10, 2), decimal(18, 0), decimal(18, 6), decimal(19, 4), decimal(38, 10), decimal(5, 5), decimal(38, 0), decimal(1, 0), decimal(38, 37)]
TIMES = ["2026-01-31 23:59:00", "2026-02-01 00:00:00", "2024-02-29 12:30:15.5", "1970-01-01 00:00:00", "1969-12-31 23:59:59.999999",
         "1969-12-31 23:59:59.9995", "1900-02-28 01:02:03.000004", "2000-01-03 00:00:00", "2000-01-01 00:00:00", "1999-12-31 23:59:59",
         "2026-03-31 10:00:00", "2027-01-01 00:00:00", "2020-12-31 06:07:08.123456", "1883-11-18 12:03:58", "2100-02-28 23:00:00"]
EXTREME_TIMES = ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "0004-02-29 00:00:01", "9999-01-01 00:00:00", "0099-12-31 23:00:00"]


class Column:
    def __init__(self, name, ty, form, pool):
        self.name, self.ty, self.form, self.pool = name, ty, form, pool

    def declared(self):
        """As COLUMNS has it."""
        return f"{self.name} {self.form or model.type_name(self.ty)}"


class Table:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows

    def with_rows(self, rows):
        return Table(self.columns, rows)

    def declared(self):
        return ", ".join(column.declared() for column in self.columns)


def pool(random, ty):
    """Few values, so that there are ties; sometimes the extremes."""
    extreme = random.random() < 0.2
    if ty == BOOLEAN:
        return [True, False]
    if ty == BIGINT:
        values = random.sample(BIGINTS, random.randint(1, 8)) + [random.randint(-99, 99) for _ in range(random.randint(0, 9))]
        return values + (random.sample(EXTREME_BIGINTS, 3) + [random.getrandbits(64) - 2**63] if extreme else [])
    if ty == DOUBLE:
        values = random.sample(DOUBLES, random.randint(1, 9)) + [round(random.uniform(-50, 50), 2) for _ in range(random.randint(0, 9))]
        return values + (random.sample(EXTREME_DOUBLES, 4) + [any_double(random)] if extreme else [])
    if ty == VARCHAR:
        texts = CASTABLE if random.random() < 0.3 else TEXTS
        return random.sample(texts, random.randint(1, 12)) + ([""] if random.random() < 0.25 else [])
    if ty == TIMESTAMP:
        times = random.sample(TIMES, random.randint(1, 8)) + (random.sample(EXTREME_TIMES, 2) if extreme else [])
        start = model.time_of_text("2026-01-01")
        return [model.time_of_text(text) for text in times] + [start + random.randrange(10**13) for _ in range(random.randint(0, 9))]
    most = 10 ** ty[1] - 1
    small = min(most, 10 ** (ty[2] + 2))
    values = [random.randint(-small, small) for _ in range(random.randint(1, 10))] + [0, min(most, 10 ** ty[2]), min(most, 5 * 10 ** ty[2] // 10)]
    return values + ([most, -most, most - 1, random.randint(-most, most)] if extreme else [])


def any_double(random):
    while True:
        value = struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0]
        if value == value and abs(value) != float("inf"):
            return value


def table(random):
    types = [BIGINT, DOUBLE, VARCHAR, TIMESTAMP, random.choice(DECIMALS)]
    types += [random.choice([BIGINT, DOUBLE, VARCHAR, BOOLEAN, TIMESTAMP, random.choice(DECIMALS), random.choice(DECIMALS)]) for _ in range(random.randint(1, 4))]
    random.shuffle(types)
    columns = []
    for number, ty in enumerate(types):
        values, form = pool(random, ty), None
        if ty == TIMESTAMP and random.random() < 0.3:
            form, unit = random.choice([("TIMESTAMP_S", model.SECOND), ("TIMESTAMP_MS", 1000), ("TIMESTAMP_US", 1)])
            values = [value - value % unit for value in values]
        columns.append(Column(f"c{number}", ty, form, values))
    size = random.choice([1, 2, 3, 5, 8, 13, 21, 34, 60]) if random.random() < 0.97 else 0
    if random.random() < 0.03:
        # More than a batch of rows, and many groups.
        size = random.choice([2047, 2048, 2049, random.randint(2500, 6000)])
        for column in columns:
            if column.form is None and random.random() < 0.5:
                column.pool = column.pool + [value for _ in range(200) for value in pool(random, column.ty)]
    elif random.random() < 0.002:
        # More than a chunk of bytes in one file.
        size = 12_000
    nulls = [random.choice([0, 0, 0.1, 0.3, 0.9, 1.0 if random.random() < 0.2 else 0.2]) for _ in columns]
    row = lambda: [None if random.random() < share else random.choice(column.pool) for column, share in zip(columns, nulls)]
    return Table(columns, [row() for _ in range(size)])


# Input text.

UNITS = {"TIMESTAMP_S": model.SECOND, "TIMESTAMP_MS": 1000, "TIMESTAMP_US": 1}


def number_text(random, value, column, json_form):
    """One of the ways to write the same number."""
    text = model.text_of(value, column.ty)
    if column.ty == DOUBLE or random.random() < 0.7:
        return text
    if "." in text and random.random() < 0.5:
        text = text.rstrip("0")
        return text + "0" if json_form or random.random() < 0.5 else text
    if column.ty == BIGINT and random.random() < 0.3:
        return text + ".0"
    if random.random() < 0.4:
        return f"{value}e-{model.scale_of(column.ty)}"
    return "+" + text if not json_form and text[0] != "-" else text


def time_form(random, us):
    text = model.time_text(us)
    kind = random.random()
    if kind < 0.6:
        return text
    if kind < 0.7:
        return text.replace(" ", "T") + "Z"
    minutes = random.choice([60, -60, 330, -570, 0])
    local = us + minutes * model.MINUTE
    if not model.FIRST_US <= local <= model.LAST_US:
        return text
    return f"{model.time_text(local)}{'+' if minutes >= 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def scalar_text(random, value, column, json_form):
    if column.form:
        return str(value // UNITS[column.form])
    if column.ty == TIMESTAMP:
        return time_form(random, value)
    if column.ty == VARCHAR:
        return value
    if column.ty == BOOLEAN:
        return "true" if value else "false"
    return number_text(random, value, column, json_form)


def has_csv(table):
    """An empty text is NULL in CSV."""
    return not any(value == "" for row in table.rows for value in row)


def csv_record(random, row, columns):
    fields = []
    for value, column in zip(row, columns):
        text = "" if value is None else scalar_text(random, value, column, False)
        if any(c in text for c in ',"\r\n') or random.random() < 0.1:
            text = '"' + text.replace('"', '""') + '"'
        fields.append(text)
    return ",".join(fields) + random.choice(["\n", "\n", "\n", "\r\n"])


def csv(random, table):
    """A header and a text for each record."""
    header = ",".join(column.name for column in table.columns) + "\n"
    return header, [csv_record(random, row, table.columns) for row in table.rows]


def json_value(random, value, column):
    text = scalar_text(random, value, column, True)
    quoted = column.ty in (VARCHAR,) or column.ty == TIMESTAMP and not column.form or random.random() < 0.15
    return json.dumps(text, ensure_ascii=random.random() < 0.3) if quoted else text


def json_record(random, row, columns):
    members = []
    for value, column in zip(row, columns):
        if value is not None:
            members.append(f"{json.dumps(column.name)}: {json_value(random, value, column)}")
        elif random.random() < 0.5:
            members.append(f'"{column.name}":null')
    if random.random() < 0.2:
        members.append('"extra":{"a":[1,"}"]}')
    random.shuffle(members)
    return "{" + ",".join(members) + "}\n"


def ndjson(random, table):
    return "", [json_record(random, row, table.columns) for row in table.rows]


# For DuckDB.


def literal(value, ty):
    if value is None:
        return "NULL"
    text = model.text_of(value, ty).replace("'", "''")
    return f"'{text}'" if ty != BIGINT else text


def duckdb_statements(table):
    declared = ", ".join(f"{column.name} {model.type_name(column.ty)}" for column in table.columns)
    yield f"CREATE OR REPLACE TABLE input ({declared})"
    for start in range(0, len(table.rows), 500):
        rows = table.rows[start : start + 500]
        line = lambda row: "(" + ",".join(literal(value, column.ty) for value, column in zip(row, table.columns)) + ")"
        yield "INSERT INTO input VALUES " + ",".join(line(row) for row in rows)
