'use strict';

const { getSystemErrorName } = require('node:util');
const native = require('./native.js');

// The numbers of the library's statuses.
const Status = {
  TIMEOUT: 1,
  INTERRUPTED: 2,
  CLOSED: 3,
  PEER_DEAD: 4,
  INVALID_ARGUMENT: -1,
  INVALID_NAME: -2,
  ALREADY_EXISTS: -3,
  NOT_FOUND: -4,
  PERMISSION: -5,
  NO_SPACE: -6,
  NO_MEMORY: -7,
  NOT_READY: -8,
  NOT_A_RING: -9,
  VERSION: -10,
  ROLE_TAKEN: -11,
  TOO_LARGE: -12,
  MISUSE: -13,
  CORRUPT: -14,
  SYSTEM: -15,
};

// What each is called here, and what it means.
const TEXTS = new Map([
  [Status.TIMEOUT, ['ERR_SPSC_TIMEOUT', 'the time ran out first']],
  [Status.INTERRUPTED, ['ERR_SPSC_INTERRUPTED', 'the wait was interrupted']],
  [Status.CLOSED, ['ERR_SPSC_CLOSED', 'the other side closed its end']],
  [Status.PEER_DEAD, ['ERR_SPSC_PEER_DEAD', "the other side's process died without closing"]],
  [Status.INVALID_ARGUMENT, ['ERR_SPSC_INVALID_ARGUMENT', 'a bad descriptor or option, or too large a capacity']],
  [
    Status.INVALID_NAME,
    ['ERR_SPSC_INVALID_NAME', 'a name that is empty, too long, a dot name, or has another slash than one leading'],
  ],
  [Status.ALREADY_EXISTS, ['ERR_SPSC_ALREADY_EXISTS', 'the name is taken, or somebody listens at the path']],
  [Status.NOT_FOUND, ['ERR_SPSC_NOT_FOUND', 'there is no ring of this name, or nobody listens at the path']],
  [Status.PERMISSION, ['ERR_SPSC_PERMISSION', 'the operating system refused access']],
  [Status.NO_SPACE, ['ERR_SPSC_NO_SPACE', "the shared-memory file system can't hold the ring"]],
  [Status.NO_MEMORY, ['ERR_SPSC_NO_MEMORY', 'out of memory, address space or descriptors']],
  [
    Status.NOT_READY,
    ['ERR_SPSC_NOT_READY', "the ring's creator has not finished, or the ring was replaced under its name"],
  ],
  [
    Status.NOT_A_RING,
    ['ERR_SPSC_NOT_A_RING', 'what is there is no ring, or is not sealed, or does not speak this protocol'],
  ],
  [Status.VERSION, ['ERR_SPSC_VERSION', 'the other side has another version, or pages of another size']],
  [Status.ROLE_TAKEN, ['ERR_SPSC_ROLE_TAKEN', 'another live process, or another handle, already has this role']],
  [Status.TOO_LARGE, ['ERR_SPSC_TOO_LARGE', 'more than the capacity: it could never be satisfied']],
  [Status.MISUSE, ['ERR_SPSC_MISUSE', 'more than was claimed or peeked']],
  [Status.CORRUPT, ['ERR_SPSC_CORRUPT', 'the shared counters contradict each other, or what is there is no message']],
  [Status.SYSTEM, ['ERR_SPSC_SYSTEM', 'the operating system failed']],
]);

// The addon's codes, as in src/code.rs.
const STATUS = -100;
const TIMEOUT = STATUS - Status.TIMEOUT;
const INTERRUPTED = STATUS - Status.INTERRUPTED;
const CLOSED = STATUS - Status.CLOSED;
const HANDLE_CLOSED = -200;
const IN_USE = -201;
const LARGER = -1000;

/** What the library's calls throw. `code` says which of its outcomes it is. */
class SpscError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }

  get name() {
    return 'SpscError';
  }
}

function handleClosed() {
  return new SpscError('ERR_SPSC_HANDLE_CLOSED', 'it is closed');
}

function inUse() {
  return new SpscError('ERR_SPSC_IN_USE', 'a wait of the same end goes on');
}

function misuse(message) {
  return new SpscError('ERR_SPSC_MISUSE', message);
}

/** The error for a status of the library, with the system's error number if there is one. */
function fromStatus(status, errno = 0) {
  const [code, text] = TEXTS.get(status) ?? TEXTS.get(Status.SYSTEM);
  if (errno === 0) return new SpscError(code, text);
  const name = getSystemErrorName(-errno);
  const error = new SpscError(code, `${text} (${name})`);
  error.errno = -errno;
  return error;
}

/** The error for a code of the addon. */
function fromCode(code) {
  if (code === HANDLE_CLOSED) return handleClosed();
  if (code === IN_USE) return inUse();
  return fromStatus(STATUS - code, native.osError());
}

/** The result of a call, unless it is a code. */
function checked(result) {
  if (typeof result === 'number' && result < 0) throw fromCode(result);
  return result;
}

module.exports = {
  TIMEOUT,
  INTERRUPTED,
  CLOSED,
  LARGER,
  SpscError,
  Status,
  checked,
  fromCode,
  fromStatus,
  handleClosed,
  inUse,
  misuse,
};
