"""AWS Batch: the files that deploy fills are taken as they are, and what an array job of them would start gives the bytes
of one worker. moto runs containers only where there is a docker daemon, so here it takes the job, and each child is the
worker, told what the filled files and Batch itself tell it."""
import json
import subprocess

from account import REGION, ROOT, WINDROW, Case


class Batch(Case):
    def setUp(self):
        self.emptied()
        self.addCleanup(self.emptied)
        super().setUp()

    def test_an_array_job_of_the_filled_files(self):
        printed = self.deployed().out.splitlines()
        definition, submission = (ROOT / line for line in printed if "/batch-" in line)
        self.store()
        for number in range(30):
            self.control("PUT", f"/objects/source/d/{number:02}.csv", b"k,v\n" + b"%d,%d\n" % (number % 7, number) * 40)
        self.queue()
        self.aws("register-job-definition", definition)
        submitted = self.aws("submit-job", self.changed(submission))
        children = self.children(submitted["jobId"])
        self.assertEqual(sorted(children), list(range(16)))
        # In any order.
        for index, child in sorted(children.items(), reverse=True):
            engine = {"AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ATTEMPT": "1"}
            self.worker(child["container"]["command"], self.told(child) | engine)
        bounded = {"WINDROW_OUTPUT": "s3://results/o", "WINDROW_OUTPUT_FORMAT": "csv", "WINDROW_MAX_RUNTIME_SECONDS": "600"}
        self.worker(["merge"], bounded | {"WINDROW_INPUT": "s3://results/o/bars-2026-1/", "WINDROW_SHARDS": "16", "WINDROW_RUN_ID": "merged"})
        alone = self.told(children[0]) | bounded | {"WINDROW_RUN_ID": "alone"}
        del alone["WINDROW_SHARD"]
        self.worker(["batch"], alone)
        merged, one = (self.control("GET", f"/objects/results/o/{run_id}/rollup.csv") for run_id in ("merged", "alone"))
        self.assertEqual(merged, one)
        self.assertIn(b"6,", one)

    def queue(self):
        """What an account has of its own: a queue on Fargate."""
        batch = self.client("batch")
        environment = batch.create_compute_environment(
            computeEnvironmentName="windrow", type="MANAGED", state="ENABLED", serviceRole=self.role(),
            computeResources={"type": "FARGATE", "maxvCpus": 16, "subnets": self.environment["SUBNETS"].split(","),
                              "securityGroupIds": [self.environment["SECURITY_GROUPS"]]})
        batch.create_job_queue(jobQueueName="windrow", state="ENABLED", priority=1, computeEnvironmentOrder=[
            {"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}])

    def role(self):
        return self.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def changed(self, filled):
        """The submission, changed as a user changes it: another input, query and output."""
        submission = json.loads(filled.read_text())
        ours = {"INPUT": "s3://source/d/", "COLUMNS": "k VARCHAR, v BIGINT", "OUTPUT": "s3://results/o",
                "QUERY": "SELECT k, sum(v) AS s, median(v) AS m FROM input GROUP BY k"}
        for entry in submission["containerOverrides"]["environment"]:
            entry["value"] = ours.get(entry["name"].removeprefix("WINDROW_"), entry["value"])
        path = self.folder / "submit.json"
        path.write_text(json.dumps(submission))
        return path

    def aws(self, call, path):
        done = self.ended(self.begin("aws", "--region", REGION, "batch", call, "--cli-input-json", f"file://{path}"))
        self.assertEqual(done.code, 0, done)
        return json.loads(done.out)

    def children(self, job):
        """What became of each index."""
        batch = self.client("batch")
        listed = batch.list_jobs(arrayJobId=job)["jobSummaryList"]
        described = batch.describe_jobs(jobs=[child["jobId"] for child in listed])["jobs"]
        return {int(child["jobId"].rpartition(":")[2]): child for child in described}

    @staticmethod
    def told(child):
        """The variables of a child, those of its definition and of its submission."""
        environment = {entry["name"]: entry["value"] for entry in child["container"]["environment"]}
        return {name: value for name, value in environment.items() if name.startswith("WINDROW_") or name == "AWS_REGION"}

    def worker(self, words, environment):
        self.assertEqual(environment.get("AWS_REGION", REGION), REGION)
        done = subprocess.run([WINDROW, *words], env=environment | self.s3, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done)
