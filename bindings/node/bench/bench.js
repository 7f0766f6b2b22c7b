// The ring and a connection beside a Unix socket of Node.js's own and a worker's MessagePort: round trips
// of 64 bytes, and throughput of 64 B, 4 KiB and 64 KiB. All take turns, as this machine's speed changes;
// each figure is the median of the turns, with its ratio to the ring's or the connection's in the same turn.
//
// Each of the two processes is kept on a core of its own, by taskset.
//
//   node bench/bench.js [--turns 5] [--package spsc-shm]
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { parseArgs } = require('node:util');

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '5' },
    package: { type: 'string', default: path.join(__dirname, '..') },
    peer: { type: 'string' },
  },
});
const spsc = require(values.package);
const { Ring } = spsc;
const MESSAGE = 64;
const SIZES = [64, 4096, 65_536];
// Of each throughput run. Smaller messages are fewer bytes, or the sockets would take minutes.
const BYTES = { 64: 4 << 20, 4096: 128 << 20, 65536: 256 << 20 };
const base = `spsc-bench-${values.peer ?? process.pid}`;
const paths = { ring: `/tmp/${base}.ring`, net: `/tmp/${base}.net` };

/** Reads pieces of `size` from a stream that cuts where it likes. */
function pieces(stream, size, each) {
  let have = 0;
  stream.on('data', (chunk) => {
    have += chunk.length;
    while (have >= size) {
      have -= size;
      each();
    }
  });
}

/** A server for round trips and throughput: the first byte says what for. */
function serve(connection) {
  connection.once('data', (first) => {
    const kind = first[0];
    const rest = first.subarray(1);
    if (rest.length > 0) connection.unshift(rest);
    if (kind === 0) {
      const answer = Buffer.alloc(MESSAGE);
      pieces(connection, MESSAGE, () => connection.write(answer));
    } else {
      let left = BYTES[SIZES[kind - 1]];
      connection.on('data', (chunk) => {
        left -= chunk.length;
        if (left === 0) connection.end('k');
      });
    }
  });
}

async function peer() {
  net.createServer(serve).listen(paths.net);
  spsc.createServer({ toServer: 1 << 18, toClient: 1 << 18 }, serve).listen(paths.ring);
  const rings = ['sync', 'async', 'bulk'].map((name) => [
    Ring.create(`/${base}-${name}-to`, 1 << 18),
    Ring.create(`/${base}-${name}-from`, 1 << 18),
  ]);
  console.log('ready');
  process.stdin.on('data', async (order) => {
    const [what, count] = String(order).trim().split(' ');
    if (what === 'sync') {
      const [{ consumer }, { producer }] = rings[0];
      for (let i = 0; i < count; i++) producer.send(consumer.receiveSync().data);
    } else if (what === 'async') {
      const [{ consumer }, { producer }] = rings[1];
      for (let i = 0; i < count; i++) await producer.sendAsync((await consumer.receive()).data);
    } else if (what === 'bulk') {
      const [{ consumer }, { producer }] = rings[2];
      for (let got = 0; got < count; ) got += (await consumer.receiveMany()).length;
      producer.send('k');
    }
  });
}

const now = () => Number(process.hrtime.bigint());

