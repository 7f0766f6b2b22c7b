package io.github.spscshm;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** A thread of a test, and what becomes of it. */
final class Threads<T> {
  final Thread thread;
  private final FutureTask<T> task;

  private Threads(Thread.Builder builder, Callable<T> body) {
    task = new FutureTask<>(body);
    thread = builder.start(task);
  }

  static <T> Threads<T> start(Callable<T> body) {
    return new Threads<>(Thread.ofPlatform().daemon(), body);
  }

  static <T> Threads<T> startVirtual(Callable<T> body) {
    return new Threads<>(Thread.ofVirtual(), body);
  }

  /** What it returned, or an exception as it was thrown. */
  T join() throws Exception {
    try {
      return task.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw e;
    }
  }

  /** Returns when this side of the ring sleeps or is about to. */
  static void awaitParked(Ring ring, boolean consumer) throws Exception {
    while (!(consumer ? ring.stats().consumer() : ring.stats().producer()).parked()) {
      Thread.sleep(1);
    }
  }
}
