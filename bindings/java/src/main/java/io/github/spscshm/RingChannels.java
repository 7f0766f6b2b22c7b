package io.github.spscshm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.InterruptibleChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/** Ends as channels: an interrupt closes them, as Java's own. */
final class RingChannels {
  private RingChannels() {}

  static int write(Producer producer, ByteBuffer source) throws IOException {
    int before = source.remaining();
    try {
      producer.write(source);
    } catch (InterruptedException e) {
      throw interrupted(producer.end());
    }
    return before - source.remaining();
  }

  static int read(Consumer consumer, ByteBuffer target) throws IOException {
    try {
      return consumer.read(target);
    } catch (InterruptedException e) {
      throw interrupted(consumer.end());
    }
  }

  private static ClosedByInterruptException interrupted(End end) {
    end.close();
    Thread.currentThread().interrupt();
    return new ClosedByInterruptException();
  }

  record Writing(Producer producer) implements WritableByteChannel, InterruptibleChannel {
    @Override
    public int write(ByteBuffer source) throws IOException {
      return RingChannels.write(producer, source);
    }

    @Override
    public boolean isOpen() {
      return producer.end().isOpen();
    }

    @Override
    public void close() {
      producer.close();
    }
  }

  record Reading(Consumer consumer) implements ReadableByteChannel, InterruptibleChannel {
    @Override
    public int read(ByteBuffer target) throws IOException {
      return RingChannels.read(consumer, target);
    }

    @Override
    public boolean isOpen() {
      return consumer.end().isOpen();
    }

    @Override
    public void close() {
      consumer.close();
    }
  }
}
