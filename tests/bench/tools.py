"""The measured programs, each with its configuration."""

import base64
import gzip
import json
import lzma
import pathlib
import re
import shutil
import subprocess
import sys

from measure import ENVIRONMENT, TARGET, Failed


class Tool:
    """How to set up a program, add all packages, and add one more."""

    program = package = None
    indices = "gz + xz"
    large = False

    def __init__(self, folder):
        self.folder = folder

    def prepare(self, debs):
        """Not measured."""

    def add_all(self, debs):
        raise NotImplementedError

    def add_one(self, deb):
        raise NotImplementedError

    def index(self):
        return self.folder / "dists/stable/main/binary-amd64/Packages.gz"

    def check(self, expected):
        """Fails unless the published names and versions equal the input, in order."""
        found = published(self.index())
        if found != expected:
            raise Failed(f"{len(found)} packages published instead of {len(expected)}, or other ones")
        if "xz" in self.indices:
            # Otherwise the most expensive part of the work could be omitted unnoticed.
            xz = self.index().with_suffix(".xz")
            if not xz.exists() or lzma.decompress(xz.read_bytes()) != gzip.decompress(self.index().read_bytes()):
                raise Failed(f"{xz} is missing or differs from the .gz")

    @classmethod
    def version(cls):
        return first_line([cls.program, "--version"])

    @classmethod
    def is_named(cls, name):
        return cls.name == name or cls.name.startswith(name + "-") or cls.program == name


class Publish(Tool):
    """The default configuration: `.gz` and `.xz`, by-hash, signed by its own key."""

    name = "publish-xz"
    program = str(TARGET / "release/publish")
    large = True

    def prepare(self, debs):
        init = ["init", "--suite", "stable", "--component", "main", "--architecture", "amd64"]
        subprocess.run([self.program, "-q", "-a", self.folder, *init], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)

    def add_all(self, debs):
        return [self.program, "-a", self.folder, "add", debs]

    add_one = add_all

    def check(self, expected):
        super().check(expected)
        signed = self.folder / "dists/stable/InRelease"
        if not signed.exists():
            raise Failed(f"there is no {signed}")
        if shutil.which("gpgv"):
            keyring = self.folder.with_suffix(".gpg")
            keyring.write_bytes(dearmoured(self.folder / "archive-key.asc"))
            judged = subprocess.run(["gpgv", "-q", "--keyring", keyring, signed], env=ENVIRONMENT, stderr=subprocess.PIPE)
            if judged.returncode != 0:
                raise Failed(f"gpgv refuses {signed}: {judged.stderr.decode().strip()}")


class PublishGz(Publish):
    name = "publish-gz"
    indices = "gz"
    large = False

    def prepare(self, debs):
        super().prepare(debs)
        with open(self.folder / "conf/distributions", "a", encoding="utf-8") as configuration:
            configuration.write("DebIndices: Packages Release . .gz\n")


class Reprepro(Tool):
    name = "reprepro-gz"
    program = package = "reprepro"
    indices = "gz"
    forms = ". .gz"

    def prepare(self, debs):
        (self.folder / "conf").mkdir()
        text = "Codename: stable\nSuite: stable\nComponents: main\nArchitectures: amd64\n"
        (self.folder / "conf/distributions").write_text(f"{text}DebIndices: Packages Release {self.forms}\n")

    def add_all(self, debs):
        # It accepts no folders, and more than 20,000 names come close to the system's limit for a command line.
        add = 'cd "$1" && find . -name "*.deb" -print0 | xargs -0 -n 20000 reprepro -s -b "$2" includedeb stable'
        return ["sh", "-c", add, "sh", debs, self.folder]

    def add_one(self, deb):
        return [self.program, "-s", "-b", self.folder, "includedeb", "stable", deb]


class RepreproXz(Reprepro):
    name = "reprepro-xz"
    indices = "gz + xz"
    forms = ". .gz .xz"


