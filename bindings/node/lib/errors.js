'use strict';

const { getSystemErrorName } = require('node:util');
const native = require('./native.js');

// What each of the library's statuses is called here, and what it means.
const STATUSES = new Map([
  [1, ['ERR_SPSC_TIMEOUT', 'the time ran out first']],
  [2, ['ERR_SPSC_INTERRUPTED', 'the wait was interrupted']],
  [3, ['ERR_SPSC_CLOSED', 'the other side closed its end']],
  [4, ['ERR_SPSC_PEER_DEAD', "the other side's process died without closing"]],
  [-1, ['ERR_SPSC_INVALID_ARGUMENT', 'a bad descriptor or option, or too large a capacity']],
  [-2, ['ERR_SPSC_INVALID_NAME', 'a name that is empty, too long, a dot name, or has another slash than one leading']],
  [-3, ['ERR_SPSC_ALREADY_EXISTS', 'the name is taken, or somebody listens at the path']],
  [-4, ['ERR_SPSC_NOT_FOUND', 'there is no ring of this name, or nobody listens at the path']],
  [-5, ['ERR_SPSC_PERMISSION', 'the operating system refused access']],
  [-6, ['ERR_SPSC_NO_SPACE', "the shared-memory file system can't hold the ring"]],
  [-7, ['ERR_SPSC_NO_MEMORY', 'out of memory, address space or descriptors']],
  [-8, ['ERR_SPSC_NOT_READY', "the ring's creator has not finished, or the ring was replaced under its name"]],
  [-9, ['ERR_SPSC_NOT_A_RING', 'what is there is no ring, or is not sealed, or does not speak this protocol']],
  [-10, ['ERR_SPSC_VERSION', 'the other side has another version, or pages of another size']],
  [-11, ['ERR_SPSC_ROLE_TAKEN', 'another live process, or another handle, already has this role']],
  [-12, ['ERR_SPSC_TOO_LARGE', 'more than the capacity: it could never be satisfied']],
  [-13, ['ERR_SPSC_MISUSE', 'more than was claimed or peeked']],
  [-14, ['ERR_SPSC_CORRUPT', 'the shared counters contradict each other, or what is there is no message']],
  [-15, ['ERR_SPSC_SYSTEM', 'the operating system failed']],
]);

// The addon's codes, as in src/code.rs.
const STATUS = -100;
const TIMEOUT = STATUS - 1;
const INTERRUPTED = STATUS - 2;
const CLOSED = STATUS - 3;
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

function misuse(message) {
  return new SpscError('ERR_SPSC_MISUSE', message);
}

/** The error for a status of the library, with the system's error number if there is one. */
function fromStatus(status, errno = 0) {
  const [code, text] = STATUSES.get(status) ?? STATUSES.get(-15);
  if (errno === 0) return new SpscError(code, text);
  const name = getSystemErrorName(-errno);
  const error = new SpscError(code, `${text} (${name})`);
  error.errno = -errno;
  return error;
}

/** The error for a code of the addon. */
function fromCode(code) {
  if (code === HANDLE_CLOSED) return handleClosed();
  if (code === IN_USE) return new SpscError('ERR_SPSC_IN_USE', 'a wait of the same end goes on');
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
  checked,
  fromCode,
  fromStatus,
  handleClosed,
  misuse,
};
