"""scripts/aws/run, stop and status: a job from RunTask to its verified end, and each way in which it can go wrong."""
import json
import os
import shlex
import signal

from account import ROOT, Case, Refusal


class Run(Case):
    is_deployed = False

    def setUp(self):
        super().setUp()
        if not Run.is_deployed:
            self.deployed()
            Run.is_deployed = True
        self.store()
        # Verifying asks the bucket; with the keys that the testbed knows.
        self.environment |= self.s3 | {"AWS_REGION": self.environment["AWS_REGION"]}
        self.control("PUT", "/settings", json.dumps(json.loads(self.control("GET", "/settings")) | {"region": "eu-central-1"}).encode())
        self.s3["AWS_REGION"] = "eu-central-1"

    def run_job(self, *words, before=(), **more):
        return self.script("run", *self.words(*words, before=before, **more))

    def words(self, *words, before=(), **more):
        return [*before, str(self.job(**more)), f"AWS_ENDPOINT_URL_S3={self.s3['AWS_ENDPOINT_URL_S3']}", *words]

    def test_a_job_to_its_verified_end(self):
        self.meanwhile(self.run_as_task)
        ended = self.run_job("WINDROW_RUN_ID=first.run")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn('"event":"run_summary"', ended.out, "the log was followed to its end")
        self.assertIn("a finished run: 2 artifacts", ended.out)
        for status in ("RUN_ID first.run", "exit code 0, done and committed"):
            self.assertIn(status, ended.err)
        self.assertEqual(self.control("GET", "/objects/results/o/first.run/rollup.csv"), b"k,s\na,4\nb,2\n")
        (request,) = self.fargate.requests
        overrides = request["overrides"]["containerOverrides"][0]
        environment = {entry["name"]: entry["value"] for entry in overrides["environment"]}
        self.assertEqual(overrides["command"], ["batch"])
        self.assertEqual(environment["WINDROW_QUERY"], "SELECT k, sum(v) AS s\nFROM input WHERE k <> '\"\\' GROUP BY k")
        self.assertEqual(environment["WINDROW_DRAIN_SECONDS"], "110")
        self.assertTrue(request["overrides"]["taskRoleArn"].endswith(":role/windrow-batch"))
        self.assertEqual((len(request["clientToken"]), request["count"], request["launchType"]), (64, 1, "FARGATE"))
        status = self.script("status", "first.run")
        self.assertIn("exit code 0, done and committed", status.out)

    def test_a_repeated_call_starts_no_second_task(self):
        self.meanwhile(self.run_as_task)
        for _ in range(2):
            ended = self.run_job("WINDROW_RUN_ID=twice")
            self.assertEqual(ended.code, 0, ended)
        self.assertEqual((len(self.fargate.requests), len(self.fargate.begun)), (2, 1))
        # Another job is another token, and the claim of the RUN_ID keeps it out.
        ended = self.run_job("WINDROW_RUN_ID=twice", QUERY="SELECT count(*) AS n FROM input")
        self.assertEqual((ended.code, len(self.fargate.begun)), (73, 2), ended)
        self.assertIn("exit code 73, the RUN_ID is taken", ended.err)
        # From another revision it is another call under the same token.
        self.client("ecs").register_task_definition(**json.loads((ROOT / "target/aws/windrow/task-def.json").read_text()))
        ended = self.run_job("WINDROW_RUN_ID=twice")
        self.assertEqual((ended.code, len(self.fargate.begun)), (78, 2), ended)
        self.assertIn("take a new RUN_ID", ended.err)
        # Once ECS has forgotten the first task, the claim keeps out the second.
        self.fargate.forget()
        ended = self.run_job("WINDROW_RUN_ID=twice")
        self.assertEqual((ended.code, len(self.fargate.begun)), (73, 3), ended)

    def test_a_run_id_is_made_and_printed(self):
        self.meanwhile(self.run_as_task)
        ended = self.run_job("AWS_REGION=eu-central-1")
        self.assertEqual(ended.code, 0, ended)
        self.assertRegex(ended.err, r"RUN_ID job-\d{8}T\d{6}Z-[0-9a-f]{4}\n")

    def test_no_cap_on_waiting(self):
        def act(task):
            self.fargate.move(task, "RUNNING")
            self.until(660)
            self.fargate.move(task, "STOPPED", exit=75, code="EssentialContainerExited")
        self.meanwhile(act)
        ended = self.run_job("WINDROW_RUN_ID=long")
        self.assertEqual(ended.code, 75, ended)
        self.assertGreater(self.slept(), 660)

    def test_how_tasks_end(self):
        for name, facts, code, said in [
            ("pull", {"code": "TaskFailedToStart", "stopped": "CannotPullContainerError: pull image manifest has been retried 1 time(s)"},
             69, ["it never ran (TaskFailedToStart)", "the image could not be fetched"]),
            ("log group", {"code": "TaskFailedToStart", "stopped": "ResourceInitializationError: failed to validate logger args"},
             69, ["the log group is missing"]),
            ("no address", {"code": "TaskFailedToStart", "stopped": "Timeout waiting for network interface provisioning to complete."},
             69, ["no network interface"]),
            ("memory", {"code": "EssentialContainerExited", "exit": 137, "stopped": "Essential container in task exited",
                        "reason": "OutOfMemoryError: Container killed due to memory usage"}, 137, ["exit code 137, killed", "want of memory"]),
            ("stopped", {"code": "UserInitiated", "exit": 75, "stopped": "scripts/aws/stop"},
             75, ["exit code 75, interrupted", "UserInitiated: somebody stopped it: scripts/aws/stop"]),
            ("too slow", {"code": "UserInitiated", "exit": 137, "stopped": "Task stopped by user"},
             137, ["did not end within stopTimeout"]),
            ("bad data", {"code": "EssentialContainerExited", "exit": 65}, 65, ["exit code 65, bad data", "windrow ended by itself"]),
            ("spot", {"code": "SpotInterruption", "exit": 75, "stopped": "Your Spot Task was interrupted."}, 75, ["SpotInterruption: Your Spot"]),
        ]:
            with self.subTest(name):
                self.fargate.begun.clear()
                self.meanwhile(lambda task, facts=facts: self.fargate.move(task, "STOPPED", **facts))
                ended = self.run_job(f"WINDROW_RUN_ID={name.replace(' ', '-')}")
                self.assertEqual(ended.code, code, ended)
                for text in said:
                    self.assertIn(text, ended.err)
                self.doCleanups_of_watch()

    def doCleanups_of_watch(self):
        """The watcher of one case must not move the tasks of the next."""
        for function, arguments, _ in (self._cleanups.pop(), self._cleanups.pop()):
            function(*arguments)

    def test_what_is_not_placed(self):
        capacity = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
        for name, answer, code, said in [
            ("failure", {"arn": "arn:x", "reason": "RESOURCE:MEMORY"}, 69, "RESOURCE:MEMORY: Fargate has no room"),
            ("capacity", Refusal("ClientException", capacity), 69, "Fargate has no room"),
            ("quota", Refusal("ClientException", "You’ve reached the limit on the number of vCPUs you can run concurrently"), 69, "quota"),
            ("denied", Refusal("AccessDeniedException", "not authorized to perform: iam:PassRole on resource"), 77, "iam:PassRole"),
            ("other job", Refusal("ConflictException", "the clientToken is already in use"), 78, "take a new RUN_ID"),
        ]:
            with self.subTest(name):
                self.fargate.answers.append(answer)
                ended = self.run_job("WINDROW_RUN_ID=unplaced")
                self.assertEqual((ended.code, self.fargate.begun), (code, []), ended)
                self.assertIn(said, ended.err)

    def test_throttling_is_respected(self):
        self.fargate.answers += [Refusal("ThrottlingException", "Rate exceeded")] * 3
        self.meanwhile(self.run_as_task)
        ended = self.run_job("WINDROW_RUN_ID=throttled")
        self.assertEqual((ended.code, len(self.fargate.begun)), (0, 1), ended)
        self.assertEqual(self.clock.read_text().split()[:3], ["1", "2", "4"])
        self.assertEqual(len({request["clientToken"] for request in self.fargate.requests}), 1)
        self.clock.write_text("")
        self.fargate.answers += [Refusal("ThrottlingException", "Rate exceeded")] * 6
        ended = self.run_job("WINDROW_RUN_ID=throttled-still")
        self.assertEqual((ended.code, self.clock.read_text().split()), (69, ["1", "2", "4", "8", "16"]), ended)

    def test_what_costs_no_task(self):
        for name, words, more, code, said in [
            ("query", [], {"QUERY": "SELECT nothing FROM input"}, 78, "nothing was started"),
            ("file", [], {"OUTPUT": "file:///data"}, 78, "s3://"),
            ("8,192", [], {"QUERY": "SELECT k FROM input --" + "x" * 9000}, 78, "WINDROW_QUERY_URI"),
            ("key", ["AWS_SECRET_ACCESS_KEY=x"], {}, 64, "the task role signs"),
            ("name", ["INPUT=s3://b/"], {}, 64, "in full"),
        ]:
            with self.subTest(name):
                ended = self.run_job("WINDROW_RUN_ID=free", *words, **more)
                self.assertEqual((ended.code, self.fargate.requests), (code, []), ended)
                self.assertIn(said, ended.err)

    def test_keys_of_the_job_are_told_to_nobody(self):
        for name, said in (("AWS_SECRET_ACCESS_KEY", "the task role signs"), ("AWS_PROFILE", "in full")):
            for before in ([], ["--dry-run"]):
                with self.subTest(name, before=before):
                    job = self.job()
                    job.write_text(job.read_text() + f"{name}=hidden\n")
                    ended = self.script("run", *before, str(job), "WINDROW_RUN_ID=keys")
                    self.assertEqual((ended.code, self.fargate.requests), (64, []), ended)
                    self.assertIn(said, ended.err)
                    self.assertNotIn("hidden", ended.out + ended.err)

    def test_the_longest_environment(self):
        """8,192 characters in all are taken, one more is not: counted as RunTask counts, with the JSON around them."""
        spare = None
        for extra in (0, 1):
            self.fargate.reset()
            self.meanwhile(lambda task: self.fargate.move(task, "STOPPED", exit=65, code="EssentialContainerExited"))
            length = 1000 if spare is None else spare + extra
            ended = self.run_job("WINDROW_RUN_ID=long", QUERY="SELECT count(*) AS n FROM input --" + "x" * length)
            if spare is None:
                used = len(json.dumps(self.fargate.requests[0]["overrides"], separators=(",", ":")))
                spare = length + 8192 - used
                ended = self.run_job("WINDROW_RUN_ID=long", QUERY="SELECT count(*) AS n FROM input --" + "x" * spare)
                self.assertEqual((ended.code, len(self.fargate.requests)), (65, 2), ended)
            else:
                self.assertEqual((ended.code, self.fargate.requests), (78, []), ended)
            self.doCleanups_of_watch()

    def test_stop(self):
        def act(task):
            self.fargate.move(task, "RUNNING")
            self.until(20)
            stopped = self.script("stop", "stopped", "enough")
            assert stopped.code == 0, stopped
            assert task.stopped_reason == "enough"
            self.fargate.move(task, "STOPPED", exit=75, code="UserInitiated", stopped=task.stopped_reason)
        self.meanwhile(act)
        ended = self.run_job("WINDROW_RUN_ID=stopped")
        self.assertEqual(ended.code, 75, ended)
        self.assertIn("somebody stopped it: enough", ended.err)
        self.assertEqual(self.script("stop", "another").code, 66)

    def test_a_dry_stop_calls_nobody(self):
        ended = self.script("stop", "--dry-run", "some.run", "enough", AWS_ENDPOINT_URL="http://127.0.0.1:9")
        self.assertEqual((ended.code, ended.out), (0, ""), ended)
        self.assertIn("aws ecs list-tasks --cluster windrow", ended.err)
        self.assertIn("aws ecs stop-task --cluster windrow --task TASK --reason enough", ended.err)

    def test_interrupted_the_task_goes_on(self):
        """Ctrl-C ends the script alone; the same line again finds the task."""
        # Where the tests run in the background, SIGINT may be ignored, and would stay so.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        process = self.begin(ROOT / "scripts/aws/run", *self.words("WINDROW_RUN_ID=left"))
        self.until(10)
        (task,) = self.fargate.begun
        self.fargate.move(task, "RUNNING")
        os.killpg(process.pid, signal.SIGINT)
        ended = self.ended(process)
        self.assertEqual((ended.code, task.status, task.desired_status), (75, "RUNNING", "RUNNING"), ended)
        self.assertIn("what was started goes on: scripts/aws/stop left stops it", ended.err)
        self.meanwhile(self.run_as_task)
        ended = self.run_job("WINDROW_RUN_ID=left")
        self.assertEqual((ended.code, self.fargate.begun), (0, [task]), ended)

    def test_credentials_of_a_profile(self):
        """Where the environment has no keys, version 1 of the CLI says what the profile holds, and version 2 exports them."""
        keys = {name: self.environment.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        profile = self.folder / "credentials"
        profile.write_text("[some]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in keys.items()))
        self.environment |= {"AWS_PROFILE": "some", "AWS_SHARED_CREDENTIALS_FILE": str(profile)}
        self.meanwhile(self.run_as_task)
        ended = self.run_job("WINDROW_RUN_ID=profile-1")
        self.assertEqual(ended.code, 0, ended)
        second = self.folder / "version-2"
        second.mkdir()
        exported = "".join(f"echo \"export {name}={value}\"\n" for name, value in keys.items())
        (second / "aws").write_text("#!/bin/sh\n[ \"$2\" != get ] || exit 70\n[ \"$2\" = export-credentials ] || "
                                    f"exec {self.folder}/aws \"$@\"\n{exported}")
        (second / "aws").chmod(0o755)
        self.environment["PATH"] = f"{second}:{self.environment['PATH']}"
        ended = self.run_job("WINDROW_RUN_ID=profile-2")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("a finished run", ended.out)

    def test_shards_then_the_merge(self):
        """Twelve true shards and a true merge give the bytes of one worker; one shard that is lost leaves no merge."""
        for number in range(30):
            self.control("PUT", f"/objects/source/d/{number:02}.csv", b"k,v\n" + b"%d,%d\n" % (number % 7, number) * 40)
        self.meanwhile(self.run_as_task)
        alone = self.run_job("WINDROW_RUN_ID=alone")
        self.assertEqual(alone.code, 0, alone)
        for lost, code in (("none", 0), ("7/12", 69)):
            self.doCleanups_of_watch()
            self.fargate.reset()
            self.meanwhile(lambda task, lost=lost: self.lose(task) if self.variable(task, "SHARD") == lost else self.run_as_task(task))
            self.clock.write_text("")
            ended = self.run_job(f"WINDROW_RUN_ID=many-{code}", before=["--shards", "12"])
            self.assertEqual(ended.code, code, ended)
            requests = [request["overrides"] for request in self.fargate.requests]
            self.assertEqual([self.variable(task, "SHARD") for task in self.fargate.begun[:12]], [f"{number}/12" for number in range(12)])
            self.assertEqual(self.clock.read_text().split()[0], "1", "ten, then a pause")
            if lost == "none":
                self.assertEqual([request["containerOverrides"][0]["command"] for request in requests], [["batch"]] * 12 + [["merge"]])
                result = self.control("GET", "/objects/results/o/many-0-merged/rollup.csv")
                self.assertEqual(result, self.control("GET", "/objects/results/o/alone/rollup.csv"))
            else:
                self.assertEqual(len(requests), 12, "no merge of what is not whole")
                self.assertIn("WINDROW_RUN_ID=many-69-again WINDROW_SHARD=7/12\n", ended.err)

    def test_a_lost_shard_again_and_nothing_else(self):
        """The line that is printed for it is all that it takes."""
        self.meanwhile(lambda task: self.lose(task) if self.variable(task, "SHARD") == "1/2" and self.variable(task, "RUN_ID") == "lossy"
                       else self.run_as_task(task))
        ended = self.run_job("WINDROW_RUN_ID=lossy", before=["--shards", "2"])
        self.assertEqual(ended.code, 69, ended)
        (line,) = (line for line in ended.err.splitlines() if line.startswith("again, and nothing else: "))
        program, *words = shlex.split(line.partition(": ")[2])
        self.assertEqual(program, "scripts/aws/run")
        ended = self.script("run", *words)
        self.assertEqual(ended.code, 0, ended)
        merge = self.folder / "merge.env"
        merge.write_text("WINDROW_INPUT='[\"s3://results/o/lossy/\",\"s3://results/o/lossy-again/\"]'\nWINDROW_SHARDS=2\n"
                         "WINDROW_OUTPUT=s3://results/o\nWINDROW_OUTPUT_FORMAT=csv\nWINDROW_MAX_RUNTIME_SECONDS=600\n")
        ended = self.script("run", str(merge), "WINDROW_RUN_ID=whole", f"AWS_ENDPOINT_URL_S3={self.s3['AWS_ENDPOINT_URL_S3']}")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.control("GET", "/objects/results/o/whole/rollup.csv"), b"k,s\na,4\nb,2\n")

    def lose(self, task):
        self.fargate.move(task, "STOPPED", exit=69, code="EssentialContainerExited")

    @staticmethod
    def variable(task, name):
        (overrides,) = task.overrides["containerOverrides"]
        return {entry["name"]: entry["value"] for entry in overrides["environment"]}.get(f"WINDROW_{name}")

    def test_a_stream_has_a_role_of_its_own(self):
        self.environment["BIN"] = "/bin/true"
        self.meanwhile(lambda task: self.fargate.move(task, "STOPPED", exit=0, code="EssentialContainerExited"))
        ended = self.run_job("WINDROW_RUN_ID=feed", INPUT='["wss://feed.example/ws"]')
        self.assertEqual(ended.code, 0, ended)
        (request,) = self.fargate.requests
        self.assertEqual(request["overrides"]["containerOverrides"][0]["command"], ["stream"])
        self.assertTrue(request["overrides"]["taskRoleArn"].endswith(":role/windrow-stream"))

    def test_a_dry_run_calls_nobody(self):
        ended = self.script("run", "--dry-run", str(self.job()), "WINDROW_RUN_ID=dry", AWS_ENDPOINT_URL="http://127.0.0.1:9")
        self.assertEqual((ended.code, self.fargate.requests), (0, []), ended)
        self.assertIn("aws ecs run-task", ended.err)
        self.assertIn('"clientToken"', ended.err)
