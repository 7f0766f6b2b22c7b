// Sends a stream of messages: see ../README.md.

const { ring, count, message, finish } = require('./stream.js');

for (let i = 0; i < count; i++) {
  const next = message();
  next.copy(ring.producer.claim(next.length));
  ring.producer.publish();
}
finish();
