"""An AWS account on loopback: moto's ECS, ECR, IAM, Logs and S3, and Fargate played by the test: it moves the states of
tasks, or runs the worker as the task would, against an S3 that keeps to its conditions (testbed/)."""
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import boto3
import moto.ecs.responses
from moto.core.exceptions import ServiceException
from moto.core.models import default_user_config
from moto.core.responses import ActionResult
from moto.ecs.models import EC2ContainerServiceBackend, ecs_backends
from moto.moto_api import state_manager
from moto.server import ThreadedMotoServer

import cli

ROOT = Path(__file__).parent.parent.parent
WINDROW = os.environ.get("WINDROW_BIN", ROOT / "target/debug/windrow")
TESTBED = Path(os.environ.get("TESTBED_S3", ROOT / "testbed/target/debug/testbed-s3"))
REGION, ACCOUNT = "eu-central-1", "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/windrow@sha256:{'0' * 64}"
logging.getLogger("werkzeug").setLevel(logging.ERROR)
# AWS Batch takes jobs, and runs them in no container: that would need a docker daemon.
default_user_config["batch"] = {"use_docker": False}
# Only the test moves a task.
state_manager.set_transition("ecs::task", {"progression": "manual", "times": 10**9})


class Refusal(ServiceException):
    """What ECS answers in place of a task: an error code and its message."""


class Fargate:
    """What ECS does with RunTask that moto does not: clientToken, refusals, failures; and what becomes of tasks."""

    def __init__(self):
        self.requests, self.answers, self.known, self.begun = [], [], {}, []
        true = moto.ecs.responses.EC2ContainerServiceResponse.run_task
        fargate = self

        def run_task(response):
            return fargate.run_task(response, true)
        moto.ecs.responses.EC2ContainerServiceResponse.run_task = run_task
        EC2ContainerServiceBackend.stop_task = self.stop_task

    @staticmethod
    def stop_task(backend, cluster_str, task_str, reason):
        """StopTask asks: a task goes on until it has stopped, and with moto's own it would have at once, without a code."""
        tasks = backend.tasks[cluster_str.split("/")[-1]]
        (task,) = (task for arn, task in tasks.items() if arn.endswith(task_str.split("/")[-1]))
        task.desired_status, task.stopped_reason = "STOPPED", reason
        return task

    def reset(self):
        self.requests.clear()
        self.answers.clear()
        self.begun.clear()
        self.forget()

    def forget(self):
        """An hour after its end, ECS knows neither a task nor its token."""
        self.known.clear()
        for tasks in ecs_backends[ACCOUNT][REGION].tasks.values():
            tasks.clear()

    def run_task(self, response, true):
        request = json.loads(response.body)
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, ServiceException):
            raise answer
        if answer:
            return ActionResult({"tasks": [], "failures": [answer]})
        token = request["clientToken"]
        if token in self.known:
            first, result = self.known[token]
            if request != first:
                raise Refusal("ConflictException", "The provided clientToken is already in use with a different RunTask request")
            return result
        result = true(response)
        self.known[token] = request, result
        for task in self.tasks():
            if task not in self.begun:
                task.containers[0].exitCode = None
                task.status = "PROVISIONING"
                self.begun.append(task)
        return result

    @staticmethod
    def tasks():
        return [task for tasks in ecs_backends[ACCOUNT][REGION].tasks.values() for task in tasks.values()]

    @staticmethod
    def move(task, status, **facts):
        """Facts as DescribeTasks has them: exit, code (stopCode), reason (the container's), stopped (stoppedReason)."""
        task.containers[0].exitCode = facts.get("exit")
        task.containers[0].reason = facts.get("reason")
        task.stop_code = facts.get("code")
        task.stopped_reason = facts.get("stopped", "")
        task.status = status
        if status == "STOPPED":
            task.desired_status = "STOPPED"


FARGATE = Fargate()


