package io.github.spscshm;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.InterruptibleChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeoutException;

/**
 * A connection between two processes: a ring for each direction. While both sides are busy, neither
 * makes a system call.
 *
 * <p>It is a channel in blocking mode, and {@link #sender} and {@link #receiver} are the two ends
 * with all that they can. One thread may write while another reads. An interrupt of a thread that
 * waits in {@link #read} or {@link #write} closes that direction.
 */
public final class Connection implements ByteChannel, InterruptibleChannel {
  private final Handle handle;
  private final Producer sender;
  private final Consumer receiver;
  private final Peer peer;
  private boolean closed;

  Connection(long address) throws SpscException {
    // The two rings and the Connection itself.
    handle = new Handle(address, 3, NativeLibrary::connectionClose);
    peer = NativeLibrary.peer(address);
    // A ring ends with the connection.
    sender = new Producer(new Handle(NativeLibrary.sender(address), 1, ring -> handle.giveUp()));
    receiver =
        new Consumer(new Handle(NativeLibrary.receiver(address), 1, ring -> handle.giveUp()));
  }

  /**
   * Connects to the listener at a path, with the default options, and waits until it accepts.
   *
   * @param path where somebody listens
   * @param timeout for the whole call
   * @return the connection, to be closed
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if the thread is interrupted
   * @throws IOException an {@link SpscException}: {@link Status#NOT_FOUND} if nobody listens there,
   *     {@link Status#CLOSED} if the listener closes meanwhile, or another error
   */
  public static Connection dial(Path path, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    return dial(path, timeout, ConnectionOptions.DEFAULT);
  }

  /**
   * Connects to the listener at a path, and waits until it accepts.
   *
   * @param path where somebody listens
   * @param timeout for the whole call
   * @param options of which only the capacities count: they are a wish
   * @return the connection, to be closed
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if the thread is interrupted
   * @throws IOException as {@link #dial(Path, Duration)}
   */
  public static Connection dial(Path path, Duration timeout, ConnectionOptions options)
      throws IOException, InterruptedException, TimeoutException {
    long nanos = Waiting.nanos(timeout);
    try {
      return Waiting.elsewhere(
          () -> new Connection(NativeLibrary.dial(path.toString(), options, nanos)),
          Connection::close);
    } catch (SpscException e) {
      if (e.status() == Status.TIMEOUT) {
        throw new TimeoutException();
      }
      throw e;
    }
  }

  /**
   * Gives the end that writes to the peer. Its close ends this direction alone.
   *
   * @return the end that writes
   */
  public Producer sender() {
    return sender;
  }

  /**
   * Gives the end that reads from the peer. Its close ends this direction alone.
   *
   * @return the end that reads
   */
  public Consumer receiver() {
    return receiver;
  }

  /**
   * Says who is on the other end.
   *
   * @return the process that dialled, or that listened
   */
  public Peer peer() {
    return peer;
  }

  /**
   * Writes all remaining bytes of a buffer.
   *
   * @param source the bytes
   * @return how many they were
   * @throws IOException a {@link ClosedChannelException}, a {@link
   *     java.nio.channels.ClosedByInterruptException}, or an {@link SpscException}: {@link
   *     Status#CLOSED} or {@link Status#PEER_DEAD} if nobody will read any more
   */
  @Override
  public int write(ByteBuffer source) throws IOException {
    return RingChannels.write(sender, source);
  }

  /**
   * Reads what there is, at least one byte.
   *
   * @param target where the bytes go
   * @return how many; 0 if the buffer has no room, -1 if the peer has closed this direction
   * @throws IOException a {@link ClosedChannelException}, a {@link
   *     java.nio.channels.ClosedByInterruptException}, or an {@link SpscException}: {@link
   *     Status#PEER_DEAD} if the peer died
   */
  @Override
  public int read(ByteBuffer target) throws IOException {
    return RingChannels.read(receiver, target);
  }

  /**
   * Gives the direction from the peer as a stream.
   *
   * @return a stream whose close closes the connection
   */
  public InputStream inputStream() {
    return Channels.newInputStream(this);
  }

  /**
   * Gives the direction to the peer as a stream, which keeps nothing back.
   *
   * @return a stream whose close closes the connection
   */
  public OutputStream outputStream() {
    return Channels.newOutputStream(this);
  }

  @Override
  public synchronized boolean isOpen() {
    return !closed;
  }

  /**
   * Closes both directions. The peer reads what was written and then comes to the end of the
   * stream. By any thread; ends calls that wait, and waits until they have left. Closing again does
   * nothing.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    sender.close();
    receiver.close();
    handle.giveUp();
  }
}
