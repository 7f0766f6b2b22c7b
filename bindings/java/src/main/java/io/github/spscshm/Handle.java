package io.github.spscshm;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongConsumer;

/**
 * A handle of the library, which is closed when the last who needs it has given it up: its Ring or
 * Connection, and each segment that could not be ended with it.
 */
final class Handle {
  final long address;
  private final LongConsumer close;
  private final AtomicInteger holders;

  Handle(long address, int holders, LongConsumer close) {
    this.address = address;
    this.holders = new AtomicInteger(holders);
    this.close = close;
  }

  void hold() {
    holders.incrementAndGet();
  }

  void giveUp() {
    if (holders.decrementAndGet() == 0) {
      close.accept(address);
    }
  }
}
