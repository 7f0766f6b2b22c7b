package io.github.spscshm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** The functions of the library. A handle is the address that the library gave for it. */
final class NativeLibrary {
  /** A timeout without limit, here; the library's own is all ones. */
  static final long FOREVER = Long.MAX_VALUE;

  static final int PRODUCER = 1;
  static final int CONSUMER = 2;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final SymbolLookup SYMBOLS = LibraryFile.load();

  private static final MemoryLayout ERRNO = Linker.Option.captureStateLayout();
  private static final Linker.Option WITH_ERRNO = Linker.Option.captureCallState("errno");

  private static final MethodHandle STATUS_STRING =
      function("spsc_status_string", FunctionDescriptor.of(ADDRESS, JAVA_INT));

  private static final MethodHandle CREATE =
      opener("spsc_create_with", ADDRESS, JAVA_LONG, ADDRESS);
  private static final MethodHandle ANONYMOUS =
      opener("spsc_create_anonymous_with", JAVA_LONG, ADDRESS);
  private static final MethodHandle CONNECT = opener("spsc_connect", ADDRESS);
  private static final MethodHandle CONNECT_FD = opener("spsc_connect_fd", JAVA_INT);
  private static final MethodHandle UNLINK =
      function("spsc_unlink", FunctionDescriptor.of(JAVA_INT, ADDRESS), WITH_ERRNO);
  private static final MethodHandle LISTEN = opener("spsc_listen", ADDRESS, ADDRESS);
  private static final MethodHandle ACCEPT = opener("spsc_accept", JAVA_LONG, JAVA_LONG);
  private static final MethodHandle DIAL = opener("spsc_dial", ADDRESS, ADDRESS, JAVA_LONG);

  private static final MethodHandle CLOSE = of("spsc_close", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle LISTENER_CLOSE =
      of("spsc_listener_close", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle LISTENER_INTERRUPT =
      of("spsc_listener_interrupt", FunctionDescriptor.of(JAVA_INT, JAVA_LONG));
  private static final MethodHandle CONN_CLOSE =
      of("spsc_conn_close", FunctionDescriptor.ofVoid(JAVA_LONG));
  private static final MethodHandle CONN_SENDER =
      of("spsc_conn_sender", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
  private static final MethodHandle CONN_RECEIVER =
      of("spsc_conn_receiver", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
  private static final MethodHandle CONN_PEER =
      of("spsc_conn_peer", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS, JAVA_LONG));

  private static final MethodHandle STATS =
      of("spsc_stats", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS, JAVA_LONG));
  private static final MethodHandle FD = of("spsc_fd", FunctionDescriptor.of(JAVA_INT, JAVA_LONG));
  private static final MethodHandle AVAILABLE =
      of("spsc_available", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
  private static final MethodHandle WAKEUP_ALL =
      of("spsc_wakeup_all", FunctionDescriptor.of(JAVA_INT, JAVA_LONG));
  private static final MethodHandle CURSOR_OF =
      of("spsc_cursor_of", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT));
  private static final MethodHandle WAIT =
      of(
          "spsc_wait",
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
  private static final MethodHandle WAKE = sides("spsc_wake");
  private static final MethodHandle LEAVE = sides("spsc_leave");
  private static final MethodHandle INTERRUPT = sides("spsc_interrupt");
  private static final MethodHandle CLEAR_INTERRUPT = sides("spsc_clear_interrupt");

  private NativeLibrary() {}

  private static MethodHandle function(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    MemorySegment symbol =
        SYMBOLS.find(name).orElseThrow(() -> new UnsatisfiedLinkError("no " + name));
    return LINKER.downcallHandle(symbol, descriptor, options);
  }

  private static MethodHandle of(String name, FunctionDescriptor descriptor) {
    return function(name, descriptor);
  }

  private static MethodHandle sides(String name) {
    return function(name, FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));
  }

  /** A function that makes a handle, stores it through its last argument, and sets errno. */
  private static MethodHandle opener(String name, MemoryLayout... arguments) {
    FunctionDescriptor descriptor =
        FunctionDescriptor.of(JAVA_INT, arguments).appendArgumentLayouts(ADDRESS);
    return function(name, descriptor, WITH_ERRNO);
  }

  /** Nothing in the library throws. What a handle of it declares to throw can't come. */
  private static AssertionError impossible(Throwable e) {
    return new AssertionError(e);
  }

  static String describe(int status) {
    try {
      MemorySegment text = (MemorySegment) STATUS_STRING.invokeExact(status);
      return text.reinterpret(1024).getString(0);
    } catch (Throwable e) {
      throw impossible(e);
    }
  }

  // What opens.

  /** One call of an opener. */
  @FunctionalInterface
  private interface Opening {
    int call(MemorySegment errno, MemorySegment out) throws Throwable;
  }

  private static long open(String operation, Arena arena, Opening opening) throws SpscException {
    MemorySegment errno = arena.allocate(ERRNO);
    MemorySegment out = arena.allocate(ADDRESS);
    int status;
    try {
      status = opening.call(errno, out);
    } catch (Throwable e) {
      throw impossible(e);
    }
    check(operation, status, errno);
    return out.get(JAVA_LONG, 0);
  }

  private static void check(String operation, int status, MemorySegment errno)
      throws SpscException {
    if (status != Status.OK) {
      throw new SpscException(operation, status, errno.get(JAVA_INT, 0));
    }
  }

  /** A name as C has it. */
  private static MemorySegment string(Arena arena, String name) {
    if (name.indexOf('\0') >= 0) {
      throw new IllegalArgumentException("a NUL in the name");
    }
    return arena.allocateFrom(name);
  }

  static long create(String name, long capacity, RingOptions options) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = string(arena, name);
      MemorySegment chosen = options.toNative(arena);
      return open(
          "create " + name,
          arena,
          (errno, out) -> (int) CREATE.invokeExact(errno, text, capacity, chosen, out));
    }
  }

