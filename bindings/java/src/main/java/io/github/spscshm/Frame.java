package io.github.spscshm;

/**
 * How a message lies in the stream: the payload's length with two flags above it, the tag, the
 * payload, and zeros up to a multiple of 8. A message of more than half the ring goes in several
 * frames, its fragments: all but the last have {@link #MORE}, all but the first {@link #CONTINUES}.
 * A frame is published whole or not at all.
 */
final class Frame {
  static final int HEADER = 8;
  static final int MORE = 1 << 30;
  static final int CONTINUES = 1 << 31;
  private static final int LENGTH = (1 << 30) - 1;

  private Frame() {}

  /** How many bytes the frame of a payload takes. */
  static long size(long length) {
    return (length + HEADER + 7) & ~7;
  }

  /** The largest payload that goes in one frame. */
  static long largest(Cursor cursor) {
    return Math.min(cursor.capacity() / 2, LENGTH & ~7);
  }

  /**
   * The payload of every fragment but the last: with its header a quarter of the ring, so that one
   * part is written while another is read.
   */
  static long fragment(Cursor cursor) {
    return Math.min(cursor.capacity() / 4 - HEADER, LENGTH & ~7);
  }

  /** A frame can begin only here. In a stream of messages the position always is so. */
  static boolean aligned(Cursor cursor) {
    return (cursor.position() & 7) == 0;
  }

  static long header(long length, int flags, int tag) {
    return (length | flags) & 0xffff_ffffL | (long) tag << 32;
  }

  static int length(long header) {
    return (int) header & LENGTH;
  }

  static int tag(long header) {
    return (int) (header >>> 32);
  }

  static boolean whole(long header) {
    return ((int) header & ~LENGTH) == 0;
  }

  static boolean first(long header) {
    return ((int) header & CONTINUES) == 0;
  }

  static boolean last(long header) {
    return ((int) header & MORE) == 0;
  }

  /** Writes what surrounds a payload: the header, and zeros behind it. */
  static void surround(long address, long length, int flags, int tag) {
    long padded = size(length);
    if (padded != HEADER) {
      // All but the payload's last bytes are written over by it.
      Memory.putLong(address + padded - 8, 0);
    }
    Memory.putLittleEndian(address, header(length, flags, tag));
  }

  /** Zeros behind a payload that is there already. */
  static void pad(long address, long length) {
    for (long at = address + HEADER + length; at < address + size(length); at++) {
      Memory.putByte(at, (byte) 0);
    }
  }
}
