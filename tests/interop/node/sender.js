// Sends messages by the library's own framing: see ../README.md.

const { ring, count, tagged, finish } = require('./stream.js');

for (let i = 0; i < count; i++) {
  const { tag, payload } = tagged();
  ring.producer.send(payload, { tag });
}
finish();
