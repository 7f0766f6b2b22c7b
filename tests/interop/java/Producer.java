import java.lang.foreign.MemorySegment;

/** Sends a stream of messages: see ../README.md. */
final class Producer {
  public static void main(String[] arguments) throws Exception {
    Stream stream = new Stream(arguments);
    for (int i = 0; i < stream.count; i++) {
      byte[] message = stream.message();
      stream.ring.producer().claim(message.length).copyFrom(MemorySegment.ofArray(message));
      stream.ring.producer().publish(message.length);
    }
    stream.end();
  }
}
