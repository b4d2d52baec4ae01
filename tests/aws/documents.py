"""The files that AWS and Kubernetes take: valid by their own models, and no right more or less than runs use."""
import fnmatch
import json
import os
import re
import subprocess
import unittest
import warnings

import botocore.session
import kubernetes_validate
import yaml
from botocore.exceptions import ParamValidationError
from botocore.validate import validate_parameters

from account import ACCOUNT, IMAGE, REGION, ROOT, TESTBED, WINDROW, Case

WORDS = {"NAME": "windrow", "REGION": REGION, "PARTITION": "aws", "ACCOUNT": ACCOUNT, "IMAGE": IMAGE, "PUBLIC_IP": "ENABLED",
         "KIND": "batch", "PREFIX": "o/"}
for setting, bucket, prefix in (("BATCH_INPUT", "source", "d/"), ("BATCH_OUTPUT", "results", "o/"), ("STREAM_OUTPUT", "results", "feeds/")):
    WORDS |= {setting: f"{bucket}/{prefix}", f"{setting}_BUCKET": bucket, f"{setting}_PREFIX": prefix}


def filled(path):
    text = (ROOT / path).read_text()
    for word, value in WORDS.items():
        text = text.replace(f"@{word}@", value)
    return json.loads(text)


def validated(service, operation, parameters):
    """Raises where the API's own model does not take them."""
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    validate_parameters(parameters, model.input_shape)


def allowed(policy, action, bucket, key, prefix=None):
    """The number of the statement that allows it; none where none does."""
    arn = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    for number, statement in enumerate(policy["Statement"]):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        like = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", "*")
        if action in actions and fnmatch.fnmatchcase(arn, statement["Resource"]) and fnmatch.fnmatchcase(prefix or "", like):
            return number
    return None


