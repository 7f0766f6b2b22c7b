package io.github.spscshm;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import java.util.function.LongToIntFunction;

/** Waits in the library that an interrupt of the thread ends. */
final class Waiting {
  /**
   * Most waits of a busy ring end within this, while the library spins. To be ready for an
   * interrupt, or to let another thread wait, takes longer than they do.
   */
  private static final long BRIEFLY = 50_000;

  /** These wait in place of virtual threads, each for one. */
  private static final ExecutorService PLATFORM =
      Executors.newCachedThreadPool(
          Thread.ofPlatform().daemon().name("spsc-shm-", 0).stackSize(128 << 10).factory());

  private Waiting() {}

  /** Nanoseconds as the rest of this package has them. */
  static long nanos(Duration timeout) {
    if (timeout.isNegative()) {
      return 0;
    }
    try {
      return timeout.toNanos();
    } catch (ArithmeticException e) {
      return NativeLibrary.FOREVER;
    }
  }

  /** When a wait of so many nanoseconds is over. */
  static long deadline(long timeout) {
    return timeout == NativeLibrary.FOREVER ? 0 : System.nanoTime() + timeout;
  }

  /** How much of a timeout is left. */
  static long left(long timeout, long deadline) {
    return timeout == NativeLibrary.FOREVER || timeout == 0
        ? timeout
        : Math.max(deadline - System.nanoTime(), 0);
  }

  /**
   * Waits.
   *
   * @param wait waits in the library for so many nanoseconds, and gives the status
   * @param interrupt ends that wait, or the next
   * @param clear takes an interrupt back that came too late
   */
  static int await(LongToIntFunction wait, Runnable interrupt, Runnable clear, long timeout)
      throws InterruptedException {
    long deadline = deadline(timeout);
    int status = wait.applyAsInt(Math.min(timeout, BRIEFLY));
    if (status != Status.TIMEOUT.number || timeout == 0) {
      return status;
    }
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    if (timeout <= BRIEFLY) {
      return status;
    }
    IntSupplier rest = () -> wait.applyAsInt(left(timeout, deadline));
    return Thread.currentThread().isVirtual()
        ? awaitElsewhere(rest, interrupt, clear)
        : awaitHere(rest, interrupt, clear);
  }

  private static int awaitHere(IntSupplier wait, Runnable interrupt, Runnable clear)
      throws InterruptedException {
    Watch watch = new Watch(interrupt);
    int status = watch.during(wait);
    if (watch.over()) {
      clear.run();
      // What has arrived is given. The thread stays interrupted, and its next wait says so.
      if (status != Status.OK && Thread.interrupted()) {
        throw new InterruptedException();
      }
    }
    return status;
  }

  private static int awaitElsewhere(IntSupplier wait, Runnable interrupt, Runnable clear)
      throws InterruptedException {
    Future<Integer> waiter = PLATFORM.submit(wait::getAsInt);
    boolean interrupted = false;
    int status;
    while (true) {
      try {
        status = waiter.get();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
        interrupt.run();
      } catch (ExecutionException e) {
        throw new AssertionError(e.getCause());
      }
    }
    if (interrupted) {
      clear.run();
      if (status != Status.OK) {
        throw new InterruptedException();
      }
      Thread.currentThread().interrupt();
    }
    return status;
  }

  /** What another thread may still do when nobody waits for it any more. */
  @FunctionalInterface
  interface Opening<T> {
    T open() throws SpscException;
  }

  /**
   * Opens what may take long and can't be interrupted, in another thread. After an interrupt of
   * this one, it is undone there.
   */
  static <T> T elsewhere(Opening<T> opening, Consumer<T> undo)
      throws SpscException, InterruptedException {
    CompletableFuture<T> result = new CompletableFuture<>();
    PLATFORM.execute(
        () -> {
          try {
            T opened = opening.open();
            if (!result.complete(opened)) {
              undo.accept(opened);
            }
          } catch (Throwable e) {
            result.completeExceptionally(e);
          }
        });
    try {
      return result.get();
    } catch (InterruptedException e) {
      if (!result.cancel(false)) {
        result.thenAccept(undo);
      }
      throw e;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof SpscException cause) {
        throw cause;
      }
      throw new AssertionError(e.getCause());
    }
  }
}
