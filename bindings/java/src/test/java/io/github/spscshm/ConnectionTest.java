package io.github.spscshm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(Watchdog.class)
class ConnectionTest {
  private static final Duration LONG = Duration.ofDays(1);

  @TempDir Path directory;
  private Path path;

  @BeforeEach
  void choosePath() {
    path = directory.resolve("socket");
  }

  private static <T> Threads<T> start(boolean virtual, Callable<T> body) {
    return virtual ? Threads.startVirtual(body) : Threads.start(body);
  }

  @Test
  void streamsGoBothWays() throws Exception {
    byte[] data = new byte[500_000];
    new Random(1).nextBytes(data);
    for (boolean virtual : new boolean[] {false, true}) {
      try (Listener listener = Listener.bind(path)) {
        assertEquals(path, listener.path());
        Threads<Void> server =
            start(
                virtual,
                () -> {
                  try (Connection connection = listener.accept();
                      InputStream in = connection.inputStream();
                      OutputStream out = connection.outputStream()) {
                    in.transferTo(out);
                  }
                  return null;
                });
        try (Connection connection = Connection.dial(path, LONG)) {
          assertEquals(ProcessHandle.current().pid(), connection.peer().pid());
          Threads<Void> writer =
              start(
                  virtual,
                  () -> {
                    connection.outputStream().write(data);
                    connection.sender().close();
                    return null;
                  });
          assertArrayEquals(data, connection.inputStream().readAllBytes());
          writer.join();
        }
        server.join();
      }
      assertFalse(Files.exists(path));
    }
  }

  @Test
  void messagesGoOverAConnection() throws Exception {
    ConnectionOptions options = ConnectionOptions.DEFAULT.capacity(4096, 8192);
    try (Listener listener = Listener.bind(path, options)) {
      Threads<Connection> server = Threads.start(listener::accept);
      try (Connection client = Connection.dial(path, LONG);
          Connection accepted = server.join()) {
        client.sender().send(new byte[] {1}, 2);
        assertEquals(2, accepted.receiver().receive().tag());
        accepted.sender().send(new byte[] {1}, 3);
        assertEquals(3, client.receiver().receive(LONG).tag());
        assertThrows(IllegalArgumentException.class, () -> client.sender().claim(4097));
        accepted.sender().claim(8192);
      }
    }
  }

  @Test
  void whatEndsADialAndAnAccept() throws Exception {
    assertEquals(
        Status.NOT_FOUND,
        assertThrows(SpscException.class, () -> Connection.dial(path, LONG)).status());
    for (boolean virtual : new boolean[] {false, true}) {
      try (Listener listener = Listener.bind(path)) {
        assertThrows(TimeoutException.class, () -> listener.accept(Duration.ofMillis(5)));
        assertThrows(TimeoutException.class, () -> listener.accept(Duration.ZERO));
        assertThrows(TimeoutException.class, () -> Connection.dial(path, Duration.ofMillis(5)));
        assertEquals(
            Status.ALREADY_EXISTS,
            assertThrows(SpscException.class, () -> Listener.bind(path)).status());
        for (int i = 0; i < 20; i++) {
          Threads<Connection> waiter = start(virtual, listener::accept);
          waiter.thread.interrupt();
          assertThrows(InterruptedException.class, waiter::join);
        }
        Threads<Connection> dialer = start(virtual, () -> Connection.dial(path, LONG));
        dialer.thread.interrupt();
        assertThrows(InterruptedException.class, dialer::join);

        // None of that disturbs the next. Those that have given up may come first.
        Threads<Void> server =
            start(
                virtual,
                () -> {
                  while (true) {
                    try (Connection connection = listener.accept()) {
                      if (connection.read(ByteBuffer.allocate(1)) == 1) {
                        return null;
                      }
                    }
                  }
                });
        try (Connection client = Connection.dial(path, LONG)) {
          client.write(ByteBuffer.allocate(1));
          server.join();
        }
        Threads<Void> last =
            start(
                virtual,
                () -> {
                  while (true) {
                    listener.accept().close();
                  }
                });
        Thread.sleep(virtual ? 0 : 5);
        listener.close();
        listener.close();
        assertThrows(ClosedChannelException.class, last::join);
        assertThrows(ClosedChannelException.class, listener::accept);
      }
    }
  }

  @Test
  void aCloseEndsTheOthersReadAndAnInterruptItsOwn() throws Exception {
    for (boolean virtual : new boolean[] {false, true}) {
      try (Listener listener = Listener.bind(path)) {
        Threads<Connection> server = Threads.start(listener::accept);
        Connection client = Connection.dial(path, LONG);
        Connection accepted = server.join();
        Threads<Integer> reader = start(virtual, () -> accepted.read(ByteBuffer.allocate(1)));
        client.close();
        client.close();
        assertFalse(client.isOpen());
        assertEquals(-1, reader.join());
        assertThrows(ClosedChannelException.class, () -> client.write(ByteBuffer.allocate(1)));

        Threads<Connection> again = Threads.start(listener::accept);
        try (Connection second = Connection.dial(path, LONG);
            Connection other = again.join()) {
          Threads<Integer> interrupted = start(virtual, () -> second.read(ByteBuffer.allocate(1)));
          interrupted.thread.interrupt();
          assertThrows(ClosedByInterruptException.class, interrupted::join);
          // The other direction goes on.
          second.write(ByteBuffer.allocate(1));
          assertEquals(1, other.read(ByteBuffer.allocate(1)));
        }
        assertThrows(IllegalStateException.class, () -> neverIn(accepted));
        accepted.close();
      }
    }
  }

  private static void neverIn(Connection connection) throws Exception {
    connection.sender().publish(1);
  }

  @Test
  void manyConnectionsComeAndGo() throws Exception {
    int before = descriptors();
    try (Listener listener = Listener.bind(path)) {
      for (int i = 0; i < 500; i++) {
        Threads<Connection> server = Threads.start(listener::accept);
        try (Connection client = Connection.dial(path, LONG);
            Connection accepted = server.join()) {
          client.sender().send(new byte[1], i);
          assertEquals(i, accepted.receiver().receive().tag());
        }
      }
    }
    assertTrue(descriptors() <= before + 5, "descriptors are left");
  }

  private static int descriptors() {
    return new java.io.File("/proc/self/fd").list().length;
  }
}
