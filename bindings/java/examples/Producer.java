// Sends the standard input through a ring.
//
//     java --enable-native-access=ALL-UNNAMED -cp spsc-shm-0.2.0.jar Producer.java NAME

import io.github.spscshm.Ring;
import io.github.spscshm.RingOptions;
import java.nio.channels.Channels;

class Producer {
  public static void main(String[] arguments) throws Exception {
    try (Ring ring = Ring.create(arguments[0], 1 << 16, RingOptions.DEFAULT.replaceStale());
        var out = Channels.newOutputStream(ring.producer().channel())) {
      ring.producer().attach(); // so that the stream ends also if nothing is sent
      System.in.transferTo(out);
    }
  }
}
