package io.github.spscshm;

import java.io.IOException;

/** A call on a ring or a connection that failed, or that the other side ended. */
public final class SpscException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What went wrong. */
  private final Status status;

  /** The system's number of the error. */
  private final int systemError;

  SpscException(String operation, int number) {
    this(operation, number, 0);
  }

  SpscException(String operation, int number, int systemError) {
    super(
        operation
            + ": "
            + NativeLibrary.describe(number)
            + (systemError == 0 ? "" : " (errno " + systemError + ")"));
    status = Status.of(number);
    this.systemError = systemError;
  }

  /**
   * Says what went wrong.
   *
   * @return the library's status
   */
  public Status status() {
    return status;
  }

  /**
   * Gives the operating system's number of the error.
   *
   * @return an errno, or 0 if the error did not come from the system
   */
  public int systemError() {
    return systemError;
  }
}
