package io.github.spscshm;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Finds the native library: where a property says, or in the jar. */
final class LibraryFile {
  private static final String PROPERTY = "spsc.shm.library";
  private static final String NAME = "libspsc_shm.so";

  private LibraryFile() {}

  static SymbolLookup load() {
    String path = System.getProperty(PROPERTY);
    return path == null ? loadFromJar() : open(Path.of(path).toAbsolutePath());
  }

  private static SymbolLookup loadFromJar() {
    String resource = "/META-INF/native/" + platform() + "/" + NAME;
    try (InputStream library = LibraryFile.class.getResourceAsStream(resource)) {
      if (library == null) {
        throw new UnsatisfiedLinkError(
            "no " + resource + " in the jar: name the library by -D" + PROPERTY + "=PATH");
      }
      // Of this user alone, and gone as soon as it is loaded.
      Path file = Files.createTempFile("libspsc_shm", ".so");
      try {
        Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
        return open(file);
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static SymbolLookup open(Path file) {
    try {
      return SymbolLookup.libraryLookup(file, Arena.global());
    } catch (IllegalArgumentException e) {
      UnsatisfiedLinkError error = new UnsatisfiedLinkError("can't load " + file);
      error.initCause(e);
      throw error;
    }
  }

  private static String platform() {
    String architecture = System.getProperty("os.arch");
    return System.getProperty("os.name").toLowerCase(java.util.Locale.ROOT)
        + "-"
        + (architecture.equals("amd64") ? "x86_64" : architecture);
  }
}
