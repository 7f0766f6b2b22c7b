package io.github.spscshm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Watchdog.class)
class RingTest {
  private static final Duration SOON = Duration.ofMillis(5);

  private static String unusedName() {
    return "java-test-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
  }

  private static Status statusOf(org.junit.jupiter.api.function.Executable call) {
    return assertThrows(SpscException.class, call).status();
  }

  @Test
  void bytesGoFromOneHandleToAnother() throws Exception {
    String name = unusedName();
    try (Ring made = Ring.create(name, 5000);
        Ring opened = Ring.connect(name)) {
      Ring.unlink(name);
      assertEquals(8192, made.capacity());
      assertEquals(name, made.name());
      Producer producer = made.producer();
      Consumer consumer = opened.consumer();
      assertSame(producer, made.producer());
      // Several laps, with pieces that wrap.
      for (long i = 0; i < 1000; i++) {
        MemorySegment claim = producer.claim(3000);
        claim.set(JAVA_LONG, 0, i);
        claim.set(JAVA_LONG, 2992, ~i);
        producer.publish(3000);
        assertEquals(3000, opened.available());
        MemorySegment peek = consumer.peek(3000);
        assertEquals(i, peek.get(JAVA_LONG, 0));
        assertEquals(~i, peek.get(JAVA_LONG, 2992));
        consumer.release(3000);
      }
    }
  }

