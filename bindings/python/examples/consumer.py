"""Writes what another process sends through a ring in shared memory to its standard output.

    python consumer.py my-ring > COPY

The producer may be in any language, and either may start first.
"""

import shutil
import sys

import spsc_shm

with spsc_shm.open(sys.argv[1], "rb") as ring:  # waits for the producer to create it
    spsc_shm.unlink(sys.argv[1])  # both have it open
    shutil.copyfileobj(ring, sys.stdout.buffer)
