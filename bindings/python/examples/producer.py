"""Sends its standard input to another process, through a ring in shared memory.

    python producer.py my-ring < FILE

and in another terminal, before or after, a consumer in any language:

    python consumer.py my-ring > COPY
"""

import shutil
import sys

import spsc_shm

with spsc_shm.open(sys.argv[1], "xb", buffering=0, capacity=65536) as ring:
    shutil.copyfileobj(sys.stdin.buffer, ring)
# The ring closes here. The consumer gets what is left in it, and then the end of the stream.
# If none has come yet, the ring waits for it under its name.
