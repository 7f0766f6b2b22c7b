'use strict';

const { End } = require('./end.js');
const { bytes, integer, milliseconds } = require('./arguments.js');
const { checked } = require('./errors.js');

const TAG_MAX = 0xffff_ffff;

/**
 * The end of a ring that writes. It becomes the ring's producer with its first claim, send or wait, and is
 * it until it is closed: the consumer then reads what was published, and learns of the end.
 */
class Producer extends End {
  #capacity;

  constructor(end, capacity) {
    super(end);
    this.#capacity = capacity;
  }

  /** Sends a message, once there is room for it. */
  send(data, { tag = 0, timeout } = {}) {
    const message = bytes('data', data);
    const limit = milliseconds('timeout', timeout);
    integer('tag', tag, 0, TAG_MAX);
    this._begin();
    checked(this._native.send(message, tag, limit));
  }

  /** The same without blocking the event loop. The promise is fulfilled when the message is sent. */
  async sendAsync(data, options = {}) {
    const message = bytes('data', data);
    const tag = integer('tag', options.tag ?? 0, 0, TAG_MAX);
    await this._wait(
      {
        attempt: (limit) => this._native.send(message, tag, limit),
        later: (limit) => this._native.sendLater(message, tag, limit),
        // A larger one goes in parts, and would be lost half-way.
        brief: message.length <= this.#capacity / 2,
        finishes: true,
      },
      options,
    );
  }

  /** A buffer over `n` free bytes of the ring, until `publish` or the next call. */
  claim(n, options) {
    return this._lend('n', n, options, (limit) => this._native.claim(n, limit));
  }

  /** As `claim`, for all that is free once `min` bytes are. */
  claimSome(min = 1, options) {
    return this._lend('min', min, options, (limit) => this._native.claimSome(min, limit));
  }

  /** Publishes the first `n` bytes of what is claimed: all, unless it is told. The claim is over. */
  publish(n) {
    this._return(n, (published, claimed) => this._native.publish(published, claimed));
  }

  /** Waits until `n` bytes are free. Claims nothing. */
  waitForSpace(n = 1, options) {
    const attempt = (limit) => this._native.waitForSpace(n, limit);
    return this._waitFor(n, attempt, (limit) => this._native.waitForSpaceLater(n, limit), options);
  }
}

module.exports = { Producer };
