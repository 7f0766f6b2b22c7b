'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { test } = require('node:test');
const { pipeline } = require('node:stream/promises');
const { Readable, Writable } = require('node:stream');
const { spsc, socketPath, run, withCode } = require('./support.js');

const { connect, createServer } = spsc;

/** A server at a path of its own, closed after the test. */
async function serve(t, ...words) {
  const server = createServer(...words);
  const path = socketPath();
  const connections = new Set();
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
  });
  t.after(() => {
    server.close();
    for (const connection of connections) connection.destroy();
  });
  server.listen(path);
  await once(server, 'listening');
  return { server, path };
}

const open = async (path, options = {}) => {
  const connection = connect(path, options);
  await once(connection, 'connect');
  return connection;
};

/** All that comes. Not by an iterator, which destroys a stream at its end. */
const all = (stream) =>
  new Promise((resolve, reject) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
  });

const openDescriptors = () => fs.readdirSync('/proc/self/fd').length;

test('an echo comes back, and the end after it', async (t) => {
  const { path } = await serve(t, (connection) => connection.pipe(connection));
  const connection = await open(path, { allowHalfOpen: true });
  assert.strictEqual(connection.readyState, 'open');
  assert.deepStrictEqual(connection.peer, { pid: process.pid, uid: process.getuid(), gid: process.getgid() });
  connection.end('hello');
  assert.strictEqual((await all(connection)).toString(), 'hello');
  assert.strictEqual(connection.bytesRead, 5);
  assert.strictEqual(connection.bytesWritten, 5);
  if (!connection.closed) await once(connection, 'close');
  assert.strictEqual(connection.readyState, 'closed');
  assert.strictEqual(connection.peer, null);
});

test('what is written before it stands arrives', async (t) => {
  const { path } = await serve(t, { allowHalfOpen: true }, async (connection) => connection.end(await all(connection)));
  const connection = connect(path, { allowHalfOpen: true });
  assert.ok(connection.connecting);
  assert.strictEqual(connection.readyState, 'opening');
  connection.write('early ');
  connection.end('words');
  assert.strictEqual((await all(connection)).toString(), 'early words');
});

test('much more than the rings hold arrives whole, with back-pressure', async (t) => {
  const { path } = await serve(t, { allowHalfOpen: true, toServer: 4096, toClient: 4096 }, (connection) => {
    connection.pipe(connection);
  });
  const connection = await open(path, { allowHalfOpen: true });
  const size = 8 << 20;
  let made = 0;
  let most = 0;
  let seen = 0;
  const source = new Readable({
    read() {
      const chunk = Buffer.allocUnsafe(Math.min(10_007, size - made));
      for (let i = 0; i < chunk.length; i++) chunk[i] = (made + i) % 251;
      made += chunk.length;
      most = Math.max(most, made - seen);
      this.push(chunk.length > 0 ? chunk : null);
    },
  });
  const sink = new Writable({
    write(chunk, _encoding, callback) {
      for (let i = 0; i < chunk.length; i++)
        if (chunk[i] !== (seen + i) % 251) return callback(new Error(`at ${seen + i}`));
      seen += chunk.length;
      setImmediate(callback);
    },
  });
  await Promise.all([pipeline(source, connection), pipeline(connection, sink)]);
  assert.strictEqual(seen, size);
  assert.ok(most < 1 << 20, `${most} bytes were under way`);
});

test('write says when to wait, and drain when to go on', async (t) => {
  const { server, path } = await serve(t, { toServer: 4096 });
  const accepted = once(server, 'connection');
  const connection = await open(path);
  const [other] = await accepted;
  let writes = 0;
  while (connection.write(Buffer.alloc(4096))) writes += 1;
  assert.ok(writes > 0);
  other.resume();
  await once(connection, 'drain');
  connection.destroy();
});

test('many small writes at once arrive in order', async (t) => {
  const { path } = await serve(t, { allowHalfOpen: true }, async (connection) => connection.end(await all(connection)));
  const connection = await open(path, { allowHalfOpen: true });
  let text = '';
  connection.cork();
  for (let i = 0; i < 20_000; i++) {
    connection.write(`${i} `);
    text += `${i} `;
  }
  connection.uncork();
  connection.end();
  assert.ok((await all(connection)).equals(Buffer.from(text)));
});

test('http is served over it, and asked for over it', async (t) => {
  const { server, path } = await serve(t, { allowHalfOpen: true });
  const web = http.createServer((request, response) => {
    const body = [];
    request.on('data', (chunk) => body.push(chunk));
    request.on('end', () => response.end(`${request.method} ${request.url}: ${Buffer.concat(body).length}`));
  });
  server.on('connection', (connection) => web.emit('connection', connection));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  agent.createConnection = () => connect(path);
  t.after(() => agent.destroy());
  const ask = (i) =>
    new Promise((resolve, reject) => {
      const request = http.request({ agent, method: 'POST', path: `/${i}`, host: 'ring' }, (response) => {
        all(response).then((body) => resolve(body.toString()), reject);
      });
      request.on('error', reject);
      request.end(Buffer.alloc(i * 1000));
    });
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(i)));
  for (const [i, answer] of answers.entries()) assert.strictEqual(answer, `POST /${i}: ${i * 1000}`);
});