class Aptly(Tool):
    name = program = package = "aptly"
    indices = "gz + bz2"

    def prepare(self, debs):
        configuration = {"rootDir": str(self.folder), "architectures": ["amd64"]}
        (self.folder / "aptly.conf").write_text(json.dumps(configuration))
        subprocess.run(["sh", "-c", self._with("repo create bench")], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)

    def _with(self, *commands):
        return " && ".join(f'aptly -config="{self.folder}/aptly.conf" {command}' for command in commands)

    def add_all(self, debs):
        publish = "publish repo -skip-signing -skip-contents -batch -distribution=stable bench"
        return ["sh", "-c", self._with('repo add bench "$1"', publish), "sh", debs]

    def add_one(self, deb):
        publish = "publish update -skip-signing -skip-contents -batch stable"
        return ["sh", "-c", self._with('repo add bench "$1"', publish), "sh", deb]

    def index(self):
        return self.folder / "public/dists/stable/main/binary-amd64/Packages.gz"

    @classmethod
    def version(cls):
        return first_line(["aptly", "version"])


class AptFtparchive(Tool):
    name = program = "apt-ftparchive"
    package = "apt-utils"

    def prepare(self, debs):
        # It indexes files in place, so the copy is not measured: an advantage over the others.
        shutil.copytree(debs, self.folder / "pool/main")
        self.index().parent.mkdir(parents=True)

    def _index(self):
        packages = "dists/stable/main/binary-amd64/Packages"
        return (
            f"apt-ftparchive --db cache.db packages pool/main >{packages} && gzip -kf {packages} && xz -kf {packages} "
            "&& apt-ftparchive release dists/stable >Release && mv Release dists/stable"
        )

    def add_all(self, debs):
        return ["sh", "-c", f'cd "$1" && {self._index()}', "sh", self.folder]

    def add_one(self, deb):
        return ["sh", "-c", f'cd "$1" && cp "$2" pool/main && {self._index()}', "sh", self.folder, deb]


PUBLISHERS = [Publish, PublishGz, Reprepro, RepreproXz, Aptly, AptFtparchive]


class Md5sum(Tool):
    """The lower bound for large files: an index with MD5 sums requires reading and hashing."""

    name = program = "md5sum"
    package = "coreutils"
    indices = "-"
    large = True

    def add_all(self, debs):
        return ["sh", "-c", 'md5sum "$1"/*.deb', "sh", debs]


class Copy(Tool):
    """The other lower bound: the time of the disk for the bytes."""

    name = program = "cp"
    package = "coreutils"
    indices = "-"
    large = True

    def add_all(self, debs):
        return ["sh", "-c", 'cp -r "$1" "$2" && sync "$2"/*/*.deb', "sh", debs, self.folder]


class Floor(Tool):
    """The lower bound for one more .deb: the indices of `publish` are read, hashed and written again."""

    name = "floor"
    program = sys.executable
    indices = "-"

    def add_one(self, index):
        script = pathlib.Path(__file__).with_name("floor.py")
        forms = [index.with_suffix(""), index, index.with_suffix(".xz")]
        return [self.program, "-I", "-S", script, self.folder / "copy", *forms]


def first_line(command):
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return (result.stdout.strip().split("\n") or ["?"])[0]
    except OSError:
        return "?"


def published(index):
    """Returns name and version, without epoch, of all packages in an index."""
    if not index.exists():
        raise Failed(f"there is no {index}")
    text = gzip.decompress(index.read_bytes()).decode()
    names, versions = (re.findall(rf"^{field}: (.+)$", text, re.MULTILINE) for field in ["Package", "Version"])
    return sorted(zip(names, (version.split(":", 1)[-1] for version in versions)))


def given(folder):
    """Returns name and version, without epoch, of all packages in a folder."""
    return sorted(tuple(deb.name.split("_")[:2]) for deb in folder.glob("*.deb"))


def dearmoured(key):
    """Returns the binary form of an armoured key, as gpgv requires."""
    _, _, body = key.read_text().partition("\n\n")
    lines = [line for line in body.split("\n") if line and line[0] not in "=-"]
    return base64.b64decode("".join(lines))
