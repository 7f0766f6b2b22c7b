// Sends each line of the standard input as one message, with its number as the tag.
//
//     java --enable-native-access=ALL-UNNAMED -cp spsc-shm-0.2.0.jar Sender.java NAME

import io.github.spscshm.Ring;
import io.github.spscshm.RingOptions;
import java.io.BufferedReader;
import java.io.InputStreamReader;

class Sender {
  public static void main(String[] arguments) throws Exception {
    try (Ring ring = Ring.create(arguments[0], 1 << 16, RingOptions.DEFAULT.replaceStale());
        var lines = new BufferedReader(new InputStreamReader(System.in))) {
      ring.producer().attach(); // so that the stream ends also if nothing is sent
      int number = 0;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        ring.producer().send(line.getBytes(), number++);
      }
    }
  }
}
