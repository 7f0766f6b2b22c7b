"""Prints the messages that another process sends, each with its tag.

python receiver.py my-ring
"""

import sys

import spsc_shm

with spsc_shm.Ring.connect(sys.argv[1]) as ring:  # waits for the sender to create it
    spsc_shm.unlink(sys.argv[1])  # both have it open
    for message in ring.consumer():
        print(f"{message.tag}: {str(message, 'utf-8')}")
