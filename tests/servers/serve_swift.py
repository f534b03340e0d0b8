"""The parts of a Swift in one folder. (Not `swift.py`, which would hide the package of that name.)

usage: serve_swift.py rings FOLDER PORT       the rings: each kind has one place, at PORT+1, +2, +3 on disk d1
       serve_swift.py KIND FOLDER [NAME]      serves proxy, account, container or object by FOLDER/etc/NAME.conf (KIND.conf)
"""

import os
import sys

KINDS = ["account", "container", "object"]


def rings(etc, port):
    probe = os.path.join(etc, "probe")
    with open(probe, "w"):
        pass
    try:
        os.setxattr(probe, "user.swift.metadata", b"1")
    except OSError as error:
        sys.exit(f"Swift needs a file system with extended attributes: {error}")
    os.unlink(probe)

    from swift.common.ring import RingBuilder

    for at, kind in enumerate(KINDS, start=1):
        builder = RingBuilder(4, 1, 0)
        place = {"ip": "127.0.0.1", "port": port + at, "replication_ip": "127.0.0.1", "replication_port": port + at}
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "device": "d1", "weight": 1.0, "meta": "", **place})
        builder.rebalance()
        builder.get_ring().save(os.path.join(etc, kind + ".ring.gz"))


def serve(kind, name, etc):
    # Swift reads /etc/swift while it is imported, unless another folder is set before.
    from swift.common import utils

    utils.set_swift_dir(etc)
    from swift.common import constraints
    from swift.common.storage_policy import reload_storage_policies

    constraints.reload_constraints()
    reload_storage_policies()
    from swift.common.wsgi import run_wsgi

    sys.exit(run_wsgi(os.path.join(etc, name + ".conf"), kind + "-server", verbose=True))


command, folder = sys.argv[1:3]
etc = os.path.join(folder, "etc")
if command == "rings":
    rings(etc, int(sys.argv[3]))
else:
    serve(command, (sys.argv[3:] or [command])[0], etc)
