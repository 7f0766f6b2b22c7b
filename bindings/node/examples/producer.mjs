// Sends the lines of standard input as messages: node producer.mjs RING-NAME
import { createInterface } from 'node:readline';
import { Ring } from 'spsc-shm';

const ring = Ring.create(process.argv[2], 1 << 16);
for await (const line of createInterface({ input: process.stdin })) await ring.producer.sendAsync(line);
ring.close();