class Case(unittest.TestCase):
    """One account for all tests of a class, emptied for each."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="windrow-aws-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.clock = cli.programs(cls.folder)
        server = subprocess.Popen([sys.executable, ROOT / "tests/aws/cli.py", cls.folder / "socket"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.stdout.close)
        cls.addClassCleanup(server.stdin.close)
        assert server.stdout.readline() == b"ready\n"
        cls.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        cls.moto.start()
        cls.addClassCleanup(cls.moto.stop)
        cls.url = "http://{}:{}".format(*cls.moto.get_host_and_port())
        cls.fargate = FARGATE

    def setUp(self):
        self.fargate.reset()
        self.clock.write_text("")
        ec2 = self.client("ec2")
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}", "HOME": str(self.folder), "NAME": "windrow",
            "AWS_REGION": REGION, "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_MAX_ATTEMPTS": "1", "POLL_SECONDS": "60",
            "SETTINGS": "/dev/null", "SUBNETS": ",".join(subnets[:2]), "SECURITY_GROUPS": group, "PUBLIC_IP": "ENABLED",
            "BATCH_INPUT": "s3://source/d/", "BATCH_OUTPUT": "s3://results/o/", "STREAM_OUTPUT": "s3://results/feeds/",
            "IMAGE": IMAGE, "BIN": str(WINDROW), "LC_ALL": "C.UTF-8"}

    def client(self, service):
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y")

    def script(self, name, *words, **environment):
        """Runs scripts/aws/NAME to its end."""
        return self.ended(self.begin(ROOT / "scripts/aws" / name, *words, **environment))

    def begin(self, *words, **environment):
        """A program in a process group of its own, as a shell starts it for a person."""
        variables = {name: value for name, value in (self.environment | environment).items() if value is not None}
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                                env=variables, start_new_session=True)

    @staticmethod
    def ended(process):
        try:
            out, err = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return SimpleNamespace(code=process.returncode, out=out, err=err)

    def emptied(self):
        """Nothing is in the account any more."""
        urllib.request.urlopen(urllib.request.Request(self.url + "/moto-api/reset", method="POST")).close()

    def deployed(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": REGION})
        ended = self.script("deploy")
        self.assertEqual(ended.code, 0, ended)
        return ended

    def slept(self):
        """Seconds that the scripts have paused for, as they see it."""
        return sum(map(float, self.clock.read_text().split()))

    def meanwhile(self, act):
        """Plays Fargate beside the script: act(task) for each task, once it has begun; joined at the end of the test."""
        over = threading.Event()

        def watch():
            done = 0
            while not over.wait(0.01):
                while done < len(self.fargate.begun):
                    act(self.fargate.begun[done])
                    done += 1
        thread = threading.Thread(target=watch)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def until(self, seconds):
        """Waits until the scripts have paused for so long, on their own clock."""
        while self.slept() < seconds:
            time.sleep(0.005)

    def log(self, task, text):
        logs, stream = self.client("logs"), f"windrow/windrow/{task.task_arn.rpartition('/')[2]}"
        logs.create_log_stream(logGroupName="/ecs/windrow", logStreamName=stream)
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in text.splitlines()]
        logs.put_log_events(logGroupName="/ecs/windrow", logStreamName=stream, logEvents=events)

    def run_as_task(self, task):
        """What the container would do: the worker with the task's overrides, its log to CloudWatch, its code as the end."""
        (overrides,) = task.overrides["containerOverrides"]
        environment = {entry["name"]: entry["value"] for entry in overrides["environment"]} | self.s3
        self.fargate.move(task, "RUNNING")
        done = subprocess.run([WINDROW, *overrides["command"]], env=environment, capture_output=True, text=True)
        self.log(task, done.stdout)
        self.fargate.move(task, "STOPPED", exit=done.returncode, code="EssentialContainerExited",
                          stopped="Essential container in task exited")

    def store(self):
        """An S3 with s3://source/d/a.csv; its settings for scripts and tasks."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        server = subprocess.Popen([TESTBED, "--dir", place, "--bucket", "source", "--bucket", "results"],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.stdin.close)
        while not (place / "env").exists():
            time.sleep(0.01)
        lines = (line.removeprefix("export ").split("=", 1) for line in (place / "env").read_text().splitlines())
        settings = {name: value.strip("'") for name, value in lines}
        self.control_url = settings["TESTBED_CONTROL"]
        self.s3 = {name: settings[name] for name in
                   ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")}
        self.control("PUT", "/objects/source/d/a.csv", b"k,v\na,1\nb,2\na,3\n")

    def control(self, method, path, body=None):
        request = urllib.request.Request(self.control_url + path, body, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def job(self, **more):
        """A JOB.env over the testbed's bucket."""
        usual = {"INPUT": "s3://source/d/", "INPUT_FORMAT": "csv", "CSV_HEADER": "present", "COLUMNS": "k VARCHAR, v BIGINT",
                 "QUERY": "SELECT k, sum(v) AS s\nFROM input WHERE k <> '\"\\' GROUP BY k", "OUTPUT": "s3://results/o",
                 "OUTPUT_FORMAT": "csv", "MAX_RUNTIME_SECONDS": "600"}
        path = self.folder / "job.env"
        quoted = ((name, value.replace("'", "'\\''")) for name, value in (usual | more).items() if value is not None)
        path.write_text("".join(f"WINDROW_{name}='{value}'\n" for name, value in quoted))
        return path
