'use strict';

const { errno } = require('node:os').constants;
const { Duplex } = require('node:stream');
const native = require('./native.js');
const { connectionOptions, milliseconds, string } = require('./arguments.js');
const { CLOSED, Status, TIMEOUT, fromCode, fromStatus } = require('./errors.js');
const { Watch } = require('./watch.js');

// So much is read at once, and a piece this small is copied out of it.
const PIECE = 64 * 1024;
const SMALL = 8 * 1024;

/**
 * A connection between two processes, as a stream. Whatever waits does so in the event loop, on the
 * connection's descriptor.
 */
class Connection extends Duplex {
  /** What a handshake or an accept gives, or `null` before. */
  #native = null;
  #producer = null;
  #consumer = null;
  #handshake = null;
  #watch = new Watch();
  #reading = false;
  /** What is not written yet, and whom to tell once it is. */
  #chunks = [];
  /** Of the chunks, and of the bytes in the next one, so many are written. */
  #next = 0;
  #offset = 0;
  #written = null;
  #piece = null;
  #timer = null;
  #timeout = 0;

  /** Bytes read and written so far. */
  bytesRead = 0;
  bytesWritten = 0;

  constructor(options = {}) {
    super({ ...options, allowHalfOpen: options.allowHalfOpen ?? false });
  }

  /** Whether the handshake goes on. */
  get connecting() {
    return this.#native === null && !this.destroyed;
  }

  get pending() {
    return this.#native === null;
  }

  /** Who is on the other end, by what the kernel says. */
  get peer() {
    const peer = this.#native?.peer();
    return peer ? { pid: peer[0], uid: peer[1], gid: peer[2] } : null;
  }

