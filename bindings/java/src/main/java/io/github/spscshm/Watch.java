package io.github.spscshm;

import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.spi.AbstractSelectableChannel;
import java.nio.channels.spi.AbstractSelector;
import java.util.Set;
import java.util.function.IntSupplier;

/**
 * One wait of a platform thread that an interrupt of the thread ends.
 *
 * <p>It is a selector that selects nothing: that is how Java lets others' code into {@link
 * Thread#interrupt}.
 */
final class Watch extends AbstractSelector {
  private final Runnable interrupt;
  private boolean active = true;
  private boolean woken;

  Watch(Runnable interrupt) {
    super(null);
    this.interrupt = interrupt;
  }

  /** Makes the call, which an interrupt of this thread ends by way of the Runnable. */
  int during(IntSupplier call) {
    begin();
    try {
      return call.getAsInt();
    } finally {
      end();
    }
  }

  /** Lets no interrupt through any more, and says whether one came. It may come late. */
  synchronized boolean over() {
    active = false;
    return woken;
  }

  @Override
  public synchronized Selector wakeup() {
    if (active) {
      woken = true;
      interrupt.run();
    }
    return this;
  }

  @Override
  protected void implCloseSelector() {}

  @Override
  protected SelectionKey register(AbstractSelectableChannel channel, int ops, Object attachment) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Set<SelectionKey> keys() {
    return Set.of();
  }

  @Override
  public Set<SelectionKey> selectedKeys() {
    return Set.of();
  }

  @Override
  public int selectNow() {
    return 0;
  }

  @Override
  public int select(long timeout) {
    return 0;
  }

  @Override
  public int select() {
    return 0;
  }
}
