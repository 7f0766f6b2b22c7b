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

test('the producer and the consumer hand lines over', async (t) => {
  const cwd = examples(t);
  const name = ringName(t);
  const consumer = spawn(process.execPath, ['consumer.mjs', name], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  const said = [];
  consumer.stdout.on('data', (chunk) => said.push(chunk));
  execFileSync(process.execPath, ['producer.mjs', name], { cwd, input: 'one\ntwo\n' });
  await new Promise((resolve) => consumer.once('close', resolve));
  assert.strictEqual(Buffer.concat(said).toString(), 'one\ntwo\n');
});

test('the http example asks itself', (t) => {
  const said = execFileSync(process.execPath, ['http.mjs', socketPath()], { cwd: examples(t), encoding: 'utf8' });
  assert.strictEqual(said, 'you asked for /something\n');
});
