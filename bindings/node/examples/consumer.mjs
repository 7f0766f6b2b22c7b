// Prints the messages of a ring, up to the end of the stream: node consumer.mjs RING-NAME
import { Ring } from 'spsc-shm';

const ring = Ring.connect(process.argv[2]);
Ring.unlink(process.argv[2]); // both have it open
for await (const { data } of ring.consumer) console.log(data.toString());
