'use strict';

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { ringName, socketPath } = require('./support.js');

/** The examples, in a directory where they find the package that is tested. */
function examples(t) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'spsc-examples-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  fs.cpSync(path.join(__dirname, '../examples'), directory, { recursive: true });
  fs.mkdirSync(path.join(directory, 'node_modules'));
  const package_ = path.resolve(__dirname, process.env.SPSC_NODE_PACKAGE ?? '..');
  fs.symlinkSync(package_, path.join(directory, 'node_modules/spsc-shm'));
  return directory;
}

/** Lets two examples talk, and gives what the second says. */
async function talk(t, from, to, input) {
  const cwd = examples(t);
  const name = ringName(t);
  const child = spawn(process.execPath, [to, name], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  const said = [];
  child.stdout.on('data', (chunk) => said.push(chunk));
  execFileSync(process.execPath, [from, name], { cwd, input });
  await new Promise((resolve) => child.once('close', resolve));
  return Buffer.concat(said);
}

test('the producer and the consumer copy a file', async (t) => {
  const file = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  assert.ok((await talk(t, 'producer.mjs', 'consumer.mjs', file)).equals(file));
});

test('the sender and the receiver hand lines over', async (t) => {
  assert.strictEqual((await talk(t, 'sender.mjs', 'receiver.mjs', 'one\ntwo\n')).toString(), '0: one\n1: two\n');
});

test('the http example asks itself', (t) => {
  const said = execFileSync(process.execPath, ['http.mjs', socketPath()], { cwd: examples(t), encoding: 'utf8' });
  assert.strictEqual(said, 'you asked for /something\n');
});
