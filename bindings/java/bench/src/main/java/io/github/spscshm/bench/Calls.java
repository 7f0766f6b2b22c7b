package io.github.spscshm.bench;

import io.github.spscshm.Consumer;
import io.github.spscshm.Message;
import io.github.spscshm.Producer;
import io.github.spscshm.Ring;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What a call costs while nobody waits: one thread writes 64 bytes and reads them. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(
    value = 1,
    jvmArgs = {"--enable-native-access=ALL-UNNAMED"})
public class Calls {
  private final byte[] bytes = new byte[64];
  private final ByteBuffer direct = ByteBuffer.allocateDirect(64);
  private Ring ring;
  private Producer producer;
  private Consumer consumer;

  /** Opens the ring. */
  @Setup
  public void open() throws IOException {
    ring = Ring.anonymous(1 << 16);
    producer = ring.producer();
    consumer = ring.consumer();
    producer.attach();
  }

  /** Closes it. */
  @TearDown
  public void close() {
    ring.close();
  }

  /** Claim, publish, peek and release of 8 bytes, in place. */
  @Benchmark
  public long claimPublishPeekRelease() throws Exception {
    producer.claim(64).set(ValueLayout.JAVA_LONG_UNALIGNED, 0, 1);
    producer.publish(64);
    long seen = consumer.peek(64).get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
    consumer.release(64);
    return seen;
  }

  /** The same with segments for all threads. */
  @Benchmark
  public long sharedClaimPublishPeekRelease() throws Exception {
    producer.shareClaims(true);
    consumer.sharePeeks(true);
    return claimPublishPeekRelease();
  }

  /** Send and receive of a message of 64 bytes. */
  @Benchmark
  public Message sendReceive() throws Exception {
    producer.send(bytes, 1);
    return consumer.receive();
  }

  /** The same into a buffer. */
  @Benchmark
  public int sendReceiveInto() throws Exception {
    producer.send(bytes, 1);
    return consumer.receive(direct.clear());
  }

  /** Write and read of 64 bytes. */
  @Benchmark
  public int writeRead() throws Exception {
    producer.write(direct.clear());
    return consumer.read(direct.clear());
  }
}
