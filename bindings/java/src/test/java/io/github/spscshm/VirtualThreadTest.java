package io.github.spscshm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Virtual threads, of which far more wait than there are carriers. */
@ExtendWith(Watchdog.class)
class VirtualThreadTest {
  private static final int THREADS = 1000;

  @Test
  void aThousandWaitAndOthersRun() throws Exception {
    List<Ring> there = new ArrayList<>();
    List<Ring> back = new ArrayList<>();
    List<Threads<Void>> echoes = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      Ring in = Ring.anonymous(4096);
      Ring out = Ring.anonymous(4096);
      there.add(in);
      back.add(out);
      echoes.add(
          Threads.startVirtual(
              () -> {
                for (Message message : in.consumer().messages()) {
                  out.producer().send(message.data(), message.tag());
                }
                return null;
              }));
    }
    for (int i = 0; i < THREADS; i++) {
      Threads.awaitParked(there.get(i), true);
    }
    // All wait. A carrier is free for this one all the same.
    assertEquals(3, Threads.startVirtual(() -> 3).join());

    for (int i = THREADS - 1; i >= 0; i--) {
      there.get(i).producer().send(new byte[] {(byte) i}, i);
    }
    for (int i = 0; i < THREADS; i++) {
      Message message = back.get(i).consumer().receive();
      assertEquals(i, message.tag());
      assertEquals((byte) i, message.data()[0]);
    }
    for (int i = 0; i < THREADS; i++) {
      there.get(i).producer().close();
      echoes.get(i).join();
      there.get(i).close();
      back.get(i).close();
    }
  }
}
