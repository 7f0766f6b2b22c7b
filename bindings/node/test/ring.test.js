'use strict';

const assert = require('node:assert');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const path = require('node:path');
const { spsc, ringName, run, withCode } = require('./support.js');

const { Ring } = spsc;

test('a message arrives with its tag', () => {
  const ring = Ring.anonymous(4096);
  ring.producer.send('hello', { tag: 7 });
  assert.deepStrictEqual(ring.consumer.receiveSync(), { data: Buffer.from('hello'), tag: 7 });
  ring.producer.send(new Uint16Array([1, 2]));
  assert.deepStrictEqual(ring.consumer.receiveSync().data, Buffer.from([1, 0, 2, 0]));
  ring.producer.send(Buffer.alloc(0), { tag: 0xffff_ffff });
  assert.deepStrictEqual(ring.consumer.receiveSync(), { data: Buffer.alloc(0), tag: 0xffff_ffff });
});

test('messages of all sizes arrive whole, also those larger than the ring', async () => {
  const ring = Ring.anonymous(64 * 1024);
  const sizes = [1, 100, 2047, 2048, 2049, 30_000, 32_768, 100_000, 1 << 20];
  const sent = (async () => {
    for (const size of sizes) await ring.producer.sendAsync(Buffer.alloc(size, size % 251));
    ring.producer.close();
  })();
  const got = [];
  for await (const { data } of ring.consumer) {
    assert.deepStrictEqual(data, Buffer.alloc(data.length, data.length % 251));
    got.push(data.length);
  }
  await sent;
  assert.deepStrictEqual(got, sizes);
});

test('what was received stays when more is received', async () => {
  const ring = Ring.anonymous(1 << 16);
  const kept = [];
  for (let i = 0; i < 5000; i++) {
    ring.producer.send(`message ${i}`);
    kept.push((await ring.consumer.receive()).data);
  }
  for (const [i, data] of kept.entries()) assert.strictEqual(data.toString(), `message ${i}`);
});

test('many messages come at once, and no more than asked for', async () => {
  const ring = Ring.anonymous(1 << 16);
  for (let i = 0; i < 10; i++) ring.producer.send(`m${i}`, { tag: i });
  const some = await ring.consumer.receiveMany({ max: 4 });
  const rest = await ring.consumer.receiveMany();
  const all = [...some, ...rest].map(({ data, tag }) => `${data}/${tag}`);
  assert.strictEqual(some.length, 4);
  assert.deepStrictEqual(
    all,
    Array.from({ length: 10 }, (_, i) => `m${i}/${i}`),
  );
  await assert.rejects(ring.consumer.receiveMany({ timeout: 0 }), withCode('ERR_SPSC_TIMEOUT'));
});

test('a claim is the ring itself, and gone when it is published', () => {
  const ring = Ring.anonymous(4096);
  const claimed = ring.producer.claim(100);
  claimed.write('in the ring');
  ring.producer.publish(16);
  assert.strictEqual(claimed.length, 0, 'detached');
  assert.strictEqual(ring.available, 16);
  const peeked = ring.consumer.peek(16);
  assert.strictEqual(peeked.toString('latin1', 0, 11), 'in the ring');
  ring.consumer.release(8);
  assert.strictEqual(peeked.length, 0, 'detached');
  assert.strictEqual(ring.available, 8);
  assert.strictEqual(ring.consumer.peekSome().length, 8);
  assert.strictEqual(ring.producer.claimSome().length, 4088);
});

test('each call takes the bytes away that were lent before', async () => {
  const ring = Ring.anonymous(4096);
  const { producer, consumer } = ring;
  const calls = [
    () => producer.claim(8),
    () => producer.claimSome(),
    () => producer.send('12345678'),
    () => producer.sendAsync('12345678'),
    () => producer.waitForSpace(),
    () => producer.close(),
  ];
  for (const call of calls) {
    const lent = producer.claim(8);
    assert.strictEqual(lent.length, 8);
    await call();
    assert.strictEqual(lent.length, 0, String(call));
  }
  const lent = consumer.peek(8);
  ring.close();
  assert.strictEqual(lent.length, 0);
});

