#!/usr/bin/env python3
"""Builds valid .debs for benchmarks: real or invented control data, and noise as payload.

The same control data and numbers always give the same bytes. Only Python's standard library is needed. Use it through
`run`, or alone:

    corpus.py small FOLDER COUNT [--invent] [--members gz|xz]
    corpus.py large FOLDER COUNT MEBIBYTES
"""

import argparse
import gzip
import hashlib
import io
import itertools
import lzma
import multiprocessing
import pathlib
import random
import subprocess
import tarfile

# Fields that an index adds to a control stanza, and fields that only Debian's own index has.
OF_THE_INDEX = {"filename", "size", "md5sum", "sha1", "sha256", "sha512", "description-md5", "tag"}


def stanzas_of_bookworm():
    """Returns the stanzas of bookworm main for amd64 from apt on this machine, or None."""
    try:
        wanted = ["Created-By: Packages", "Codename: bookworm", "Component: main", "Architecture: amd64"]
        files = _output(["apt-get", "indextargets", "--format", "$(FILENAME)", *wanted]).split("\n")
        # apt stores it plain or compressed, depending on its configuration; its own helper reads both.
        text = _output(["/usr/lib/apt/apt-helper", "cat-file", files[0]]) if files[0] else ""
    except (OSError, subprocess.CalledProcessError):
        return None
    stanzas = [_fields(stanza) for stanza in text.split("\n\n")]
    # A mirror of a few packages is not representative.
    return stanzas if len(stanzas) > 10_000 else None


