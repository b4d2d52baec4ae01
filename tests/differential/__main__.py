"""Runs windrow and DuckDB over the same random tables and queries, and checks both against the oracle.

    python tests/differential WINDROW CASES SEED [TABLE]

TABLE runs the cases of one table again. Each case is a query, run by windrow over CSV and NDJSON, whole and in several
files, with 1, 2 and 5 threads: the bytes must be the same and be those that the oracle says. DuckDB's rows must be the
same too, or differ where SQL.md deviates.
"""

import collections
import concurrent.futures
import csv as csv_format
import io
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import duckdb

import expressions as e
import model
import queries
import tables
from model import DOUBLE, Fault, Refused

QUERIES_PER_TABLE = 8
TOLERANCE = 1e-12
# What explains that DuckDB's rows are others, though windrow gives what SQL.md says.
EXPLAINS = {e.QUOTIENT, e.DOUBLE_SUM, e.MEAN, e.REMAINDER, e.MIXED, e.TEXT_CAST, e.TIE, e.ZERO, e.TO_DECIMAL, e.APPROX, e.ROUND_NULL, e.LETTERS, e.TRIM, e.POINT, e.SPREAD, e.QUANTILE}


# Refusals of DuckDB where windrow takes more: BOOLEAN beside DECIMAL and DOUBLE but for equality, an item beside
# GROUP BY ALL that mixes aggregates with the other items, and a key `a OR b` inside a longer OR.
WINDROW_TAKES_MORE = ["Cannot compare values of type", "Cannot mix values of type", "Cannot mix aggregates with non", "must appear in the GROUP BY"]


class Case:
    def __init__(self, table, query):
        self.table, self.query = table, query

    def expected(self):
        """The rows, or None where SQL.md has an error."""
        try:
            return self.query.rows(self.table)
        except Fault:
            return None

    def texts(self, rows):
        types = self.query.types()
        return [[None if value is None else model.text_of(value, ty) for value, ty in zip(row, types)] for row in rows]


# windrow.


class Run:
    """How a run of windrow ended."""

    def __init__(self, code, output, printed):
        self.code, self.output, self.printed = code, output, printed


