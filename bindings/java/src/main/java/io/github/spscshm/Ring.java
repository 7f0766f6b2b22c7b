package io.github.spscshm;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.TimeoutException;

/**
 * An open ring: one process's handle on it. To use it, take its {@link #producer()} or its {@link
 * #consumer()}, or both.
 *
 * <p>The capacity is rounded up to a power of two that is at least a page. A ring's memory stays as
 * long as any process has it open, and its name until {@link #unlink}. A Ring that is dropped
 * without close stays open until the process ends.
 *
 * <p>All methods may be called by any thread at any time. None blocks, but {@link #connect(String,
 * Duration)}, and {@link #close} as it says.
 */
public final class Ring implements AutoCloseable {
  // The two ends and the Ring itself.
  private static final int HOLDERS = 3;

  private final String name;
  private final Handle handle;
  private final Producer producer;
  private final Consumer consumer;
  private boolean closed;

  private Ring(String name, long address) {
    this.name = name;
    handle = new Handle(address, HOLDERS, NativeLibrary::close);
    producer = new Producer(handle);
    consumer = new Consumer(handle);
  }

  /**
   * Makes a ring under a name and opens it, with the default options.
   *
   * @param name as for shm_open, with or without one leading slash
   * @param capacity bytes, at least
   * @return the ring, to be closed
   * @throws IOException an {@link SpscException}: the name is taken, or the ring can't be made
   */
  public static Ring create(String name, long capacity) throws IOException {
    return create(name, capacity, RingOptions.DEFAULT);
  }

  /**
   * Makes a ring under a name and opens it.
   *
   * @param name as for shm_open, with or without one leading slash
   * @param capacity bytes, at least
   * @param options what to choose
   * @return the ring, to be closed
   * @throws IOException an {@link SpscException}: the name is taken, or the ring can't be made
   */
  public static Ring create(String name, long capacity, RingOptions options) throws IOException {
    checkCapacity(capacity);
    return new Ring(name, NativeLibrary.create(name, capacity, options));
  }

  /**
   * Makes a ring without a name and opens it, with the default options. Its memory can't be cut
   * short by another process. Hand {@link #fd} to that.
   *
   * @param capacity bytes, at least
   * @return the ring, to be closed
   * @throws IOException an {@link SpscException}: the ring can't be made
   */
  public static Ring anonymous(long capacity) throws IOException {
    return anonymous(capacity, RingOptions.DEFAULT);
  }

  /**
   * Makes a ring without a name and opens it.
   *
   * @param capacity bytes, at least
   * @param options what to choose; a mode and replaceStale are not for a ring without a name
   * @return the ring, to be closed
   * @throws IOException an {@link SpscException}: the ring can't be made
   */
  public static Ring anonymous(long capacity, RingOptions options) throws IOException {
    checkCapacity(capacity);
    return new Ring("", NativeLibrary.anonymous(capacity, options));
  }

  private static void checkCapacity(long capacity) {
    if (capacity <= 0) {
      throw new IllegalArgumentException("a capacity of " + capacity);
    }
  }

  /**
   * Opens the ring of this name, which must be there.
   *
   * @param name as for {@link #create(String, long)}
   * @return the ring, to be closed
   * @throws IOException an {@link SpscException}: {@link Status#NOT_FOUND}, {@link
   *     Status#NOT_READY} while its creator has not finished, or it can't be opened
   */
  public static Ring connect(String name) throws IOException {
    return new Ring(name, NativeLibrary.connect(name));
  }

  /**
   * Opens the ring of this name, and waits until it is there and ready.
   *
   * @param name as for {@link #create(String, long)}
   * @param timeout for the whole call
   * @return the ring, to be closed
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if the thread is interrupted
   * @throws IOException an {@link SpscException}: it can't be opened
   */
  public static Ring connect(String name, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    final long shortest = 50_000;
    final long longest = 5_000_000;
    long nanos = Waiting.nanos(timeout);
    long deadline = Waiting.deadline(nanos);
    for (long pause = shortest; ; pause = Math.min(2 * pause, longest)) {
      try {
        return connect(name);
      } catch (SpscException e) {
        if (e.status() != Status.NOT_FOUND && e.status() != Status.NOT_READY) {
          throw e;
        }
      }
      long left = Waiting.left(nanos, deadline);
      if (left == 0) {
        throw new TimeoutException();
      }
      // Nobody tells that a name appears.
      Thread.sleep(Duration.ofNanos(Math.min(pause, left)));
    }
  }

  /**
   * Opens the ring without a name that a descriptor of this process stands for. The descriptor is
   * duplicated, and stays the caller's.
   *
   * @param fd a descriptor
   * @return the ring, to be closed
   * @throws IOException an {@link SpscException}: it is no ring
   */
  public static Ring fromFd(int fd) throws IOException {
    return new Ring("", NativeLibrary.connectFd(fd));
  }

  /**
   * Removes a name. Whoever has the ring open keeps it.
   *
   * @param name as for {@link #create(String, long)}
   * @throws IOException an {@link SpscException}: {@link Status#NOT_FOUND}, or it can't be removed
   */
  public static void unlink(String name) throws IOException {
    NativeLibrary.unlink(name);
  }

  /**
   * Gives the end that writes, the same one at each call.
   *
   * @return the end that writes
   */
  public Producer producer() {
    return producer;
  }

  /**
   * Gives the end that reads, the same one at each call.
   *
   * @return the end that reads
   */
  public Consumer consumer() {
    return consumer;
  }

  /**
   * Gives what the ring was created or opened by.
   *
   * @return the name; empty for a ring without one
   */
  public String name() {
    return name;
  }

  /**
   * Says how much the ring holds.
   *
   * @return bytes
   */
  public long capacity() {
    return producer.end().cursor.capacity();
  }

  /**
   * Says how much is published and not yet released.
   *
   * @return bytes
   * @throws IOException a {@link ClosedChannelException}
   */
  public synchronized long available() throws IOException {
    checkOpen();
    return NativeLibrary.available(handle.address);
  }

  /**
   * Gives the descriptor of the ring's memory, to hand to another process, or to open as {@code
   * /proc/self/fd/N}. It stays this Ring's, and is closed on exec.
   *
   * @return a descriptor
   * @throws IOException a {@link ClosedChannelException}
   */
  public synchronized int fd() throws IOException {
    checkOpen();
    return NativeLibrary.fd(handle.address);
  }

  /**
   * Says what can be seen of the ring from outside.
   *
   * @return counts, and who has its sides
   * @throws IOException a {@link ClosedChannelException}
   */
  public synchronized RingStats stats() throws IOException {
    checkOpen();
    return NativeLibrary.stats(handle.address);
  }

  /**
   * Interrupts the current wait of both sides, in every process, or where a side does not wait its
   * next one: with {@link Status#INTERRUPTED}, unless what it waits for is there. To end a wait
   * without the other process's notice, interrupt its thread.
   *
   * @throws IOException a {@link ClosedChannelException}
   */
  public synchronized void wakeupAll() throws IOException {
    checkOpen();
    NativeLibrary.wakeupAll(handle.address);
  }

  private void checkOpen() throws ClosedChannelException {
    if (closed) {
      throw new ClosedChannelException();
    }
  }

  /**
   * Closes both ends, as their own close does, and unmaps the memory. Ends calls that wait, and
   * waits until they have left. Closing again does nothing.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    producer.close();
    consumer.close();
    handle.giveUp();
  }
}
