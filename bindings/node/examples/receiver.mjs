// Prints the messages that another process sends, each with its tag.
//
//     node receiver.mjs my-ring
import { Ring } from 'spsc-shm';

const { consumer } = Ring.connect(process.argv[2]); // waits for the sender to create it
Ring.unlink(process.argv[2]); // both have it open
for await (const { data, tag } of consumer) console.log(`${tag}: ${data}`);
