"""Containers with little memory and little CPU: rows 56, 58, 126 and 127 of the fault catalogue."""
import gzip
import unittest

from containers import FULL, Case, run

MIB = 1 << 20


class Limits(Case):
    def test_f058_64_mib_of_memory(self):
        size = 1024 * MIB if FULL else 96 * MIB
        record = b"a,1,%b\n" % (b"x" * 1000)
        count = size // len(record)
        with open(self.volume / "in/a.csv", "wb") as file:
            file.write(b"k,v,t\n")
            for start in range(0, count, 1000):
                file.write(record * min(1000, count - start))
        variables = self.variables("small", COLUMNS="k VARCHAR, v BIGINT, t VARCHAR", THREADS="4",
                                   QUERY="SELECT k, sum(v) AS s, max(t) AS t FROM input GROUP BY k")
        ended = run("batch", variables, ["--memory=64m", "--memory-swap=64m"], self.volume)
        self.assertEqual(ended.code, 0, ended)
        self.assertTrue(self.rollup("small").startswith(f"k,s,t\na,{count},"), ended)
        self.assertLess(self.document("small")["peak_memory_bytes"], 64 * MIB)

    def test_f056_sixteen_times_the_input_takes_the_same_memory(self):
        # Members of a gzip follow each other as the inputs of a set would; what is read is 64 MiB each.
        record = b"a,1,%b\n" % (b"x" * 1000)
        count = 64 * MIB // len(record)
        member = gzip.compress(record * count, 1)
        peaks = []
        for members in (16, 256) if FULL else (1, 16):
            (self.volume / "in/a.csv.gz").write_bytes(member * members)
            variables = self.variables(f"of-{members}", CSV_HEADER="absent", COLUMNS="k VARCHAR FROM 1, v BIGINT FROM 2", THREADS="2")
            ended = run("batch", variables, ["--memory=64m", "--memory-swap=64m"], self.volume)
            self.assertEqual(ended.code, 0, ended)
            self.assertEqual(self.rollup(f"of-{members}"), f"k,s\na,{count * members}\n")
            peaks.append(self.document(f"of-{members}")["peak_memory_bytes"])
        self.assertLess(peaks[1], peaks[0] + 2 * MIB, peaks)

    def test_f127_the_limit_of_the_container_is_known(self):
        variables = self.variables("big", INPUT="range:0..10000000", INPUT_FORMAT=None, CSV_HEADER=None, COLUMNS=None,
                                   QUERY="SELECT i, count(*) AS n FROM input GROUP BY i")
        ended = run("batch", variables, ["--memory=64m", "--memory-swap=64m"], self.volume)
        self.assertEqual(ended.code, 65, ended)
        self.assertIn(f"state of at most {64 * MIB // 100 * 60} bytes (60 % of the memory limit)", ended.out)

    def test_a_quarter_of_a_cpu(self):
        ended = run("batch", self.numbers("quarter", end=200_000), ["--cpus=0.25", "--memory=64m"], self.volume)
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.document("quarter", "started.json")["config"]["THREADS"], 1)

    def test_f126_many_inputs_in_64_mib(self):
        self.many(100_000 if FULL else 20_000, "64m")

    @unittest.skipUnless(FULL, "a million files: WINDROW_SWEEP=full")
    def test_f126_a_million_inputs_in_512_mib(self):
        self.many(1_000_000, "512m")

    def many(self, count, memory):
        # One file in a thousand holds a record: empty ones take no blocks, and are inputs like any other.
        for number in range(count):
            if number % 1000 == 0:
                folder = self.volume / f"in/{number // 1000:04}"
                folder.mkdir()
            with open(folder / f"{number:07}.csv", "wb") as file:
                file.write(b"a,1\n" if number % 1000 == 0 else b"")
        variables = self.variables("many", CSV_HEADER="absent", COLUMNS="k VARCHAR FROM 1, v BIGINT FROM 2", MAX_RUNTIME_SECONDS="3600")
        ended = run("batch", variables, [f"--memory={memory}", f"--memory-swap={memory}"], self.volume)
        self.assertEqual(ended.code, 0, (ended.err, ended.out[-2000:]))
        self.assertEqual(self.rollup("many"), f"k,s\na,{count // 1000}\n")
        self.assertEqual((self.document("many")["inputs"]["count"], self.inputs("many")), (count, count))
        self.assertLess((self.volume / "out/many/manifest.json").stat().st_size, MIB)
