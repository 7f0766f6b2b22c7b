package io.github.spscshm;

import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Waits for clients at a path of the file system. Any thread may call any method at any time; of
 * several that accept, one waits in the library and the others for it.
 */
public final class Listener implements AutoCloseable {
  private final long address;
  private final Path path;

  /** Held by the accept that is in progress, and by a close in the end. */
  private final ReentrantLock accepting = new ReentrantLock();

  private volatile boolean closed;
  private long accepted;
  private SpscException failure;

  private Listener(Path path, long address) {
    this.path = path;
    this.address = address;
  }

  /**
   * Listens at a path, with the default options. A path whose listener is gone is taken over.
   *
   * @param path at most 103 bytes
   * @return the listener, to be closed
   * @throws IOException an {@link SpscException}: {@link Status#ALREADY_EXISTS} if somebody listens
   *     there or if it is no socket, or the system does not let us
   */
  public static Listener bind(Path path) throws IOException {
    return bind(path, ConnectionOptions.DEFAULT);
  }

  /**
   * Listens at a path.
   *
   * @param path at most 103 bytes
   * @param options what to choose
   * @return the listener, to be closed
   * @throws IOException as {@link #bind(Path)}
   */
  public static Listener bind(Path path, ConnectionOptions options) throws IOException {
    return new Listener(path, NativeLibrary.listen(path.toString(), options));
  }

  /**
   * Waits for the next client. No client keeps another waiting, whatever it does.
   *
   * @return its connection, to be closed
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException a {@link ClosedChannelException} after close, which for a call that waits
   *     is an {@link AsynchronousCloseException}; an {@link SpscException} if the system has no
   *     descriptors or memory left
   */
  public Connection accept() throws IOException, InterruptedException {
    return accept(NativeLibrary.FOREVER);
  }

  /**
   * As {@link #accept()}, for a time.
   *
   * @param timeout for the call in the library, not for other threads' calls before it
   * @return its connection, to be closed
   * @throws TimeoutException if the time runs out
   * @throws InterruptedException if it would have to wait, and the thread is interrupted
   * @throws IOException as {@link #accept()}
   */
  public Connection accept(Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    return End.inTime(accept(Waiting.nanos(timeout)));
  }

  private Connection accept(long timeout) throws IOException, InterruptedException {
    accepting.lockInterruptibly();
    try {
      long deadline = Waiting.deadline(timeout);
      while (!closed) {
        int status =
            Waiting.await(
                this::acceptNative,
                () -> NativeLibrary.listenerInterrupt(address),
                () -> {},
                Waiting.left(timeout, deadline));
        if (status == Status.OK) {
          return new Connection(accepted);
        }
        if (status == Status.TIMEOUT.number) {
          return null;
        }
        // An interrupt that came too late for an earlier call is no end of this one.
        if (status != Status.INTERRUPTED.number) {
          throw failure;
        }
      }
      throw new AsynchronousCloseException();
    } finally {
      accepting.unlock();
    }
  }

  private int acceptNative(long timeout) {
    try {
      accepted = NativeLibrary.accept(address, timeout);
      return Status.OK;
    } catch (SpscException e) {
      failure = e;
      return e.status().number;
    }
  }

  /**
   * Gives the path.
   *
   * @return where it listens
   */
  public Path path() {
    return path;
  }

  /**
   * Stops to listen, and removes the path. Ends an accept that waits, and waits until it has left.
   * Connections stay. Closing again does nothing.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    NativeLibrary.listenerInterrupt(address);
    accepting.lock();
    try {
      NativeLibrary.listenerClose(address);
    } finally {
      accepting.unlock();
    }
  }
}