  static long anonymous(long capacity, RingOptions options) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment chosen = options.toNative(arena);
      return open(
          "create",
          arena,
          (errno, out) -> (int) ANONYMOUS.invokeExact(errno, capacity, chosen, out));
    }
  }

  static long connect(String name) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = string(arena, name);
      return open(
          "connect " + name, arena, (errno, out) -> (int) CONNECT.invokeExact(errno, text, out));
    }
  }

  static long connectFd(int fd) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      return open("connect", arena, (errno, out) -> (int) CONNECT_FD.invokeExact(errno, fd, out));
    }
  }

  static void unlink(String name) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(ERRNO);
      int status;
      try {
        status = (int) UNLINK.invokeExact(errno, string(arena, name));
      } catch (Throwable e) {
        throw impossible(e);
      }
      check("unlink " + name, status, errno);
    }
  }

  static long listen(String path, ConnectionOptions options) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = string(arena, path);
      MemorySegment chosen = options.toNative(arena);
      return open(
          "listen at " + path,
          arena,
          (errno, out) -> (int) LISTEN.invokeExact(errno, text, chosen, out));
    }
  }

  static long accept(long listener, long timeout) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      return open(
          "accept",
          arena,
          (errno, out) -> (int) ACCEPT.invokeExact(errno, listener, nanos(timeout), out));
    }
  }

  static long dial(String path, ConnectionOptions options, long timeout) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = string(arena, path);
      MemorySegment chosen = options.toNative(arena);
      return open(
          "dial " + path,
          arena,
          (errno, out) -> (int) DIAL.invokeExact(errno, text, chosen, nanos(timeout), out));
    }
  }

  // What closes.

  static void close(long ring) {
    end(CLOSE, ring);
  }

  static void listenerClose(long listener) {
    end(LISTENER_CLOSE, listener);
  }

  static void connectionClose(long connection) {
    end(CONN_CLOSE, connection);
  }

  private static void end(MethodHandle function, long handle) {
    try {
      function.invokeExact(handle);
    } catch (Throwable e) {
      throw impossible(e);
    }
  }

  // What looks at a handle.

  static long sender(long connection) {
    return ask(CONN_SENDER, connection);
  }

  static long receiver(long connection) {
    return ask(CONN_RECEIVER, connection);
  }

  static long available(long ring) {
    return ask(AVAILABLE, ring);
  }

  private static long ask(MethodHandle function, long handle) {
    try {
      return (long) function.invokeExact(handle);
    } catch (Throwable e) {
      throw impossible(e);
    }
  }

  static int fd(long ring) {
    return tell(FD, ring);
  }

  static void wakeupAll(long ring) {
    tell(WAKEUP_ALL, ring);
  }

  static void listenerInterrupt(long listener) {
    tell(LISTENER_INTERRUPT, listener);
  }

  private static int tell(MethodHandle function, long handle) {
    try {
      return (int) function.invokeExact(handle);
    } catch (Throwable e) {
      throw impossible(e);
    }
  }

  static Peer peer(long connection) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment peer = arena.allocate(JAVA_INT, 4);
      look("peer", CONN_PEER, connection, peer);
      return new Peer(
          peer.getAtIndex(JAVA_INT, 0), peer.getAtIndex(JAVA_INT, 1), peer.getAtIndex(JAVA_INT, 2));
    }
  }

  static RingStats stats(long ring) throws SpscException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stats = arena.allocate(RingStats.SIZE, 8);
      look("stats", STATS, ring, stats);
      return RingStats.of(stats);
    }
  }

  /** Has a struct filled. */
  private static void look(
      String operation, MethodHandle function, long handle, MemorySegment struct)
      throws SpscException {
    int status;
    try {
      status = (int) function.invokeExact(handle, struct, struct.byteSize());
    } catch (Throwable e) {
      throw impossible(e);
    }
    if (status != Status.OK) {
      throw new SpscException(operation, status);
    }
  }

  // What an end needs.

  static Cursor cursor(long ring, int side) {
    try {
      return new Cursor((long) CURSOR_OF.invokeExact(ring, side));
    } catch (Throwable e) {
      throw impossible(e);
    }
  }

  static int await(long ring, int side, long need, long timeout) {
    try {
      return (int) WAIT.invokeExact(ring, side, need, nanos(timeout), 0);
    } catch (Throwable e) {
      throw impossible(e);
    }
  }

  private static long nanos(long timeout) {
    return timeout == FOREVER ? -1 : timeout;
  }

  static void wake(long ring, int side) {
    tell(WAKE, ring, side);
  }

  static void leave(long ring, int side) {
    tell(LEAVE, ring, side);
  }

  static void interrupt(long ring, int side) {
    tell(INTERRUPT, ring, side);
  }

  static void clearInterrupt(long ring, int side) {
    tell(CLEAR_INTERRUPT, ring, side);
  }

  private static void tell(MethodHandle function, long ring, int side) {
    try {
      int unused = (int) function.invokeExact(ring, side);
    } catch (Throwable e) {
      throw impossible(e);
    }
  }
}