test('lent memory cannot be moved away', () => {
  const ring = Ring.anonymous(4096);
  const claimed = ring.producer.claim(64);
  try {
    structuredClone(claimed.buffer, { transfer: [claimed.buffer] });
  } catch {}
  assert.strictEqual(claimed.length, 64);
  // Where a language has a way all the same, the memory stays mapped, and the claim is lost with a word.
  if (typeof ArrayBuffer.prototype.transfer === 'function') {
    let moved;
    try {
      moved = claimed.buffer.transfer();
    } catch {
      return;
    }
    assert.throws(() => ring.producer.publish(), withCode('ERR_SPSC_MISUSE'));
    ring.close();
    global.gc();
    new Uint8Array(moved).fill(1);
  }
});

test('bad arguments are named and lose nothing', async () => {
  const ring = Ring.anonymous(4096);
  const { producer, consumer } = ring;
  const claimed = producer.claim(8);
  assert.throws(() => producer.publish(9), RangeError);
  assert.throws(() => producer.publish('1'), TypeError);
  assert.throws(() => producer.claim(0), RangeError);
  assert.throws(() => producer.claim(1.5), RangeError);
  assert.throws(() => producer.send(5), TypeError);
  assert.throws(() => producer.send('x', { tag: -1 }), RangeError);
  assert.throws(() => producer.send('x', { timeout: -1 }), RangeError);
  await assert.rejects(consumer.receive({ timeout: 'soon' }), TypeError);
  assert.strictEqual(claimed.length, 8, 'the claim stands');
  producer.publish();
  assert.throws(() => producer.claim(5000), withCode('ERR_SPSC_TOO_LARGE'));
  assert.throws(() => consumer.release(), withCode('ERR_SPSC_MISUSE'));
  assert.throws(() => Ring.create('', 1), withCode('ERR_SPSC_INVALID_NAME'));
  assert.throws(() => Ring.connect('/no-such-ring', { timeout: 0 }), withCode('ERR_SPSC_NOT_FOUND'));
  assert.throws(
    () => Ring.fromFd(0),
    (error) => error.code.startsWith('ERR_SPSC_'),
  );
  assert.throws(() => new Ring(), TypeError);
});

test('a timeout is an outcome of its own', async () => {
  const ring = Ring.anonymous(4096);
  assert.throws(() => ring.consumer.receiveSync({ timeout: 0 }), withCode('ERR_SPSC_TIMEOUT'));
  assert.throws(() => ring.consumer.peek(1, { timeout: 1 }), withCode('ERR_SPSC_TIMEOUT'));
  await assert.rejects(ring.consumer.receive({ timeout: 0 }), withCode('ERR_SPSC_TIMEOUT'));
  await assert.rejects(ring.consumer.receive({ timeout: 20 }), withCode('ERR_SPSC_TIMEOUT'));
  ring.producer.claim(4096);
  ring.producer.publish();
  await assert.rejects(ring.producer.sendAsync('x', { timeout: 20 }), withCode('ERR_SPSC_TIMEOUT'));
  await assert.rejects(ring.producer.waitForSpace(1, { timeout: 20 }), withCode('ERR_SPSC_TIMEOUT'));
});

test('promises are settled in the order of their calls', async () => {
  const ring = Ring.anonymous(4096);
  const order = [];
  const received = [0, 1, 2, 3].map(async (i) => {
    const { data } = await ring.consumer.receive();
    order.push(`${i}: ${data}`);
  });
  assert.throws(() => ring.consumer.receiveSync(), withCode('ERR_SPSC_IN_USE'));
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    ring.producer.send(String(i));
  }
  await Promise.all(received);
  assert.deepStrictEqual(order, ['0: 0', '1: 1', '2: 2', '3: 3']);
});

