// Writes what comes through a ring to the standard output.
//
//     java --enable-native-access=ALL-UNNAMED -cp spsc-shm-0.2.0.jar Consumer.java NAME

import io.github.spscshm.Ring;
import java.nio.channels.Channels;
import java.time.Duration;

class Consumer {
  public static void main(String[] arguments) throws Exception {
    try (Ring ring = Ring.connect(arguments[0], Duration.ofSeconds(10));
        var in = Channels.newInputStream(ring.consumer().channel())) {
      Ring.unlink(arguments[0]); // both have it open
      in.transferTo(System.out);
    }
  }
}
