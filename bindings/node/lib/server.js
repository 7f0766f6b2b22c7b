'use strict';

const { EventEmitter } = require('node:events');
const native = require('./native.js');
const { Connection } = require('./connection.js');
const { connectionOptions, string } = require('./arguments.js');
const { checked, fromCode, handleClosed } = require('./errors.js');
const { Watch } = require('./watch.js');

/** Waits for clients at a path: the interface of `net.Server`. */
class Server extends EventEmitter {
  #listener = null;
  #watch = new Watch();
  #path = null;
  #options;
  #connections = new Set();

  /** Further clients are turned away. */
  maxConnections = Number.POSITIVE_INFINITY;

  constructor(options, listener) {
    super();
    if (typeof options === 'function') {
      listener = options;
      options = {};
    }
    this.#options = options ?? {};
    // What is wrong with them is said here.
    connectionOptions(this.#options);
    if (listener !== undefined) this.on('connection', listener);
  }

  get listening() {
    return this.#listener !== null;
  }

  /** Where it listens, or `null`. */
  address() {
    return this.#path;
  }

  /** Listens at `path`, the file of a Unix socket. A path whose listener is gone is taken over. */
  listen(path, listener) {
    string('path', path);
    if (this.#listener !== null) {
      const error = new Error('the server listens already');
      error.code = 'ERR_SERVER_ALREADY_LISTEN';
      throw error;
    }
    if (listener !== undefined) this.once('listening', listener);
    try {
      this.#listener = checked(native.listen(path, connectionOptions(this.#options)));
    } catch (error) {
      process.nextTick(() => this.emit('error', error));
      return this;
    }
    this.#path = path;
    this.#watch.open(this.#listener.fd(), () => this.#accept());
    this.#watch.start();
    process.nextTick(() => {
      if (this.listening) this.emit('listening');
    });
    return this;
  }

  #accept() {
    while (this.#listener !== null) {
      const accepted = this.#listener.accept();
      if (accepted === null) return;
      if (typeof accepted === 'number') {
        this.emit('error', fromCode(accepted));
        return;
      }
      if (this.#connections.size >= this.maxConnections) {
        accepted.close();
        this.emit('drop');
        continue;
      }
      const { allowHalfOpen, highWaterMark } = this.#options;
      const connection = new Connection({ allowHalfOpen, highWaterMark });
      this.#connections.add(connection);
      connection.once('close', () => {
        this.#connections.delete(connection);
        this.#closeIfDone();
      });
      connection._begin(accepted);
      this.emit('connection', connection);
    }
  }

  getConnections(callback) {
    process.nextTick(callback, null, this.#connections.size);
    return this;
  }

  /** Stops listening. `close` is emitted when the last connection is closed, too. */
  close(callback) {
    if (callback !== undefined) {
      if (this.#listener === null) this.once('close', () => callback(handleClosed()));
      else this.once('close', callback);
    }
    this.#watch.close();
    this.#listener?.close();
    this.#listener = null;
    this.#closeIfDone();
    return this;
  }

  #closeIfDone() {
    if (this.#listener !== null || this.#connections.size > 0) return;
    process.nextTick(() => {
      if (this.#listener === null && this.#connections.size === 0) this.emit('close');
    });
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return new Promise((resolve) => {
      this.close(() => resolve());
    });
  }

  ref() {
    this.#watch.setRef(true);
    return this;
  }

  unref() {
    this.#watch.setRef(false);
    return this;
  }
}

/** A server whose listener is called with each client's connection. */
function createServer(options, listener) {
  return new Server(options, listener);
}

module.exports = { Server, createServer };
