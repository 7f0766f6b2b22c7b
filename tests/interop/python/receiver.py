"""Receives messages by the library's own framing: see ../README.md."""

import sys

from stream import Stream

stream = Stream()
consumer = stream.ring.consumer()
for i in range(stream.count):
    tag, payload = stream.tagged()
    message = consumer.receive()
    if message.tag != tag or message != payload:
        sys.exit(f"message {i}: another tag or payload")
try:
    consumer.receive()
    sys.exit("the stream goes on")
except stream.last:
    print("ok", stream.count)
