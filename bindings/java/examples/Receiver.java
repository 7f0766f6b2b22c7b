// Prints the messages of a sender.
//
//     java --enable-native-access=ALL-UNNAMED -cp spsc-shm-0.2.0.jar Receiver.java NAME

import io.github.spscshm.Message;
import io.github.spscshm.Ring;
import java.time.Duration;

class Receiver {
  public static void main(String[] arguments) throws Exception {
    try (Ring ring = Ring.connect(arguments[0], Duration.ofSeconds(10))) {
      Ring.unlink(arguments[0]); // both have it open
      for (Message message : ring.consumer().messages()) {
        System.out.println(message.tag() + ": " + new String(message.data()));
      }
    }
  }
}
