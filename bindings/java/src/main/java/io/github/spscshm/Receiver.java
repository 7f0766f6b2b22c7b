package io.github.spscshm;

import java.lang.foreign.MemorySegment;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Reads messages through a consumer's end. */
final class Receiver {
  private static final int DEFAULT_MOST = 64 << 20;
  private static final byte[] EMPTY = {};

  private final End end;
  private final Cursor cursor;

  // The message that is next.
  private int tag;
  private int length;

  /** Where it is in the ring; 0 if it is assembled. */
  private long address;

  // Fragments, of which the end is still to come unless assembled is set.
  private byte[] fragments = EMPTY;
  private int gathered;
  private int gatheredTag;
  private boolean assembling;
  private boolean assembled;

  private int most = DEFAULT_MOST;
  private int lastTag;

  Receiver(End end) {
    this.end = end;
    cursor = end.cursor;
  }

  void setMost(int bytes) throws ClosedChannelException {
    if (bytes < 0) {
      throw new IllegalArgumentException("a message of at most " + bytes + " bytes");
    }
    end.enter();
    most = bytes;
    end.leave();
  }

  /** The next message; null if none comes in time. */
  Message receive(long timeout) throws ClosedChannelException, InterruptedException, SpscException {
    end.enter();
    try {
      if (!next(timeout)) {
        return null;
      }
      Message message = copy();
      done();
      return message;
    } finally {
      end.leave();
    }
  }

  /** All messages that are there, once there is one: none if it does not come in time. */
  List<Message> receiveMany(int max, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    if (max < 0) {
      throw new IllegalArgumentException("at most " + max + " messages");
    }
    List<Message> messages = new ArrayList<>();
    if (max == 0) {
      return messages;
    }
    end.enter();
    try {
      if (!next(timeout)) {
        return messages;
      }
      messages.add(copy());
      if (assembled) {
        done();
        return messages;
      }
      long used = Frame.size(length);
      while (messages.size() < max && frame(used)) {
        messages.add(copy());
        used += Frame.size(length);
      }
      end.advance(used);
      return messages;
    } finally {
      end.leave();
    }
  }

  /** Puts the next message in a buffer, and says whether it came in time. */
  boolean receive(ByteBuffer target, long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    end.enter();
    try {
      if (!next(timeout)) {
        return false;
      }
      if (length > target.remaining()) {
        throw new BufferOverflowException();
      }
      if (assembled) {
        target.put(fragments, 0, length);
      } else {
        Memory.get(address, MemorySegment.ofBuffer(target), 0, length);
        target.position(target.position() + length);
      }
      lastTag = tag;
      done();
      return true;
    } finally {
      end.leave();
    }
  }

  /** The tag of what the last receive put in a buffer. */
  int lastTag() {
    return lastTag;
  }

  private Message copy() {
    if (assembled) {
      return new Message(tag, Arrays.copyOf(fragments, length));
    }
    byte[] data = new byte[length];
    Memory.get(address, data, 0, length);
    return new Message(tag, data);
  }

  private void done() {
    if (assembled) {
      assembled = false;
      forget();
    } else {
      end.advance(Frame.size(length));
    }
  }

  /** Finds the next message, and says whether it comes in time. The caller has entered. */
  private boolean next(long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    end.lease.end();
    if (assembled) {
      return true;
    }
    if (!assembling && frame(0)) {
      return true;
    }
    return gather(timeout);
  }

  /** Whether a whole message lies so far ahead, in one frame. It is the next then. */
  private boolean frame(long ahead) {
    if (!Frame.aligned(cursor) || !cursor.has(ahead + Frame.HEADER)) {
      return false;
    }
    long at = cursor.at(ahead);
    long header = Memory.getLittleEndian(at);
    int size = Frame.length(header);
    if (!Frame.whole(header) || !cursor.has(ahead + Frame.size(size))) {
      return false;
    }
    tag = Frame.tag(header);
    length = size;
    address = at + Frame.HEADER;
    return true;
  }

  private boolean gather(long timeout)
      throws ClosedChannelException, InterruptedException, SpscException {
    long deadline = Waiting.deadline(timeout);
    while (true) {
      try {
        if (!end.reaches(Frame.HEADER, Waiting.left(timeout, deadline))) {
          return false;
        }
      } catch (SpscException e) {
        if (e.status() == Status.CLOSED || e.status() == Status.PEER_DEAD) {
          forget(); // its end can't come
        }
        throw e;
      }
      if (frame(0)) {
        forget();
        return true;
      }
      if (!Frame.aligned(cursor)) {
        throw end.fail(Status.CORRUPT.number);
      }
      long header = Memory.getLittleEndian(cursor.at(0));
      int size = Frame.length(header);
      // A frame is published whole, and a fragment has something in it.
      if (Frame.whole(header) || size == 0 || !cursor.has(Frame.size(size))) {
        throw end.fail(Status.CORRUPT.number);
      }
      boolean fits = take(header, size);
      end.advance(Frame.size(size));
      if (!fits) {
        forget();
        throw end.fail(Status.TOO_LARGE.number);
      }
      if (assembling && Frame.last(header)) {
        assembling = false;
        assembled = true;
        tag = gatheredTag;
        length = gathered;
        return true;
      }
    }
  }

  /** Adds a fragment, and says whether all together are not too large. */
  private boolean take(long header, int size) {
    if (Frame.first(header)) {
      // Whatever went before ends here, unfinished.
      forget();
      assembling = true;
      gatheredTag = Frame.tag(header);
    }
    if (!assembling) {
      return true; // its beginning is lost
    }
    if ((long) gathered + size > most) {
      return false;
    }
    // Memory grows with what has arrived, not with what a header announces.
    if (fragments.length < gathered + size) {
      fragments = Arrays.copyOf(fragments, (int) Math.min(2L * (gathered + size), most));
    }
    Memory.get(cursor.at(Frame.HEADER), fragments, gathered, size);
    gathered += size;
    return true;
  }

  private void forget() {
    assembling = false;
    gathered = 0;
  }
}
