package io.github.spscshm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Watchdog.class)
class MessageTest {
  private static byte[] bytes(int length, int seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Test
  void messagesOfAllSizesArrive() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      Threads<Void> sender =
          Threads.start(
              () -> {
                for (int length = 0; length < 17_000; length += 13) {
                  ring.producer().send(bytes(length, length), length);
                }
                ring.producer().close();
                return null;
              });
      int length = 0;
      for (Message message : ring.consumer().messages()) {
        assertEquals(length, message.tag());
        assertArrayEquals(bytes(length, length), message.data());
        length += 13;
      }
      assertTrue(length >= 17_000);
      sender.join();
    }
  }

  @Test
  void whatPadsAMessageIsZero() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().claim(4096).fill((byte) 0xff);
      for (int length = 0; length < 20; length++) {
        byte[] ones = new byte[length];
        java.util.Arrays.fill(ones, (byte) 0xff);
        ring.producer().send(ones, -1);
        MemorySegment frame = ring.consumer().peekSome(8);
        assertEquals(8 + (length + 7) / 8 * 8, frame.byteSize());
        assertEquals(length, frame.get(ValueLayout.JAVA_INT, 0));
        for (long i = 8 + length; i < frame.byteSize(); i++) {
          assertEquals(0, frame.get(ValueLayout.JAVA_BYTE, i));
        }
        ring.consumer().release(frame.byteSize());

        // The same in place, where the ring is dirty.
        ring.producer().claimMessage(24).fill((byte) 0xff);
        ring.producer().publishMessage(length, 5);
        MemorySegment inPlace = ring.consumer().peekSome(8);
        assertEquals(8 + (length + 7) / 8 * 8, inPlace.byteSize());
        for (long i = 8 + length; i < inPlace.byteSize(); i++) {
          assertEquals(0, inPlace.get(ValueLayout.JAVA_BYTE, i));
        }
        ring.consumer().release(inPlace.byteSize());
      }
    }
  }

  @Test
  void messagesAreWrittenInPlace() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      Producer producer = ring.producer();
      MemorySegment claim = producer.claimMessage(100);
      assertEquals(100, claim.byteSize());
      assertEquals(0, claim.address() % 8);
      claim.setString(0, "hello");
      assertThrows(IllegalArgumentException.class, () -> producer.publishMessage(101, 0));
      producer.publishMessage(5, 7);
      assertThrows(IllegalStateException.class, () -> producer.publishMessage(1, 7));
      assertThrows(IllegalArgumentException.class, () -> producer.claimMessage(2049));
      Message message = ring.consumer().receive();
      assertEquals(7, message.tag());
      assertEquals("hello", new String(message.data()));

      // A claim of bytes is no message.
      producer.claim(50);
      assertThrows(IllegalStateException.class, () -> producer.publishMessage(1, 7));
    }
  }

  @Test
  void manyGoAtOnce() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      List<Message> messages = new ArrayList<>();
      for (int i = 0; i < 1000; i++) {
        messages.add(new Message(i, bytes(i % 50, i)));
      }
      int sent = ring.producer().sendMany(messages);
      assertTrue(sent > 10 && sent < 1000, "sent " + sent);
      List<Message> first = ring.consumer().receiveMany(10);
      assertEquals(10, first.size());
      List<Message> rest = ring.consumer().receiveMany(1000);
      assertEquals(sent - 10, rest.size());
      for (int i = 0; i < sent; i++) {
        Message message = i < 10 ? first.get(i) : rest.get(i - 10);
        assertEquals(i, message.tag());
        assertArrayEquals(messages.get(i).data(), message.data());
      }
      assertEquals(0, ring.available());
      assertEquals(0, ring.producer().sendMany(List.of()));
      assertEquals(0, ring.consumer().receiveMany(0).size());
    }
  }

  @Test
  void aMessageGoesIntoABuffer() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      for (ByteBuffer target : List.of(ByteBuffer.allocate(100), ByteBuffer.allocateDirect(100))) {
        byte[] data = bytes(60, 1);
        ring.producer().send(data, 9);
        ByteBuffer small = ByteBuffer.allocate(59);
        assertThrows(BufferOverflowException.class, () -> ring.consumer().receive(small));
        target.position(10);
        assertEquals(9, ring.consumer().receive(target));
        assertEquals(70, target.position());
        byte[] got = new byte[60];
        target.get(10, got);
        assertArrayEquals(data, got);
        assertNull(ring.consumer().tryReceive());
      }
    }
  }

  @Test
  void aMessageTooLargeIsSkipped() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.consumer().setMaxMessage(5000);
      Threads<Void> sender =
          Threads.start(
              () -> {
                ring.producer().send(new byte[20_000], 1);
                ring.producer().send(MemorySegment.ofArray(bytes(5000, 2)), 2);
                return null;
              });
      SpscException error = assertThrows(SpscException.class, () -> ring.consumer().receive());
      assertEquals(Status.TOO_LARGE, error.status());
      Message message = ring.consumer().receive();
      assertEquals(2, message.tag());
      assertArrayEquals(bytes(5000, 2), message.data());
      sender.join();
    }
  }

  @Test
  void aReceiveThatTimesOutKeepsItsFragments() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      Threads<Void> sender =
          Threads.start(
              () -> {
                ring.producer().send(bytes(50_000, 3), 3);
                return null;
              });
      Message message = null;
      while (message == null) {
        message = ring.consumer().tryReceive();
      }
      assertArrayEquals(bytes(50_000, 3), message.data());
      sender.join();
    }
  }

  @Test
  void aMessageTooLargeForTheRingIsNotSentAtOnce() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      assertFalse(ring.producer().trySend(new byte[4096], 0));
      // Four fragments, which fill the ring to the last byte.
      assertTrue(ring.producer().trySend(new byte[4064], 0));
      assertEquals(4064, ring.consumer().receive().data().length);
    }
  }

  @Test
  void bytesAreNoMessages() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().claim(16).fill((byte) 0xff);
      ring.producer().publish(16);
      SpscException error =
          assertThrows(SpscException.class, () -> ring.consumer().receive(Duration.ZERO));
      assertEquals(Status.CORRUPT, error.status());
      ring.producer().claim(3);
      ring.producer().publish(3);
      error = assertThrows(SpscException.class, () -> ring.producer().send(new byte[1], 0));
      assertEquals(Status.CORRUPT, error.status());
    }
  }

  @Test
  void channelsCarryBytes() throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      byte[] data = bytes(1_000_000, 4);
      Threads<Void> writer =
          Threads.start(
              () -> {
                try (var channel = ring.producer().channel()) {
                  assertEquals(data.length, channel.write(ByteBuffer.wrap(data)));
                }
                return null;
              });
      ByteBuffer got = ByteBuffer.allocateDirect(data.length + 1);
      try (var channel = ring.consumer().channel()) {
        while (channel.read(got) >= 0) {}
        assertEquals(0, channel.read(ByteBuffer.allocate(0)));
      }
      assertEquals(data.length, got.position());
      assertEquals(ByteBuffer.wrap(data), got.flip());
      writer.join();
    }
  }
}