test('a signal ends a wait, in line or in the pool, and harms no other', async () => {
  const ring = Ring.anonymous(4096);
  const first = new AbortController();
  const second = new AbortController();
  const waits = [first, second].map(({ signal }) => ring.consumer.receive({ signal }));
  const third = ring.consumer.receive();
  second.abort(new Error('the second'));
  await assert.rejects(waits[1], /the second/);
  first.abort();
  await assert.rejects(waits[0], { name: 'AbortError' });
  ring.producer.send('for the third');
  assert.strictEqual((await third).data.toString(), 'for the third');
  await assert.rejects(ring.consumer.receive({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  // Nothing is left of the interruptions.
  ring.producer.send('more');
  assert.strictEqual(ring.consumer.receiveSync().data.toString(), 'more');
});

test('aborts at any instant neither lose a message nor leave an interrupt', async () => {
  const ring = Ring.anonymous(4096);
  let got = 0;
  let sent = 0;
  for (let i = 0; i < 2000; i++) {
    const controller = new AbortController();
    const wait = ring.consumer.receive({ signal: controller.signal }).then(
      () => {
        got += 1;
      },
      (error) => assert.strictEqual(error.name, 'AbortError'),
    );
    if (i % 3 > 0) await new Promise(setImmediate);
    if (i % 2 > 0) {
      ring.producer.send('x');
      sent += 1;
    }
    controller.abort();
    await wait;
  }
  while (got < sent) {
    await ring.consumer.receive();
    got += 1;
  }
  assert.strictEqual(ring.available, 0);
});

test('closing ends a wait', async () => {
  const ring = Ring.anonymous(4096);
  const wait = ring.consumer.receive();
  const inLine = ring.consumer.receive();
  setImmediate(() => ring.close());
  await assert.rejects(wait, withCode('ERR_SPSC_HANDLE_CLOSED'));
  await assert.rejects(inLine, withCode('ERR_SPSC_HANDLE_CLOSED'));
  assert.throws(() => ring.producer.send('x'), withCode('ERR_SPSC_HANDLE_CLOSED'));
  assert.ok(ring.closed);
  assert.throws(() => ring.available, withCode('ERR_SPSC_HANDLE_CLOSED'));
  ring.close();
});

test('interrupt and wakeupAll end a wait', async () => {
  const ring = Ring.anonymous(4096);
  for (const interrupt of [() => ring.consumer.interrupt(), () => ring.wakeupAll()]) {
    setTimeout(interrupt, 10);
    await assert.rejects(ring.consumer.receive(), withCode('ERR_SPSC_INTERRUPTED'));
  }
});

test('a loop over a busy ring lets the event loop have its turn', async () => {
  const ring = Ring.anonymous(1 << 20);
  let turns = 0;
  const count = () => {
    turns += 1;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  for (let i = 0; i < 10_000; i++) {
    await ring.producer.sendAsync('x');
    await ring.consumer.receive();
  }
  clearImmediate(immediate);
  assert.ok(turns > 5, `${turns} turns`);
});

test('two processes talk by name', async (t) => {
  const name = ringName(t);
  const child = run(
    t,
    `const to = spsc.Ring.connect(words[0]), from = spsc.Ring.connect(words[1]);
    (async () => {
      for await (const { data, tag } of to.consumer) await from.producer.sendAsync(data, { tag: tag + 1 });
      from.close();
    })();`,
    name,
    `${name}-back`,
  );
  const to = Ring.create(name, 4096);
  const from = Ring.create(`${name}-back`, 4096);
  t.after(() => Ring.unlink(`${name}-back`));
  const rounds = 3000;
  const sender = (async () => {
    for (let i = 0; i < rounds; i++) await to.producer.sendAsync(`message ${i}`, { tag: i });
    to.close();
  })();
  let i = 0;
  for await (const { data, tag } of from.consumer) {
    assert.strictEqual(`${data}/${tag}`, `message ${i}/${i + 1}`);
    i += 1;
  }
  assert.strictEqual(i, rounds);
  await sender;
  assert.strictEqual(await child.ended, 0);
});

test('a peer that is killed is told apart from one that closes', async (t) => {
  const name = ringName(t);
  const ring = Ring.create(name, 4096);
  const child = run(
    t,
    `const ring = spsc.Ring.connect(words[0]);
    ring.producer.send('last words');
    console.log('sent');
    setInterval(() => {}, 1e6);`,
    name,
  );
  await child.line();
  child.kill('SIGKILL');
  assert.strictEqual((await ring.consumer.receive()).data.toString(), 'last words');
  await assert.rejects(ring.consumer.receive(), withCode('ERR_SPSC_PEER_DEAD'));
});

test('a descriptor goes to a child', async (t) => {
  const ring = Ring.anonymous(4096);
  assert.ok(ring.fd > 2);
  const again = Ring.fromFd(ring.fd);
  again.producer.send('by descriptor');
  assert.strictEqual(ring.consumer.receiveSync().data.toString(), 'by descriptor');
  const name = ringName(t);
  assert.strictEqual(Ring.create(name, 1).fd, null);
});

test('a process exits at once while a wait goes on', async (t) => {
  const child = run(
    t,
    `const rings = Array.from({ length: 3 }, () => spsc.Ring.anonymous(4096));
    for (const ring of rings) ring.consumer.receive().catch(() => {});
    setTimeout(() => process.exit(7), 50);`,
  );
  assert.strictEqual(await child.ended, 7);
});

test('Ctrl-C ends a process that stands in a call', async (t) => {
  const child = run(t, `console.log('waits'); spsc.Ring.anonymous(4096).consumer.receiveSync();`);
  await child.line();
  child.kill('SIGINT');
  assert.strictEqual(await child.ended, 'SIGINT');
});

test('a worker has a handle of its own, and may be terminated in a wait', async (t) => {
  const name = ringName(t);
  const ring = Ring.create(name, 4096);
  const package_ = path.resolve(__dirname, process.env.SPSC_NODE_PACKAGE ?? '..');
  const text = `
    const { parentPort, workerData } = require('node:worker_threads');
    const spsc = require(workerData.package_);
    const ring = spsc.Ring.connect(workerData.name);
    (async () => {
      for await (const { data } of ring.consumer) parentPort.postMessage(String(data));
    })();
    const server = spsc.createServer().listen(workerData.name.replace('/', '/tmp/') + '.sock');`;
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(text, { eval: true, workerData: { package_, name } });
    const said = new Promise((resolve) => worker.once('message', resolve));
    await ring.producer.sendAsync(`to worker ${i}`);
    assert.strictEqual(await said, `to worker ${i}`);
    await worker.terminate();
  }
});

test('garbage collection during claims and peeks', async () => {
  const rounds = Number(process.env.SPSC_NODE_ROUNDS ?? 20_000);
  let ring = Ring.anonymous(1 << 16);
  const kept = [];
  for (let i = 0; i < rounds; i++) {
    const claimed = ring.producer.claim(64 + (i % 1000) * 8);
    claimed.writeUInt32LE(i);
    kept.push(claimed);
    ring.producer.publish();
    const peeked = ring.consumer.peekSome();
    assert.strictEqual(peeked.readUInt32LE(), i);
    kept.push(peeked);
    ring.consumer.release();
    if (kept.length > 200) {
      for (const buffer of kept) assert.strictEqual(buffer.length, 0);
      kept.length = 0;
      global.gc();
      await new Promise(setImmediate);
    }
    if (i % 500 === 0) {
      // One that nobody closes, with a claim that outlives all names of it.
      const outlives = ring.producer.claim(8);
      ring = Ring.anonymous(1 << 16);
      global.gc();
      outlives.fill(1);
    }
  }
});
