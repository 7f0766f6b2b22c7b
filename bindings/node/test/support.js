'use strict';

const { spawn } = require('node:child_process');
const path = require('node:path');
const readline = require('node:readline');

// Of the package that is tested: the source tree's, or one that is installed somewhere.
const spsc = require(process.env.SPSC_NODE_PACKAGE ?? '..');

// Waits have no limit here, so that a lost wake-up is seen: this ends the process instead.
const WATCHDOG = 240_000;
setTimeout(() => {
  console.error('the watchdog: a test stands still');
  process.exit(1);
}, WATCHDOG).unref();

let count = 0;

/** A name for a ring that nobody else has, removed after the test. */
function ringName(t) {
  count += 1;
  const name = `/node-test-${process.pid}-${count}`;
  t.after(() => {
    try {
      spsc.Ring.unlink(name);
    } catch {}
  });
  return name;
}

/** A path for a listener that nobody else has. */
function socketPath() {
  count += 1;
  return `/tmp/spsc-node-test-${process.pid}-${count}`;
}

/** Runs code in another process, with `spsc` and the arguments. It ends with the test. */
function run(t, code, ...words) {
  const text = `const spsc = require(process.argv[1]); const words = process.argv.slice(2); ${code}`;
  const package_ = path.resolve(__dirname, process.env.SPSC_NODE_PACKAGE ?? '..');
  const child = spawn(process.execPath, ['--expose-gc', '-e', text, package_, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.line = async () => (await lines.next()).value;
  child.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  return child;
}

/** An error with this code. */
const withCode = (code) => (error) => error.code === code;

module.exports = { spsc, ringName, socketPath, run, withCode };
