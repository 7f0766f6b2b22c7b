// Receives a stream of messages: see ../README.md.

const { ring, count, message, expectEnd } = require('./stream.js');

const HEADER_SIZE = 8;
for (let i = 0; i < count; i++) {
  const next = message();
  // The header first, as a reader must who does not know what comes.
  const header = ring.consumer.peek(HEADER_SIZE);
  if (!header.equals(next.subarray(0, HEADER_SIZE))) throw new Error(`message ${i}: another header`);
  if (!ring.consumer.peek(next.length).equals(next)) throw new Error(`message ${i}: another payload`);
  ring.consumer.release();
}
expectEnd(() => ring.consumer.peek(1));
