'use strict';

const native = require('./native.js');
const { Producer } = require('./producer.js');
const { Consumer } = require('./consumer.js');
const { integer, milliseconds, ringOptions, string } = require('./arguments.js');
const { checked, handleClosed } = require('./errors.js');

/**
 * A single-producer single-consumer ring in shared memory.
 *
 * `producer` and `consumer` are its ends. A process uses one of them, or both. Closing the ring closes them:
 * the other process then reads what was published, and learns of the end. A name stays until `unlink`.
 */
class Ring {
  #native;

  /** The ring's name, or `null`. */
  name;
  /** Bytes that it holds at most. */
  capacity;
  /** The end that writes. */
  producer;
  /** The end that reads. */
  consumer;

  constructor(ring, name, proof) {
    if (proof !== PROOF)
      throw new TypeError('a ring comes of Ring.create, Ring.connect, Ring.anonymous or Ring.fromFd');
    this.#native = ring;
    this.name = name;
    this.capacity = ring.capacity();
    this.producer = new Producer(ring.producer(), this.capacity);
    this.consumer = new Consumer(ring.consumer());
  }

  /** Makes a ring of at least `capacity` bytes under `name`. The capacity is rounded up to a power of two. */
  static create(name, capacity, options = {}) {
    const made = native.create(string('name', name), integer('capacity', capacity), ringOptions(options));
    return new Ring(checked(made), name, PROOF);
  }

  /** Opens the ring of this name. Waits for it to appear, and blocks the event loop meanwhile. */
  static connect(name, { timeout } = {}) {
    const made = native.connectRing(string('name', name), milliseconds('timeout', timeout));
    return new Ring(checked(made), name, PROOF);
  }

  /** Makes a ring without a name. Hand `fd` to another process, and there say `Ring.fromFd`. */
  static anonymous(capacity, options = {}) {
    const made = native.anonymous(integer('capacity', capacity), ringOptions(options));
    return new Ring(checked(made), null, PROOF);
  }

  /** Opens the ring without a name that is behind a descriptor. The descriptor stays the caller's. */
  static fromFd(fd) {
    return new Ring(checked(native.fromFd(integer('fd', fd, 0, 0x7fff_ffff))), null, PROOF);
  }

  /** Removes a name. Whoever has the ring open keeps it. */
  static unlink(name) {
    checked(native.unlink(string('name', name)));
  }

  /** Bytes published and not yet released. */
  get available() {
    return checked(this.#native.available());
  }

  /** The descriptor of a ring without a name, which stays the ring's; `null` for one with a name. */
  get fd() {
    const fd = this.#native.fd();
    return fd === -1 ? null : checked(fd);
  }

  /** Whether it is closed. */
  get closed() {
    return this.producer.closed && this.consumer.closed;
  }

  /** Ends the current or next wait of both sides, in every process, with `ERR_SPSC_INTERRUPTED`. */
  wakeupAll() {
    checked(this.#native.wakeupAll());
  }

  /** What can be seen of the ring, for people. */
  debugDump() {
    const text = this.#native.debugDump();
    if (text === null) throw handleClosed();
    return text;
  }

  /** Closes both ends. */
  close() {
    this.producer.close();
    this.consumer.close();
    this.#native.close();
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.close();
  }
}

const PROOF = Symbol('made here');

module.exports = { Ring };
