package io.github.spscshm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;

/**
 * The lifetime of the segment that an end has handed out.
 *
 * <p>A segment's memory may be unmapped only when nobody can use it any more. An arena of one
 * thread costs some nanoseconds, but can be closed by that thread alone. If another thread closes
 * the ring meanwhile, the memory stays until the first thread comes back, or has forgotten the
 * segment.
 */
final class Lease {
  private static final Cleaner FORGOTTEN = Cleaner.create();

  private boolean shared;
  private Arena arena;
  private Cleaner.Cleanable orphan;

  /** Whether segments are for all threads from now on. */
  void share(boolean shared) {
    this.shared = shared;
  }

  boolean out() {
    return arena != null;
  }

  /** Hands out a segment, in place of the one before. */
  MemorySegment begin(long address, long size) {
    end();
    Arena next = shared ? Arena.ofShared() : Arena.ofConfined();
    arena = next;
    return Memory.at(address).reinterpret(size, next, null);
  }

  /**
   * Ends the segment.
   *
   * @throws WrongThreadException if it is another thread's
   * @throws IllegalStateException if it is in use, by a call into the system for example
   */
  void end() {
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }

  /** Ends the segment of a closed end, or keeps the memory until that can be. */
  synchronized void endFor(Handle handle) {
    try {
      end();
    } catch (WrongThreadException | IllegalStateException e) {
      handle.hold();
      orphan = FORGOTTEN.register(arena.scope(), handle::giveUp);
    }
  }

  /** Ends the segment of an end that was closed before, if this is the thread that can. */
  synchronized void comeBack() {
    if (orphan == null) {
      return;
    }
    try {
      end();
    } catch (WrongThreadException | IllegalStateException e) {
      return;
    }
    orphan.clean();
    orphan = null;
  }
}
