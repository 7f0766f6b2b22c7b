package io.github.spscshm;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;

/**
 * The end of a ring that writes. The first claim, write or send makes its handle the ring's
 * producer, until it is closed.
 *
 * <p>A ring carries either bytes (claims and writes) or messages (sends), and the consumer must
 * know which.
 *
 * <h2>Claims</h2>
 *
 * <p>A claim is a segment of shared memory. It ends with the publish, the next claim, any send or
 * write, and close: whoever uses it then gets an {@link IllegalStateException}. {@link
 * MemorySegment#asByteBuffer} gives a view of it that ends with it.
 *
 * <p>It belongs to the thread that claimed it: another one that uses it, or publishes, gets a
 * {@link WrongThreadException}. {@link #shareClaims} lifts that. If another thread closes the ring,
 * the segment stays usable until its own thread makes its next call here, and its memory is not
 * unmapped before. Do not write there any more: the bytes may be another producer's by then. After
 * shareClaims it ends at once.
 *
 * <p>All methods throw {@link ClosedChannelException} once the end is closed, {@link SpscException}
 * as the package says, and IllegalStateException while another thread is in a call on this end. All
 * but {@link #close} are for one thread at a time.
 */
public final class Producer implements AutoCloseable {
  private final End end;
  private final Sender sender;

  Producer(Handle handle) {
    end = new End(handle, NativeLibrary.PRODUCER);
    sender = new Sender(end);
  }

  End end() {
    return end;
  }

  /**
   * Waits until n bytes are free, and claims them. Contiguous, wherever they lie.
   *
   * @param n bytes, at most the capacity
   * @return the bytes, to write
   * @throws IllegalArgumentException if n is negative or more than the capacity
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment claim(long n) throws IOException, InterruptedException {
    return end.acquire(n, NativeLibrary.FOREVER);
  }

  /**
   * As {@link #claim(long)}, for a time.
   *
   * @param n bytes, at most the capacity
   * @param timeout for the whole call
   * @return the bytes, to write
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment claim(long n, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    return End.inTime(end.acquire(n, Waiting.nanos(timeout)));
  }

  /**
   * As {@link #claim(long)}, but does not wait.
   *
   * @param n bytes, at most the capacity
   * @return the bytes, to write, or null if they are not free
   * @throws IOException as the class says
   */
  public MemorySegment tryClaim(long n) throws IOException {
    return End.atOnce(() -> end.acquire(n, 0));
  }

  /**
   * Waits until least bytes are free, and claims all that are free.
   *
   * @param least bytes; with 0 it never waits, and may claim 0 bytes
   * @return the bytes, to write
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment claimSome(long least) throws IOException, InterruptedException {
    return end.acquireSome(least, NativeLibrary.FOREVER);
  }

  /**
   * As {@link #claimSome(long)}, for a time.
   *
   * @param least bytes
   * @param timeout for the whole call
   * @return the bytes, to write
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment claimSome(long least, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    return End.inTime(end.acquireSome(least, Waiting.nanos(timeout)));
  }

  /**
   * Makes the first n claimed bytes visible to the consumer, and wakes it if it sleeps. The claim
   * is over; what is not published of it is free again. Does not block.
   *
   * @param n bytes, at most what was claimed
   * @throws IllegalArgumentException if n is more than was claimed; nothing is published then
   * @throws IllegalStateException if nothing is claimed
   * @throws IOException as the class says
   */
  public void publish(long n) throws IOException {
    end.handOver(n);
  }

  /**
   * Chooses whether the claims from now on may be used by all threads. To end such a claim takes
   * many microseconds, in which all threads of the process are asked.
   *
   * @param shared whether they may
   * @throws IOException as the class says
   */
  public void shareClaims(boolean shared) throws IOException {
    end.share(shared);
  }

