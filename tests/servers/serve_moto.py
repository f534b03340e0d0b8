"""moto with atomic conditional writes. (Not `moto.py`, which would hide the package of that name.)

usage: serve_moto.py PORT

moto compares an ETag and writes afterwards, in threads: two writers that have seen the same ETag may both succeed. S3 is
strongly consistent, and lets one of them win; so here one request at a time writes.
"""

import functools
import sys
import threading

from moto.s3.responses import S3Response
from moto.server import main

lock = threading.Lock()


def alone(write):
    @functools.wraps(write)
    def locked(*arguments):
        with lock:
            return write(*arguments)

    return locked


for name in ["put_object", "delete_object"]:
    setattr(S3Response, name, alone(getattr(S3Response, name)))
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
