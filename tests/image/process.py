"""The worker as the first and only process of its container."""
import contextlib
import os
import subprocess
import time

from containers import Case, run, words


class Process(Case):
    def test_f105_a_container_with_nothing(self):
        (self.volume / "in/a.csv").write_text("k,v\na,1\nb,2\na,3\n")
        ended = run("batch", self.variables("bare"), volume=self.volume)
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.rollup("bare"), "k,s\na,4\nb,2\n")
        self.assertEqual((self.volume / "out/bare/manifest.json").stat().st_uid, 65532)
        verified = run("verify file:///data/out/bare", volume=self.volume)
        self.assertEqual(verified.code, 0, verified)

    def test_f102_f105_process_1_of_nobody_without_a_right(self):
        name, process = self.start("batch", self.numbers("first"))
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{process}/status").read().splitlines())
        self.assertEqual(status["NSpid"].split()[-1], "1")
        self.assertEqual((set(status["Uid"].split()), set(status["Gid"].split())), ({"65532"}, {"65532"}))
        rights = {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        self.assertEqual((rights, status["NoNewPrivs"]), ({"0" * 16}, "1"))
        root = next(line for line in open(f"/proc/{process}/mountinfo") if line.split()[4] == "/")
        self.assertIn("ro", root.split()[5].split(","))
        # Only loopback: a device's name stands before the colon.
        devices = [line.split(":")[0].strip() for line in open(f"/proc/{process}/net/dev") if ":" in line]
        self.assertEqual(devices, ["lo"])
        # The first process has no handler of the kernel's: without one of its own, a signal would do nothing.
        for signal in ("TERM", "INT", "HUP"):
            with self.subTest(signal):
                if signal != "TERM":
                    name, _ = self.start("batch", self.numbers(f"first-{signal}"))
                subprocess.run(["podman", "kill", f"--signal={signal}", name], check=True, capture_output=True)
                self.assertEqual(self.ended(name)[0], 75)

    def test_f102_stop_is_a_drain_and_75(self):
        name, _ = self.start("batch", self.numbers("stopped"))
        began = time.monotonic()
        # As ECS does: SIGTERM, stopTimeout, SIGKILL.
        subprocess.run(["podman", "stop", "--time=30", name], check=True, capture_output=True)
        self.assertLess(time.monotonic() - began, 20)
        code, summary = self.ended(name)
        self.assertEqual((code, summary["event"], summary["exit_code"]), (75, "run_summary", 75))
        failure = self.document("stopped", "failure.json")
        self.assertEqual(failure["code"], 75)
        self.assertEqual(self.left("stopped"), {"started.json", "failure.json"})

    def test_f103_killed_claims_nothing(self):
        name, _ = self.start("batch", self.numbers("killed"))
        subprocess.run(["podman", "kill", "--signal=KILL", name], check=True, capture_output=True)
        self.assertEqual(int(subprocess.check_output(["podman", "wait", name])), 137)
        self.assertEqual(self.left("killed"), {"started.json"})
        self.assertEqual(run("verify file:///data/out/killed", volume=self.volume).code, 66)
        again = run("batch", self.numbers("killed", end=10), volume=self.volume)
        self.assertEqual((again.code, self.left("killed")), (73, {"started.json"}), again)
        self.assertEqual(run("batch", self.numbers("killed-2", end=10), volume=self.volume).code, 0)

    def test_f104_a_log_that_nobody_takes(self):
        (self.volume / "in/a.csv").write_text("k,v\na,1\n")
        # A pipe that is full before the first line: the container's standard output itself, as no driver is between.
        taker, log = os.pipe()
        self.addCleanup(os.close, taker)
        os.set_blocking(log, False)
        filler = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filler += os.write(log, b"." * 512)
        os.set_blocking(log, True)
        line = words("batch", self.variables("unread"), ["--rm", "--log-driver=passthrough"], self.volume)
        process = subprocess.Popen(line, stdout=log, stderr=subprocess.DEVNULL)
        os.close(log)
        self.assertEqual(process.wait(60), 0, "it ended, and nobody had read a byte")
        self.assertEqual(self.rollup("unread"), "k,s\na,1\n")
        self.assertIn("manifest.json", self.left("unread"))
        with open(taker, "rb", closefd=False) as pipe:
            self.assertEqual(pipe.read(), b"." * filler)