  /**
   * Copies all remaining bytes of a buffer into the stream, as they find room. On an exception some
   * may have been written: the buffer's position says how many.
   *
   * @param source the bytes
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public void write(ByteBuffer source) throws IOException, InterruptedException {
    end.write(source);
  }

  /**
   * Sends a copy of data as one message, once there is room. It may be larger than the ring: one of
   * more than half the capacity goes in fragments, while the other side receives them. If the call
   * ends half-way, that message is lost, and no other.
   *
   * @param data the payload
   * @param tag to tell kinds of messages apart
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public void send(byte[] data, int tag) throws IOException, InterruptedException {
    sender.send(MemorySegment.ofArray(data), tag, NativeLibrary.FOREVER);
  }

  /**
   * As {@link #send(byte[], int)}, for a time.
   *
   * @param data the payload
   * @param tag to tell kinds of messages apart
   * @param timeout for the whole call; with zero or less it sends all of the message or nothing
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public void send(byte[] data, int tag, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    End.inTime(sender.send(MemorySegment.ofArray(data), tag, Waiting.nanos(timeout)));
  }

  /**
   * Sends the bytes of a segment, as {@link #send(byte[], int)}. {@link MemorySegment#ofBuffer}
   * makes one of a ByteBuffer.
   *
   * @param data the payload
   * @param tag to tell kinds of messages apart
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public void send(MemorySegment data, int tag) throws IOException, InterruptedException {
    sender.send(data, tag, NativeLibrary.FOREVER);
  }

  /**
   * Sends a message if there is room for all of it.
   *
   * @param data the payload
   * @param tag to tell kinds of messages apart
   * @return whether it was sent
   * @throws IOException as the class says
   */
  public boolean trySend(byte[] data, int tag) throws IOException {
    return End.atOnce(() -> sender.send(MemorySegment.ofArray(data), tag, 0));
  }

  /**
   * Waits until there is room for the first message, and sends all that fit, with one publish. A
   * first one of more than half the capacity is sent alone.
   *
   * @param messages what to send
   * @return how many were sent: at least one, unless there are none
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public int sendMany(List<Message> messages) throws IOException, InterruptedException {
    return sender.sendMany(messages, NativeLibrary.FOREVER);
  }

  /**
   * Waits until there is room for a message of so many bytes, and claims its payload, to write in
   * place. {@link #publishMessage} sends it. Aligned to 8 bytes; otherwise as {@link #claim(long)}.
   *
   * @param most bytes, at most half the capacity
   * @return the payload, to write
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as the class says
   */
  public MemorySegment claimMessage(long most) throws IOException, InterruptedException {
    return sender.claim(most, NativeLibrary.FOREVER);
  }

  /**
   * Sends the first bytes of what {@link #claimMessage} gave as one message. The claim is over.
   * Does not block.
   *
   * @param length bytes, at most what was claimed
   * @param tag to tell kinds of messages apart
   * @throws IllegalArgumentException if length is more than was claimed; nothing is sent then
   * @throws IllegalStateException if no message is claimed
   * @throws IOException as the class says
   */
  public void publishMessage(long length, int tag) throws IOException {
    sender.publish(length, tag);
  }

  /**
   * Takes the role, without waiting: for a producer that may have nothing to send. Otherwise the
   * first claim, write or send takes it.
   *
   * @throws IOException as the class says
   */
  public void attach() throws IOException {
    end.attachNow();
  }

  /**
   * Gives this end as a channel, in blocking mode: a write writes all that its buffer has. Its
   * close closes this end. A thread that is interrupted in a write gets a {@link
   * java.nio.channels.ClosedByInterruptException}, and the end is closed.
   *
   * @return a channel on this end
   */
  public WritableByteChannel channel() {
    return new RingChannels.Writing(this);
  }

  /**
   * Ends the stream: the consumer gets all that was published, and then {@link Status#CLOSED}. What
   * was claimed and not published is gone. By any thread; ends a call that waits, and waits until
   * it has left. Closing again does nothing.
   */
  @Override
  public void close() {
    end.close();
  }
}
