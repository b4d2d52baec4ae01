"""A container in a network namespace where nothing is but loopback, the address of ECS's agent, and an S3."""
import json
import os
import subprocess
import time
import urllib.request

from containers import ROOT, Case, run

# What the role of a task is given is temporary: a token comes with it.
KEY = {"access_key": "TESTBEDTASKKEY000001", "secret_key": "secret/of+the+role", "session_token": "token+of/the+role=="}


class Network(Case):
    def setUp(self):
        super().setUp()
        place = self.volume / "s3"
        program = os.environ.get("TESTBED_S3", ROOT / "testbed/target/debug/testbed-s3")
        settings = self.volume / "settings.json"
        settings.write_text(json.dumps({"keys": [KEY]}))
        server = subprocess.Popen([program, "--dir", place, "--settings", settings, "--bucket", "source", "--bucket", "results"],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.stdin.close)
        while not (place / "env").exists():
            self.assertIsNone(server.poll(), "the testbed ended")
            time.sleep(0.02)
        lines = (line.removeprefix("export ").split("=", 1) for line in (place / "env").read_text().splitlines())
        self.s3 = {name: value.strip("'") for name, value in lines}
        self.control("PUT", "/objects/source/d/a.csv", b"k,v\na,1\nb,2\na,3\n")

    def control(self, method, path, body=None):
        request = urllib.request.Request(self.s3["TESTBED_CONTROL"] + path, body, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def task(self, run_id, *options, **more):
        """As ECS starts it: the agent's address and metadata in the environment, no key; the exit code and events."""
        variables = self.variables(run_id, INPUT="s3://source/d/", OUTPUT="s3://results/o", **more)
        variables |= {"AWS_REGION": self.s3["AWS_REGION"], "AWS_ENDPOINT_URL_S3": self.s3["AWS_ENDPOINT_URL_S3"]}
        agent = [ROOT / "scripts/ecs-creds", *options, "--"]
        # What the agent's program sets is passed on by name; the network is the one that it made.
        passed = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "ECS_CONTAINER_METADATA_URI_V4"]
        ended = run("batch", variables, [f"--env={name}" for name in passed], network="host", before=agent,
                    environment={**os.environ, **self.s3})
        return ended.code, [json.loads(line) for line in ended.out.splitlines()] or ended.err

    def object(self, run_id, name):
        return json.loads(self.control("GET", f"/objects/results/o/{run_id}/{name}"))

    def test_f010_f011_f112_credentials_that_rotate_and_metadata(self):
        # A read that comes late, so that credentials of 40 s are renewed before the run writes: they are due 5 minutes
        # before their end, and asked for every 10 s at most.
        log = self.volume / "agent.log"
        slow = [{"when": {"operation": "GetObject", "bucket": "source"}, "do": {"delay_ms": 11_000}}]
        self.control("PUT", "/script", json.dumps(slow).encode())
        code, events = self.task("rotated", "--expires", "40", "--log", str(log))
        self.assertEqual(code, 0, events)
        asked = [json.loads(line)["path"] for line in log.read_text().splitlines()]
        self.assertGreaterEqual(sum("/credentials/" in path for path in asked), 2, asked)
        manifest, started = self.object("rotated", "manifest.json"), self.object("rotated", "started.json")
        self.assertEqual((manifest["task"]["family"], manifest["task"]["memory"]), ("windrow", 512))
        self.assertTrue(manifest["task"]["image_digest"].startswith("sha256:"))
        arn = manifest["task"]["arn"]
        self.assertEqual((started["task_arn"], {event["task_arn"] for event in events[1:]}), (arn, {arn}))
        self.assertEqual(self.control("GET", "/objects/results/o/rotated/rollup.csv"), b"k,s\na,4\nb,2\n")

    def test_f010_an_agent_that_fails(self):
        code, events = self.task("denied", "--fail", "500")
        self.assertEqual((code, events[-1]["exit_code"]), (77, 77))
        self.assertIn("169.254.170.2", json.dumps(events[-1]))

    def test_f112_metadata_that_is_broken_or_absent(self):
        code, events = self.task("broken", "--fail-metadata", "half,always")
        self.assertEqual(code, 0, events)
        self.assertIn("warning", {event["event"] for event in events})
        self.assertIsNone(self.object("broken", "manifest.json")["task"])
        code, events = self.task("absent", "--no-metadata")
        self.assertEqual((code, self.object("absent", "manifest.json")["task"]), (0, None), events)
