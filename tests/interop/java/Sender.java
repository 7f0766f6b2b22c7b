/** Sends messages by the library's own framing: see ../README.md. */
final class Sender {
  public static void main(String[] arguments) throws Exception {
    Stream stream = new Stream(arguments);
    for (int i = 0; i < stream.count; i++) {
      Stream.Tagged message = stream.tagged();
      stream.ring.producer().send(message.payload(), message.tag());
    }
    stream.end();
  }
}
