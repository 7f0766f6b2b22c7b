// Receives messages by the library's own framing: see ../README.md.

const { ring, count, tagged, expectEnd } = require('./stream.js');

for (let i = 0; i < count; i++) {
  const { tag, payload } = tagged();
  const message = ring.consumer.receiveSync();
  if (message.tag !== tag || !message.data.equals(payload)) throw new Error(`message ${i}: another tag or payload`);
}
expectEnd(() => ring.consumer.receiveSync());