def _output(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def _fields(stanza):
    fields, name = {}, None
    for line in stanza.split("\n"):
        if line[:1] in (" ", "\t"):
            fields[name] += "\n" + line
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


SYLLABLES = "al an ar be ca co da de di el en fo ga gi ha in ka ko la li lo ma me mi mo na ne no or pa pe po ra re ri ro sa se si so ta te ti to ul va vi xe za zo".split()
PREFIXES = ["", "", "", "", "lib", "lib", "python3-", "golang-", "node-", "ruby-", "fonts-", "r-cran-"]
SUFFIXES = ["", "", "", "-dev", "-doc", "-data", "-common", "-utils", "1", "2", "-perl"]
SECTIONS = "admin devel doc editors fonts games gnome graphics interpreters libdevel libs mail math net perl python science sound text utils video web".split()


def invented_stanzas():
    """Generates endless stanzas in Debian's proportions: about 1 KiB each, a third of it relations, half of it text."""
    chance = random.Random("publish bench")

    def word():
        return "".join(chance.choices(SYLLABLES, k=chance.randint(1, 4)))

    words = [word() for _ in range(4000)]
    frequency = [1 / rank for rank in range(1, len(words) + 1)]
    people = [f"{word().title()} {word().title()} <{word()}@debian.example>" for _ in range(300)]
    names = ["libc6", "libgcc-s1", "libstdc++6", "python3", "perl", "zlib1g"]

    def text(count):
        return " ".join(chance.choices(words, frequency, k=count))

    def version():
        epoch = "1:" if chance.random() < 0.08 else ""
        upstream = ".".join(str(chance.randint(0, 30)) for _ in range(chance.randint(2, 3)))
        upstream += chance.choice(["", "", "", "", "+dfsg", "~rc1", "+git20230101"])
        return f"{epoch}{upstream}-{chance.randint(1, 9)}" + chance.choice(["", "", "", "+b1", "+deb12u1"])

    def relations():
        # Recent names are more frequent dependencies, because packages of one source are adjacent.
        some = {chance.choice(names[-400:] if chance.random() < 0.5 else names) for _ in range(chance.randint(1, 9))}
        return ", ".join(n + (f" (>= {version()})" if chance.random() < 0.6 else "") for n in sorted(some))

    while True:
        base, source_version, maintainer = word() + word(), version(), chance.choice(people)
        for _ in range(chance.randint(1, 4)):
            name = chance.choice(PREFIXES) + base + chance.choice(SUFFIXES)
            fields = {"Package": name}
            if name != base:
                fields["Source"] = base
            fields |= {"Version": source_version, "Installed-Size": str(chance.randint(10, 20_000))}
            fields |= {"Maintainer": maintainer, "Architecture": chance.choice(["all", "amd64"])}
            fields["Depends"] = relations()
            if chance.random() < 0.3:
                fields["Recommends"] = relations()
            if chance.random() < 0.2:
                fields["Suggests"] = relations()
            lines = [text(chance.randint(8, 12)) for _ in range(chance.randint(0, 7))]
            fields["Description"] = text(6) + "".join(f"\n {line}" for line in lines)
            fields["Homepage"] = f"https://{base}.example/{word()}"
            fields |= {"Section": chance.choice(SECTIONS), "Priority": "optional"}
            names.append(name)
            yield fields


def small(folder, count, invent=False, members="gz", payload=4096):
    """Builds `count` small .debs in a folder; returns the source of their control data."""
    stanzas = None if invent else stanzas_of_bookworm()
    if stanzas is None:
        source, stanzas = "invented", invented_stanzas()
    else:
        source, stanzas = "bookworm main", again_and_again(stanzas)
    with multiprocessing.Pool() as pool:
        debs = ((folder, fields, members, payload) for fields in itertools.islice(of_different_names(stanzas), count))
        for _ in pool.imap_unordered(_write_small, debs, chunksize=100):
            pass
    return source


def of_different_names(stanzas):
    """Removes duplicates: reprepro keeps one version of each name."""
    seen = set()
    for fields in stanzas:
        name = fields.get("Package")
        if name is not None and name not in seen:
            seen.add(name)
            yield fields


def again_and_again(stanzas):
    """Repeats the stanzas endlessly, with new names from the second time on.

    The names differ at the start: with a different end, the copies would be adjacent in the index and compress to nothing.
    """
    yield from stanzas
    for time in itertools.count(2):
        for fields in stanzas:
            if "Package" in fields:
                yield fields | {"Package": f"r{time}-{fields['Package']}"}


def _write_small(deb):
    folder, fields, members, payload = deb
    chance = random.Random(fields["Package"] + fields["Version"])
    noise = chance.randbytes(max(64, int(chance.expovariate(1 / payload))))
    write_deb(folder, fields, noise, members=members)


def large(folder, count, mebibytes):
    """Builds `count` .debs, each with this many mebibytes of uncompressed noise."""
    for number in range(count):
        name = f"publish-bench-large{number}"
        fields = {"Package": name, "Version": "1.0", "Architecture": "amd64"}
        fields |= {"Maintainer": "publish <publish@debian.example>", "Description": "a large package"}
        noise = random.Random(name).randbytes(mebibytes << 20)
        write_deb(folder, fields, noise, data="stored")


def write_deb(folder, fields, payload, members="gz", data=None):
    """Writes one .deb under the name from its control data."""
    # reprepro refuses a package without them.
    fields = {"Section": "misc", "Priority": "optional"} | fields
    lines = [f"{key}: {value}\n" for key, value in fields.items() if key.lower() not in OF_THE_INDEX]
    control = sorted(lines, key=lambda line: not line.startswith("Package:"))
    path = f"usr/share/{fields['Package']}/payload"
    md5sums = f"{hashlib.md5(payload).hexdigest()}  {path}\n"
    version = fields["Version"].split(":", 1)[-1]
    control = _tar([("./control", "".join(control).encode()), ("./md5sums", md5sums.encode())])
    name = pathlib.Path(folder) / f"{fields['Package']}_{version}_{fields['Architecture']}.deb"
    with open(name, "wb") as deb:
        deb.write(b"!<arch>\n")
        _member(deb, "debian-binary", b"2.0\n")
        _member(deb, "control.tar." + members, _pack(control, members))
        contents = _tar([(f"./{path}", payload)])
        if data == "stored":
            _member(deb, "data.tar", contents)
        else:
            _member(deb, "data.tar." + members, _pack(contents, members))


def _pack(data, method):
    return gzip.compress(data, 6, mtime=0) if method == "gz" else lzma.compress(data, preset=0)


def _tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        folders = {"."}
        for name, contents in files:
            for parent in reversed(pathlib.PurePosixPath(name).parents):
                folder = f"./{parent}"
                if str(parent) not in folders:
                    folders.add(str(parent))
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(contents), 0o644
            tar.addfile(entry, io.BytesIO(contents))
    return buffer.getvalue()


def _member(deb, name, contents):
    deb.write(b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode(), 0, 0, 0, b"100644", len(contents)))
    deb.write(contents)
    if len(contents) % 2:
        deb.write(b"\n")


def main():
    parser = argparse.ArgumentParser(description="Makes .debs to measure with.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kind = kinds.add_parser("small")
    kind.add_argument("folder", type=pathlib.Path)
    kind.add_argument("count", type=int)
    kind.add_argument("--invent", action="store_true", help="never use apt's lists")
    kind.add_argument("--members", choices=["gz", "xz"], default="gz")
    kind = kinds.add_parser("large")
    kind.add_argument("folder", type=pathlib.Path)
    kind.add_argument("count", type=int)
    kind.add_argument("mebibytes", type=int)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.kind == "small":
        print(small(asked.folder, asked.count, asked.invent, asked.members))
    else:
        large(asked.folder, asked.count, asked.mebibytes)


if __name__ == "__main__":
    main()
