// end CODE: ends the emulated machine, and its emulator with this code, by the semihosting call
// SYS_EXIT_EXTENDED. QEMU lets a program make it, if started with userspace=on.
#include <stdint.h>
#include <stdlib.h>

enum { SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

int main(int argc, char **argv) {
  uint64_t block[2] = {APPLICATION_EXIT, argc == 2 ? (uint64_t)atoi(argv[1]) : 1};
  register uint64_t operation __asm__("x0") = SYS_EXIT_EXTENDED;
  register uint64_t *argument __asm__("x1") = block;
  __asm__ volatile("hlt #0xf000" : "+r"(operation) : "r"(argument) : "memory");
  return 1; // nobody was there to listen
}
