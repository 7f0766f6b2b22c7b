package io.github.spscshm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;

/** What can be chosen for a listener or a connection. It does not change. */
public final class ConnectionOptions {
  /** Rings of 64 KiB, adaptive spin, mode 0600, a backlog of 128. */
  public static final ConnectionOptions DEFAULT = new ConnectionOptions(0, 0, -1, 0600, 128, 0);

  private final long toServer;
  private final long toClient;
  private final long spin;
  private final int mode;
  private final int backlog;
  private final int flags;

  private ConnectionOptions(
      long toServer, long toClient, long spin, int mode, int backlog, int flags) {
    this.toServer = toServer;
    this.toClient = toClient;
    this.spin = spin;
    this.mode = mode;
    this.backlog = backlog;
    this.flags = flags;
  }

  /**
   * Chooses the sizes of both rings. The listener's choice counts; where it makes none, a client
   * gets what it asks for, up to 1 MiB.
   *
   * @param toServer bytes from the client to the server, at least; 0 makes no choice
   * @param toClient bytes from the server to the client, at least; 0 makes no choice
   * @return other options
   */
  public ConnectionOptions capacity(long toServer, long toClient) {
    return new ConnectionOptions(toServer, toClient, spin, mode, backlog, flags);
  }

  /**
   * Limits how long a wait spins before it sleeps; the listener's choice holds for both ends.
   *
   * @param longest at most 100 ms; zero for no spin
   * @return other options
   */
  public ConnectionOptions spin(Duration longest) {
    return new ConnectionOptions(toServer, toClient, longest.toNanos(), mode, backlog, flags);
  }

  /**
   * Chooses the permission bits of a listener's path, whatever the umask.
   *
   * @param mode permission bits; whoever may write the socket may connect
   * @return other options
   */
  public ConnectionOptions mode(int mode) {
    return new ConnectionOptions(toServer, toClient, spin, mode, backlog, flags);
  }

  /**
   * Chooses how many clients of a listener may be on their way in.
   *
   * @param backlog at most 4096
   * @return other options
   */
  public ConnectionOptions backlog(int backlog) {
    return new ConnectionOptions(toServer, toClient, spin, mode, backlog, flags);
  }

  /**
   * Enters all pages into the server's page tables at once.
   *
   * @return other options
   */
  public ConnectionOptions prefault() {
    return new ConnectionOptions(toServer, toClient, spin, mode, backlog, RingOptions.PREFAULT);
  }

  /** As the library's spsc_conn_options. */
  MemorySegment toNative(Arena arena) {
    MemorySegment options = arena.allocate(48, 8);
    options.set(ValueLayout.JAVA_LONG, 0, options.byteSize());
    options.set(ValueLayout.JAVA_LONG, 8, toServer);
    options.set(ValueLayout.JAVA_LONG, 16, toClient);
    options.set(ValueLayout.JAVA_LONG, 24, spin);
    options.set(ValueLayout.JAVA_INT, 32, mode);
    options.set(ValueLayout.JAVA_INT, 36, flags);
    options.set(ValueLayout.JAVA_INT, 40, backlog);
    return options;
  }
}
