package io.github.spscshm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;

/**
 * What can be chosen when a ring is made. It does not change: each method gives another one.
 *
 * <pre>{@code
 * Ring.create("frames", 1 << 20, RingOptions.DEFAULT.replaceStale().prefault());
 * }</pre>
 */
public final class RingOptions {
  /** Mode 0600, a name in use is not replaced, pages enter when they are used, adaptive spin. */
  public static final RingOptions DEFAULT = new RingOptions(0600, 0, -1);

  static final int PREFAULT = 2;
  private static final int REPLACE_STALE = 1;

  private final int mode;
  private final int flags;
  private final long spin;

  private RingOptions(int mode, int flags, long spin) {
    this.mode = mode;
    this.flags = flags;
    this.spin = spin;
  }

  /**
   * Chooses the permission bits of a named ring, less the process's umask.
   *
   * @param mode permission bits; group and others get both reading and writing, or neither
   * @return other options
   */
  public RingOptions mode(int mode) {
    return new RingOptions(mode, flags, spin);
  }

  /**
   * Takes over a name whose ring nobody uses any more.
   *
   * @return other options
   */
  public RingOptions replaceStale() {
    return new RingOptions(mode, flags | REPLACE_STALE, spin);
  }

  /**
   * Enters all pages into the creator's page tables at once.
   *
   * @return other options
   */
  public RingOptions prefault() {
    return new RingOptions(mode, flags | PREFAULT, spin);
  }

  /**
   * Limits how long a wait spins before it sleeps, on both sides.
   *
   * @param longest at most 100 ms; zero for no spin
   * @return other options
   */
  public RingOptions spin(Duration longest) {
    return new RingOptions(mode, flags, longest.toNanos());
  }

  /** As the library's spsc_options. */
  MemorySegment toNative(Arena arena) {
    MemorySegment options = arena.allocate(24, 8);
    options.set(ValueLayout.JAVA_LONG, 0, options.byteSize());
    options.set(ValueLayout.JAVA_INT, 8, mode);
    options.set(ValueLayout.JAVA_INT, 12, flags);
    options.set(ValueLayout.JAVA_LONG, 16, spin);
    return options;
  }
}
