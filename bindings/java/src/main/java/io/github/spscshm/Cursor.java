package io.github.spscshm;

import java.lang.invoke.VarHandle;

/**
 * One side's position in the stream: the library's {@code spsc_cursor}, on which its functions work
 * as well. It lives as long as the handle, and only who has entered the end may touch it.
 *
 * <p>What claims, publishes, peeks and releases while nobody has to wait is here, by the rules that
 * {@code spsc_shm.h} states.
 */
final class Cursor {
  private static final long POSITION = 0;
  private static final long LIMIT = 8;
  private static final long GRANTED = 16;
  private static final long MASK = 24;
  private static final long WINDOW = 32;
  private static final long LEAD = 40;
  private static final long DATA = 48;
  private static final long OWN_COUNTER = 56;
  private static final long OTHER_COUNTER = 64;
  private static final long OTHER_PARKED = 72;
  private static final long FENCED = 80;

  private final long address;
  private final long mask;
  private final long lead;
  private final long data;
  private final long ownCounter;
  private final long otherCounter;
  private final long otherParked;

  Cursor(long address) {
    this.address = address;
    mask = Memory.getLong(address + MASK);
    lead = Memory.getLong(address + LEAD);
    data = Memory.getLong(address + DATA);
    ownCounter = Memory.getLong(address + OWN_COUNTER);
    otherCounter = Memory.getLong(address + OTHER_COUNTER);
    otherParked = Memory.getLong(address + OTHER_PARKED);
  }

  long capacity() {
    return mask + 1;
  }

  long position() {
    return Memory.getLong(address + POSITION);
  }

  long granted() {
    return Memory.getLong(address + GRANTED);
  }

  void grant(long n) {
    Memory.putLong(address + GRANTED, n);
  }

  /** Whether this handle has the role. */
  boolean attached() {
    return Memory.getLong(address + WINDOW) != 0;
  }

  /** How many bytes this side could move over, by what was last seen. */
  long room() {
    return Memory.getLong(address + LIMIT) - position();
  }

  /** Whether there is room for n bytes. Looks at the other side only if it must. */
  boolean has(long n) {
    return n <= room() || sees(n);
  }

  /**
   * Looks at the other side's counter, and says whether it makes room for n bytes, which is not
   * less than was known. If it is still short, or implausible, the library decides.
   */
  boolean sees(long n) {
    long position = position();
    // Pairs with the release store in the other side's advance.
    long limit = Memory.getLongAcquire(otherCounter) + lead;
    long room = limit - position;
    if (room < n
        || room < Memory.getLong(address + LIMIT) - position
        || room > Memory.getLong(address + WINDOW)) {
      return false;
    }
    Memory.putLong(address + LIMIT, limit);
    return true;
  }

  /** Where the position lies in the data, or what is so far ahead of it. */
  long at(long ahead) {
    return data + (position() + ahead & mask);
  }

  /**
   * Hands n bytes to the other side, of which there must be room, and says whether that side may be
   * asleep.
   */
  boolean advance(long n) {
    long position = position() + n;
    Memory.putLong(address + POSITION, position);
    // Pairs with the acquire load in the other side's look.
    Memory.putLongRelease(ownCounter, position);
    // The load must stay behind the store. Java has no fence for the compiler alone.
    VarHandle.fullFence();
    return (Memory.getIntOpaque(otherParked) | Memory.getInt(address + FENCED)) != 0;
  }
}
