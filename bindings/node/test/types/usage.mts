// What is declared is usable as it is meant, from a module: this is compiled, and not run.
import { createServer as createHttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Connection, connect, createServer, type Message, Ring, type Server, SpscError } from 'spsc-shm';

export async function rings(): Promise<void> {
  const ring: Ring = Ring.create('/types', 4096, { mode: 0o660, replaceStale: true, prefault: true, spin: 0 });
  const other = Ring.connect('/types', { timeout: 100 });
  ring.producer.send('text', { tag: 1, timeout: 0 });
  await ring.producer.sendAsync(new Uint8Array(4), { signal: AbortSignal.timeout(5) });
  const space: Buffer = ring.producer.claim(8);
  space.fill(0);
  ring.producer.publish();
  const message: Message = await other.consumer.receive({ timeout: 10, signal: AbortSignal.timeout(5) });
  const tag: number = message.tag;
  for await (const { data } of other.consumer) data.toString('utf8', tag);
  for (const { data } of await other.consumer.receiveMany({ max: 3 })) data.subarray();
  const fd: number | null = Ring.anonymous(1).fd;
  if (fd !== null) Ring.fromFd(fd).close();
  // @ts-expect-error: a number is no data
  ring.producer.send(5);
  // @ts-expect-error: the constructor is not for users
  new Ring();
  try {
    ring.wakeupAll();
  } catch (error) {
    if (error instanceof SpscError && error.code === 'ERR_SPSC_TIMEOUT') return;
    // @ts-expect-error: there is no such code
    if (error instanceof SpscError && error.code === 'ERR_OTHER') return;
  }
}

export function connections(): void {
  const server: Server = createServer({ mode: 0o666, toServer: 1 << 20 }, (connection: Connection) => {
    connection.pipe(connection);
  });
  server.listen('/tmp/types', () => server.close());
  const stream: Duplex = connect('/tmp/types', { timeout: 5 }, () => {});
  stream.end();
  const web = createHttpServer();
  server.on('connection', (connection) => web.emit('connection', connection));
}
