"""What the image is made of."""
import json
import os
import subprocess
import tarfile
from io import BytesIO

from containers import IMAGE, ROOT, Case


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


class Contents(Case):
    def setUp(self):
        self.archive = tarfile.open(ROOT / "target/image/windrow.oci.tar")
        self.addCleanup(self.archive.close)
        (index,) = json.load(self.archive.extractfile("index.json"))["manifests"]
        self.images = [json.loads(self.blob(entry["digest"])) for entry in json.loads(self.blob(index["digest"]))["manifests"]]

    def blob(self, digest):
        return self.archive.extractfile("blobs/" + digest.replace(":", "/")).read()

    def test_the_binary_and_the_licences_and_nothing_else(self):
        committed = int(git("log", "-1", "--format=%ct"))
        for image in self.images:
            (layer,) = image["layers"]
            self.assertLessEqual(layer["size"], 4_000_000)
            with tarfile.open(fileobj=BytesIO(self.blob(layer["digest"]))) as files:
                there = {file.name: (oct(file.mode & 0o7777), file.uid, file.gid, file.mtime, file.isfile()) for file in files}
                self.assertLessEqual(sum(file.size for file in files), 4_000_000)
            self.assertEqual(there, {
                "LICENSE-APACHE": ("0o644", 0, 0, committed, True),
                "LICENSE-MIT": ("0o644", 0, 0, committed, True),
                "windrow": ("0o755", 0, 0, committed, True)})

    def test_nobody_in_particular_and_labels(self):
        for image in self.images:
            document = json.loads(self.blob(image["config"]["digest"]))
            config = document["config"]
            self.assertEqual((config["User"], config["Entrypoint"], config.get("Cmd"), config.get("Volumes")),
                             ("65532:65532", ["/windrow"], None, None))
            labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
            self.assertEqual(set(labels), {"title", "description", "licenses", "version", "revision", "source", "created"})
            self.assertEqual((labels["licenses"], labels["version"]), ("MIT OR Apache-2.0", IMAGE.rpartition(":")[2]))
            self.assertEqual(labels["revision"].removesuffix("-modified"), git("rev-parse", "HEAD"))

    def test_the_same_commit_is_the_same_digest(self):
        digest = (ROOT / "target/image/digest").read_text()
        machines = [json.loads(self.blob(image["config"]["digest"]))["architecture"] for image in self.images]
        again = subprocess.run(["sh", "-c", 'umask 077 && exec scripts/image "$@"', "sh", *machines], cwd=ROOT,
                               capture_output=True, text=True, check=True, env={**os.environ, "TZ": "Asia/Tokyo"})
        self.assertEqual(again.stdout.split()[-1], digest)

