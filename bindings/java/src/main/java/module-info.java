/**
 * A lock-free ring in shared memory, for one producer and one consumer, which may be in two
 * processes and written in different languages.
 */
module io.github.spscshm {
  exports io.github.spscshm;
}