  @Test
  void lessMayBePublishedAndReleased() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().claim(100).fill((byte) 7);
      ring.producer().publish(60);
      assertEquals(60, ring.consumer().peekSome(0).byteSize());
      ring.consumer().release(20);
      assertEquals(40, ring.consumer().peekSome(1).byteSize());
      assertNull(ring.consumer().tryPeek(41));
      assertEquals(4096 - 40, ring.producer().claimSome(1).byteSize());
      ring.producer().publish(0);
      assertEquals(40, ring.available());
    }
  }

  @Test
  void aSegmentEndsWithWhatItWasFor() throws Exception {
    for (boolean shared : new boolean[] {false, true}) {
      try (Ring ring = Ring.anonymous(4096)) {
        Producer producer = ring.producer();
        Consumer consumer = ring.consumer();
        producer.shareClaims(shared);
        consumer.sharePeeks(shared);
        MemorySegment claim = producer.claim(8);
        ByteBuffer view = claim.asByteBuffer();
        view.put(0, (byte) 1);
        producer.publish(8);
        assertThrows(IllegalStateException.class, () -> claim.get(JAVA_BYTE, 0));
        assertThrows(IllegalStateException.class, () -> view.get(0));

        MemorySegment replaced = producer.claim(8);
        MemorySegment last = producer.claim(8);
        assertThrows(IllegalStateException.class, () -> replaced.get(JAVA_BYTE, 0));
        producer.send(new byte[8], 0);
        assertThrows(IllegalStateException.class, () -> last.get(JAVA_BYTE, 0));

        MemorySegment peek = consumer.peek(8);
        assertEquals(1, peek.get(JAVA_BYTE, 0));
        assertThrows(IllegalArgumentException.class, () -> peek.set(JAVA_BYTE, 0, (byte) 2));
        consumer.release(8);
        assertThrows(IllegalStateException.class, () -> peek.get(JAVA_BYTE, 0));

        MemorySegment open = producer.claim(8);
        MemorySegment seen = consumer.peek(8);
        ring.close();
        assertThrows(IllegalStateException.class, () -> open.get(JAVA_BYTE, 0));
        assertThrows(IllegalStateException.class, () -> seen.get(JAVA_BYTE, 0));
      }
    }
  }

  @Test
  void aFailedClaimLeavesTheOneBefore() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().claim(4000);
      ring.producer().publish(4000);
      MemorySegment claim = ring.producer().claim(50);
      assertNull(ring.producer().tryClaim(200));
      claim.set(JAVA_BYTE, 0, (byte) 1);
      ring.producer().publish(50);
    }
  }

  @Test
  void mistakesChangeNothing() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      Producer producer = ring.producer();
      assertThrows(IllegalStateException.class, () -> producer.publish(1));
      assertThrows(IllegalArgumentException.class, () -> producer.claim(-1));
      assertThrows(IllegalArgumentException.class, () -> producer.claim(4097));
      assertThrows(IllegalArgumentException.class, () -> producer.claimSome(4097));
      producer.claim(8);
      assertThrows(IllegalArgumentException.class, () -> producer.publish(9));
      assertThrows(IllegalArgumentException.class, () -> producer.publish(-1));
      producer.publish(8);
      assertEquals(8, ring.available());
      assertThrows(IllegalArgumentException.class, () -> Ring.anonymous(0));
      assertThrows(IllegalArgumentException.class, () -> Ring.connect("a\0b"));
    }
  }

  @Test
  void errorsHaveTheLibrarysStatus() throws Exception {
    String name = unusedName();
    assertEquals(Status.NOT_FOUND, statusOf(() -> Ring.connect(name)));
    assertEquals(Status.NOT_FOUND, statusOf(() -> Ring.unlink(name)));
    assertEquals(Status.INVALID_NAME, statusOf(() -> Ring.connect("a/b")));
    assertEquals(Status.INVALID_ARGUMENT, statusOf(() -> Ring.fromFd(-1)));
    try (Ring ring = Ring.create(name, 1)) {
      assertEquals(Status.ALREADY_EXISTS, statusOf(() -> Ring.create(name, 1)));
      assertEquals(
          Status.INVALID_ARGUMENT,
          statusOf(() -> Ring.create(name, 1, RingOptions.DEFAULT.mode(0644))));
      try (Ring second = Ring.connect(name)) {
        ring.producer().claim(1);
        assertEquals(Status.ROLE_TAKEN, statusOf(() -> second.producer().claim(1)));
        assertEquals(Status.ROLE_TAKEN, statusOf(() -> second.producer().attach()));
      }
    } finally {
      Ring.unlink(name);
    }
    SpscException error = assertThrows(SpscException.class, () -> Ring.connect(name));
    assertTrue(error.getMessage().contains(name), error.getMessage());
  }

  @Test
  void aRingThatNobodyUsesIsReplaced() throws Exception {
    String name = unusedName();
    Ring.create(name, 1).close();
    try (Ring ring = Ring.create(name, 1, RingOptions.DEFAULT.replaceStale().prefault())) {
      assertNotNull(ring.producer().tryClaim(1));
    } finally {
      Ring.unlink(name);
    }
  }

  @Test
  void aDescriptorOpensTheRing() throws Exception {
    try (Ring made = Ring.anonymous(4096);
        Ring opened = Ring.fromFd(made.fd())) {
      made.producer().send(new byte[] {1, 2}, 3);
      assertEquals(3, opened.consumer().receive().tag());
    }
  }

  @Test
  void connectWaitsForTheName() throws Exception {
    String name = unusedName();
    assertThrows(TimeoutException.class, () -> Ring.connect(name, SOON));
    Threads<Ring> waiter = Threads.start(() -> Ring.connect(name, Duration.ofDays(1)));
    try (Ring made = Ring.create(name, 1);
        Ring opened = waiter.join()) {
      assertEquals(made.capacity(), opened.capacity());
    } finally {
      Ring.unlink(name);
    }
  }

  @Test
  void timeRunsOut() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      assertThrows(TimeoutException.class, () -> ring.consumer().peek(1, SOON));
      assertThrows(TimeoutException.class, () -> ring.consumer().peek(1, Duration.ZERO));
      assertThrows(TimeoutException.class, () -> ring.consumer().receive(SOON));
      ring.producer().claim(4096);
      ring.producer().publish(4096);
      assertThrows(TimeoutException.class, () -> ring.producer().claim(1, SOON));
      assertThrows(TimeoutException.class, () -> ring.producer().claimSome(1, SOON));
      assertThrows(TimeoutException.class, () -> ring.producer().send(new byte[1], 0, SOON));
      assertNull(ring.producer().tryClaim(1));
      assertFalse(ring.producer().trySend(new byte[1], 0));
    }
  }

  @Test
  void theEndOfTheStreamComesAfterAllData() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().claim(8);
      ring.producer().publish(8);
      ring.producer().close();
      ring.consumer().peek(8);
      ring.consumer().release(8);
      assertEquals(Status.CLOSED, statusOf(() -> ring.consumer().peek(1)));
      assertThrows(ClosedChannelException.class, () -> ring.producer().claim(1));
    }
  }

  @Test
  void waitsMeetWhatTheyWaitFor() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      Threads<Long> reader =
          Threads.start(
              () -> {
                long sum = 0;
                for (int i = 0; i < 20_000; i++) {
                  sum += ring.consumer().peek(504).get(JAVA_LONG, 0);
                  ring.consumer().release(504);
                }
                return sum;
              });
      long sum = 0;
      for (long i = 0; i < 20_000; i++) {
        ring.producer().claim(504).set(JAVA_LONG, 0, i);
        ring.producer().publish(504);
        sum += i;
      }
      assertEquals(sum, reader.join());
    }
  }

  @Test
  void aSleeperIsWoken() throws Exception {
    try (Ring ring = Ring.anonymous(4096, RingOptions.DEFAULT.spin(Duration.ZERO))) {
      for (int i = 0; i < 20; i++) {
        Threads<Message> reader = Threads.start(() -> ring.consumer().receive());
        Threads.awaitParked(ring, true);
        ring.producer().send(new byte[] {1}, i);
        assertEquals(i, reader.join().tag());
      }
    }
  }

  @Test
  void whatIsClosedSaysSo() throws IOException {
    Ring ring = Ring.anonymous(4096);
    ring.close();
    ring.close();
    assertThrows(ClosedChannelException.class, () -> ring.producer().claim(1));
    assertThrows(ClosedChannelException.class, () -> ring.consumer().receive());
    assertThrows(ClosedChannelException.class, ring::available);
    assertThrows(ClosedChannelException.class, ring::fd);
    assertThrows(ClosedChannelException.class, ring::wakeupAll);
    assertThrows(ClosedChannelException.class, ring::stats);
  }
}
