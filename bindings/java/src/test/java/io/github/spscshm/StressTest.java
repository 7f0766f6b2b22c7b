package io.github.spscshm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Closes and arenas from several threads: the process lives, and every stream is whole. */
@ExtendWith(Watchdog.class)
class StressTest {
  /** How many rings are opened, used and closed; more by -Dspsc.stress=N. */
  private static final int ROUNDS = Integer.getInteger("spsc.stress", 300);

  @Test
  void closesMeetCallsAndSegments() throws Exception {
    SplittableRandom random = new SplittableRandom(1);
    for (int round = 0; round < ROUNDS; round++) {
      Ring ring = Ring.anonymous(4096);
      boolean shared = round % 3 == 0;
      boolean virtual = round % 2 == 0;
      AtomicReference<MemorySegment> leaked = new AtomicReference<>(MemorySegment.NULL);
      List<Threads<Void>> threads = new ArrayList<>();
      threads.add(start(virtual, () -> produce(ring, shared, leaked)));
      threads.add(start(virtual, () -> consume(ring, shared)));
      threads.add(start(false, () -> produce(ring, shared, leaked)));
      Threads<Void> thief = start(false, () -> touch(leaked));
      Threads<Void> looker = start(false, () -> look(ring));
      long spins = random.nextLong(200_000);
      for (long i = 0; i < spins; i++) {
        Thread.onSpinWait();
      }
      if (round % 4 == 0) {
        ring.producer().close();
      }
      Threads<Void> second =
          start(
              virtual,
              () -> {
                ring.close();
                return null;
              });
      ring.close();
      second.join();
      for (Threads<Void> thread : threads) {
        thread.join();
      }
      looker.join();
      leaked.set(null);
      thief.join();
    }
  }

  private static Threads<Void> start(boolean virtual, java.util.concurrent.Callable<Void> body) {
    return virtual ? Threads.startVirtual(body) : Threads.start(body);
  }

  /** Two threads do so at once, which is a mistake: all but one get an exception. */
  private static Void produce(Ring ring, boolean shared, AtomicReference<MemorySegment> leaked)
      throws Exception {
    Producer producer = ring.producer();
    for (int i = 1; ; i++) {
      try {
        producer.shareClaims(shared);
        MemorySegment claim = producer.claim(i % 1000 + 1);
        leaked.set(claim);
        claim.set(JAVA_BYTE, 0, (byte) i);
        claim.fill((byte) i);
        producer.publish(claim.byteSize());
        producer.send(new byte[i % 3000], i);
      } catch (ClosedChannelException e) {
        return null;
      } catch (SpscException e) {
        if (e.status() != Status.INTERRUPTED) {
          return null;
        }
      } catch (IllegalStateException | IllegalArgumentException | WrongThreadException e) {
        // Of a thread that is in a call, or has published this claim.
      }
    }
  }

  private static Void consume(Ring ring, boolean shared) throws Exception {
    Consumer consumer = ring.consumer();
    while (true) {
      try {
        consumer.sharePeeks(shared);
        MemorySegment peek = consumer.peekSome(1);
        peek.get(JAVA_BYTE, peek.byteSize() - 1);
        consumer.release(peek.byteSize());
      } catch (ClosedChannelException e) {
        return null;
      } catch (SpscException e) {
        if (e.status() != Status.INTERRUPTED) {
          return null;
        }
      } catch (IllegalStateException e) {
        // The close came while it read a shared one.
      }
    }
  }

  /** Reads and writes whatever segment it sees, as long as it may. */
  private static Void touch(AtomicReference<MemorySegment> leaked) {
    MemorySegment segment;
    while ((segment = leaked.get()) != null) {
      try {
        if (segment.byteSize() > 0) {
          segment.set(JAVA_BYTE, segment.byteSize() - 1, (byte) 0);
        }
      } catch (IllegalStateException | WrongThreadException e) {
        Thread.onSpinWait();
      }
    }
    return null;
  }

  private static Void look(Ring ring) throws Exception {
    try {
      while (true) {
        assertTrue(ring.available() <= ring.capacity());
        ring.stats();
        ring.wakeupAll();
        Thread.sleep(0, 100_000);
      }
    } catch (ClosedChannelException e) {
      return null;
    }
  }

  @Test
  void theStreamIsWholeUnderInterruptsAndCollections() throws Exception {
    final int messages = 100_000;
    try (Ring ring = Ring.anonymous(4096)) {
      Threads<Void> sender =
          Threads.start(
              () -> {
                for (int i = 0; i < messages; ) {
                  try {
                    ring.producer().send(new byte[i % 200], i);
                    i++;
                  } catch (InterruptedException e) {
                    // It was not sent.
                  }
                }
                return null;
              });
      Threads<Void> receiver =
          Threads.startVirtual(
              () -> {
                for (int i = 0; i < messages; ) {
                  try {
                    Message message = ring.consumer().receive();
                    assertEquals(i, message.tag());
                    assertEquals(i % 200, message.data().length);
                    i++;
                  } catch (InterruptedException e) {
                    // It is still there.
                  }
                }
                return null;
              });
      while (sender.thread.isAlive() || receiver.thread.isAlive()) {
        sender.thread.interrupt();
        receiver.thread.interrupt();
        System.gc();
      }
      sender.join();
      receiver.join();
      assertEquals(0, ring.available());
    }
  }
}