class Documents(unittest.TestCase):
    def test_the_task_definition(self):
        definition = filled("task-def.json")
        validated("ecs", "RegisterTaskDefinition", definition)
        (container,) = definition["containerDefinitions"]
        self.assertEqual((definition["requiresCompatibilities"], definition["networkMode"]), (["FARGATE"], "awsvpc"))
        self.assertEqual(definition["runtimePlatform"]["cpuArchitecture"], "ARM64")
        self.assertEqual((container["essential"], container["readonlyRootFilesystem"], container["user"]), (True, True, "65532:65532"))
        self.assertEqual((container["linuxParameters"]["capabilities"], container.get("privileged")), ({"drop": ["ALL"]}, None))
        # The drain that `run` asks for, 110 s, ends before ECS kills.
        self.assertEqual(container["stopTimeout"], 120)
        self.assertEqual((container["memory"], container["logConfiguration"]["logDriver"]), (int(definition["memory"]), "awslogs"))
        # An override can change a variable, and cannot take one away.
        self.assertFalse([entry for entry in container["environment"] if entry["name"].startswith("WINDROW_")])
        self.assertFalse({"secrets", "environmentFiles", "command", "entryPoint"} & set(container))

    def test_another_architecture_is_one_line(self):
        text = (ROOT / "task-def.json").read_text()
        self.assertEqual(sum("ARM64" in line for line in text.splitlines()), 1)
        self.assertEqual(json.loads(text.replace("ARM64", "X86_64"))["runtimePlatform"]["cpuArchitecture"], "X86_64")

    def test_batch(self):
        definition, submission = filled("aws/batch-job.json"), filled("aws/batch-submit.json")
        validated("batch", "RegisterJobDefinition", definition)
        validated("batch", "SubmitJob", submission)
        self.assertEqual(definition["retryStrategy"], {"attempts": 1})
        self.assertEqual(definition["containerProperties"]["networkConfiguration"], {"assignPublicIp": "ENABLED"})
        # What the task definition has and Batch does not know (docs/scale.md).
        for member in ({"stopTimeout": 120}, {"linuxParameters": {"capabilities": {"drop": ["ALL"]}}}):
            with self.assertRaises(ParamValidationError):
                validated("batch", "RegisterJobDefinition",
                          definition | {"containerProperties": definition["containerProperties"] | member})
        environment = {entry["name"]: entry["value"] for entry in submission["containerOverrides"]["environment"]}
        self.assertEqual(environment["WINDROW_SHARD"], f"env/{submission['arrayProperties']['size']}")
        # AWS Batch on Fargate gives 30 s between SIGTERM and SIGKILL.
        self.assertLess(int(environment["WINDROW_DRAIN_SECONDS"]), 30)
        longest = int(environment["WINDROW_MAX_RUNTIME_SECONDS"]) + int(environment["WINDROW_DRAIN_SECONDS"])
        self.assertGreater(definition["timeout"]["attemptDurationSeconds"], longest)
        self.checked(environment)

    def test_kubernetes(self):
        _, job = documents = list(yaml.safe_load_all((ROOT / "kubernetes/indexed-job.yaml").read_text()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for document in documents:
                kubernetes_validate.validate(document, "1.33", strict=True)
            with self.assertRaises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate(job | {"spec": job["spec"] | {"backoffLimits": 0}}, "1.33", strict=True)
        spec, pod = job["spec"], job["spec"]["template"]["spec"]
        self.assertEqual((spec["completionMode"], spec["backoffLimit"], pod["restartPolicy"]), ("Indexed", 0, "Never"))
        environment = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
        self.assertEqual((environment["WINDROW_SHARD"], spec["parallelism"]), (f"env/{spec['completions']}", spec["completions"]))
        self.assertGreater(pod["terminationGracePeriodSeconds"], int(environment["WINDROW_DRAIN_SECONDS"]))
        self.checked(environment)

    def test_nothing_schedules_restarts_or_scales(self):
        called = set()
        for script in sorted((ROOT / "scripts/aws").iterdir()):
            lines = [line for line in script.read_text().splitlines() if not line.lstrip().startswith("#")]
            called |= set(re.findall(r"\b(?:call|unless \w+) ([a-z0-9]+) ([a-z][a-z-]+)", "\n".join(lines)))
        self.assertEqual({service for service, _ in called}, {"ecr", "ecs", "iam", "logs", "s3api", "sts"})
        self.assertEqual({call for service, call in called if service == "ecs"},
                         {"create-cluster", "describe-task-definition", "describe-tasks", "list-tasks", "register-task-definition",
                          "run-task", "stop-task"}, "no service, no capacity provider")
        self.assertEqual(filled("aws/batch-job.json")["retryStrategy"]["attempts"], 1)

    def checked(self, environment):
        """The job is one that windrow takes, as the shard that the engine numbers."""
        for index in ("AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX"):
            done = subprocess.run([WINDROW, "check", "batch"], env=environment | {"AWS_REGION": REGION, index: "15"},
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, json.loads(done.stdout)["config"]["SHARD"]), (0, "15/16"), done)


class Rights(Case):
    """Which S3 actions runs make, as the journal of their store has them, against the policy of their role."""

    def test_batch_uses_its_policy_and_no_more(self):
        self.store()
        policy = filled("aws/policies/batch.json")
        rows = b"k,v\n" + b"".join(b"%040d,1\n" % number for number in range(200_000))
        self.control("PUT", "/objects/source/d/b.csv", rows)
        # A small result, one in parts, and one whose upload fails and is aborted.
        self.batch("small", QUERY="SELECT sum(v) AS s FROM input")
        self.batch("parts", QUERY="SELECT k || k || k AS k, v FROM input")
        fault = [{"when": {"operation": "UploadPart", "from": 2}, "do": {"answer": {"status": 500, "body": ""}}}]
        self.control("PUT", "/script", json.dumps(fault).encode())
        self.batch("aborted", 69, QUERY="SELECT k || k || k AS k, v FROM input")
        for shard in ("0/2", "1/2"):
            self.control("PUT", "/script", b"[]")
            self.batch("shards", QUERY="SELECT sum(v) AS s FROM input", SHARD=shard, OUTPUT_FORMAT=None)
        self.batch("merged", mode="merge", INPUT="s3://results/o/shards/", SHARDS="2", INPUT_FORMAT=None, CSV_HEADER=None,
                   COLUMNS=None)
        self.assertEqual(self.used(policy), {
            (0, "s3:GetObject"), (1, "s3:ListBucket"), (2, "s3:PutObject"), (2, "s3:GetObject"), (2, "s3:AbortMultipartUpload"),
            (3, "s3:ListBucket")})
        self.assertEqual(self.used(policy), {(number, action) for number, statement in enumerate(policy["Statement"])
                                             for action in self.listed(statement)})

    def test_stream_keeps_to_its_policy(self):
        self.store()
        feed = subprocess.Popen([TESTBED.parent / "testbed-feed", "--dir", self.folder / "feed"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(feed.wait)
        self.addCleanup(feed.stdout.close)
        self.addCleanup(feed.stdin.close)
        line = next(line for line in feed.stdout if line.startswith("export TESTBED_FEED="))
        job = subprocess.run(["bash", "-ac", ". jobs/bnb.env && env -0"], cwd=ROOT, env={"PATH": os.environ["PATH"]},
                             capture_output=True, text=True, check=True).stdout
        environment = dict(entry.split("=", 1) for entry in job.split("\0") if entry.startswith("WINDROW_"))
        environment |= self.s3 | {"WINDROW_INPUT": line.split("=", 1)[1].strip().strip("'"), "WINDROW_RUN_ID": "live",
                                  "WINDROW_OUTPUT": "s3://results/feeds", "WINDROW_MAX_RUNTIME_SECONDS": "3"}
        done = subprocess.run([WINDROW, "stream"], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done)
        # An upload is aborted as a batch's is: the test above has one.
        self.assertEqual(self.used(filled("aws/policies/stream.json")),
                         {(0, "s3:PutObject"), (0, "s3:GetObject"), (1, "s3:ListBucket")})

    def test_the_roles_reach_no_further(self):
        batch, stream = filled("aws/policies/batch.json"), filled("aws/policies/stream.json")
        for policy, action, bucket, key, prefix in [
            (batch, "s3:PutObject", "source", "d/a.csv", None), (batch, "s3:GetObject", "source", "e/a.csv", None),
            (batch, "s3:ListBucket", "source", "", ""), (batch, "s3:DeleteObject", "results", "o/x", None),
            (batch, "s3:PutObject", "results", "feeds/x", None), (stream, "s3:GetObject", "source", "d/a.csv", None),
            (stream, "s3:PutObject", "results", "o/x", None)]:
            self.assertIsNone(allowed(policy, action, bucket, key, prefix), (action, bucket, key))
        self.assertEqual(stream["Statement"], json.loads(json.dumps(batch["Statement"][2:]).replace('o/*"', 'feeds/*"')),
                         "a stream writes as a batch does, elsewhere")

    def batch(self, run_id, code=0, mode="batch", **more):
        variables = {"INPUT": "s3://source/d/", "INPUT_FORMAT": "csv", "CSV_HEADER": "present", "COLUMNS": "k VARCHAR, v BIGINT",
                     "OUTPUT": "s3://results/o", "OUTPUT_FORMAT": "csv", "RUN_ID": run_id, "MAX_RUNTIME_SECONDS": "100"} | more
        environment = {f"WINDROW_{name}": value for name, value in variables.items() if value} | self.s3
        done = subprocess.run([WINDROW, mode], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done)

    @staticmethod
    def listed(statement):
        return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]

    def used(self, policy):
        """Statement and action of each request; one that no statement allows fails the test."""
        # Names of rights: "Actions, resources, and condition keys for Amazon S3", Service Authorization Reference.
        actions = {"GetObject": "s3:GetObject", "HeadObject": "s3:GetObject", "ListObjectsV2": "s3:ListBucket",
                   "PutObject": "s3:PutObject", "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject",
                   "CompleteMultipartUpload": "s3:PutObject", "AbortMultipartUpload": "s3:AbortMultipartUpload"}
        found = set()
        for entry in json.loads(self.control("GET", "/requests")):
            parameters = dict(pair.split("=", 1) for pair in entry["query"].split("&") if "=" in pair)
            prefix = parameters.get("prefix", "").replace("%2F", "/")
            action = actions[entry["operation"]]
            statement = allowed(policy, action, entry["bucket"], entry["key"], prefix)
            self.assertIsNotNone(statement, entry)
            found.add((statement, action))
        return found
