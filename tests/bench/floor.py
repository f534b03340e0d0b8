#!/usr/bin/env python3
"""The floor of every publisher: reads indices, hashes them, writes the same bytes, and does nothing else.

    python3 -I -S floor.py OUTPUT INDEX...

Python, because its hashes are those of OpenSSL, which use the processor's instructions for SHA-256 (`sha256sum` does not),
and because one pass then serves both digests and the copy, which no number of `openssl dgst` processes can. It needs no
compiler and no headers. Its start, some 15 ms of CPU time, is within what it measures: the whole of the floor of a small index.
"""

import hashlib
import os
import sys

CHUNK = 256 << 10  # in the processor's cache from the reading to the writing


def main():
    output, *indices = sys.argv[1:]
    os.mkdir(output)
    buffer = memoryview(bytearray(CHUNK))
    for index in indices:
        digests = [hashlib.sha256(), hashlib.md5()]
        with open(index, "rb", 0) as source, open(os.path.join(output, os.path.basename(index)), "wb", 0) as copy:
            while count := source.readinto(buffer):
                for digest in digests:
                    digest.update(buffer[:count])
                copy.write(buffer[:count])
            os.fsync(copy.fileno())
        print(index, *(digest.hexdigest() for digest in digests))


if __name__ == "__main__":
    main()
