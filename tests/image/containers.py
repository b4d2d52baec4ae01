"""Containers of the image: how they are run, and what a run leaves."""
import gzip
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

IMAGE = os.environ["IMAGE"]
SOURCE = os.environ["SOURCE"]
FULL = os.environ.get("WINDROW_SWEEP") == "full"
ROOT = Path(__file__).parent.parent.parent

# As much as Fargate gives, or less. The image names its own user.
BARE = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges",
        # Where the caller's own limits are low, podman's usual ones cannot be had.
        "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]


def podman(*words, **more):
    """podman itself; its standard output, where it succeeds."""
    done = subprocess.run(["podman", *words], capture_output=True, text=True, **more)
    if done.returncode:
        raise AssertionError(f"podman {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def words(command, variables=(), options=(), volume=None, network="none"):
    """The command line of `podman run`."""
    runtime = ["--runtime=runc"] if shutil.which("runc") else []
    volumes = [f"--volume={volume}:/data"] if volume else []
    environment = [f"--env={name}={value}" for name, value in dict(variables).items()]
    return ["podman", *runtime, "run", f"--network={network}", *BARE, *volumes, *environment, *options, IMAGE, *command.split()]


def run(command, variables=(), options=(), volume=None, network="none", before=(), environment=None):
    """Runs it to its end, below the program `before` where there is one."""
    began = time.monotonic()
    done = subprocess.run([*before, *words(command, variables, ["--rm", *options], volume, network)],
                          capture_output=True, text=True, timeout=600, env=environment)
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr, seconds=time.monotonic() - began)


class Case(unittest.TestCase):
    """A directory for each test, that user 65532 may write to, mounted at /data."""

    def setUp(self):
        self.volume = Path(tempfile.mkdtemp(prefix="windrow-image-"))
        self.addCleanup(shutil.rmtree, self.volume)
        self.volume.chmod(0o755)
        (self.volume / "in").mkdir()
        (self.volume / "out").mkdir()
        (self.volume / "out").chmod(0o777)

    def variables(self, run_id, **more):
        """The environment of a run over /data/in/."""
        usual = {"INPUT": "file:///data/in/", "INPUT_FORMAT": "csv", "CSV_HEADER": "present", "COLUMNS": "k VARCHAR, v BIGINT",
                 "QUERY": "SELECT k, sum(v) AS s FROM input GROUP BY k", "OUTPUT": "file:///data/out", "OUTPUT_FORMAT": "csv",
                 "RUN_ID": run_id, "MAX_RUNTIME_SECONDS": "300"}
        return {f"WINDROW_{name}": value for name, value in (usual | more).items() if value is not None}

    def numbers(self, run_id, end=10**13, **more):
        """The environment of a run that goes on for as long as it is let."""
        return self.variables(run_id, INPUT=f"range:0..{end}", INPUT_FORMAT=None, CSV_HEADER=None, COLUMNS=None,
                              QUERY="SELECT sum(sin(i)) AS s FROM input", **more)

    def start(self, command, variables, *options):
        """Starts it in the background, until it holds its claim: its name and process."""
        name = f"windrow-{os.getpid()}-{time.monotonic_ns()}"
        line = words(command, variables, [f"--name={name}", "--detach", *options], self.volume)
        subprocess.run(line, check=True, capture_output=True)
        self.addCleanup(subprocess.run, ["podman", "rm", "--force", "--time=0", name], capture_output=True)
        run_id = dict(variables)["WINDROW_RUN_ID"]
        for _ in range(600):
            if "started.json" in self.left(run_id):
                return name, int(podman("inspect", "--format={{.State.Pid}}", name))
            time.sleep(0.05)
        raise AssertionError(subprocess.run(["podman", "logs", name], capture_output=True, text=True))

    def ended(self, name):
        """Waits for its end: the exit code, and the last line of its log."""
        code = int(podman("wait", name))
        lines = podman("logs", name).splitlines()
        return code, json.loads(lines[-1])

    def left(self, run_id):
        """Names in the run's directory."""
        directory = self.volume / "out" / run_id
        return set(os.listdir(directory)) if directory.exists() else set()

    def document(self, run_id, name="manifest.json"):
        return json.loads((self.volume / "out" / run_id / name).read_text())

    def rollup(self, run_id):
        return (self.volume / "out" / run_id / "rollup.csv").read_text()

    def inputs(self, run_id):
        text = gzip.decompress((self.volume / "out" / run_id / "inputs.ndjson.gz").read_bytes())
        return text.count(b"\n")
