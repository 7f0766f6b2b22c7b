package io.github.spscshm;

/** How a call ended that did not succeed: the library's statuses. */
public enum Status {
  /** The time ran out first. Calls say so by {@link java.util.concurrent.TimeoutException}. */
  TIMEOUT(1),
  /** {@link Ring#wakeupAll} was called. */
  INTERRUPTED(2),
  /** The other side closed its end: the end of the stream, until a new peer attaches. */
  CLOSED(3),
  /** The other side's process died without closing. */
  PEER_DEAD(4),
  /** A bad descriptor or option, or a capacity that can't be represented. */
  INVALID_ARGUMENT(-1),
  /** A name that is empty, too long, or that has a slash other than one at its start. */
  INVALID_NAME(-2),
  /** The name is taken. */
  ALREADY_EXISTS(-3),
  /** There is no such name. */
  NOT_FOUND(-4),
  /** The operating system refused access. */
  PERMISSION(-5),
  /** The shared-memory file system can't hold the ring. */
  NO_SPACE(-6),
  /** Out of memory, address space or file descriptors. */
  NO_MEMORY(-7),
  /** The creator has not finished, or another ring has taken this one's name. */
  NOT_READY(-8),
  /** What is there is no ring, or not sealed. */
  NOT_A_RING(-9),
  /** The ring has another layout version, or was made with another page size. */
  VERSION(-10),
  /** Another live handle is already the producer, or the consumer. */
  ROLE_TAKEN(-11),
  /** More than the capacity, or a message larger than allowed. */
  TOO_LARGE(-12),
  /** More was published than claimed, or released than peeked. */
  MISUSE(-13),
  /** The shared counters contradict each other, or what is there is no message. */
  CORRUPT(-14),
  /** Any other error of the operating system: see {@link SpscException#systemError}. */
  SYSTEM(-15),
  /** A defect in the library. */
  PANIC(-16),
  /** A status that a newer library has and this class does not know. */
  UNKNOWN(Integer.MIN_VALUE);

  static final int OK = 0;

  final int number;

  Status(int number) {
    this.number = number;
  }

  static Status of(int number) {
    for (Status status : values()) {
      if (status.number == number) {
        return status;
      }
    }
    return UNKNOWN;
  }
}
