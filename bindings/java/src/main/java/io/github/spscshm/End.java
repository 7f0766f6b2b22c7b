package io.github.spscshm;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeoutException;

/**
 * What a producer and a consumer have in common: one side of a handle.
 *
 * <p>A call on an end first enters it. That keeps a close away from the memory, and a second thread
 * away from the cursor.
 */
final class End {
  private static final int IDLE = 0;

  /** A call is in progress. */
  private static final int BUSY = 1;

  /** A call is in progress, and may wait long. */
  private static final int BLOCKED = 2;

  /** A call is in progress, and a close waits for it. When it leaves, the end is closed. */
  private static final int CLOSING = 3;

  private static final int CLOSED = 4;

  private static final VarHandle STATE;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(End.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  final Handle handle;
  final Cursor cursor;
  final Lease lease = new Lease();
  private final int side;
  private final CountDownLatch left = new CountDownLatch(1);

  @SuppressWarnings("unused") // by STATE
  private volatile int state;

  End(Handle handle, int side) {
    this.handle = handle;
    this.side = side;
    cursor = NativeLibrary.cursor(handle.address, side);
  }

  // Calls, one at a time.

  void enter() throws ClosedChannelException {
    if (!STATE.compareAndSet(this, IDLE, BUSY)) {
      throw refusal();
    }
  }

  /** Ends a call, also one that has blocked and failed there. */
  void leave() {
    if (!STATE.compareAndSet(this, BUSY, IDLE) && !STATE.compareAndSet(this, BLOCKED, IDLE)) {
      state = CLOSED;
      left.countDown();
    }
  }

  private ClosedChannelException refusal() {
    int now = state;
    if (now == CLOSING || now == CLOSED) {
      lease.comeBack();
      return new ClosedChannelException();
    }
    throw new IllegalStateException("another thread is in a call on this end");
  }

  boolean isOpen() {
    int now = state;
    return now != CLOSING && now != CLOSED;
  }

  /** Lets no further call in, and ends the one in progress. Says whether it was open. */
  private boolean shut() {
    while (true) {
      int now = state;
      switch (now) {
        case IDLE -> {
          if (STATE.compareAndSet(this, IDLE, CLOSED)) {
            return true;
          }
        }
        case BUSY, BLOCKED -> {
          if (STATE.compareAndSet(this, now, CLOSING)) {
            NativeLibrary.interrupt(handle.address, side);
            awaitLeft();
            return true;
          }
        }
        default -> {
          return false;
        }
      }
    }
  }

  private void awaitLeft() {
    boolean interrupted = false;
    while (true) {
      try {
        left.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Closes this end for good: gives the role up, and wakes the other side. */
  void close() {
    if (shut()) {
      NativeLibrary.leave(handle.address, side);
      lease.endFor(handle);
      handle.giveUp();
    }
  }

  // Waits. The caller has entered, and leaves.

  /** Waits until there is room for need bytes, and gives the status. */
  int await(long need, long timeout) throws ClosedChannelException, InterruptedException {
    long ring = handle.address;
    if (timeout == 0) {
      return NativeLibrary.await(ring, side, need, 0);
    }
    if (!STATE.compareAndSet(this, BUSY, BLOCKED)) {
      throw new AsynchronousCloseException();
    }
    int status =
        Waiting.await(
            nanos -> NativeLibrary.await(ring, side, need, nanos),
            () -> NativeLibrary.interrupt(ring, side),
            () -> NativeLibrary.clearInterrupt(ring, side),
            timeout);
    if (!STATE.compareAndSet(this, BLOCKED, BUSY)) {
      throw new AsynchronousCloseException();
    }
    return status;
  }

  /** Says whether there are need bytes now or in time. All other ends of the wait are thrown. */
  boolean reaches(long need, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    if (cursor.has(need)) {
      return true;
    }
    int status = await(need, timeout);
    if (status == Status.OK) {
      return cursor.has(need) || need == 0;
    }
    if (status == Status.TIMEOUT.number) {
      return false;
    }
    throw fail(status);
  }

  /** Takes the role, if this end does not have it. Waits for nothing. */
  void attach() throws SpscException {
    if (!cursor.attached()) {
      int status = NativeLibrary.await(handle.address, side, 1, 0);
      if (status < Status.OK) {
        throw fail(status);
      }
    }
  }

  void checkSize(long n) {
    if (n < 0 || n > cursor.capacity()) {
      throw new IllegalArgumentException(n + " bytes in a ring of " + cursor.capacity());
    }
  }

  SpscException fail(int status) {
    return new SpscException(side == NativeLibrary.PRODUCER ? "producer" : "consumer", status);
  }

  // What is handed out, and handed over.

  /** A claim or a peek; null if there is no room in time. */
  MemorySegment acquire(long n, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    checkSize(n);
    enter();
    try {
      return reaches(n, timeout) ? grant(n, 0) : null;
    } finally {
      leave();
    }
  }

  /** A claim or a peek of all that there is, once there are least bytes; null if not in time. */
  MemorySegment acquireSome(long least, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    checkSize(least);
    enter();
    try {
      attach();
      if (!cursor.sees(least) && !reaches(least, timeout)) {
        return null;
      }
      return grant(cursor.room(), 0);
    } finally {
      leave();
    }
  }

  /** Hands out n bytes, of which there must be room, less so many at their beginning. */
  MemorySegment grant(long n, long hidden) {
    MemorySegment segment = lease.begin(cursor.at(0) + hidden, n - hidden);
    cursor.grant(n);
    return segment;
  }

  /**
   * A publish or a release: what was handed out ends, and the first n bytes are the other side's.
   */
  void handOver(long n) throws ClosedChannelException {
    enter();
    try {
      if (!lease.out()) {
        throw new IllegalStateException("nothing is claimed or peeked");
      }
      if (n < 0 || n > cursor.granted()) {
        throw new IllegalArgumentException(n + " bytes of " + cursor.granted());
      }
      lease.end();
      advance(n);
    } finally {
      leave();
    }
  }

  /** Hands n bytes to the other side, of which there must be room. Nothing stays claimed. */
  void advance(long n) {
    cursor.grant(0);
    if (n != 0 && cursor.advance(n)) {
      NativeLibrary.wake(handle.address, side);
    }
  }

  /** Chooses whether segments are for all threads from now on. */
  void share(boolean shared) throws ClosedChannelException {
    enter();
    lease.share(shared);
    leave();
  }

  void attachNow() throws ClosedChannelException, SpscException {
    enter();
    try {
      attach();
    } finally {
      leave();
    }
  }

  // Bytes that are copied.

  /**
   * The most bytes that are copied before they are handed over, so that both sides copy at the same
   * time, and not in turns.
   */
  private long share() {
    return cursor.capacity() / 4;
  }

  void write(ByteBuffer source) throws ClosedChannelException, InterruptedException, SpscException {
    enter();
    try {
      lease.end();
      while (source.hasRemaining()) {
        if (!reaches(1, NativeLibrary.FOREVER)) {
          continue;
        }
        int n = (int) Math.min(Math.min(cursor.room(), share()), source.remaining());
        Memory.put(cursor.at(0), MemorySegment.ofBuffer(source), 0, n);
        source.position(source.position() + n);
        advance(n);
      }
    } finally {
      leave();
    }
  }

  int read(ByteBuffer target) throws ClosedChannelException, InterruptedException, SpscException {
    enter();
    try {
      lease.end();
      if (!target.hasRemaining()) {
        return 0;
      }
      try {
        while (!reaches(1, NativeLibrary.FOREVER)) {}
      } catch (SpscException e) {
        if (e.status() == Status.CLOSED) {
          return -1;
        }
        throw e;
      }
      int n = (int) Math.min(Math.min(cursor.room(), share()), target.remaining());
      Memory.get(cursor.at(0), MemorySegment.ofBuffer(target), 0, n);
      target.position(target.position() + n);
      advance(n);
      return n;
    } finally {
      leave();
    }
  }

  // Timeouts.

  /** A call that does not wait, and so is not interrupted. */
  @FunctionalInterface
  interface Immediate<T> {
    T call() throws IOException, InterruptedException;
  }

  static <T> T atOnce(Immediate<T> call) throws IOException {
    try {
      return call.call();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  static <T> T inTime(T result) throws TimeoutException {
    if (result == null) {
      throw new TimeoutException();
    }
    return result;
  }

  static void inTime(boolean done) throws TimeoutException {
    if (!done) {
      throw new TimeoutException();
    }
  }
}
