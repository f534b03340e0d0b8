"""Finds a block of 32 free ports, writes the first one to a file, and holds that one until it is killed.

Two runs of the tests never get the same block: the port that is held is their lock, and the kernel frees it.
"""

import os
import random
import signal
import socket
import sys

BLOCK = 32


def bound(port):
    held = socket.socket()
    held.bind(("127.0.0.1", port))
    return held


while True:
    # Below the kernel's range of ephemeral ports.
    first = random.randrange(10240, 32768, BLOCK)
    try:
        lock = bound(first)
        for port in range(first + 1, first + BLOCK):
            bound(port).close()
        break
    except OSError:
        continue
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{first}\n")
os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.pause()
