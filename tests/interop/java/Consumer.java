import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Receives a stream of messages: see ../README.md. */
final class Consumer {
  public static void main(String[] arguments) throws Exception {
    Stream stream = new Stream(arguments);
    io.github.spscshm.Consumer consumer = stream.ring.consumer();
    for (int i = 0; i < stream.count; i++) {
      MemorySegment message = MemorySegment.ofArray(stream.message());
      // The header first, as a reader must who does not know what comes.
      long header = consumer.peek(8).get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
      if (header != message.get(ValueLayout.JAVA_LONG_UNALIGNED, 0)) {
        throw new IllegalStateException("message " + i + ": another header");
      }
      if (consumer.peek(message.byteSize()).mismatch(message) != -1) {
        throw new IllegalStateException("message " + i + ": another payload");
      }
      consumer.release(message.byteSize());
    }
    stream.ends(() -> consumer.peek(1));
  }
}