async function measure() {
  // Threads of Node.js's own, of which the sockets make use, stay where they are.
  spawnSync('taskset', ['-c', '-p', '0', String(process.pid)]);
  const child = spawn(
    'taskset',
    ['-c', '1', process.execPath, __filename, '--peer', String(process.pid), '--package', values.package],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  await once(child.stdout, 'data');
  const open = (name) => Ring.connect(`/${base}-${name}`);
  const pair = (name) => [open(`${name}-to`).producer, open(`${name}-from`).consumer];
  const ends = { sync: pair('sync'), async: pair('async'), bulk: pair('bulk') };
  const order = (words) => child.stdin.write(`${words}\n`);
  const message = Buffer.alloc(MESSAGE);

  const port = new Worker(
    `const { parentPort } = require('node:worker_threads');
    let left = 0;
    parentPort.on('message', (message) => {
      if (typeof message === 'number') left = message;
      else if (left === 0) parentPort.postMessage(message);
      else { left -= message.length; if (left === 0) parentPort.postMessage('k'); }
    });`,
    { eval: true },
  );
  await once(port, 'online');

  const socketRoundTrips = async (connect, count) => {
    const socket = connect();
    await once(socket, 'connect');
    let left = count;
    socket.write(Buffer.from([0]));
    const start = now();
    await new Promise((resolve) => {
      pieces(socket, MESSAGE, () => {
        left -= 1;
        if (left === 0) resolve();
        else socket.write(message);
      });
      socket.write(message);
    });
    const time = now() - start;
    socket.destroy();
    return time / count;
  };

  const socketThroughput = async (connect, size) => {
    const socket = connect();
    await once(socket, 'connect');
    socket.write(Buffer.from([1 + SIZES.indexOf(size)]));
    const data = Buffer.alloc(size);
    const start = now();
    for (let left = BYTES[size]; left > 0; left -= size) {
      if (!socket.write(data)) await once(socket, 'drain');
    }
    await once(socket, 'data');
    const time = now() - start;
    socket.destroy();
    return (time * size) / BYTES[size];
  };

  const byNet = () => net.connect(paths.net);
  const byRing = () => spsc.connect(paths.ring);
  const roundTrips = {
    'ring, sync': async () => {
      const count = 20_000;
      order(`sync ${count}`);
      const [producer, consumer] = ends.sync;
      const start = now();
      for (let i = 0; i < count; i++) {
        producer.send(message);
        consumer.receiveSync();
      }
      return (now() - start) / count;
    },
    'ring, async': async () => {
      const count = 10_000;
      order(`async ${count}`);
      const [producer, consumer] = ends.async;
      const start = now();
      for (let i = 0; i < count; i++) {
        await producer.sendAsync(message);
        await consumer.receive();
      }
      return (now() - start) / count;
    },
    connection: () => socketRoundTrips(byRing, 3000),
    'Unix socket': () => socketRoundTrips(byNet, 3000),
    MessagePort: async () => {
      const count = 3000;
      const start = now();
      for (let i = 0; i < count; i++) {
        port.postMessage(message);
        await once(port, 'message');
      }
      return (now() - start) / count;
    },
  };
  const throughput = (size) => ({
    ring: async () => {
      const count = BYTES[size] / size;
      order(`bulk ${count}`);
      const [producer, consumer] = ends.bulk;
      const data = Buffer.alloc(size);
      const start = now();
      for (let i = 0; i < count; i++) producer.send(data);
      consumer.receiveSync();
      return (now() - start) / count;
    },
    connection: () => socketThroughput(byRing, size),
    'Unix socket': () => socketThroughput(byNet, size),
    MessagePort: async () => {
      const data = Buffer.alloc(size);
      port.postMessage(BYTES[size]);
      const start = now();
      for (let left = BYTES[size]; left > 0; left -= size) port.postMessage(data);
      await once(port, 'message');
      port.postMessage(0);
      return ((now() - start) * size) / BYTES[size];
    },
  });

  const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
  const compare = async (title, ways) => {
    const times = new Map(Object.keys(ways).map((name) => [name, []]));
    for (const way of Object.values(ways)) await way();
    for (let turn = 0; turn < Number(values.turns); turn++) {
      for (const [name, way] of Object.entries(ways)) times.get(name).push(await way());
    }
    console.log(title);
    const ratios = (name, to) => {
      const all = times.get(name).map((time, turn) => time / times.get(to)[turn]);
      return median(all).toFixed(2).padStart(8);
    };
    const [first] = times.keys();
    const rows = [...times.keys()].map((name) => {
      const micros = (median([...times.get(name)]) / 1e3).toFixed(2).padStart(9);
      return `  ${name.padEnd(12)} ${micros} µs ${ratios(name, first)} ${ratios(name, 'connection')}`;
    });
    console.log(`${rows.join('\n')}\n`);
  };
  console.log(`what              median   / ${'ring'}   / connection\n`);
  await compare('round trip of 64 B', roundTrips);
  for (const size of SIZES) await compare(`a message of ${size} B, one after another`, throughput(size));

  child.kill();
  await port.terminate();
  for (const name of ['sync', 'async', 'bulk']) {
    for (const way of ['to', 'from']) Ring.unlink(`/${base}-${name}-${way}`);
  }
  process.exit();
}

(values.peer === undefined ? measure : peer)();
