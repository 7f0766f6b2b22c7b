package io.github.spscshm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/**
 * What can be seen of a ring from outside, at one moment or nearly so.
 *
 * @param published bytes ever published, modulo 2^64
 * @param released bytes ever released, modulo 2^64
 * @param available bytes published and not yet released
 * @param producer the side that writes
 * @param consumer the side that reads
 */
public record RingStats(
    long published, long released, long available, Side producer, Side consumer) {
  /** Who has a side. */
  public enum State {
    /** Nobody has had it yet. */
    NEVER,
    /** A live handle. */
    ATTACHED,
    /** Nobody since the last one closed. */
    CLOSED,
    /** Nobody since the last one's process died. */
    DEAD
  }

  /**
   * What can be seen of one side.
   *
   * @param state who has it
   * @param generation how many handles have taken it so far
   * @param pid the process of the last one, in its own PID namespace; 0 before the first
   * @param parked whether it sleeps or is about to
   * @param parks how often this handle went to sleep on this side
   * @param wakes how often this handle, on this side, woke the other
   * @param interruptions how many waits of this handle on this side were interrupted
   */
  public record Side(
      State state,
      int generation,
      int pid,
      boolean parked,
      long parks,
      long wakes,
      long interruptions) {}

  static final long SIZE = 112;
  private static final long PRODUCER = 32;
  private static final long CONSUMER = 72;

  /** From the library's spsc_stats_t. */
  static RingStats of(MemorySegment stats) {
    return new RingStats(
        stats.get(JAVA_LONG, 8),
        stats.get(JAVA_LONG, 16),
        stats.get(JAVA_LONG, 24),
        side(stats.asSlice(PRODUCER)),
        side(stats.asSlice(CONSUMER)));
  }

  private static Side side(MemorySegment side) {
    return new Side(
        State.values()[side.get(JAVA_INT, 0)],
        side.get(JAVA_INT, 4),
        side.get(JAVA_INT, 8),
        side.get(JAVA_INT, 12) != 0,
        side.get(JAVA_LONG, 16),
        side.get(JAVA_LONG, 24),
        side.get(JAVA_LONG, 32));
  }
}
