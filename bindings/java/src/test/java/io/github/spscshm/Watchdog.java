package io.github.spscshm;

import java.util.Map;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Tests wait without limit. One that hangs is shown, with all stacks, and the process killed. */
final class Watchdog implements BeforeEachCallback, AfterEachCallback {
  private static final long LIMIT_MS = 120_000;
  private Thread dog;

  @Override
  public void beforeEach(ExtensionContext context) {
    dog =
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  try {
                    Thread.sleep(LIMIT_MS);
                  } catch (InterruptedException e) {
                    return;
                  }
                  System.err.println("hangs: " + context.getUniqueId());
                  for (Map.Entry<Thread, StackTraceElement[]> each :
                      Thread.getAllStackTraces().entrySet()) {
                    System.err.println(each.getKey());
                    for (StackTraceElement element : each.getValue()) {
                      System.err.println("    " + element);
                    }
                  }
                  Runtime.getRuntime().halt(1);
                });
  }

  @Override
  public void afterEach(ExtensionContext context) {
    dog.interrupt();
  }
}
