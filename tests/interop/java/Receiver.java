import io.github.spscshm.Message;
import java.util.Arrays;

/** Receives messages by the library's own framing: see ../README.md. */
final class Receiver {
  public static void main(String[] arguments) throws Exception {
    Stream stream = new Stream(arguments);
    for (int i = 0; i < stream.count; i++) {
      Stream.Tagged expected = stream.tagged();
      Message message = stream.ring.consumer().receive();
      if (message.tag() != expected.tag() || !Arrays.equals(message.data(), expected.payload())) {
        throw new IllegalStateException("message " + i + ": another tag or payload");
      }
    }
    stream.ends(stream.ring.consumer()::receive);
  }
}