class Windrow:
    def __init__(self, program, place):
        self.program, self.place, self.runs = program, place, 0

    def run(self, case, query, uri, form, threads, output_format="csv"):
        self.runs += 1
        run_id = f"r{self.runs}"
        environment = {
            "WINDROW_INPUT": uri,
            "WINDROW_INPUT_FORMAT": form,
            "WINDROW_COLUMNS": case.table.declared(),
            "WINDROW_QUERY": query,
            "WINDROW_OUTPUT": f"file://{self.place}/out",
            "WINDROW_OUTPUT_FORMAT": output_format,
            "WINDROW_RUN_ID": run_id,
            "WINDROW_MAX_RUNTIME_SECONDS": "60",
            "WINDROW_THREADS": str(threads),
        }
        if form == "csv":
            environment["WINDROW_CSV_HEADER"] = "present"
        done = subprocess.run([self.program, "batch"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, close_fds=False, check=False)
        made, output = os.path.join(self.place, "out", run_id), None
        if done.returncode == 0:
            with open(os.path.join(made, "rollup." + output_format), "rb") as file:
                output = file.read()
        shutil.rmtree(made, ignore_errors=True)
        return Run(done.returncode, output, (done.stdout + done.stderr).decode(errors="replace"))

    def write(self, name, header, records, pieces):
        """The records in one file, or in so many below a folder; their URI."""
        path = os.path.join(self.place, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        size = math.ceil(len(records) / pieces) or 1
        for number in range(pieces):
            with open(os.path.join(path, f"part-{number:03}"), "wb") as file:
                file.write((header + "".join(records[number * size : (number + 1) * size])).encode())
        return f"file://{path}/"


def variants(windrow, table, seed):
    """(name, uri, form, threads) of the table's texts. A small file is one chunk: what is in parts is in many."""
    rng = random.Random(f"{seed}/text")
    # Sometimes a file a record, so that every worker has some of each group.
    pieces = lambda: rng.choice([rng.randint(2, 7), min(60, max(2, len(table.rows)))])
    made = []
    if tables.has_csv(table):
        header, records = tables.csv(rng, table)
        made.append(("csv", windrow.write("csv-1", header, records, 1), "csv", 1))
        made.append(("csv in parts", windrow.write("csv-n", header, records, pieces()), "csv", 2))
    header, records = tables.ndjson(rng, table)
    whole = ("ndjson", windrow.write("json-1", header, records, 1), "ndjson", 1 if not made else 5)
    split = ("ndjson in parts", windrow.write("json-n", header, records, pieces()), "ndjson", 5)
    if made:
        return made + [rng.choice([whole, split])]
    return [whole, ("ndjson, 2 threads", *whole[1:3], 2), split]


def csv_text(case, rows):
    """The output's bytes."""
    def field(text):
        if text is None:
            return ""
        return '"' + text.replace('"', '""') + '"' if text == "" or any(c in text for c in ',"\r\n') else text

    lines = [",".join(map(field, case.query.names()))] + [",".join(map(field, row)) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def ndjson_text(case, rows):
    quoted = [ty[0] in ("VARCHAR", "TIMESTAMP") for ty in case.query.types()]
    names = case.query.names()
    value = lambda text, quote: "null" if text is None else json.dumps(text, ensure_ascii=False) if quote else text
    line = lambda row: "{" + ",".join(f'"{name}":{value(text, quote)}' for name, text, quote in zip(names, row, quoted)) + "}\n"
    return "".join(line(row) for row in rows)


def near(got, want, tolerance):
    try:
        return abs(float(got) - float(want)) <= tolerance * abs(float(want)) + 5e-324
    except (TypeError, ValueError):
        return False


def nearly_equal(case, got, rows):
    """Like csv_text, with room for the outputs that are only near."""
    parsed = list(csv_format.reader(io.StringIO(got.decode(), newline="")))[1:]
    parsed = [row or [""] for row in parsed]
    if len(parsed) != len(rows):
        return False
    roomy = [e.APPROX in tags for tags in case.query.tags()[1]]
    for got_row, want_row in zip(parsed, rows):
        for one, other, room in zip(got_row, want_row, roomy):
            if one != (other or "") and not (room and near(one, other, TOLERANCE)):
                return False
    return True


# The verdict.


class Verdict:
    """`kind` is agree, differ, refused or crashed; `what` says more."""

    def __init__(self, kind, what="", detail=""):
        self.kind, self.what, self.detail = kind, what, detail


def is_roomy(case):
    return any(e.APPROX in tags for tags in case.query.tags()[1])


def judge(windrow, case, inputs, connection):
    want = case.expected()
    texts = None if want is None else case.texts(want)
    query = case.query.sql()
    runs = [(name, windrow.run(case, query, uri, form, threads)) for name, uri, form, threads in inputs]
    name, first = runs[0]
    message = said(first)
    if first.code == 78:
        return Verdict("refused", re.sub(r"'[^']*'|\d+", "…", message)[:90], message)
    if first.code not in (0, 65):
        return Verdict("crashed", f"exit {first.code}", message)
    for other, run in runs[1:]:
        if (run.code, run.output) != (first.code, first.output):
            return Verdict("differ", f"{other} from {name}", f"{first.code} {first.output}\n{run.code} {run.output}\n{said(run)}")
    if len(query) % 4 == 0:
        respelled = case.query.respelled(random.Random(query))
        again = windrow.run(case, respelled, *inputs[-1][1:])
        if (again.code, again.output) != (first.code, first.output):
            return Verdict("differ", "the query respelled", f"{respelled}\n{said(again)}")
    if want is None:
        if first.code == 0:
            return Verdict("differ", "no error where one is due", first.output.decode())
        return Verdict("agree", "an error")
    if first.code == 65:
        if is_roomy(case) and "fit" in message:
            return Verdict("agree", "an error of squares")
        return Verdict("differ", "an error where none is due", message)
    if first.output != csv_text(case, texts) and not (is_roomy(case) and nearly_equal(case, first.output, texts)):
        return Verdict("differ", "windrow from the oracle", f"windrow:\n{first.output.decode()}\noracle:\n{csv_text(case, texts).decode()}")
    if len(query) % 4 == 1 and not is_roomy(case):
        output = windrow.run(case, query, *inputs[0][1:], "ndjson").output
        if output is None or output.decode() != ndjson_text(case, texts):
            return Verdict("differ", "NDJSON output from the oracle", f"windrow:\n{output}\noracle:\n{ndjson_text(case, texts)}")
    return beside_duckdb(case, texts, connection)


def said(run):
    match = re.search(r'"message":"((?:[^"\\]|\\.)*)"', run.printed.split('"level":"error"')[-1])
    return match.group(1) if match else run.printed[-300:]


def beside_duckdb(case, texts, connection):
    try:
        rows = connection.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({case.query.sql('all keys')})").fetchall()
    except duckdb.Error as error:
        text = re.sub(r"'[^']*'|\"[^\"]*\"|[-\d.]+", "…", str(error).split("\n")[0])[:80]
        takes_more = any(known in text for known in WINDROW_TAKES_MORE)
        if text.startswith(("Parser", "Binder", "INTERNAL")) and not takes_more:
            return Verdict("differ", "DuckDB refuses: " + text, str(error))
        return Verdict("agree", "DuckDB has an error: " + text)
    decisive, outputs = case.query.tags()
    types = case.query.types()
    if len(rows) != len(texts):
        return explained(decisive, "other rows", rows, texts)
    verdict = Verdict("agree", "with DuckDB")
    for row, want in zip(rows, texts):
        for index, (got, wanted) in enumerate(zip(row, want)):
            if got != wanted and not (types[index] == DOUBLE and near(got, wanted, 1e-14)) and with_zero(got) != wanted:
                verdict = explained(decisive | outputs[index], f"column {index + 1}: {got!r} from {wanted!r}", rows, texts)
                if verdict.kind != "agree":
                    return verdict
    return verdict


def with_zero(text):
    """SQL.md: a digit before the point."""
    return re.sub(r"^(-?)\.", r"\g<1>0.", text) if text else text


def explained(tags, what, rows, texts):
    why = tags & EXPLAINS
    if why:
        return Verdict("agree", "deviates: " + ", ".join(sorted(why)))
    return Verdict("differ", "DuckDB from windrow and the oracle: " + what, f"duckdb:\n{rows}\nwindrow:\n{texts}")


# Smaller cases.


def smaller(windrow, case, connection, verdict, seed):
    """A case of fewer records and simpler outputs that ends alike."""
    def ends_alike(candidate):
        load(connection, candidate.table)
        inputs = variants(windrow, candidate.table, seed)
        try:
            again = judge(windrow, candidate, inputs, connection)
        except Refused:
            return False
        return again.kind == verdict.kind and again.what.split(":")[0] == verdict.what.split(":")[0]

    for _ in range(60):
        for candidate in candidates(case):
            if ends_alike(candidate):
                case = candidate
                break
        else:
            return case
    return case


def candidates(case):
    table, query = case.table, case.query
    size = max(1, len(table.rows) // 2)
    while table.rows and size:
        for start in range(0, len(table.rows), size):
            yield Case(table.with_rows(table.rows[:start] + table.rows[start + size :]), query)
        size //= 2
        if len(table.rows) > 100 and size < len(table.rows) // 16:
            break
    grouping = query.grouping
    kept = {"where": query.where, "limit": query.limit, "grouping": grouping, "order": query.order, "distinct": query.distinct}
    remade = lambda items=None, **parts: Case(table, queries.Query(items or query.items, **(kept | parts)))
    if query.where:
        yield remade(where=None)
    if query.limit is not None and (grouping or query.distinct or not query.order):
        yield remade(limit=None)
    if query.order:
        yield remade(order=query.order[1:])
    if query.distinct and not query.order:
        yield remade(distinct=False)
    if grouping and grouping.having:
        yield remade(grouping=queries.Grouping(grouping.by, grouping.keys, grouping.aggregates, None, grouping.order))
    if grouping and not grouping.is_plain():
        grouping = grouping.plain()
        yield remade(grouping=grouping)
        return
    if grouping and grouping.order:
        yield remade(grouping=queries.Grouping(grouping.by, grouping.keys, grouping.aggregates, grouping.having, grouping.order[1:]))
    if len(query.items) > 1:
        for index in range(len(query.items)):
            yield remade(items=query.items[:index] + query.items[index + 1 :])
    for index, (node, alias) in enumerate(query.items):
        for kid in node.kids:
            yield remade(items=query.items[:index] + [(kid, alias)] + query.items[index + 1 :])
    if query.where:
        for kid in query.where.kids:
            if kid.ty == model.BOOLEAN:
                yield remade(where=kid)


def load(connection, table):
    for statement in tables.duckdb_statements(table):
        connection.execute(statement)


def table_cases(program, seed, number):
    """Runs the cases of one table: (query number, verdict, report) each."""
    rng = random.Random(f"{seed}/{number}")
    place = tempfile.mkdtemp(prefix="windrow-sql-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    connection = duckdb.connect(config={"threads": 1})
    try:
        windrow = Windrow(program, place)
        table = tables.table(rng)
        load(connection, table)
        inputs = variants(windrow, table, f"{seed}/{number}")
        results = []
        for index in range(QUERIES_PER_TABLE):
            case = Case(table, queries.query(rng, table))
            try:
                verdict = judge(windrow, case, inputs, connection)
            except Refused:
                verdict = Verdict("agree", "not judged: beyond the oracle")
            report = ""
            if verdict.kind in ("differ", "crashed"):
                small = smaller(windrow, case, connection, verdict, f"{seed}/{number}")
                load(connection, small.table)
                again = judge(windrow, small, variants(windrow, small.table, f"{seed}/{number}"), connection)
                report = shown(small, again, seed, number, index)
                load(connection, table)
                inputs = variants(windrow, table, f"{seed}/{number}")
            elif verdict.kind == "refused":
                report = f"refused {seed}/{number}/{index}: {verdict.detail}\n  {case.query.sql()}\n  {table.declared()}\n"
            results.append((verdict.kind, verdict.what, report))
        return results
    finally:
        connection.close()
        shutil.rmtree(place, ignore_errors=True)


def shown(case, verdict, seed, number, index):
    rows = [[None if value is None else model.text_of(value, column.ty) for value, column in zip(row, case.table.columns)] for row in case.table.rows[:40]]
    lines = [f"{verdict.kind} {seed}/{number}/{index}: {verdict.what}", f"  columns: {case.table.declared()}", f"  query:   {case.query.sql()}"]
    lines += [f"  record:  {row}" for row in rows] + ["  " + line for line in verdict.detail[:3000].split("\n")]
    return "\n".join(lines) + "\n"


def main():
    program, cases, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    numbers = [int(sys.argv[4])] if len(sys.argv) > 4 else range(math.ceil(cases / QUERIES_PER_TABLE))
    kinds, whats = collections.Counter(), collections.Counter()
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as workers:
        for results in workers.map(table_cases, [program] * len(numbers), [seed] * len(numbers), numbers, chunksize=1):
            for kind, what, report in results:
                kinds[kind] += 1
                whats[kind, what.split(" from ")[0] if kind == "differ" else what] += 1
                if report:
                    print(report, flush=True)
    for (kind, what), count in sorted(whats.items()):
        print(f"{count:7} {kind}: {what}")
    print(" ".join(f"{kind} {kinds[kind]}" for kind in ("agree", "differ", "refused", "crashed")))
    sys.exit(1 if kinds["differ"] or kinds["crashed"] else 0)


if __name__ == "__main__":
    main()
