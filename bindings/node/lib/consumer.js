'use strict';

const { End } = require('./end.js');
const { integer, milliseconds } = require('./arguments.js');
const { LARGER, checked } = require('./errors.js');

// Small messages are copied into pieces of a larger buffer, as Node.js does it for its own buffers.
const POOL = 32 * 1024;
const SMALL = 2 * 1024;

/**
 * The end of a ring that reads. It becomes the ring's consumer with its first peek, receive or wait, and
 * is it until it is closed. What was not released stays for the next consumer.
 */
class Consumer extends End {
  #pool = Buffer.allocUnsafeSlow(POOL);
  #used = 0;

  /** Waits for the next message, and gives a copy of it. It blocks the event loop. */
  receiveSync({ timeout } = {}) {
    const limit = milliseconds('timeout', timeout);
    this._begin();
    return checked(this.#receive(limit));
  }

  /** The same without blocking the event loop. */
  receive(options = {}) {
    return this._wait(
      {
        attempt: (limit) => this.#receive(limit),
        later: (limit) => this._native.receiveLater(limit),
      },
      options,
    );
  }

  /** A message, or the addon's code for why there is none. */
  #receive(limit) {
    if (POOL - this.#used < SMALL) {
      this.#pool = Buffer.allocUnsafeSlow(POOL);
      this.#used = 0;
    }
    const start = this.#used;
    const length = this._native.receive(this.#pool, start, limit);
    if (length >= 0) {
      this.#used = start + ((length + 7) & ~7);
      return { data: this.#pool.subarray(start, start + length), tag: this._native.tag() };
    }
    if (length > LARGER) return length;
    const data = Buffer.allocUnsafeSlow(LARGER - length);
    const again = this._native.receive(data, 0, 0);
    return again < 0 ? again : { data, tag: this._native.tag() };
  }

  /** Waits for a message, and gives all that are there, but no more than `max`. */
  receiveMany(options = {}) {
    const { max = 1024 } = options;
    const heads = new Uint32Array(2 * integer('max', max, 1, 1 << 20));
    return this._wait(
      {
        attempt: (limit) => this.#receiveMany(heads, limit),
        later: (limit) => this._native.receiveLater(limit),
      },
      options,
    );
  }

  #receiveMany(heads, limit) {
    const count = this._native.look(heads, limit);
    if (count < 0) return count;
    let length = 0;
    for (let i = 0; i < count; i++) length += heads[2 * i];
    const all = Buffer.allocUnsafeSlow(length);
    const taken = this._native.take(all, count);
    if (taken < 0) return taken;
    const messages = new Array(count);
    let start = 0;
    for (let i = 0; i < count; i++) {
      const end = start + heads[2 * i];
      messages[i] = { data: all.subarray(start, end), tag: heads[2 * i + 1] };
      start = end;
    }
    return messages;
  }

  /** The messages, up to the end of the stream. */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      let message;
      try {
        message = await this.receive();
      } catch (error) {
        if (error.code === 'ERR_SPSC_CLOSED') return;
        throw error;
      }
      yield message;
    }
  }

  /** A buffer over the next `n` bytes, where they lie, until `release` or the next call. */
  peek(n, options) {
    return this._lend('n', n, options, (limit) => this._native.peek(n, limit));
  }

  /** As `peek`, for all that is there once `min` bytes are. */
  peekSome(min = 1, options) {
    return this._lend('min', min, options, (limit) => this._native.peekSome(min, limit));
  }

  /** Releases the first `n` bytes of what is peeked: all, unless it is told. The peek is over. */
  release(n) {
    this._return(n, (released, peeked) => this._native.release(released, peeked));
  }

  /** Waits until `n` bytes are there. Reads nothing. */
  waitForData(n = 1, options) {
    const attempt = (limit) => this._native.waitForData(n, limit);
    return this._waitFor(n, attempt, (limit) => this._native.waitForDataLater(n, limit), options);
  }
}

module.exports = { Consumer };
