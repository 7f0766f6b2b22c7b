import io.github.spscshm.Ring;
import io.github.spscshm.SpscException;
import io.github.spscshm.Status;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;

/** What all four programs share, the arguments, the ring, and the numbers: see ../README.md. */
final class Stream {
  final Ring ring;
  final int count;
  private final boolean killed;
  private long state;

  Stream(String[] arguments) throws Exception {
    ring = Ring.connect(arguments[0], Duration.ofSeconds(10));
    count = Integer.parseInt(arguments[1]);
    state = Long.parseUnsignedLong(arguments[2]) * 2 + 1;
    killed = arguments[3].equals("kill");
  }

  private long next() {
    state ^= state >>> 12;
    state ^= state << 25;
    state ^= state >>> 27;
    return state * 0x2545F4914F6CDD1DL;
  }

  private int below(int bound) {
    return (int) Long.remainderUnsigned(next(), bound);
  }

  private void fill(ByteBuffer target, int length) {
    long base = next();
    for (int j = 0; j < length; j++) {
      target.put((byte) (base >>> 8 * (j % 8) ^ j / 8));
    }
  }

  /** The next message of bytes: length, checksum, payload. */
  byte[] message() {
    int length = below(1500);
    ByteBuffer message = ByteBuffer.allocate(8 + length).order(ByteOrder.LITTLE_ENDIAN);
    fill(message.position(8), length);
    int checksum = 0x811C9DC5;
    for (int j = 8; j < message.capacity(); j++) {
      checksum = (checksum ^ message.get(j) & 0xFF) * 0x01000193;
    }
    return message.putInt(0, length).putInt(4, checksum).array();
  }

  /** A message of the library's own framing. */
  record Tagged(int tag, byte[] payload) {}

  /** The next one. */
  Tagged tagged() {
    boolean large = below(4) == 0;
    int length = below(large ? 16385 : 300);
    int tag = (int) next();
    ByteBuffer payload = ByteBuffer.allocate(length);
    fill(payload, length);
    return new Tagged(tag, payload.array());
  }

  /** The producer's end. */
  void end() throws Exception {
    if (killed) {
      new ProcessBuilder("kill", "-KILL", Long.toString(ProcessHandle.current().pid()))
          .start()
          .waitFor();
    }
    ring.close();
  }

  /** What a consumer does behind the last message. */
  interface More {
    void ask() throws IOException, InterruptedException;
  }

  /** Checks how the stream ends. */
  void ends(More more) throws IOException, InterruptedException {
    try {
      more.ask();
    } catch (SpscException e) {
      if (e.status() == (killed ? Status.PEER_DEAD : Status.CLOSED)) {
        System.out.println("ok " + count);
        return;
      }
      throw e;
    }
    throw new IllegalStateException("the stream goes on");
  }
}
