"""Sends messages by the library's own framing: see ../README.md."""

from stream import Stream

stream = Stream()
producer = stream.ring.producer()
for _ in range(stream.count):
    tag, payload = stream.tagged()
    producer.send(payload, tag)
stream.end()
