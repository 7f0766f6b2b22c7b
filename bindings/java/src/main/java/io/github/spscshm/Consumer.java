package io.github.spscshm;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;

/**
 * The end of a ring that reads. The first peek, read or receive makes its handle the ring's
 * consumer, until it is closed.
 *
 * <p>A ring carries either bytes (peeks and reads) or messages (receives), and the consumer must
 * know which.
 *
 * <h2>Peeks</h2>
 *
 * <p>A peek is a segment of shared memory, to be read. It ends with the release, the next peek, any
 * read or receive, and close; otherwise what {@link Producer} says of claims holds for it. If the
 * other process breaks the rules, it can change the bytes at any time: copy before you validate.
 *
 * <p>All methods throw {@link ClosedChannelException} once the end is closed, {@link SpscException}
 * as the package says, and IllegalStateException while another thread is in a call on this end. All
 * but {@link #close} are for one thread at a time.
 */
public final class Consumer implements AutoCloseable {
  private final End end;
  private final Receiver receiver;

  Consumer(Handle handle) {
    end = new End(handle, NativeLibrary.CONSUMER);
    receiver = new Receiver(end);
  }

  End end() {
    return end;
  }

  /**
   * Waits until n bytes are there, and gives them. Contiguous, wherever they lie, and in however
   * many pieces they were published.
   *
   * @param n bytes, at most the capacity
   * @return the bytes, read-only
   * @throws IllegalArgumentException if n is negative or more than the capacity
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment peek(long n) throws IOException, InterruptedException {
    return readOnly(end.acquire(n, NativeLibrary.FOREVER));
  }

  /**
   * As {@link #peek(long)}, for a time.
   *
   * @param n bytes, at most the capacity
   * @param timeout for the whole call
   * @return the bytes, read-only
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment peek(long n, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    return readOnly(End.inTime(end.acquire(n, Waiting.nanos(timeout))));
  }

  /**
   * As {@link #peek(long)}, but does not wait.
   *
   * @param n bytes, at most the capacity
   * @return the bytes, read-only, or null if they are not there
   * @throws IOException as the class says
   */
  public MemorySegment tryPeek(long n) throws IOException {
    return readOnly(End.atOnce(() -> end.acquire(n, 0)));
  }

  /**
   * Waits until least bytes are there, and gives all that are there.
   *
   * @param least bytes; with 0 it never waits, and may give 0 bytes
   * @return the bytes, read-only
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment peekSome(long least) throws IOException, InterruptedException {
    return readOnly(end.acquireSome(least, NativeLibrary.FOREVER));
  }

  /**
   * As {@link #peekSome(long)}, for a time.
   *
   * @param least bytes
   * @param timeout for the whole call
   * @return the bytes, read-only
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment peekSome(long least, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    return readOnly(End.inTime(end.acquireSome(least, Waiting.nanos(timeout))));
  }

  private static MemorySegment readOnly(MemorySegment segment) {
    return segment == null ? null : segment.asReadOnly();
  }

  /**
   * Consumes the first n peeked bytes, which the producer may then write over, and wakes it if it
   * sleeps. The peek is over; what is not released of it comes again. Does not block.
   *
   * @param n bytes, at most what was peeked
   * @throws IllegalArgumentException if n is more than was peeked; nothing is released then
   * @throws IllegalStateException if nothing is peeked
   * @throws IOException as the class says
   */
  public void release(long n) throws IOException {
    end.handOver(n);
  }

  /**
   * Chooses whether the peeks from now on may be used by all threads: as {@link
   * Producer#shareClaims}.
   *
   * @param shared whether they may
   * @throws IOException as the class says
   */
  public void sharePeeks(boolean shared) throws IOException {
    end.share(shared);
  }

  /**
   * Waits until there is a byte, and copies as many as there are and the buffer has room for.
   *
   * @param target where the bytes go
   * @return how many; 0 if the buffer has no room, -1 at the end of the stream
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says, but not at the end of the stream
   */
  public int read(ByteBuffer target) throws IOException, InterruptedException {
    return end.read(target);
  }

  /**
   * Waits for the next message, and consumes it. One that came in fragments is put together, up to
   * {@link #setMaxMessage}: of a larger one this says {@link Status#TOO_LARGE}, and goes on behind
   * it. {@link Status#CORRUPT} if no sender of messages wrote what is there.
   *
   * @return the message
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public Message receive() throws IOException, InterruptedException {
    return receiver.receive(NativeLibrary.FOREVER);
  }

  /**
   * As {@link #receive()}, for a time.
   *
   * @param timeout for the whole call
   * @return the message
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public Message receive(Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    return End.inTime(receiver.receive(Waiting.nanos(timeout)));
  }

  /**
   * As {@link #receive()}, but does not wait.
   *
   * @return the message, or null if none is there
   * @throws IOException as the class says
   */
  public Message tryReceive() throws IOException {
    return End.atOnce(() -> receiver.receive(0));
  }

  /**
   * Waits for the next message, and copies its payload into a buffer: makes no garbage.
   *
   * @param target where the payload goes; its position moves behind it
   * @return the message's tag
   * @throws java.nio.BufferOverflowException if the buffer has too little room; the message stays
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public int receive(ByteBuffer target) throws IOException, InterruptedException {
    receiver.receive(target, NativeLibrary.FOREVER);
    return receiver.lastTag();
  }

  /**
   * Waits for the next message, and consumes all that are there, up to max.
   *
   * @param max messages
   * @return at least one message, unless max is 0
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public List<Message> receiveMany(int max) throws IOException, InterruptedException {
    return receiver.receiveMany(max, NativeLibrary.FOREVER);
  }

  /**
   * Gives all messages that come, up to the end of the stream. Each is consumed by the iterator's
   * {@code hasNext}, which waits for it. What {@link #receive()} throws, it throws in an {@link
   * java.io.UncheckedIOException}; if the thread is interrupted, that has a {@link
   * java.nio.channels.ClosedByInterruptException}, and the thread stays interrupted.
   *
   * @return the messages, of which there is one iterator at a time
   */
  public Iterable<Message> messages() {
    return () -> new Messages(this);
  }

  /**
   * Limits how large a message may be that comes in fragments. One that comes in one piece may be
   * larger.
   *
   * @param bytes at most; 64 MiB by default
   * @throws IOException as the class says
   */
  public void setMaxMessage(int bytes) throws IOException {
    receiver.setMost(bytes);
  }

  /**
   * Gives this end as a channel, in blocking mode. Its close closes this end. A thread that is
   * interrupted in a read gets a {@link java.nio.channels.ClosedByInterruptException}, and the end
   * is closed.
   *
   * @return a channel on this end
   */
  public ReadableByteChannel channel() {
    return new RingChannels.Reading(this);
  }

  /**
   * Gives this role up. The producer's waits end with {@link Status#CLOSED} once the ring is full.
   * What was published and not released is the next consumer's. By any thread; ends a call that
   * waits, and waits until it has left. Closing again does nothing.
   */
  @Override
  public void close() {
    end.close();
  }
}
