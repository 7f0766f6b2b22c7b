// Writes what another process sends through a ring in shared memory to its standard output.
//
//     node consumer.mjs my-ring > COPY
//
// The producer may be in any language, and either may start first.
import { once } from 'node:events';
import { Ring } from 'spsc-shm';

const { consumer } = Ring.connect(process.argv[2]); // waits for the producer to create it
Ring.unlink(process.argv[2]); // both have it open
try {
  for (;;) {
    await consumer.waitForData();
    // A copy: standard output may write it later.
    const chunk = Buffer.from(consumer.peekSome());
    consumer.release();
    if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
  }
} catch (error) {
  if (error.code !== 'ERR_SPSC_CLOSED') throw error; // the end of the stream
}
