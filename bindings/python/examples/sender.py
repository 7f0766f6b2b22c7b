"""Sends each line of its standard input as one message, with its number as the tag.

python sender.py my-ring < FILE
"""

import sys

import spsc_shm

with spsc_shm.Ring.create(sys.argv[1], 65536) as ring:
    producer = ring.producer()
    producer.wait_for_space()  # takes the role: even if there are no lines, there is an end
    for number, line in enumerate(sys.stdin.buffer):
        producer.send(line.removesuffix(b"\n"), tag=number)
