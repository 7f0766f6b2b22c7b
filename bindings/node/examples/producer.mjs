// Sends its standard input to another process, through a ring in shared memory.
//
//     node producer.mjs my-ring < FILE
//
// and in another terminal, before or after, a consumer in any language.
import { Ring } from 'spsc-shm';

const ring = Ring.create(process.argv[2], 1 << 16);
const { producer } = ring;
for await (const chunk of process.stdin) {
  for (let sent = 0; sent < chunk.length; ) {
    await producer.waitForSpace();
    const copied = chunk.copy(producer.claimSome(), 0, sent);
    producer.publish(copied);
    sent += copied;
  }
}
// The consumer gets what is left, and then the end of the stream. If none has come yet, the ring waits for
// it under its name.
ring.close();