test('a peer that is killed is an error, and one that closes is not', async (t) => {
  const { server, path } = await serve(t, { allowHalfOpen: true });
  const code = `const connection = spsc.connect(words[0], () => connection.write('here'));
    process.stdin.once('data', () => { connection.destroy(); process.exit(); });`;
  for (const kill of [true, false]) {
    const child = run(t, code, path);
    const [connection] = await once(server, 'connection');
    const [said] = await once(connection, 'data');
    assert.strictEqual(said.toString(), 'here');
    if (kill) {
      child.kill('SIGKILL');
      const [error] = await once(connection, 'error');
      assert.strictEqual(error.code, 'ERR_SPSC_PEER_DEAD');
      assert.ok(connection.destroyed);
    } else {
      child.stdin.end('go\n');
      connection.resume();
      await once(connection, 'end');
      connection.end();
    }
  }
});

test('nobody there, no room for the path, no ring behind the path', async (t) => {
  const refused = async (path, code) => {
    const [error] = await once(connect(path), 'error');
    assert.strictEqual(error.code, code);
    return error;
  };
  const error = await refused('/tmp/spsc-nobody-there', 'ERR_SPSC_NOT_FOUND');
  assert.ok(error.errno < 0);
  await refused('x'.repeat(200), 'ERR_SPSC_INVALID_NAME');
  assert.throws(() => connect(), TypeError);
  assert.throws(() => createServer({ mode: 'x' }), TypeError);
  const { path } = await serve(t);
  const [taken] = await once(createServer().listen(path), 'error');
  assert.strictEqual(taken.code, 'ERR_SPSC_ALREADY_EXISTS');
  const plain = net.createServer((socket) =>
    socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(20)),
  );
  const other = socketPath();
  plain.listen(other);
  t.after(() => plain.close());
  await refused(other, 'ERR_SPSC_NOT_A_RING');
});

test('a silent listener is given up by timeout and by signal', async (t) => {
  const silent = net.createServer(() => {});
  const path = socketPath();
  silent.listen(path);
  const sockets = [];
  silent.on('connection', (socket) => sockets.push(socket.on('error', () => {})));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const [late] = await once(connect(path, { timeout: 30 }), 'error');
  assert.strictEqual(late.code, 'ERR_SPSC_TIMEOUT');
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 30);
  const [aborted] = await once(connect(path, { signal: controller.signal }), 'error');
  assert.strictEqual(aborted.name, 'AbortError');
});

test('a server closes when its last connection has', async (t) => {
  const { server, path } = await serve(t, { allowHalfOpen: true });
  const accepted = once(server, 'connection');
  const connection = await open(path);
  const [other] = await accepted;
  assert.strictEqual(server.address(), path);
  assert.strictEqual(await new Promise((resolve) => server.getConnections((_, n) => resolve(n))), 1);
  let closed = false;
  server.close(() => {
    closed = true;
  });
  assert.ok(!server.listening);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(!closed);
  connection.end();
  other.resume().end();
  await once(server, 'close');
  await new Promise(setImmediate);
  assert.ok(!fs.existsSync(path));
  server.close((error) => assert.ok(withCode('ERR_SPSC_HANDLE_CLOSED')(error)));
  await once(server, 'close');
});

test('clients beyond the limit are turned away', async (t) => {
  const { server, path } = await serve(t);
  server.maxConnections = 1;
  await open(path);
  const dropped = once(server, 'drop');
  const second = connect(path);
  second.on('error', () => {});
  second.resume();
  await dropped;
  if (!second.closed) await once(second, 'close');
});

test('a connection without traffic tells of it', async (t) => {
  const { path } = await serve(t);
  const connection = await open(path);
  connection.setTimeout(20);
  await once(connection, 'timeout');
  assert.strictEqual(connection.timeout, 20);
  connection.setTimeout(0).setNoDelay().setKeepAlive(true);
});

test('a process with nothing open exits by itself, and unref lets it exit', async (t) => {
  const { path } = await serve(t, (connection) => connection.pipe(connection));
  const child = run(
    t,
    `const server = spsc.createServer().listen(words[0] + '-own');
    server.unref();
    const kept = spsc.connect(words[0]).unref();
    const other = spsc.connect(words[0], () => other.end('x'));
    other.resume();`,
    path,
  );
  assert.strictEqual(await child.ended, 0);
});

test('garbage collection under load', async (t) => {
  const { path } = await serve(t, (connection) => connection.pipe(connection));
  const collect = setInterval(() => global.gc(), 5);
  t.after(() => clearInterval(collect));
  const talk = async () => {
    for (let i = 0; i < 30; i++) {
      const connection = await open(path, { allowHalfOpen: true });
      const data = Buffer.alloc(100_000, i);
      connection.end(data);
      assert.deepStrictEqual(await all(connection), data);
    }
  };
  await Promise.all([talk(), talk(), talk(), talk()]);
});

test('many connections one after another leave nothing', async (t) => {
  const count = Number(process.env.SPSC_NODE_CONNECTIONS ?? 1000);
  const { path } = await serve(t, (connection) => connection.pipe(connection));
  const once_ = async () => {
    const connection = connect(path, { allowHalfOpen: true });
    connection.end('x');
    assert.strictEqual((await all(connection)).toString(), 'x');
    if (!connection.closed) await once(connection, 'close');
  };
  const settle = async () => {
    global.gc();
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  };
  for (let i = 0; i < 100; i++) await once_();
  await settle();
  const before = { descriptors: openDescriptors(), memory: process.memoryUsage().rss };
  for (let i = 0; i < count; i++) await once_();
  await settle();
  const after = { descriptors: openDescriptors(), memory: process.memoryUsage().rss };
  assert.ok(after.descriptors <= before.descriptors, `${before.descriptors} and then ${after.descriptors} descriptors`);
  assert.ok(after.memory < before.memory + (64 << 20), `${before.memory} and then ${after.memory} bytes`);
});
