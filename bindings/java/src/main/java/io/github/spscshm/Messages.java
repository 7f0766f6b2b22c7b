package io.github.spscshm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** The messages of a consumer, up to the end of the stream. */
final class Messages implements Iterator<Message> {
  private final Consumer consumer;
  private Message next;

  Messages(Consumer consumer) {
    this.consumer = consumer;
  }

  @Override
  public boolean hasNext() {
    if (next == null) {
      next = receive();
    }
    return next != null;
  }

  @Override
  public Message next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    Message message = next;
    next = null;
    return message;
  }

  private Message receive() {
    try {
      return consumer.receive();
    } catch (SpscException e) {
      if (e.status() == Status.CLOSED) {
        return null;
      }
      throw new UncheckedIOException(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UncheckedIOException(new ClosedByInterruptException());
    }
  }
}
