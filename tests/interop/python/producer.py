"""Sends a stream of messages: see ../README.md."""

from stream import Stream

stream = Stream()
producer = stream.ring.producer()
for _ in range(stream.count):
    message = stream.message()
    with producer.claim(len(message)) as buf:
        buf[:] = message
stream.end()
