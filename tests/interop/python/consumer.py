"""Receives a stream of messages: see ../README.md."""

import sys

from stream import Stream

HEADER_SIZE = 8
stream = Stream()
consumer = stream.ring.consumer()
for i in range(stream.count):
    message = stream.message()
    # The header first, as a reader must who does not know what comes.
    header = consumer.peek(HEADER_SIZE)
    if header != message[:HEADER_SIZE]:
        sys.exit(f"message {i}: another header")
    with consumer.peek(len(message)) as seen:
        if seen != message:
            sys.exit(f"message {i}: another payload")
try:
    consumer.peek(1)
    sys.exit("the stream goes on")
except stream.last:
    print("ok", stream.count)
