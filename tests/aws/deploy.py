"""scripts/aws/deploy: everything in place, twice, and nothing of others lost."""
import json
import tempfile
from pathlib import Path

from account import ACCOUNT, IMAGE, REGION, ROOT, Case
from documents import filled


class Deploy(Case):
    def setUp(self):
        super().setUp()
        self.emptied()

    def test_everything_in_place_and_once_more(self):
        s3, iam, ecs = self.client("s3"), self.client("iam"), self.client("ecs")
        s3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": REGION})
        others = {"ID": "others", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}
        s3.put_bucket_lifecycle_configuration(Bucket="results", LifecycleConfiguration={"Rules": [others]})
        for revision in (1, 2):
            ended = self.script("deploy")
            self.assertEqual(ended.code, 0, ended)
            self.assertTrue(ended.out.rstrip().endswith(f":task-definition/windrow:{revision}"), ended)
            for prefix in ("o/", "feeds/"):
                self.assertIn(f"results: uploads below {prefix} that", ended.out)
        definition = ecs.describe_task_definition(taskDefinition="windrow")["taskDefinition"]
        self.assertEqual(definition["containerDefinitions"][0]["image"], IMAGE)
        self.assertEqual(definition["executionRoleArn"], f"arn:aws:iam::{ACCOUNT}:role/windrow-execution")
        for role in ("execution", "batch", "stream"):
            policy = iam.get_role_policy(RoleName=f"windrow-{role}", PolicyName="windrow")["PolicyDocument"]
            self.assertNotIn("@", json.dumps(policy))
            self.assertEqual(policy, json.loads((ROOT / f"target/aws/windrow/aws/policies/{role}.json").read_text()))
            trust = iam.get_role(RoleName=f"windrow-{role}")["Role"]["AssumeRolePolicyDocument"]
            self.assertEqual(trust["Statement"][0]["Condition"]["StringEquals"], {"aws:SourceAccount": ACCOUNT})
        self.assertEqual(self.client("ecr").describe_repositories()["repositories"][0]["imageTagMutability"], "IMMUTABLE")
        self.assertEqual(self.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"], 30)
        self.assertEqual(ecs.describe_clusters(clusters=["windrow"])["clusters"][0]["status"], "ACTIVE")
        rules = s3.get_bucket_lifecycle_configuration(Bucket="results")["Rules"]
        self.assertEqual([rule["ID"] for rule in rules], ["others", "windrow-batch-abandoned-uploads", "windrow-stream-abandoned-uploads"])
        self.assertEqual(rules[0]["Expiration"], {"Days": 3})
        self.assertEqual(rules[1]["AbortIncompleteMultipartUpload"], {"DaysAfterInitiation": 8})
        self.assertEqual([rule["Filter"]["Prefix"] for rule in rules[1:]], ["o/", "feeds/"])
        for name in ("job", "submit"):
            path = f"target/aws/windrow/aws/batch-{name}.json"
            self.assertIn(path, ended.out.splitlines())
            self.assertEqual(json.loads((ROOT / path).read_text()), filled(f"aws/batch-{name}.json"))

    def test_what_is_missing_or_denied(self):
        for name, more, code, said in [
            ("setting", {"BATCH_INPUT": None}, 78, "BATCH_INPUT is not set: copy aws/settings.example"),
            ("prefix", {"BATCH_OUTPUT": "s3://results/o"}, 78, "with a slash at its end"),
        ]:
            with self.subTest(name):
                ended = self.script("deploy", **more)
                self.assertEqual(ended.code, code, ended)
                self.assertIn(said, ended.err)
        ended = self.script("deploy")
        self.assertNotEqual(ended.code, 0, "there is no bucket")
        self.assertIn("NoSuchBucket", ended.err)

    def test_a_dry_run_calls_nobody(self):
        for tools, push in ([], "skopeo copy --all"), (["buildah"], "buildah manifest push --all"), \
                (["buildah", "skopeo"], "skopeo copy --all"):
            with self.subTest(tools):
                ended = self.script("deploy", "--dry-run", AWS_ENDPOINT_URL="http://127.0.0.1:9", IMAGE=None,
                                    PATH=self.path_with(tools))
                self.assertEqual(ended.code, 0, ended)
                for call in ("ecr create-repository", "ecr get-login-password", "logs create-log-group", "iam put-role-policy",
                             "s3api put-bucket-lifecycle-configuration", "ecs register-task-definition"):
                    self.assertIn(f"aws {call}", ended.err)
                self.assertIn(push, ended.err)

    def path_with(self, tools):
        """The programs of this machine, and of those that push images only `tools`."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for place in self.environment["PATH"].split(":"):
            for program in Path(place).glob("*"):
                link = folder / program.name
                if program.name not in ("buildah", "skopeo") and not link.is_symlink():
                    link.symlink_to(program)
        for tool in tools:
            (folder / tool).symlink_to("/bin/true")
        return str(folder)
