package io.github.spscshm;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Memory by its address. Nothing here knows whether it is mapped: who calls has entered an {@link
 * End}, and that keeps it.
 */
final class Memory {
  private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LITTLE_ENDIAN_LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  private Memory() {}

  static long getLong(long address) {
    return (long) LONG.get(ALL, address);
  }

  static void putLong(long address, long value) {
    LONG.set(ALL, address, value);
  }

  static long getLongAcquire(long address) {
    return (long) LONG.getAcquire(ALL, address);
  }

  static void putLongRelease(long address, long value) {
    LONG.setRelease(ALL, address, value);
  }

  static int getInt(long address) {
    return (int) INT.get(ALL, address);
  }

  static int getIntOpaque(long address) {
    return (int) INT.getOpaque(ALL, address);
  }

  static void putByte(long address, byte value) {
    ALL.set(ValueLayout.JAVA_BYTE, address, value);
  }

  /** Reads what the other process may change at any time: once. */
  static long getLittleEndian(long address) {
    return (long) LITTLE_ENDIAN_LONG.getOpaque(ALL, address);
  }

  static void putLittleEndian(long address, long value) {
    LITTLE_ENDIAN_LONG.setOpaque(ALL, address, value);
  }

  static void get(long address, byte[] target, int offset, int length) {
    MemorySegment.copy(ALL, ValueLayout.JAVA_BYTE, address, target, offset, length);
  }

  static void put(long address, MemorySegment source, long offset, long length) {
    MemorySegment.copy(source, offset, ALL, address, length);
  }

  static void get(long address, MemorySegment target, long offset, long length) {
    MemorySegment.copy(ALL, address, target, offset, length);
  }

  /** The part of a segment, to be wrapped in a lifetime. */
  static MemorySegment at(long address) {
    return MemorySegment.ofAddress(address);
  }
}
