package io.github.spscshm;

import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.List;

/** Writes messages through a producer's end. */
final class Sender {
  private final End end;
  private final Cursor cursor;

  /** How long a message may be that is claimed, or less than 0. */
  private long claimed = -1;

  Sender(End end) {
    this.end = end;
    cursor = end.cursor;
  }

  /** Says whether the message was sent in time. */
  boolean send(MemorySegment data, int tag, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    end.enter();
    try {
      end.lease.end();
      long length = data.byteSize();
      return length <= Frame.largest(cursor)
          ? sendFrame(data, 0, length, 0, tag, timeout)
          : sendFragments(data, tag, timeout);
    } finally {
      end.leave();
    }
  }

  /** Sends all that fit, once the first does. Gives how many: none if not in time. */
  int sendMany(List<Message> messages, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    if (messages.isEmpty()) {
      return 0;
    }
    end.enter();
    try {
      end.lease.end();
      Message first = messages.get(0);
      MemorySegment data = MemorySegment.ofArray(first.data());
      if (data.byteSize() > Frame.largest(cursor)) {
        return sendFragments(data, first.tag(), timeout) ? 1 : 0;
      }
      if (!reaches(Frame.size(data.byteSize()), timeout)) {
        return 0;
      }
      long used = 0;
      int sent = 0;
      for (Message message : messages) {
        long length = message.data().length;
        if (length > Frame.largest(cursor) || !cursor.has(used + Frame.size(length))) {
          break;
        }
        put(used, MemorySegment.ofArray(message.data()), 0, length, 0, message.tag());
        used += Frame.size(length);
        sent++;
      }
      end.advance(used);
      return sent;
    } finally {
      end.leave();
    }
  }

  /** The payload of a message, to write in place; null if there is no room in time. */
  MemorySegment claim(long most, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    if (most < 0 || most > Frame.largest(cursor)) {
      throw new IllegalArgumentException(
          most + " bytes in place, with a ring of " + cursor.capacity());
    }
    end.enter();
    try {
      if (!reaches(Frame.size(most), timeout)) {
        return null;
      }
      MemorySegment payload = end.grant(Frame.HEADER + most, Frame.HEADER);
      claimed = most;
      return payload;
    } finally {
      end.leave();
    }
  }

  void publish(long length, int tag) throws ClosedChannelException {
    end.enter();
    try {
      if (!end.lease.out() || cursor.granted() != Frame.HEADER + claimed) {
        throw new IllegalStateException("no message is claimed");
      }
      if (length < 0 || length > claimed) {
        throw new IllegalArgumentException(length + " bytes of " + claimed);
      }
      end.lease.end();
      claimed = -1;
      Frame.pad(cursor.at(0), length);
      Memory.putLittleEndian(cursor.at(0), Frame.header(length, 0, tag));
      end.advance(Frame.size(length));
    } finally {
      end.leave();
    }
  }

  private boolean reaches(long need, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    if (!end.reaches(need, timeout)) {
      return false;
    }
    if (!Frame.aligned(cursor)) {
      throw end.fail(Status.CORRUPT.number);
    }
    return true;
  }

  private boolean sendFrame(
      MemorySegment data, long offset, long length, int flags, int tag, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    long size = Frame.size(length);
    if (!reaches(size, timeout)) {
      return false;
    }
    put(0, data, offset, length, flags, tag);
    end.advance(size);
    return true;
  }

  private void put(long ahead, MemorySegment data, long offset, long length, int flags, int tag) {
    long address = cursor.at(ahead);
    Frame.surround(address, length, flags, tag);
    Memory.put(address + Frame.HEADER, data, offset, length);
  }

  private boolean sendFragments(MemorySegment data, int tag, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    long piece = Frame.fragment(cursor);
    long whole = data.byteSize();
    if (timeout == 0) {
      // What is sent of half a message is of no use to anybody.
      long rest = whole % piece;
      long size = whole / piece * Frame.size(piece) + (rest == 0 ? 0 : Frame.size(rest));
      if (!reaches(Math.min(size, cursor.capacity()), 0) || size > cursor.capacity()) {
        return false;
      }
    }
    long deadline = Waiting.deadline(timeout);
    int flags = 0;
    for (long offset = 0; offset < whole; offset += piece) {
      long length = Math.min(piece, whole - offset);
      if (offset + length < whole) {
        flags |= Frame.MORE;
      }
      if (!sendFrame(data, offset, length, flags, tag, Waiting.left(timeout, deadline))) {
        return false;
      }
      flags = Frame.CONTINUES;
    }
    return true;
  }
}
