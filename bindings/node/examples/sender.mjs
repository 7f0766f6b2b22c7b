// Sends each line of its standard input as one message, with its number as the tag.
//
//     node sender.mjs my-ring < FILE
import { createInterface } from 'node:readline';
import { Ring } from 'spsc-shm';

const ring = Ring.create(process.argv[2], 1 << 16);
await ring.producer.waitForSpace(); // takes the role: even if there are no lines, there is an end
let tag = 0;
for await (const line of createInterface({ input: process.stdin })) {
  await ring.producer.sendAsync(line, { tag });
  tag += 1;
}
ring.close();
