// What all four programs share: see ../README.md.

const { Ring } = require('spsc-shm');

const MASK = (1n << 64n) - 1n;
const [name, count, seed, end] = process.argv.slice(2);

const ring = Ring.connect(name, { timeout: 10_000 });
let state = BigInt(seed) * 2n + 1n;

function next() {
  state ^= state >> 12n;
  state ^= (state << 25n) & MASK;
  state ^= state >> 27n;
  return (state * 0x2545f4914f6cdd1dn) & MASK;
}

function bytes(length) {
  const base = Buffer.alloc(8);
  base.writeBigUInt64LE(next());
  const all = Buffer.alloc(length);
  for (let j = 0; j < length; j++) all[j] = base[j & 7] ^ ((j >> 3) & 0xff);
  return all;
}

/** The next message of bytes: length, checksum, payload. */
function message() {
  const payload = bytes(Number(next() % 1500n));
  let checksum = 0x811c9dc5;
  for (const byte of payload) checksum = Math.imul(checksum ^ byte, 0x01000193) >>> 0;
  const header = Buffer.alloc(8);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(checksum, 4);
  return Buffer.concat([header, payload]);
}

/** The next message of the library's own framing: tag and payload. */
function tagged() {
  const kind = next() % 4n;
  const length = Number(next() % (kind === 0n ? 16385n : 300n));
  const tag = Number(next() & 0xffff_ffffn);
  return { tag, payload: bytes(length) };
}

/** The producer's end. */
function finish() {
  if (end === 'kill') process.kill(process.pid, 'SIGKILL');
  ring.close();
}

/** The consumer's end: what it gets must be the last. */
function expectEnd(call) {
  try {
    call();
  } catch (error) {
    if (error.code !== (end === 'kill' ? 'ERR_SPSC_PEER_DEAD' : 'ERR_SPSC_CLOSED')) throw error;
    console.log('ok', count);
    return;
  }
  throw new Error('the stream goes on');
}

module.exports = { ring, count: Number(count), message, tagged, finish, expectEnd };
