package io.github.spscshm.bench;

import io.github.spscshm.Connection;
import io.github.spscshm.Listener;
import io.github.spscshm.Ring;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Two threads over rings, beside what Java has: the same program, through the same interface. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(
    value = 1,
    jvmArgs = {"--enable-native-access=ALL-UNNAMED"})
public class Streams {
  private static final int CAPACITY = 1 << 16;

  /** One direction, or both. */
  record Link(
      WritableByteChannel there,
      ReadableByteChannel thereEnd,
      WritableByteChannel back,
      ReadableByteChannel backEnd) {
    static Link open(String kind) throws Exception {
      return switch (kind) {
        case "ring" -> {
          Ring there = Ring.anonymous(CAPACITY);
          Ring back = Ring.anonymous(CAPACITY);
          yield new Link(
              there.producer().channel(),
              there.consumer().channel(),
              back.producer().channel(),
              back.consumer().channel());
        }
        case "connection" -> {
          Path path = Files.createTempDirectory("spsc").resolve("socket");
          try (Listener listener = Listener.bind(path)) {
            Connection[] client = new Connection[1];
            Thread dialer =
                Thread.ofPlatform()
                    .start(
                        () -> {
                          try {
                            client[0] = Connection.dial(path, Duration.ofSeconds(10));
                          } catch (Exception e) {
                            throw new IllegalStateException(e);
                          }
                        });
            Connection server = listener.accept();
            dialer.join();
            yield new Link(client[0], server, server, client[0]);
          }
        }
        case "pipe" -> {
          Pipe there = Pipe.open();
          Pipe back = Pipe.open();
          yield new Link(there.sink(), there.source(), back.sink(), back.source());
        }
        case "socket" -> {
          Path path = Files.createTempDirectory("spsc").resolve("socket");
          UnixDomainSocketAddress address = UnixDomainSocketAddress.of(path);
          try (ServerSocketChannel listener =
              ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(address);
            SocketChannel client = SocketChannel.open(address);
            SocketChannel server = listener.accept();
            yield new Link(client, server, server, client);
          }
        }
        default -> throw new IllegalArgumentException(kind);
      };
    }

    void close() throws IOException {
      there.close();
      thereEnd.close();
      back.close();
      backEnd.close();
    }
  }

  private static boolean readFully(ReadableByteChannel channel, ByteBuffer target)
      throws IOException {
    while (target.hasRemaining()) {
      if (channel.read(target) < 0) {
        return false;
      }
    }
    return true;
  }

  /** A thread that sends back what comes. */
  @State(Scope.Benchmark)
  public static class Echo {
    /** Over what. */
    @Param({"ring", "connection", "pipe", "socket"})
    public String kind;

    private Link link;
    private Thread echo;

    /** Starts it. */
    @Setup(Level.Trial)
    public void open() throws Exception {
      link = Link.open(kind);
      echo =
          Thread.ofPlatform()
              .start(
                  () -> {
                    ByteBuffer buffer = ByteBuffer.allocateDirect(64);
                    try {
                      while (readFully(link.thereEnd, buffer.clear())) {
                        link.back.write(buffer.flip());
                      }
                    } catch (IOException e) {
                      // The end.
                    }
                  });
    }

    /** Ends it. */
    @TearDown(Level.Trial)
    public void close() throws Exception {
      link.there.close();
      echo.join();
      link.close();
    }
  }

  /** A round trip of 64 bytes. */
  @Benchmark
  public int roundTrip(Echo echo, Buffer buffer) throws IOException {
    ByteBuffer bytes = buffer.small.clear();
    echo.link.there.write(bytes);
    readFully(echo.link.backEnd, bytes.clear());
    return bytes.get(0);
  }

  /** What a thread writes from and reads into. */
  @State(Scope.Thread)
  public static class Buffer {
    private final ByteBuffer small = ByteBuffer.allocateDirect(64);
  }

  /** A thread that reads what comes. */
  @State(Scope.Benchmark)
  public static class Sink {
    /** Over what. */
    @Param({"ring", "connection", "pipe", "socket"})
    public String kind;

    /** Bytes of a write. */
    @Param({"64", "4096", "65536"})
    public int size;

    private Link link;
    private ByteBuffer bytes;
    private Thread sink;

    /** Starts it. */
    @Setup(Level.Trial)
    public void open() throws Exception {
      link = Link.open(kind);
      bytes = ByteBuffer.allocateDirect(size);
      sink =
          Thread.ofPlatform()
              .start(
                  () -> {
                    ByteBuffer buffer = ByteBuffer.allocateDirect(CAPACITY);
                    try {
                      while (link.thereEnd.read(buffer.clear()) >= 0) {}
                    } catch (IOException e) {
                      // The end.
                    }
                  });
    }

    /** Ends it. */
    @TearDown(Level.Trial)
    public void close() throws Exception {
      link.there.close();
      sink.join();
      link.close();
    }
  }

  /** A write in a stream. */
  @Benchmark
  public void write(Sink sink) throws IOException {
    ByteBuffer bytes = sink.bytes.clear();
    while (bytes.hasRemaining()) {
      sink.link.there.write(bytes);
    }
  }
}
