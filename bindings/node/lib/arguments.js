'use strict';

// What callers pass, looked at before anything is done.

function typeError(name, expected, value) {
  const error = new TypeError(`${name} must be ${expected}: ${String(value)}`);
  error.code = 'ERR_INVALID_ARG_TYPE';
  return error;
}

function rangeError(name, expected, value) {
  const error = new RangeError(`${name} must be ${expected}: ${String(value)}`);
  error.code = 'ERR_OUT_OF_RANGE';
  return error;
}

/** A whole number from `least` to `most`. */
function integer(name, value, least = 0, most = Number.MAX_SAFE_INTEGER) {
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw rangeError(name, `a whole number from ${least} to ${most}`, value);
  }
  return value;
}

function string(name, value) {
  if (typeof value !== 'string') throw typeError(name, 'a string', value);
  return value;
}

/** Milliseconds for the addon: fewer than none for a wait without limit. */
function milliseconds(name, value) {
  if (value === undefined || value === Number.POSITIVE_INFINITY) return -1;
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!(value >= 0)) throw rangeError(name, 'not negative', value);
  return value;
}

/** The bytes to send: of a string, a buffer, or whatever else lies over one. */
function bytes(name, value) {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value);
  throw typeError(name, 'a string, a buffer or a view of one', value);
}

/** The options of a ring that is made, as the addon takes them. */
function ringOptions({ mode = 0o600, replaceStale = false, prefault = false, spin } = {}) {
  return {
    mode: integer('mode', mode, 0, 0o777),
    replaceStale: Boolean(replaceStale),
    prefault: Boolean(prefault),
    spin: milliseconds('spin', spin),
  };
}

/** The options of a connection, as the addon takes them. */
function connectionOptions({ toServer = 0, toClient = 0, mode = 0o600, backlog = 128, prefault = false, spin } = {}) {
  return {
    toServer: integer('toServer', toServer),
    toClient: integer('toClient', toClient),
    mode: integer('mode', mode, 0, 0o777),
    backlog: integer('backlog', backlog, 1, 4096),
    prefault: Boolean(prefault),
    spin: milliseconds('spin', spin),
  };
}

module.exports = { bytes, connectionOptions, integer, milliseconds, ringOptions, string };
