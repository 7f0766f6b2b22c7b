'use strict';

const native = require('./native.js');

/** What the event loop watches for somebody: no descriptor, or one. */
class Watch {
  #poll = null;
  #referenced = true;

  /** Calls `callback` whenever the descriptor is readable, from `start` on. */
  open(fd, callback) {
    this.#poll = new native.Poll(fd, callback);
    this.#poll.setRef(this.#referenced);
  }

  /** Whether there is a descriptor. */
  get isOpen() {
    return this.#poll !== null;
  }

  start() {
    this.#poll.start();
  }

  stop() {
    this.#poll.stop();
  }

  close() {
    this.#poll?.close();
    this.#poll = null;
  }

  /** Whether it keeps the process alive while it is started, this descriptor's and any later one's. */
  setRef(yes) {
    this.#referenced = yes;
    this.#poll?.setRef(yes);
  }
}

module.exports = { Watch };
