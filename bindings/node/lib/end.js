'use strict';

const { markAsUntransferable } = require('node:worker_threads');
const native = require('./native.js');
const { integer, milliseconds } = require('./arguments.js');
const { TIMEOUT, INTERRUPTED, checked, fromCode, handleClosed, inUse, misuse } = require('./errors.js');

// How long a wait blocks the event loop before it goes to the thread pool, in milliseconds. The answer of
// a busy peer is there by then; going to the pool and back takes about as long.
const BRIEF = 0.02;

// So many calls in a row may find what they want at once. Then the event loop has its turn: a loop over a
// busy ring must not starve the rest of the program.
const IN_A_ROW = 256;

// Ends with a wait in the thread pool. The pool is joined when the process exits, so they must end first.
const waiting = new Set();
process.on('exit', () => {
  for (const end of waiting) end.interrupt();
});

/** What the two ends have in common: bytes that are lent, and waits, one at a time. */
class End {
  /** The addon's end. */
  _native;
  #lent = null;
  #closed = false;
  /** The latest of the waits that stand in line, or `null`. */
  #last = null;
  #inARow = 0;

  constructor(end) {
    this._native = end;
  }

  /** Whether it is closed. */
  get closed() {
    return this.#closed;
  }

  /** Ends the current wait, or the next one, with `ERR_SPSC_INTERRUPTED`. */
  interrupt() {
    this._native.interrupt();
  }

  /** Gives the role up. A wait that goes on ends with `ERR_SPSC_HANDLE_CLOSED`. */
  close() {
    if (this.#closed) return;
    this._takeBack();
    this.#closed = true;
    // Otherwise the wait that goes on closes it.
    if (this.#last === null) this._native.close();
    else this._native.interrupt();
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.close();
  }

  /** Throws if it is closed, or if a wait goes on. */
  #check() {
    if (this.#closed) throw handleClosed();
    if (this.#last !== null) throw inUse();
  }

  /** Begins a call that is synchronous: takes back what is lent. */
  _begin() {
    this.#check();
    this._takeBack();
  }

  /** Lends the bytes that `find` finds within the milliseconds that it is given. */
  _lend(name, n, { timeout } = {}, find) {
    integer(name, n, 1);
    const limit = milliseconds('timeout', timeout);
    this._begin();
    const memory = checked(find(limit));
    // It goes back to the ring, and must not be moved to where it can't be taken from.
    markAsUntransferable(memory);
    this.#lent = memory;
    return Buffer.from(memory);
  }

  /** Ends the loan: `handOver` takes how many of the lent bytes go to the other side, and how many are lent. */
  _return(n, handOver) {
    this.#check();
    if (this.#lent === null) throw misuse('nothing is claimed or peeked');
    const lent = this.#lent.byteLength;
    if (n !== undefined) integer('n', n, 0, lent);
    this._takeBack();
    checked(handOver(n ?? lent, lent));
  }

  /** A promise that `n` bytes are free, or there. */
  async _waitFor(n, attempt, later, options = {}) {
    integer('n', n, 1);
    await this._wait({ attempt, later, finishes: true }, options);
  }

  /** Takes the lent bytes back: their buffer has none any more. */
  _takeBack() {
    if (this.#lent === null) return;
    const memory = this.#lent;
    this.#lent = null;
    if (!native.detach(memory)) throw misuse('the buffer was transferred');
  }

  /**
   * Does `attempt` once it can be done, after what waits already, and gives a promise of what it gives.
   * `attempt` takes the milliseconds for which it may hold the event loop up. `later` waits in the thread
   * pool; if it `finishes`, it does the whole, and otherwise `attempt` is tried again.
   */
  _wait({ attempt, later, brief = true, finishes = false }, { signal, timeout } = {}) {
    let limit;
    try {
      signal?.throwIfAborted();
      limit = milliseconds('timeout', timeout);
      if (this.#closed) throw handleClosed();
      this._takeBack();
      if (this.#last === null && this.#inARow < IN_A_ROW) {
        let result = attempt(0);
        if (result === TIMEOUT && brief && limit !== 0) result = attempt(limit < 0 ? BRIEF : Math.min(limit, BRIEF));
        if (result !== TIMEOUT || (limit >= 0 && limit <= BRIEF)) {
          this.#inARow += 1;
          return Promise.resolve(checked(result));
        }
      }
    } catch (error) {
      return Promise.reject(error);
    }
    const before = this.#last;
    const wait = this.#waitInLine(before, { attempt, later, finishes }, signal, limit);
    // Whoever comes next waits for both: this one may give up its place in the line.
    const last = Promise.allSettled([before, wait]).then(() => {
      if (this.#last !== last) return;
      this.#last = null;
      if (this.#closed) this._native.close();
    });
    this.#last = last;
    return wait;
  }

  async #waitInLine(before, { attempt, later, finishes }, signal, limit) {
    const deadline = limit < 0 ? Number.POSITIVE_INFINITY : performance.now() + limit;
    if (before !== null) await turn(before, signal, limit);
    // The event loop's turn.
    if (this.#inARow >= IN_A_ROW) await new Promise(setImmediate);
    this.#inARow = 0;
    const interrupt = () => this._native.interrupt();
    signal?.addEventListener('abort', interrupt);
    waiting.add(this);
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (this.#closed) throw handleClosed();
        const found = attempt(0);
        if (found !== TIMEOUT) return checked(found);
        const left = limit < 0 ? -1 : deadline - performance.now();
        if (limit >= 0 && left <= 0) throw fromCode(TIMEOUT);
        const result = await later(left);
        if (result === INTERRUPTED && (this.#closed || signal?.aborted)) continue;
        checked(result);
        if (finishes) return result;
      }
    } finally {
      waiting.delete(this);
      signal?.removeEventListener('abort', interrupt);
      // Where the wait was over before it was interrupted.
      if (signal?.aborted || this.#closed) this._native.clearInterrupt();
    }
  }
}

/** Waits for those before, and gives up when the time runs out or the signal comes. */
function turn(before, signal, limit) {
  return new Promise((resolve, reject) => {
    const timer = limit < 0 ? undefined : setTimeout(() => end(() => reject(fromCode(TIMEOUT))), limit);
    const abort = () => end(() => reject(signal.reason));
    signal?.addEventListener('abort', abort);
    before.then(() => end(resolve));

    function end(settle) {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      settle();
    }
  });
}

module.exports = { End };
