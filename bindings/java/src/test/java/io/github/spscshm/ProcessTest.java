package io.github.spscshm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The other side is another process, and is killed. */
@ExtendWith(Watchdog.class)
class ProcessTest {
  private static final Duration LONG = Duration.ofDays(1);
  private static final int MESSAGES = 1000;

  /** The other process. */
  static final class Peer {
    private Peer() {}

    public static void main(String[] arguments) throws Exception {
      switch (arguments[0]) {
        case "send" -> {
          Producer producer = Ring.connect(arguments[1]).producer();
          for (int i = 0; i < MESSAGES; i++) {
            producer.send(new byte[100], i);
          }
          Thread.sleep(LONG);
        }
        case "consume" -> {
          Ring.connect(arguments[1]).consumer().peek(1);
          Thread.sleep(LONG);
        }
        case "dial" -> {
          Connection connection = Connection.dial(Path.of(arguments[1]), LONG);
          connection.write(ByteBuffer.allocate(1));
          Thread.sleep(LONG);
        }
        default -> throw new IllegalArgumentException(arguments[0]);
      }
    }
  }

  private static Process start(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-cp");
    command.add("target/classes:target/test-classes");
    command.add(Peer.class.getName());
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).inheritIO().start();
  }

  private static void assertDead(org.junit.jupiter.api.function.Executable call) {
    assertEquals(Status.PEER_DEAD, assertThrows(SpscException.class, call).status());
  }

  @Test
  void theDeathOfAProducerComesAfterAllThatItSent() throws Exception {
    String name = "java-process-" + ProcessHandle.current().pid();
    try (Ring ring = Ring.create(name, 4096)) {
      Process peer = start("send", name);
      for (int i = 0; i < MESSAGES - 1; i++) {
        assertEquals(i, ring.consumer().receive().tag());
      }
      while (ring.available() == 0) {
        Thread.onSpinWait();
      }
      peer.destroyForcibly().waitFor();
      assertEquals(MESSAGES - 1, ring.consumer().receive().tag());
      assertDead(() -> ring.consumer().receive());
      assertEquals(RingStats.State.DEAD, ring.stats().producer().state());
      assertEquals((int) peer.pid(), ring.stats().producer().pid());
    } finally {
      Ring.unlink(name);
    }
  }

  @Test
  void theDeathOfAConsumerEndsAWaitForSpace() throws Exception {
    String name = "java-process-c-" + ProcessHandle.current().pid();
    try (Ring ring = Ring.create(name, 4096)) {
      ring.producer().claim(4096);
      ring.producer().publish(4096);
      Process peer = start("consume", name);
      while (ring.stats().consumer().state() != RingStats.State.ATTACHED) {
        Thread.sleep(1);
      }
      Threads<java.lang.foreign.MemorySegment> writer =
          Threads.startVirtual(() -> ring.producer().claim(1));
      Threads.awaitParked(ring, false);
      peer.destroyForcibly().waitFor();
      assertDead(writer::join);
    } finally {
      Ring.unlink(name);
    }
  }

  @Test
  void theDeathOfAConnectionsPeerIsNoticed(@TempDir Path directory) throws Exception {
    Path path = directory.resolve("socket");
    try (Listener listener = Listener.bind(path)) {
      Process peer = start("dial", path.toString());
      try (Connection connection = listener.accept()) {
        assertEquals(1, connection.read(ByteBuffer.allocate(10)));
        Threads<Integer> reader = Threads.start(() -> connection.read(ByteBuffer.allocate(1)));
        peer.destroyForcibly().waitFor();
        assertDead(reader::join);
      }
    }
  }
}
