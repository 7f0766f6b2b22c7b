package io.github.spscshm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What ends calls and segments: closes, interrupts, other threads. */
@ExtendWith(Watchdog.class)
class EndingTest {
  private static <T> Threads<T> start(boolean virtual, Callable<T> body) {
    return virtual ? Threads.startVirtual(body) : Threads.start(body);
  }

  @Test
  void anInterruptEndsAWait() throws Exception {
    for (boolean virtual : new boolean[] {false, true}) {
      try (Ring ring = Ring.anonymous(4096)) {
        for (int i = 0; i < 50; i++) {
          Threads<MemorySegment> reader = start(virtual, () -> ring.consumer().peek(1));
          if (i % 2 == 0) {
            Threads.awaitParked(ring, true);
          }
          reader.thread.interrupt();
          assertThrows(InterruptedException.class, reader::join);
          assertFalse(reader.thread.isInterrupted());
        }
        // No interrupt is left over.
        assertThrows(
            java.util.concurrent.TimeoutException.class,
            () -> ring.consumer().peek(1, Duration.ofMillis(20)));
      }
    }
  }

  @Test
  void whatIsThereIsGivenInSpiteOfAnInterrupt() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().send(new byte[1], 1);
      Thread.currentThread().interrupt();
      assertEquals(1, ring.consumer().receive().tag());
      assertThrows(InterruptedException.class, () -> ring.consumer().receive());
      assertFalse(Thread.interrupted());
      // Also a wait that is over before it sleeps.
      Thread.currentThread().interrupt();
      assertThrows(
          InterruptedException.class, () -> ring.consumer().receive(Duration.ofNanos(1000)));
      assertFalse(Thread.interrupted());
    }
  }

  @Test
  void wakeupAllEndsAWait() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      Threads<Message> reader = Threads.start(() -> ring.consumer().receive());
      Threads.awaitParked(ring, true);
      ring.wakeupAll();
      assertEquals(Status.INTERRUPTED, assertThrows(SpscException.class, reader::join).status());
    }
  }

  @Test
  void anInterruptClosesAChannel() throws Exception {
    for (boolean virtual : new boolean[] {false, true}) {
      try (Ring ring = Ring.anonymous(4096)) {
        Threads<Boolean> reader =
            start(
                virtual,
                () -> {
                  assertThrows(
                      ClosedByInterruptException.class,
                      () -> ring.consumer().channel().read(ByteBuffer.allocate(1)));
                  return Thread.interrupted();
                });
        Threads.awaitParked(ring, true);
        reader.thread.interrupt();
        assertTrue(reader.join());
        assertFalse(ring.consumer().channel().isOpen());
        assertThrows(ClosedChannelException.class, () -> ring.consumer().receive());
      }
    }
  }

  @Test
  void aCloseEndsAWait() throws Exception {
    for (boolean virtual : new boolean[] {false, true}) {
      for (int i = 0; i < 50; i++) {
        Ring ring = Ring.anonymous(4096);
        Threads<Message> reader = start(virtual, () -> ring.consumer().receive());
        if (i % 2 == 0) {
          Threads.awaitParked(ring, true);
        }
        ring.close();
        assertThrows(ClosedChannelException.class, reader::join);
        if (i % 2 == 0) {
          assertThrows(AsynchronousCloseException.class, reader::join);
        }
      }
    }
  }

  @Test
  void anEndIsForOneThreadAtATime() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      Threads<Message> reader = Threads.start(() -> ring.consumer().receive());
      Threads.awaitParked(ring, true);
      assertThrows(IllegalStateException.class, () -> ring.consumer().tryReceive());
      ring.producer().send(new byte[1], 1);
      reader.join();
      ring.producer().send(new byte[1], 2);
      assertEquals(2, ring.consumer().receive().tag());
    }
  }

  @Test
  void anotherThreadCanNotUseAClaimThatIsNotShared() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      MemorySegment claim = ring.producer().claim(8);
      Threads<Byte> other = Threads.start(() -> claim.get(JAVA_BYTE, 0));
      assertThrows(WrongThreadException.class, other::join);
      Threads<Void> publisher =
          Threads.start(
              () -> {
                ring.producer().publish(8);
                return null;
              });
      assertThrows(WrongThreadException.class, publisher::join);
      ring.producer().publish(8);
      assertEquals(8, ring.available());
    }
  }

  @Test
  void aSharedClaimEndsForAllThreads() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().shareClaims(true);
      MemorySegment claim = ring.producer().claim(8);
      CountDownLatch begun = new CountDownLatch(1);
      Threads<Void> other =
          Threads.start(
              () -> {
                for (byte i = 0; ; i++) {
                  claim.set(JAVA_BYTE, 0, i);
                  begun.countDown();
                }
              });
      begun.await();
      ring.producer().publish(8);
      assertThrows(IllegalStateException.class, other::join);
    }
  }

  @Test
  void aClaimOfAnotherThreadKeepsItsMemory() throws Exception {
    Ring ring = Ring.anonymous(4096);
    CountDownLatch claimed = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    Threads<Void> owner =
        Threads.start(
            () -> {
              MemorySegment claim = ring.producer().claim(8);
              claimed.countDown();
              closed.await();
              claim.set(JAVA_BYTE, 0, (byte) 1);
              assertEquals(1, claim.get(JAVA_BYTE, 0));
              assertThrows(ClosedChannelException.class, () -> ring.producer().publish(8));
              assertThrows(IllegalStateException.class, () -> claim.get(JAVA_BYTE, 0));
              return null;
            });
    claimed.await();
    int before = mappings();
    ring.close();
    assertEquals(before, mappings());
    closed.countDown();
    owner.join();
    assertTrue(mappings() < before);
  }

  @Test
  void aForgottenClaimIsUnmapped() throws Exception {
    int before = mappings();
    for (int i = 0; i < 10; i++) {
      Ring ring = Ring.anonymous(4096);
      Threads<Void> owner =
          Threads.start(
              () -> {
                ring.producer().claim(8);
                return null;
              });
      owner.join();
      ring.close();
    }
    assertTrue(mappings() > before);
    while (mappings() > before) {
      System.gc();
      Thread.sleep(1);
    }
  }

  /** How many mappings of rings this process has. */
  private static int mappings() throws Exception {
    try (var lines = java.nio.file.Files.lines(java.nio.file.Path.of("/proc/self/maps"))) {
      return (int) lines.filter(line -> line.contains("memfd:")).count();
    }
  }
}