  get readyState() {
    if (this.connecting) return 'opening';
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** A connection that stands. */
  _begin(connection) {
    this.#native = connection;
    [this.#producer, this.#consumer] = connection.ends();
    this.#watch.open(connection.fd(), () => this.#goOn());
    // What was asked for before it stood.
    this.#goOn();
  }

  /** A connection over a socket that is connected. */
  _beginHandshake(fd, options) {
    this.#handshake = native.Handshake.over(fd, options);
    this.#watch.open(this.#handshake.fd(), () => this.#step());
    this.#step();
  }

  #step() {
    const next = this.#handshake.step();
    if (next === null) {
      this.#watch.start();
      return;
    }
    this.#watch.close();
    this.#handshake = null;
    if (typeof next === 'number') {
      this.destroy(fromCode(next));
      return;
    }
    this._begin(next);
    this.emit('connect');
    this.emit('ready');
  }

  /** Does what can be done, and asks for the descriptor to tell of more. */
  #goOn() {
    for (;;) {
      if (this.#reading) this.#readSome();
      if (this.#written !== null) this.#writeSome();
      // Either may have destroyed it.
      if (this.destroyed || !this.#watch.isOpen) return;
      const space = this.#written !== null;
      const ready = this.#native.arm(this.#producer, this.#consumer, this.#reading, space);
      if (ready < 0) {
        this.destroy(fromCode(ready));
        return;
      }
      if (ready === 0) break;
    }
    if (this.#reading || this.#written !== null) this.#watch.start();
    else this.#watch.stop();
  }

  _read() {
    if (this.#reading) return;
    this.#reading = true;
    if (this.#native !== null) this.#goOn();
  }

  #readSome() {
    for (;;) {
      this.#piece ??= Buffer.allocUnsafeSlow(PIECE);
      const piece = this.#piece;
      const n = this.#consumer.read(piece, 0);
      if (n === TIMEOUT) return;
      this.#active();
      if (n <= 0) {
        this.#reading = false;
        if (n === 0 || n === CLOSED) this.push(null);
        else this.destroy(fromCode(n));
        return;
      }
      this.bytesRead += n;
      let chunk;
      if (n <= SMALL) {
        chunk = Buffer.from(piece.subarray(0, n));
      } else {
        chunk = piece.subarray(0, n);
        this.#piece = null;
      }
      this.#reading = false;
      if (!this.push(chunk)) return;
      this.#reading = true;
      if (this.destroyed) return;
    }
  }

  _write(chunk, _encoding, callback) {
    this.#writeAll([chunk], callback);
  }

  _writev(chunks, callback) {
    this.#writeAll(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  #writeAll(chunks, callback) {
    this.#chunks = chunks;
    this.#next = 0;
    this.#offset = 0;
    this.#written = callback;
    if (this.#native === null) return;
    this.#writeSome();
    if (this.#written !== null) this.#goOn();
  }

  #writeSome() {
    for (; this.#next < this.#chunks.length; this.#next += 1, this.#offset = 0) {
      const chunk = this.#chunks[this.#next];
      while (this.#offset < chunk.length) {
        const n = this.#producer.write(chunk, this.#offset);
        if (n === TIMEOUT) return;
        if (n < 0) {
          this.#wrote(fromCode(n));
          return;
        }
        this.bytesWritten += n;
        this.#offset += n;
        this.#active();
      }
    }
    this.#wrote(null);
  }

  /** Tells whoever wrote. */
  #wrote(error) {
    const callback = this.#written;
    this.#chunks = [];
    this.#written = null;
    callback?.(error);
  }

  _final(callback) {
    if (this.#native === null) {
      // Not before there is somebody to tell.
      this.once('connect', () => this._final(callback));
      return;
    }
    // The other side reads what was written, and comes to the end.
    this.#producer.close();
    callback();
  }

  _destroy(error, callback) {
    clearTimeout(this.#timer);
    this.#watch.close();
    this.#handshake?.close();
    // The ends first: what they say is sent over the connection's socket.
    this.#producer?.close();
    this.#consumer?.close();
    this.#native?.close();
    this.#wrote(error);
    callback(error);
  }

  /** Emits `timeout` after so many milliseconds without a byte in either direction; 0 ends that. */
  setTimeout(timeout, callback) {
    this.#timeout = timeout;
    if (callback !== undefined) {
      if (timeout > 0) this.once('timeout', callback);
      else this.off('timeout', callback);
    }
    clearTimeout(this.#timer);
    this.#timer = null;
    if (timeout > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.emit('timeout'), timeout);
      this.#timer.unref();
    }
    return this;
  }

  get timeout() {
    return this.#timeout === 0 ? undefined : this.#timeout;
  }

  #active() {
    this.#timer?.refresh();
  }

  /** For code that was written for sockets: there is nothing to set. */
  setNoDelay() {
    return this;
  }

  setKeepAlive() {
    return this;
  }

  /** Lets it keep the process alive while it waits, as it does at first. */
  ref() {
    this.#watch.setRef(true);
    return this;
  }

  unref() {
    this.#watch.setRef(false);
    return this;
  }
}

/** Connects to whoever listens at `path`. `options` are also those of a stream. */
function connect(path, options, listener) {
  if (typeof options === 'function') {
    listener = options;
    options = {};
  }
  string('path', path);
  const { signal, timeout, ...others } = options ?? {};
  const limit = milliseconds('timeout', timeout);
  const chosen = connectionOptions(others);
  const connection = new Connection({
    allowHalfOpen: others.allowHalfOpen,
    highWaterMark: others.highWaterMark,
    signal,
  });
  if (listener !== undefined) connection.once('connect', listener);
  let timer;
  if (limit >= 0) {
    timer = setTimeout(() => connection.destroy(fromStatus(Status.TIMEOUT)), limit);
    const stop = () => clearTimeout(timer);
    connection.once('connect', stop).once('close', stop);
  }
  // As with a socket: whoever called has the connection before anything is said about it.
  process.nextTick(() => dial(connection, path, chosen, limit));
  return connection;
}

// What a socket's errors mean for a connection.
const STATUS_OF = new Map([
  [errno.ENOENT, Status.NOT_FOUND],
  [errno.ENOTDIR, Status.NOT_FOUND],
  [errno.ECONNREFUSED, Status.NOT_FOUND],
  [errno.EACCES, Status.PERMISSION],
  [errno.EPERM, Status.PERMISSION],
  [errno.EPROTOTYPE, Status.NOT_A_RING],
  // The path is empty or too long.
  [errno.EINVAL, Status.INVALID_NAME],
  [errno.EAGAIN, Status.TIMEOUT],
]);

async function dial(connection, path, options, limit) {
  if (connection.destroyed) return;
  let fd = native.connectNow(path);
  // The listener's queue is full, and the kernel lets only a call that blocks wait for a place in it.
  if (fd === -errno.EAGAIN) fd = await native.connectLater(path, limit);
  if (fd < 0) {
    connection.destroy(fromStatus(STATUS_OF.get(-fd) ?? Status.SYSTEM, -fd));
  } else if (connection.destroyed) {
    native.Handshake.over(fd, options).close();
  } else {
    connection._beginHandshake(fd, options);
  }
}

module.exports = { Connection, connect };
