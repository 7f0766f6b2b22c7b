/*
 * The receiving end of the transfer example: reads a stream from the ring named by its argument,
 * in place, and prints how many bytes came and their checksum.
 */
#include "spsc_shm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a over 64-bit little-endian words, the last one padded with zeros, however the stream is
 * cut into pieces. checksum.rs has the same. */
struct checksum {
  uint64_t hash;
  uint64_t bytes; /* so far */
  uint64_t word;  /* those of them since the last whole word */
};

static void fold(struct checksum *sum) {
  sum->hash = (sum->hash ^ sum->word) * UINT64_C(0x100000001b3);
  sum->word = 0;
}

static void add_byte(struct checksum *sum, unsigned char byte) {
  sum->word |= (uint64_t)byte << (sum->bytes % 8 * 8);
  sum->bytes += 1;
  if (sum->bytes % 8 == 0) {
    fold(sum);
  }
}

static void add(struct checksum *sum, const unsigned char *data, size_t len) {
  size_t i = 0;
  while (i < len) {
    if (sum->bytes % 8 == 0 && len - i >= 8) {
      memcpy(&sum->word, data + i, 8); /* both supported architectures are little-endian */
      sum->bytes += 8;
      i += 8;
      fold(sum);
    } else {
      add_byte(sum, data[i]);
      i += 1;
    }
  }
}

static int fail(const char *call, spsc_status status) {
  fprintf(stderr, "%s: %s\n", call, spsc_status_string(status));
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: receiver RING\n");
    return 2;
  }
  spsc_ring *ring;
  spsc_status status = spsc_connect(argv[1], &ring);
  if (status != SPSC_OK) {
    return fail("spsc_connect", status);
  }

  struct checksum sum = {UINT64_C(0xcbf29ce484222325), 0, 0};
  for (;;) {
    const void *data;
    size_t len;
    status = spsc_peek_some(ring, 1, SPSC_WAIT_FOREVER, &data, &len);
    if (status != SPSC_OK) {
      break;
    }
    add(&sum, data, len);
    spsc_release(ring, len);
  }
  spsc_close(ring);
  if (status != SPSC_CLOSED) { /* the only good end: all has come */
    return fail("spsc_peek_some", status);
  }

  if (sum.bytes % 8 != 0) {
    fold(&sum);
  }
  printf("%" PRIu64 " %016" PRIx64 "\n", sum.bytes, sum.hash);
  return 0;
}
