"""What the image is made of."""
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from io import BytesIO
from pathlib import Path

from containers import FULL, IMAGE, ROOT, SOURCE, Case

# What the head of an ELF file says of the machine that it is for.
ELF = {"amd64": 62, "arm64": 183}


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


class Contents(Case):
    def setUp(self):
        self.archive = tarfile.open(ROOT / "target/image/windrow.oci.tar")
        self.addCleanup(self.archive.close)
        (index,) = json.load(self.archive.extractfile("index.json"))["manifests"]
        self.listed = json.loads(self.blob(index["digest"]))["manifests"]
        self.images = [json.loads(self.blob(entry["digest"])) for entry in self.listed]

    def blob(self, digest):
        return self.archive.extractfile("blobs/" + digest.replace(":", "/")).read()

    def test_a_list_of_every_machine_it_was_built_for(self):
        here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        self.assertEqual([(entry["platform"]["os"], entry["platform"]["architecture"]) for entry in self.listed],
                         [("linux", machine) for machine in (["amd64", "arm64"] if FULL else [here])])
        for entry, image in zip(self.listed, self.images, strict=True):
            document = json.loads(self.blob(image["config"]["digest"]))
            machine = entry["platform"]["architecture"]
            self.assertEqual((document["os"], document["architecture"]), ("linux", machine))
            with tarfile.open(fileobj=BytesIO(self.blob(image["layers"][0]["digest"]))) as files:
                head = files.extractfile("windrow").read(20)
            self.assertEqual((head[:4], int.from_bytes(head[18:20], "little")), (b"\x7fELF", ELF[machine]))

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
            self.assertEqual((labels["licenses"], labels["version"], labels["source"]),
                             ("MIT OR Apache-2.0", IMAGE.rpartition(":")[2], SOURCE))
            self.assertEqual(labels["revision"], git("rev-parse", "HEAD") + ("-modified" if git("status", "--porcelain") else ""))

    def test_the_same_commit_is_the_same_digest(self):
        self.build_again(ROOT)

    @unittest.skipUnless(FULL, "a build from nothing: WINDROW_SWEEP=full")
    def test_another_clone_elsewhere_is_the_same_digest(self):
        if git("status", "--porcelain"):
            self.skipTest("what is not committed is in no clone")
        clone = Path(tempfile.mkdtemp(prefix="windrow-clone-"))
        self.addCleanup(shutil.rmtree, clone)
        git("clone", "--quiet", str(ROOT), str(clone))
        self.build_again(clone)

    def build_again(self, place):
        """With nothing the same but what the digest hangs on: no network, other modes and another time zone, and the label
        `source` taken from the remote, without the password."""
        environment = {**os.environ, "TZ": "Asia/Tokyo", "CARGO_NET_OFFLINE": "true", "GIT_CONFIG_COUNT": "1",
                       "GIT_CONFIG_KEY_0": "remote.origin.url", "GIT_CONFIG_VALUE_0": SOURCE.replace("//", "//user:password@")}
        del environment["SOURCE"]
        machines = [entry["platform"]["architecture"] for entry in self.listed]
        digest = (ROOT / "target/image/digest").read_text()
        again = subprocess.run([*cut_off(), "sh", "-c", 'umask 077 && exec scripts/image "$@"', "sh", *machines], cwd=place,
                               capture_output=True, text=True, env=environment)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(again.stdout.split()[-1], digest)


def cut_off():
    """What runs a program without any network, where this user may do that."""
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0:
        return ["unshare", "--net"]
    print("\nSKIPPED image: the second build could not be cut off from the network; only cargo was told to stay offline")
    return []
