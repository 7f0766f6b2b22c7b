/*
 * spsc_shm.h: a lock-free ring of bytes in shared memory, for one producer and one consumer, which
 * may be in two processes and written in different languages.
 *
 * This overview says how the parts belong together. Each function's own comment says the rest:
 * units, errors, which thread may call it, whether it blocks, and how long a pointer stays valid.
 *
 * The life of a ring
 *
 *   One process makes the ring and the other opens it. Each then has a handle (spsc_ring).
 *
 *                 by a name                                   without a name
 *     make        spsc_create, spsc_create_with               spsc_create_anonymous[_with]
 *     hand over   the name                                    spsc_fd, by fork or a Unix socket
 *     open        spsc_connect, spsc_connect_timeout          spsc_connect_fd
 *     forget      spsc_unlink, once both have it open         -
 *     close       spsc_close, in each process                 spsc_close, in each process
 *
 *   The capacity is rounded up to a power of two that is at least a page. All memory is reserved
 *   when the ring is made, and goes with the last handle. A name stays until somebody removes it.
 *   With SPSC_REPLACE_STALE a ring takes over the name of one that nobody uses any more.
 *
 * Writing and reading
 *
 *     producer                                        consumer
 *     spsc_claim(ring, 64, timeout, &data)            spsc_peek(ring, 64, timeout, &data)
 *     ... write 64 bytes at data ...                  ... read 64 bytes at data ...
 *     spsc_publish(ring, 64)                          spsc_release(ring, 64)
 *
 *   The ring is a stream of bytes: what was published in pieces of 4 and 100 bytes may be peeked at
 *   as 104, and the reverse. A claim or a peek is contiguous, wherever it lies and however large it
 *   is, up to the whole capacity. Fewer bytes may be published than were claimed, and one claim may
 *   be published in several steps; the same holds for peek and release. A new claim replaces the
 *   old one. spsc_claim_some and spsc_peek_some give all that there is: one call for many messages.
 *   The library copies nothing, and alignment is that of the position in the stream. After
 *   non-temporal stores (movnti and the like) issue a store fence before you publish: they are not
 *   ordered by the publish.
 *
 * Messages
 *
 *   One stream carries either bytes or messages, and the reader must know which. spsc_send and
 *   spsc_receive copy a message in and give one in place; spsc_receive_done consumes it.
 *   spsc_message_claim and spsc_message_publish write one in place. Each message has a tag of the
 *   caller's and is aligned to 8 bytes. One of more than half the ring goes in fragments, may be
 *   larger than the ring, and is assembled in the receiver's memory (spsc_set_max_message). A sender
 *   that dies half-way loses that message and no other.
 *
 * Connections
 *
 *   spsc_listen waits for clients at a path, spsc_accept gives the next one, spsc_dial connects. Each
 *   connection is two sealed rings without names, spsc_conn_sender and spsc_conn_receiver, used and
 *   ended as any other, and a descriptor, spsc_conn_fd, for poll, epoll and the like. spsc_conn_arm
 *   makes that readable as soon as there is data or space; it also tells of the end of the peer. A
 *   busy connection makes no system call.
 *
 * Waiting
 *
 *   timeout_ns limits the whole call, in nanoseconds: 0 does not wait, SPSC_WAIT_FOREVER has no
 *   limit. A wait spins for some microseconds and then sleeps. No signal, spurious wake-up or
 *   partial arrival ends it early. What is there is always given first, whatever became of the
 *   other side; only a call that would have to wait ends with one of these:
 *
 *     SPSC_TIMEOUT      the time ran out
 *     SPSC_INTERRUPTED  spsc_wakeup_all (both sides, every process) or spsc_interrupt (this handle)
 *     SPSC_CLOSED       the other side gave its role up: the end of the stream
 *     SPSC_PEER_DEAD    the other side's process died without closing
 *
 *   None is final. When a new peer comes, the next call goes on where the stream stands. What was
 *   published and not released is the next consumer's; what was claimed and not published is gone.
 *   SPSC_PEER_DEAD comes within 250 ms of the moment in which the kernel closes the dead process's
 *   descriptors, which is after it has freed its memory and written a core file, if any.
 *
 *   spsc_wait can outlive a peer, for servers. spsc_wait_any waits for up to 127 sides of rings at
 *   once, with one sleep for all.
 *
 * Statuses
 *
 *   Every function that can fail returns an spsc_status: SPSC_OK is 0, outcomes of a wait are
 *   positive, errors are negative. Bear with numbers that you don't know: spsc_status_string does.
 *   An output is written only on SPSC_OK. Otherwise errno is the system's number of the error, or 0
 *   if the error did not come from the system.
 *
 * Roles and threads
 *
 *   The first claim (or wait for space) makes a handle the producer, the first peek (or wait for
 *   data) the consumer, until spsc_leave, spsc_close or the death of the process. A second handle
 *   gets SPSC_ERR_ROLE_TAKEN. A handle without a role ends nobody's stream: a producer that may
 *   have nothing to send takes it first, by spsc_wait_for_space(ring, 1, 0). One handle may be
 *   shared by two threads, one for each side, or each has its own. "Thread: producer" at a function
 *   means that one thread at a time may be in such a call on this handle; "any" means any thread,
 *   at any time. No thread may be in a call on a handle while another closes it.
 *
 * fork, signals, cancellation
 *
 *   A forked child's copy of a handle has no role, and keeps none of its parent's alive. It may be
 *   used as if newly connected, or closed. Only spsc_wakeup_all and spsc_interrupt are
 *   async-signal-safe. pthread_cancel waits until a call is over; a signal that leaves a call by
 *   longjmp, or an exception, is not allowed. Do not close the library's descriptors under it
 *   (closefrom, close_range): the process then loses its roles while it runs, and the peer takes it
 *   for dead.
 *
 * Trust
 *
 *   Whatever the other process writes into the shared memory, a call here stays inside the mapping
 *   and ends with a status. The data is the other process's to change at any time: copy before you
 *   validate. A named ring can be truncated by whoever may write it, and the next access is a
 *   SIGBUS. An anonymous one is sealed against that: use it between parties that do not trust each
 *   other. No seal forbids to punch holes into it; the next access then needs a new page, and fails
 *   by a SIGBUS or the OOM killer where there is none: under strict overcommit, or in a full memory
 *   group.
 *
 * Structs that grow
 *
 *   spsc_options, spsc_stats_t, spsc_conn_options and spsc_peer may get members at their end in any version. The caller says how
 *   large it knows them (struct_size), and the library touches nothing beyond. What the caller does
 *   not know has its default; what the library does not know must be 0 in an input, and is zeroed
 *   in an output. Begin with: spsc_options options = SPSC_OPTIONS_INIT;
 *
 * Without a call
 *
 *   spsc_shm_inline.h claims, publishes, peeks and releases inline, on the cursor that
 *   spsc_cursor_of gives. Other languages can do the same: see spsc_cursor.
 */

#ifndef SPSC_SHM_H
#define SPSC_SHM_H

/* Generated from the Rust source. To refresh it: SPSC_UPDATE_HEADER=1 cargo test --test header */

#include <stddef.h>
#include <stdint.h>

#define SPSC_VERSION_MAJOR 0
#define SPSC_VERSION_MINOR 2
#define SPSC_VERSION_PATCH 0
/** To be compared with spsc_version(). */
#define SPSC_VERSION_NUMBER \
  ((SPSC_VERSION_MAJOR << 16) | (SPSC_VERSION_MINOR << 8) | SPSC_VERSION_PATCH)

/** On functions whose result says whether their output was written. */
#if defined(__GNUC__)
#define SPSC_MUST_USE __attribute__((warn_unused_result))
#else
#define SPSC_MUST_USE
#endif

/** The defaults: spsc_options options = SPSC_OPTIONS_INIT; */
#define SPSC_OPTIONS_INIT { sizeof(spsc_options), 0600, 0, SPSC_SPIN_ADAPTIVE }

/** The defaults: spsc_conn_options options = SPSC_CONN_OPTIONS_INIT; */
#define SPSC_CONN_OPTIONS_INIT \
  { sizeof(spsc_conn_options), 0, 0, SPSC_SPIN_ADAPTIVE, 0600, 0, 128, 0 }

/**
 * A timeout_ns without limit.
 */
#define SPSC_WAIT_FOREVER UINT64_MAX

/**
 * A spin_ns that leaves the choice to the library: as long as recent waits suggest, at most 50 µs.
 */
#define SPSC_SPIN_ADAPTIVE UINT64_MAX

/**
 * Flag of spsc_options: replace a ring of the same name, if it has no live producer, no live
 * consumer, and no live creator. A ring in use is never replaced, nor an object that is no ring:
 * that gives SPSC_ERR_ALREADY_EXISTS.
 */
#define SPSC_REPLACE_STALE 1

/**
 * Flag of spsc_options: enter all pages into the creator's page tables at once, so that the first
 * lap takes no page faults.
 */
#define SPSC_PREFAULT 2

/**
 * The side that writes, for spsc_interrupt and others.
 */
#define SPSC_PRODUCER 1

/**
 * The side that reads.
 */
#define SPSC_CONSUMER 2

/**
 * Flag of spsc_wait: a peer that closed or died does not end the wait, as a new one may come. What
 * the new peer publishes or releases does. If the time runs out and there still is no peer, the
 * status is SPSC_CLOSED or SPSC_PEER_DEAD, not SPSC_TIMEOUT. With timeout_ns 0 it changes nothing.
 */
#define SPSC_WAIT_NEXT_PEER 1

/**
 * Flag of spsc_wait: calls of spsc_wakeup_all and spsc_interrupt from before this one are
 * forgotten, and do not end it.
 */
#define SPSC_WAIT_FRESH 2

/**
 * The most items of one spsc_wait_any.
 */
#define SPSC_WAIT_ANY_MAX 127

/**
 * Added to the side of an spsc_wait_item: SPSC_WAIT_NEXT_PEER for this item. A peer that closed or
 * died does not decide the item. It stays SPSC_TIMEOUT until the next peer has published or released
 * enough.
 */
#define SPSC_ITEM_NEXT_PEER 256

/**
 * Added to the side of an spsc_wait_item: SPSC_WAIT_FRESH for this item. Interrupts from before the
 * call do not end it.
 */
#define SPSC_ITEM_FRESH 512

/**
 * Bit of spsc_conn_arm: data can be peeked at, or will never come.
 */
#define SPSC_READABLE 1

/**
 * Bit of spsc_conn_arm: space can be claimed, or will never be free.
 */
#define SPSC_WRITABLE 2

/**
 * How a call ended. 0 is success. Positive values are outcomes of a wait, in which nothing is
 * wrong. Negative values are errors. Numbers are append-only. Outputs are written only on
 * SPSC_OK. After a status other than SPSC_OK, errno holds the number of the error if it came from
 * the operating system, and 0 if not.
 */
enum spsc_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done.
   */
  SPSC_OK = 0,
  /**
   * The time ran out first.
   */
  SPSC_TIMEOUT = 1,
  /**
   * spsc_wakeup_all or spsc_interrupt was called.
   */
  SPSC_INTERRUPTED = 2,
  /**
   * The other side closed its handle, and what is asked for can't come until a new peer
   * attaches.
   */
  SPSC_CLOSED = 3,
  /**
   * The other side's process died without closing. Reported within 250 ms of the moment in which
   * the kernel closes the process's descriptors. That comes after it has freed the process's
   * memory and written a core file, if any, which takes seconds for gigabytes.
   */
  SPSC_PEER_DEAD = 4,
  /**
   * A NULL where none is allowed, a bad descriptor or option, or a capacity that can't be
   * represented.
   */
  SPSC_ERR_INVALID_ARGUMENT = -1,
  /**
   * A name that is empty, longer than 255 bytes, "." or "..", or that has a slash other than one
   * at its start.
   */
  SPSC_ERR_INVALID_NAME = -2,
  /**
   * Create: the name is taken.
   */
  SPSC_ERR_ALREADY_EXISTS = -3,
  /**
   * Connect, unlink: no such name.
   */
  SPSC_ERR_NOT_FOUND = -4,
  /**
   * The operating system refused access.
   */
  SPSC_ERR_PERMISSION = -5,
  /**
   * The shared-memory file system can't hold the ring.
   */
  SPSC_ERR_NO_SPACE = -6,
  /**
   * Out of memory, address space or file descriptors.
   */
  SPSC_ERR_NO_MEMORY = -7,
  /**
   * Connect: the creator has not finished. First claim or peek: another ring has replaced this
   * one under its name since this handle connected; close the handle and connect again.
   */
  SPSC_ERR_NOT_READY = -8,
  /**
   * Connect: a wrong magic, sizes that don't fit the object, or a descriptor whose object is not
   * sealed.
   */
  SPSC_ERR_NOT_A_RING = -9,
  /**
   * Connect: the ring has another layout version, or was made with another page size.
   */
  SPSC_ERR_VERSION = -10,
  /**
   * Another live handle is already the producer (or the consumer).
   */
  SPSC_ERR_ROLE_TAKEN = -11,
  /**
   * More than the capacity: could never be satisfied.
   */
  SPSC_ERR_TOO_LARGE = -12,
  /**
   * Publish of more than is claimed, or release of more than is peeked; nothing changed.
   */
  SPSC_ERR_MISUSE = -13,
  /**
   * The shared counters contradict each other; nothing was touched.
   */
  SPSC_ERR_CORRUPT = -14,
  /**
   * Any other operating-system error; see errno.
   */
  SPSC_ERR_SYSTEM = -15,
  /**
   * A defect in the library, caught at the boundary.
   */
  SPSC_ERR_PANIC = -16,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum spsc_status spsc_status;
#else
typedef int32_t spsc_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Who has a role.
 */
enum spsc_role_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Nobody has had it yet.
   */
  SPSC_ROLE_NEVER = 0,
  /**
   * A live handle.
   */
  SPSC_ROLE_ATTACHED = 1,
  /**
   * Nobody since the last one closed.
   */
  SPSC_ROLE_CLOSED = 2,
  /**
   * Nobody since the last one's process died.
   */
  SPSC_ROLE_DEAD = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum spsc_role_state spsc_role_state;
#else
typedef int32_t spsc_role_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A connection between two processes: two sealed rings without names, one for each direction, and
 * the Unix socket over which they were handed, which tells of both.
 *
 * Thread: as its rings. At any time one thread sends and one thread receives. One of them may wait in
 * an event loop, by spsc_conn_arm, and the other in calls.
 */
typedef struct spsc_conn spsc_conn;

/**
 * Waits for clients at a path: spsc_listen.
 */
typedef struct spsc_listener spsc_listener;

/**
 * An open ring, or more exactly one process's handle on it.
 *
 * Thread: at any time at most one producer and one consumer per ring, in any processes. Two
 * threads may share one handle, one producing and one consuming, or use one handle each.
 *
 * Named rings need /dev/shm, and all rings need /proc.
 */
typedef struct spsc_ring spsc_ring;

/**
 * What can be chosen when a ring is made. Fill it with SPSC_OPTIONS_INIT or spsc_options_init
 * first. It may get members at its end in any version.
 */
typedef struct spsc_options {
  /**
   * The size of this struct in bytes, as the caller knows it. Members that only the library knows
   * have their defaults. Members that only the caller knows must be 0.
   */
  size_t struct_size;
  /**
   * Permission bits of a named ring, less the process's umask. Default 0600. The owner must be
   * left with reading and writing, or creating fails with SPSC_ERR_PERMISSION.
   *
   * Group and others may get both reading and writing, or neither. Whoever may read may hold a
   * lock on the object. A reader could so keep everybody from a role, or hide a death. So a mode
   * that gives reading without writing is SPSC_ERR_INVALID_ARGUMENT, and where the umask takes
   * writing away, reading goes too.
   */
  uint32_t mode;
  /**
   * SPSC_REPLACE_STALE and SPSC_PREFAULT, or'ed. Default 0.
   */
  uint32_t flags;
  /**
   * The longest spin before a wait sleeps, in nanoseconds, on both sides of the ring: 0 for
   * none, at most 100 ms, or SPSC_SPIN_ADAPTIVE, the default. A side that may run on one CPU only
   * never spins, unless the other side is known to run on another.
   */
  uint64_t spin_ns;
} spsc_options;

/**
 * A message that was received, or is to be sent.
 */
typedef struct spsc_message {
  /**
   * The payload. May be NULL if len is 0.
   */
  const void *data;
  /**
   * Its size in bytes.
   */
  size_t len;
  /**
   * The caller's, to tell kinds of messages apart.
   */
  uint32_t tag;
  /**
   * 0 in a message that was received. Ignored in one that is to be sent.
   */
  uint32_t reserved;
} spsc_message;

/**
 * What can be seen of one side of a ring.
 */
typedef struct spsc_role_stats {
  /**
   * Who has the role: an spsc_role_state.
   */
  int32_t state;
  /**
   * How many handles have taken it so far.
   */
  uint32_t generation;
  /**
   * The process of the last one, in its own PID namespace; 0 before the first. For people, not
   * to decide by.
   */
  uint32_t pid;
  /**
   * 1 if it sleeps or is about to, else 0.
   */
  uint32_t parked;
  /**
   * How often this handle went to sleep in this role.
   */
  uint64_t parks;
  /**
   * How often this handle, in this role, woke the other side.
   */
  uint64_t wakes;
  /**
   * Waits of this handle in this role that spsc_wakeup_all or spsc_interrupt ended.
   */
  uint64_t interruptions;
} spsc_role_stats;

/**
 * What can be seen of a ring from outside, at one moment or nearly so. It may get members at its
 * end in any version; spsc_role_stats stays as it is.
 */
typedef struct spsc_stats_t {
  /**
   * Bytes that the ring holds at most.
   */
  uint64_t capacity;
  /**
   * Bytes ever published, modulo 2^64.
   */
  uint64_t published;
  /**
   * Bytes ever released, modulo 2^64.
   */
  uint64_t released;
  /**
   * Bytes published and not yet released.
   */
  uint64_t available;
  /**
   * The side that writes.
   */
  struct spsc_role_stats producer;
  /**
   * The side that reads.
   */
  struct spsc_role_stats consumer;
} spsc_stats_t;

/**
 * One side of one ring, to be waited for together with others.
 */
typedef struct spsc_wait_item {
  /**
   * The ring. NULL makes the item's status SPSC_ERR_INVALID_ARGUMENT.
   */
  struct spsc_ring *ring;
  /**
   * SPSC_PRODUCER waits for need free bytes, SPSC_CONSUMER for need bytes of data.
   * SPSC_ITEM_NEXT_PEER and SPSC_ITEM_FRESH may be added. Anything else makes the item's status
   * SPSC_ERR_INVALID_ARGUMENT.
   */
  uint32_t side;
  /**
   * Set by spsc_wait_any: SPSC_OK if the bytes are there, SPSC_TIMEOUT if they are not yet, or what
   * ends a wait for this item alone.
   */
  spsc_status status;
  /**
   * Bytes to wait for. 0 is there at once. More than the capacity is SPSC_ERR_TOO_LARGE.
   */
  size_t need;
} spsc_wait_item;

/**
 * What can be chosen for a listener or a connection. Fill it with SPSC_CONN_OPTIONS_INIT or
 * spsc_conn_options_init first. A NULL for it means the defaults. It may get members at its end in
 * any version.
 */
typedef struct spsc_conn_options {
  /**
   * The size of this struct in bytes, as the caller knows it. Members that only the library knows
   * have their defaults. Members that only the caller knows must be 0.
   */
  size_t struct_size;
  /**
   * Bytes of the ring from the client to the server, at least; rounded up as for spsc_create. The
   * server's choice counts. Where it makes none (0, the default), a client gets what it asks for,
   * up to 1 MiB (more: its dial gives SPSC_ERR_TOO_LARGE), and else 64 KiB.
   */
  size_t to_server;
  /**
   * Bytes of the ring from the server to the client, by the same rules.
   */
  size_t to_client;
  /**
   * The longest spin before a wait sleeps, as in spsc_options. The server's choice holds for both
   * ends.
   */
  uint64_t spin_ns;
  /**
   * Permission bits of a listener's path, whatever the umask. Default 0600. Whoever may write the
   * socket may connect.
   */
  uint32_t mode;
  /**
   * SPSC_PREFAULT, or 0, the default: the server enters all pages into its page tables at once.
   */
  uint32_t flags;
  /**
   * How many clients of a listener may be on their way in: so many wait in the kernel until they
   * are accepted, and so many may be in the handshake. Default 128, at most 4096.
   */
  uint32_t backlog;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} spsc_conn_options;

/**
 * Who is on the other end of a connection: the process that dialled, that listened, or that made the
 * pair of sockets. The kernel says so, and the peer can't lie. It may get members at its end in any
 * version.
 */
typedef struct spsc_peer {
  /**
   * Its number in the caller's PID namespace; 0 if it has none there.
   */
  int32_t pid;
  /**
   * Its effective user, as of then.
   */
  uint32_t uid;
  /**
   * Its effective group, as of then.
   */
  uint32_t gid;
  /**
   * A descriptor of the process, for poll or pidfd_send_signal. It stays the connection's own. -1
   * where the kernel gives none (before Linux 6.5).
   */
  int32_t pidfd;
} spsc_peer;

/**
 * One side's position in the stream, and how far it may move: for callers that claim, publish, peek
 * and release without a call. spsc_cursor_of gives it.
 *
 * spsc_claim, spsc_publish, spsc_peek and spsc_release work on the same struct. So both ways may be
 * mixed freely, in the one thread that uses the side. A caller may write position, limit and granted
 * only, and only as spsc_shm_inline.h does:
 *
 * claim or peek of n bytes: if n > limit - position, load *other_counter with acquire and add
 * lead. If the sum minus position is still less than n, or more than window, call the function.
 * Else the sum is the new limit. Then granted = n, and the bytes are at data + (position & mask).
 *
 * publish or release of n bytes: if n - 1 >= granted (unsigned), call the function. Else subtract
 * n from granted, add it to position, and store position to *own_counter with release. After a
 * compiler barrier, if *other_parked | fenced is not 0, call spsc_wake.
 *
 * Stronger atomics than these are right, too. The thread may change in between, if the other one is
 * synchronised with it, as a goroutine's next thread is. docs/PROTOCOL.md says why this is enough.
 *
 * It may get members at its end in any version.
 */
typedef struct spsc_cursor {
  /**
   * This side's counter: bytes since the ring was made.
   */
  uint64_t position;
  /**
   * How far position may go, by what was last seen of the other side. It is never more than window
   * ahead of position, whatever the other process writes.
   */
  uint64_t limit;
  /**
   * Bytes from position on that were claimed or peeked, and not yet published or released.
   */
  uint64_t granted;
  /**
   * The capacity less 1. position & mask is an offset in the data.
   */
  uint64_t mask;
  /**
   * The most that limit may be ahead of position. It is the capacity once this handle has the role,
   * and 0 before: without the role nothing in the shared memory gives any room.
   */
  uint64_t window;
  /**
   * What to add to the other side's counter to get the limit: the capacity for a producer, 0 for
   * a consumer.
   */
  uint64_t lead;
  /**
   * The ring's data: 2 * capacity bytes are mapped from here.
   */
  uint8_t *data;
  /**
   * This side's counter in the shared memory: stored with release.
   */
  uint64_t *own_counter;
  /**
   * The other side's counter in the shared memory: loaded with acquire.
   */
  const uint64_t *other_counter;
  /**
   * Not 0 while the other side sleeps or is about to sleep: loaded relaxed, after a compiler
   * barrier.
   */
  const uint32_t *other_parked;
  /**
   * Not 0 if a compiler barrier is not enough in this process. Then spsc_wake is always called.
   */
  uint32_t fenced;
  /**
   * Always 0.
   */
  uint32_t reserved;
} spsc_cursor;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Fills *options with the defaults: mode 0600, no flags, SPSC_SPIN_ADAPTIVE. SPSC_OPTIONS_INIT
 * is the same as an initialiser.
 *
 * struct_size: sizeof(spsc_options). It is stored in the struct. No byte beyond it is written.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT.
 *
 * Thread: any. Blocks: no.
 */
spsc_status spsc_options_init(struct spsc_options *options, size_t struct_size);

/**
 * Makes a ring under a name and opens it.
 *
 * name: as for shm_open, with or without one leading slash.
 * min_capacity: bytes; rounded up to a power of two that is at least a page.
 * out_ring: the new handle, to be closed with spsc_close.
 *
 * All memory is reserved before this returns, so that no later access fails for lack of it. The
 * name appears when the ring is complete, and stays until spsc_unlink. The memory goes with the
 * last process that has the ring open.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_NAME, SPSC_ERR_ALREADY_EXISTS,
 * SPSC_ERR_PERMISSION, SPSC_ERR_NO_SPACE, SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE
spsc_status spsc_create(const char *name,
                        size_t min_capacity,
                        struct spsc_ring **out_ring);

/**
 * As spsc_create, with options.
 *
 * options: filled by SPSC_OPTIONS_INIT or spsc_options_init, then changed. Unknown flags, a mode
 * beyond 0777, and one that gives reading without writing are SPSC_ERR_INVALID_ARGUMENT.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE
spsc_status spsc_create_with(const char *name,
                             size_t min_capacity,
                             const struct spsc_options *options,
                             struct spsc_ring **out_ring);

/**
 * Opens the ring of this name.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_NAME, SPSC_ERR_NOT_FOUND,
 * SPSC_ERR_PERMISSION, SPSC_ERR_NOT_READY, SPSC_ERR_NOT_A_RING, SPSC_ERR_VERSION,
 * SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE spsc_status spsc_connect(const char *name, struct spsc_ring **out_ring);

/**
 * As spsc_connect, but waits up to timeout_ns nanoseconds (SPSC_WAIT_FOREVER: without limit) for
 * the ring to appear and be ready. If it does not, the status is SPSC_TIMEOUT, in place of
 * SPSC_ERR_NOT_FOUND and SPSC_ERR_NOT_READY. With 0 it is spsc_connect.
 *
 * Thread: any. Blocks: up to timeout_ns; spsc_wakeup_all does not end it.
 */
SPSC_MUST_USE
spsc_status spsc_connect_timeout(const char *name,
                                 uint64_t timeout_ns,
                                 struct spsc_ring **out_ring);

/**
 * Makes a ring without a name and opens it. Its memory is a memfd that is sealed against
 * shrinking, growing and further seals: no process can cut it short under a mapping. Pass the
 * descriptor, spsc_fd, to the other process for spsc_connect_fd: by fork or over a Unix socket.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE spsc_status spsc_create_anonymous(size_t min_capacity, struct spsc_ring **out_ring);

/**
 * As spsc_create_anonymous, with options.
 *
 * options: as for spsc_create_with. There is no name to have a mode or to be replaced: a mode other
 * than the default, or SPSC_REPLACE_STALE, gives SPSC_ERR_INVALID_ARGUMENT.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE
spsc_status spsc_create_anonymous_with(size_t min_capacity,
                                       const struct spsc_options *options,
                                       struct spsc_ring **out_ring);

/**
 * Opens the anonymous ring behind a descriptor. The descriptor is duplicated, and the caller keeps
 * its own. An object that is not sealed, such as a named ring's, gives SPSC_ERR_NOT_A_RING.
 *
 * Errors: as spsc_connect; SPSC_ERR_INVALID_ARGUMENT if fd is no open descriptor.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE spsc_status spsc_connect_fd(int fd, struct spsc_ring **out_ring);

/**
 * The descriptor of the ring's memory, to hand to another process. It stays the handle's own: do
 * not close it. It is closed on exec. -1 if ring is NULL.
 *
 * Thread: any. Blocks: no.
 */
int spsc_fd(const struct spsc_ring *ring);

/**
 * Removes a name. Whoever has the ring open keeps it.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_INVALID_NAME, SPSC_ERR_NOT_FOUND,
 * SPSC_ERR_PERMISSION, SPSC_ERR_NOT_A_RING (a directory), SPSC_ERR_SYSTEM.
 *
 * Thread: any. Blocks: no.
 */
spsc_status spsc_unlink(const char *name);

/**
 * Closes a handle: gives up its roles, wakes the other side, and unmaps the memory. Pointers from
 * claims and peeks are invalid afterwards. NULL does nothing.
 *
 * The other side reads all that was published and then gets SPSC_CLOSED. What was published and
 * not released is kept for the next consumer. What was claimed and not published is gone. A
 * handle that never had a role ends nobody's stream. So a producer that may have nothing to send
 * takes the role first, by spsc_wait_for_space(ring, 1, 0).
 *
 * Thread: any, but no other thread may be in a call on the same handle, or begin one. Blocks: no.
 */
void spsc_close(struct spsc_ring *ring);

/**
 * Waits until want bytes are free, and claims them: contiguous, wherever they lie, and the
 * caller's to write until they are published. A new claim replaces the old one.
 *
 * want: bytes, at most the capacity. 0 succeeds at once with a valid pointer.
 * timeout_ns: nanoseconds for the whole call. 0 does not wait; SPSC_WAIT_FOREVER has no limit.
 * out_data: valid until the bytes are published, the next claim, spsc_leave or spsc_close.
 *
 * The first claim of more than 0 bytes makes this handle the ring's producer, until spsc_leave or
 * spsc_close. After non-temporal stores, issue a store fence before you publish.
 *
 * Outcomes, if it would have to wait: SPSC_TIMEOUT, SPSC_INTERRUPTED, SPSC_CLOSED,
 * SPSC_PEER_DEAD. Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE, SPSC_ERR_ROLE_TAKEN,
 * SPSC_ERR_CORRUPT, SPSC_ERR_NOT_READY, SPSC_ERR_PERMISSION, SPSC_ERR_NO_MEMORY,
 * SPSC_ERR_SYSTEM. With any of these the earlier claim still stands.
 *
 * Thread: producer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_claim(struct spsc_ring *ring,
                       size_t want,
                       uint64_t timeout_ns,
                       void **out_data);

/**
 * Waits until min bytes are free, and claims all that are free: one call for many messages. With
 * min = 0 it never waits, and may claim 0 bytes. Otherwise as spsc_claim.
 *
 * out_len: bytes claimed, at least min.
 *
 * Thread: producer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_claim_some(struct spsc_ring *ring,
                            size_t min,
                            uint64_t timeout_ns,
                            void **out_data,
                            size_t *out_len);

/**
 * Makes the first n claimed bytes visible to the consumer, and wakes it if it sleeps. n may be
 * less than was claimed. The rest stays claimed, so that several publishes may share one claim.
 * 0 does nothing and succeeds.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if n is more than is claimed. Then nothing is
 * published.
 *
 * Thread: producer. Blocks: no.
 */
spsc_status spsc_publish(struct spsc_ring *ring, size_t n);

/**
 * Waits until need bytes are free. Claims nothing, but makes this handle the producer. Outcomes
 * and errors as spsc_claim.
 *
 * Thread: producer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_wait_for_space(struct spsc_ring *ring,
                                size_t need,
                                uint64_t timeout_ns);

/**
 * Waits until want bytes are there, and returns them: contiguous, wherever they lie, and the
 * caller's to read until they are released. They need not have been published in one piece.
 *
 * want: bytes, at most the capacity. 0 succeeds at once with a valid pointer.
 * timeout_ns: nanoseconds for the whole call. 0 does not wait; SPSC_WAIT_FOREVER has no limit.
 * out_data: valid until the bytes are released, spsc_leave or spsc_close. If the other process
 * breaks the rules, it can change the bytes at any time: copy before you validate.
 *
 * The first peek of more than 0 bytes makes this handle the ring's consumer, until spsc_leave or
 * spsc_close.
 *
 * Outcomes, if it would have to wait: SPSC_TIMEOUT, SPSC_INTERRUPTED, SPSC_CLOSED,
 * SPSC_PEER_DEAD. Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE, SPSC_ERR_ROLE_TAKEN,
 * SPSC_ERR_CORRUPT, SPSC_ERR_NOT_READY, SPSC_ERR_PERMISSION, SPSC_ERR_NO_MEMORY,
 * SPSC_ERR_SYSTEM. With any of these the earlier peek still stands.
 *
 * Thread: consumer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_peek(struct spsc_ring *ring,
                      size_t want,
                      uint64_t timeout_ns,
                      const void **out_data);

/**
 * Waits until min bytes are there, and returns all that are there: one call for many messages.
 * With min = 0 it never waits, and may return 0 bytes. Otherwise as spsc_peek.
 *
 * out_len: bytes returned, at least min.
 *
 * Thread: consumer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_peek_some(struct spsc_ring *ring,
                           size_t min,
                           uint64_t timeout_ns,
                           const void **out_data,
                           size_t *out_len);

/**
 * Consumes the first n peeked bytes, which the producer may then write over, and wakes it if it
 * sleeps. n may be less than was peeked. The rest stays peeked. 0 does nothing and succeeds.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if n is more than is peeked. Then nothing is
 * released.
 *
 * Thread: consumer. Blocks: no.
 */
spsc_status spsc_release(struct spsc_ring *ring, size_t n);

/**
 * Waits until need bytes are there. Peeks nothing, but makes this handle the consumer. Outcomes
 * and errors as spsc_peek.
 *
 * Thread: consumer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_wait_for_data(struct spsc_ring *ring,
                               size_t need,
                               uint64_t timeout_ns);

/**
 * Sends a copy of len bytes at data as one message, once there is room for it, and wakes the
 * consumer if it sleeps.
 *
 * A message is a frame in the ring's stream of bytes. So a ring carries either bytes or messages,
 * and the reader must know which. Every payload in the ring is aligned to 8 bytes.
 *
 * A message of more than half the capacity goes in fragments, while the other side receives them.
 * It may be larger than the ring. If the call ends half-way, that message is lost, but none before
 * it or after it. With timeout_ns 0 it is sent only if there is room for all of it.
 *
 * tag: the caller's, to tell kinds of messages apart.
 * data: may be NULL if len is 0.
 * timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
 *
 * Outcomes and errors as spsc_claim. SPSC_ERR_CORRUPT also if what was sent before is not a stream
 * of messages. No message is too large.
 *
 * Thread: producer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_send(struct spsc_ring *ring,
                      uint32_t tag,
                      const void *data,
                      size_t len,
                      uint64_t timeout_ns);

/**
 * Sends several messages: waits until there is room for the first, and sends all that fit, at once.
 * Otherwise as spsc_send. If the first one is larger than half the capacity, it is sent alone.
 *
 * messages: count messages; may be NULL if count is 0.
 * out_count: how many of them were sent: at least one, unless count is 0.
 *
 * Thread: producer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_send_some(struct spsc_ring *ring,
                           const struct spsc_message *messages,
                           size_t count,
                           uint64_t timeout_ns,
                           size_t *out_count);

/**
 * Waits until there is room for a message of max_len bytes, and claims its payload, to write in
 * place. It is sent by spsc_message_publish. A new claim, or sending anything else, replaces it.
 *
 * max_len: bytes, at most half the capacity; more gives SPSC_ERR_TOO_LARGE.
 * timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
 * out_data: aligned to 8; valid until the message is published, the next claim, or spsc_close.
 *
 * Outcomes and errors as spsc_send.
 *
 * Thread: producer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_message_claim(struct spsc_ring *ring,
                               size_t max_len,
                               uint64_t timeout_ns,
                               void **out_data);

/**
 * Sends the first len claimed bytes as one message, and wakes the consumer if it sleeps. The claim
 * is used up.
 *
 * tag: as for spsc_send.
 * len: bytes, at most what was claimed; 0 sends an empty message.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if len is more than is claimed, or if nothing
 * is claimed. Then nothing is sent.
 *
 * Thread: producer. Blocks: no.
 */
spsc_status spsc_message_publish(struct spsc_ring *ring, uint32_t tag, size_t len);

/**
 * Waits for the next message. Until spsc_receive_done, another spsc_receive gives the same one
 * again.
 *
 * timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
 * out_message: its data is valid until spsc_receive_done or spsc_close. It is in the ring, aligned
 * to 8. If the other process breaks the rules, it can change it at any time: copy before you
 * validate. A message that came in fragments is assembled in memory of this handle, which is kept
 * for the next one.
 *
 * A call that ends before all fragments are there keeps what it has, and the next one goes on. After
 * SPSC_CLOSED and SPSC_PEER_DEAD the rest can't come: that message is lost.
 *
 * Outcomes and errors as spsc_peek, and these: SPSC_ERR_CORRUPT if no sender of messages wrote what
 * is there; SPSC_ERR_TOO_LARGE if all fragments together are more than spsc_set_max_message;
 * SPSC_ERR_NO_MEMORY if there is no memory for them. After the last two, spsc_receive_done skips the
 * message.
 *
 * Thread: consumer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_receive(struct spsc_ring *ring,
                         uint64_t timeout_ns,
                         struct spsc_message *out_message);

/**
 * Waits for the next message, and gives all that are there, up to max: one call for many messages.
 * Otherwise as spsc_receive. A message that came in fragments is given alone.
 *
 * out_messages: room for max messages; may be NULL if max is 0. spsc_receive_done consumes all that
 * were given.
 * out_count: how many were given: at least one, unless max is 0.
 *
 * Thread: consumer. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_receive_some(struct spsc_ring *ring,
                              uint64_t timeout_ns,
                              struct spsc_message *out_messages,
                              size_t max,
                              size_t *out_count);

/**
 * Consumes what the last spsc_receive or spsc_receive_some gave: the producer may write over it.
 * After an SPSC_ERR_TOO_LARGE or SPSC_ERR_NO_MEMORY it skips all of that message. What is still to
 * come of it is skipped by the next call that receives.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if nothing was received.
 *
 * Thread: consumer. Blocks: no.
 */
spsc_status spsc_receive_done(struct spsc_ring *ring);

/**
 * Sets how many bytes of fragments this handle assembles to one message at most. A message that is
 * in one piece may be larger.
 *
 * bytes: 64 MiB by default.
 *
 * Thread: consumer. Blocks: no.
 */
spsc_status spsc_set_max_message(struct spsc_ring *ring, size_t bytes);

/**
 * Interrupts the current wait of both sides, in every process. A side that is not waiting is
 * interrupted in its next wait. The wait ends with SPSC_INTERRUPTED, unless what it waits for is
 * there. Each call interrupts the waits of each attached handle once; calls that meet the same
 * wait are one. A call can't be lost in the moment between a waiter's own check and its wait. A
 * wait with timeout_ns 0 is not interrupted, and does not use an interruption up.
 *
 * Thread: any. Blocks: no. Async-signal-safe.
 */
spsc_status spsc_wakeup_all(struct spsc_ring *ring);

/**
 * Waits as spsc_wait_for_space or spsc_wait_for_data does, but can outlive a peer.
 *
 * side: SPSC_PRODUCER waits for need free bytes, SPSC_CONSUMER for need bytes of data.
 * flags: SPSC_WAIT_NEXT_PEER and SPSC_WAIT_FRESH, or'ed. With 0 there is no difference.
 *
 * For a server that outlives its clients. When the producer is gone, spsc_wait_for_data returns
 * SPSC_CLOSED at once, and a loop around it would burn a CPU. This function sleeps until the next
 * producer has published, or until the time runs out.
 *
 * Outcomes and errors as spsc_claim and spsc_peek; SPSC_ERR_INVALID_ARGUMENT for another side or
 * an unknown flag.
 *
 * Thread: the side's. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_wait(struct spsc_ring *ring,
                      uint32_t side,
                      size_t need,
                      uint64_t timeout_ns,
                      uint32_t flags);

/**
 * Gives up the named roles of this handle and wakes the other side, as spsc_close does. But the
 * handle stays open and its memory mapped. So one of two threads that share a handle can end its
 * stream while the other goes on. What was claimed and not published is gone. The next claim or
 * peek takes the role again. A role that the handle does not hold is left alone.
 *
 * sides: as for spsc_interrupt.
 *
 * Thread: that of each named side. Blocks: no.
 */
spsc_status spsc_leave(struct spsc_ring *ring, uint32_t sides);

/**
 * Interrupts the current wait of the named sides of this handle, once. A side that is not waiting
 * is interrupted in its next wait. The wait ends with SPSC_INTERRUPTED, unless what it waits for is
 * there. Interrupts that no wait has answered yet are one. Neither the other process nor another
 * handle notices. Like spsc_wakeup_all it can't be lost, and a wait with timeout_ns 0 does not use
 * it up.
 *
 * sides: SPSC_PRODUCER, SPSC_CONSUMER, or both or'ed; anything else gives
 * SPSC_ERR_INVALID_ARGUMENT.
 *
 * Thread: any. Blocks: no. Async-signal-safe.
 */
spsc_status spsc_interrupt(struct spsc_ring *ring, uint32_t sides);

/**
 * Takes back interrupts of the named sides of this handle that no wait has answered yet: for a
 * cancellation that came too late.
 *
 * sides: as for spsc_interrupt.
 *
 * Thread: any. Blocks: no.
 */
spsc_status spsc_clear_interrupt(struct spsc_ring *ring, uint32_t sides);

/**
 * Bytes published and not yet released. 0 if ring is NULL.
 *
 * Thread: any. Blocks: no.
 */
uint64_t spsc_available(const struct spsc_ring *ring);

/**
 * Bytes that the ring holds at most. 0 if ring is NULL.
 *
 * Thread: any. Blocks: no.
 */
uint64_t spsc_capacity(const struct spsc_ring *ring);

/**
 * What can be seen of the ring from outside.
 *
 * struct_size: sizeof(spsc_stats_t). Not a byte beyond it is written.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE
spsc_status spsc_stats(const struct spsc_ring *ring,
                       struct spsc_stats_t *out_stats,
                       size_t struct_size);

/**
 * Writes what spsc_stats says to the standard error stream, in one line that begins with prefix.
 *
 * Thread: any. Blocks: as a write to the standard error stream does.
 */
spsc_status spsc_debug_dump(const struct spsc_ring *ring, const char *prefix);

/**
 * What a status means, in a few English words: static text, never NULL, whatever the number.
 *
 * Thread: any. Blocks: no.
 */
const char *spsc_status_string(int32_t status);

/**
 * The library's version, MAJOR<<16 | MINOR<<8 | PATCH. It equals SPSC_VERSION_NUMBER of the header
 * that came with it.
 *
 * Thread: any. Blocks: no.
 */
uint32_t spsc_version(void);

/**
 * Waits until at least one item is decided, and sets the status of every item.
 *
 * items: count of them. Only their status is written.
 * count: 1 to SPSC_WAIT_ANY_MAX. More gives SPSC_ERR_TOO_LARGE, and 0 SPSC_ERR_INVALID_ARGUMENT, as a
 * wait for nothing would not end.
 * timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
 * out_ready: how many items are decided.
 *
 * An item is decided as soon as a wait for it alone would have returned. Its status is that of such
 * a wait: SPSC_OK (its bytes are there), SPSC_CLOSED, SPSC_PEER_DEAD, or an error, also for a mistake
 * in the item itself. All others are SPSC_TIMEOUT. An item's error leaves no number in errno. An
 * item that is closed, dead or in error stays so: leave it out of the next call, or that returns at
 * once, too.
 *
 * SPSC_OK: at least one item is decided. All that are ready are reported. Serve each of them before
 * the next call, and none is starved.
 * SPSC_TIMEOUT: no item is decided, and the time ran out.
 * SPSC_INTERRUPTED: no item is decided, and spsc_interrupt or spsc_wakeup_all was called for at least
 * one. That one's status is SPSC_INTERRUPTED, and the others' SPSC_TIMEOUT. As in a wait for one
 * ring, a call that does not have to wait leaves the interrupt to the next one that does.
 * After an error of the call, no status is written.
 *
 * Takes each item's role, as a wait on that ring does. Claims and peeks nothing: what was claimed or
 * peeked before still stands. The same ring may be there with both sides, and the same side of it
 * more than once. Each item's bytes are visible when its status is SPSC_OK.
 *
 * While anything is ready, no system call is made, except a look at whether the other sides are
 * alive, ten times a second; and that the other side of another item has closed is noticed some
 * milliseconds later. One sleep is for all (futex_waitv). If the kernel is older than 5.16 or
 * a sandbox refuses that, a wait for more than one item looks at all of them every millisecond.
 *
 * Thread: that of every item's side. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_wait_any(struct spsc_wait_item *items,
                          size_t count,
                          uint64_t timeout_ns,
                          size_t *out_ready);

/**
 * Fills *options with the defaults. SPSC_CONN_OPTIONS_INIT is the same as an initialiser.
 *
 * struct_size: sizeof(spsc_conn_options). It is stored in the struct. No byte beyond it is written.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT.
 *
 * Thread: any. Blocks: no.
 */
spsc_status spsc_conn_options_init(struct spsc_conn_options *options, size_t struct_size);

/**
 * Listens at a path of the file system, where a Unix socket then stands.
 *
 * path: at most 103 bytes.
 * options: NULL for the defaults.
 * out_listener: to be closed with spsc_listener_close.
 *
 * A path whose listener is gone is taken over. A file PATH.lock beside it, which the listener keeps
 * locked, tells that from one in use. A client never finds a socket that nobody listens to yet.
 *
 * Errors: SPSC_ERR_ALREADY_EXISTS if somebody listens there, or if it is no socket;
 * SPSC_ERR_INVALID_NAME, SPSC_ERR_NOT_FOUND (no such directory), SPSC_ERR_PERMISSION,
 * SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_NO_MEMORY, SPSC_ERR_SYSTEM.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE
spsc_status spsc_listen(const char *path,
                        const struct spsc_conn_options *options,
                        struct spsc_listener **out_listener);

/**
 * The next client's connection. Clients come in the order in which they have said what they must.
 * No client keeps another waiting, whatever it does or fails to do: one that does not get on is
 * dropped after a second, or after a tenth while so many are on their way that no more can come in.
 *
 * out_conn: to be closed with spsc_conn_close.
 *
 * Outcomes: SPSC_TIMEOUT, SPSC_INTERRUPTED (spsc_listener_interrupt). Errors:
 * SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_NO_MEMORY (also if there are no descriptors left),
 * SPSC_ERR_MISUSE in a forked child, SPSC_ERR_SYSTEM. What is wrong with a client is not reported.
 *
 * Thread: any, several at once. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_accept(struct spsc_listener *listener,
                        uint64_t timeout_ns,
                        struct spsc_conn **out_conn);

/**
 * A descriptor that is readable whenever spsc_accept has something to do, which may be only to read
 * what a client says on its way in: so call it with timeout_ns 0. Who waits for edges calls it until
 * it gives SPSC_TIMEOUT. It stays the listener's own: do not close it or read from it. -1 if listener
 * is NULL.
 *
 * Thread: any. Blocks: no.
 */
int spsc_listener_fd(const struct spsc_listener *listener);

/**
 * Ends the current wait in spsc_accept, or the next one, once, with SPSC_INTERRUPTED. A call with
 * timeout_ns 0 does not wait.
 *
 * Thread: any. Blocks: no. Async-signal-safe.
 */
spsc_status spsc_listener_interrupt(struct spsc_listener *listener);

/**
 * Closes a listener and removes its path. Connections that it gave stay. Clients on their way in
 * get SPSC_CLOSED. NULL does nothing. In a forked child it leaves the path alone.
 *
 * Thread: any, but no other thread may be in a call on the same listener, or begin one. Blocks: no.
 */
void spsc_listener_close(struct spsc_listener *listener);

/**
 * Connects to the listener at path, and waits until it accepts.
 *
 * options: NULL for the defaults. Only the capacities count here: they are a wish.
 * out_conn: to be closed with spsc_conn_close.
 *
 * Outcomes: SPSC_TIMEOUT; SPSC_CLOSED if the listener closes meanwhile, or has lost patience.
 * Errors: SPSC_ERR_NOT_FOUND if nobody listens there, SPSC_ERR_PERMISSION, SPSC_ERR_NOT_A_RING if
 * what listens there is something else, SPSC_ERR_VERSION, SPSC_ERR_TOO_LARGE if the listener grants
 * no ring of the size asked for, SPSC_ERR_INVALID_NAME, SPSC_ERR_INVALID_ARGUMENT,
 * SPSC_ERR_NO_MEMORY of either side, SPSC_ERR_SYSTEM.
 *
 * Thread: any. Blocks: up to timeout_ns, which is at least one turn of the listener's.
 */
SPSC_MUST_USE
spsc_status spsc_dial(const char *path,
                      const struct spsc_conn_options *options,
                      uint64_t timeout_ns,
                      struct spsc_conn **out_conn);

/**
 * Makes a connection of a connected Unix socket: one of a socketpair, one that a service manager has
 * accepted, or any other that keeps the order of bytes (SOCK_STREAM, SOCK_SEQPACKET). The process at
 * its other end does the same at the same time, with the other is_server. Nothing may have been sent
 * over it.
 *
 * socket: on success it belongs to the connection, is closed on exec and does not block, and any copy
 * of it ends with the connection. Otherwise it stays the caller's, and is of no more use for this.
 * is_server: not 0 for the end that makes the rings and whose options count, 0 for the other.
 *
 * Outcomes and errors as spsc_dial; SPSC_ERR_INVALID_ARGUMENT if it is no such socket.
 *
 * Thread: any. Blocks: up to timeout_ns.
 */
SPSC_MUST_USE
spsc_status spsc_conn_adopt(int socket,
                            int is_server,
                            const struct spsc_conn_options *options,
                            uint64_t timeout_ns,
                            struct spsc_conn **out_conn);

/**
 * The ring to the peer, to produce into: an ordinary one, which ends as any other. It is the
 * connection's own, and must not be closed by itself; spsc_leave ends this direction alone. NULL if
 * conn is NULL.
 *
 * Thread: any. Blocks: no.
 */
struct spsc_ring *spsc_conn_sender(struct spsc_conn *conn);

/**
 * The ring from the peer, to consume from; as spsc_conn_sender.
 *
 * Thread: any. Blocks: no.
 */
struct spsc_ring *spsc_conn_receiver(struct spsc_conn *conn);

/**
 * Who is on the other end.
 *
 * struct_size: sizeof(spsc_peer). Not a byte beyond it is written.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT.
 *
 * Thread: any. Blocks: no.
 */
SPSC_MUST_USE
spsc_status spsc_conn_peer(const struct spsc_conn *conn,
                           struct spsc_peer *out_peer,
                           size_t struct_size);

/**
 * The connection's descriptor, for poll, epoll and whatever is built on them: readable after
 * spsc_conn_arm as that says, and, with a hang-up, as soon as the peer closes its end or its process
 * is gone, whatever is armed. It stays the connection's own: do not close it, read from it or write
 * to it. It is closed on exec. -1 if conn is NULL.
 *
 * Thread: any. Blocks: no.
 */
int spsc_conn_fd(const struct spsc_conn *conn);

/**
 * Asks for the descriptor to become readable, once, as soon as need_data bytes can be peeked at or
 * need_space bytes claimed.
 *
 * need_data, need_space: bytes, at most the capacities. 0 does not ask, and takes back what was
 * asked of that direction.
 * out_ready: what is so already: SPSC_READABLE, SPSC_WRITABLE, or both. What can't come any more
 * counts as so, and the next call on that ring says why. Only if the answer is 0 is the connection
 * armed.
 *
 * An event loop does what it can, arms, and waits for the descriptor if the answer is 0. Arming
 * again reads what the peer has rung. It makes no system call while there is something to do. A
 * peer rings only who is armed, and only once: while both sides are busy, neither makes a system
 * call. After a wait in a call on either ring, arm again. spsc_wakeup_all and spsc_interrupt end waits
 * in calls, and may ring for nothing.
 *
 * Errors: SPSC_ERR_INVALID_ARGUMENT, SPSC_ERR_TOO_LARGE, SPSC_ERR_CORRUPT if the peer rings without
 * cause, SPSC_ERR_SYSTEM.
 *
 * Thread: that of each side asked for. Only one thread at a time may arm and wait for the
 * descriptor. Blocks: no.
 */
SPSC_MUST_USE
spsc_status spsc_conn_arm(struct spsc_conn *conn,
                          size_t need_data,
                          size_t need_space,
                          uint32_t *out_ready);

/**
 * Closes a connection: both its rings, as spsc_close does, and then the socket, which is shut down for
 * whoever has a copy of it. (In a forked child only the child's copy is closed.) The peer reads what
 * was published and then gets SPSC_CLOSED; its descriptor hangs up. Nothing is left of the
 * connection when the peer has closed it, too. NULL does nothing.
 *
 * Thread: any, but no other thread may be in a call on the connection or its rings, or begin one.
 * Blocks: no.
 */
void spsc_conn_close(struct spsc_conn *conn);

/**
 * One side's cursor, to claim and publish or to peek and release without a call: see spsc_cursor,
 * and spsc_shm_inline.h for C and C++. NULL if ring is NULL, or side is not one side.
 *
 * side: SPSC_PRODUCER or SPSC_CONSUMER.
 *
 * The cursor lives as long as the handle. Only the one thread that uses this side of the handle may
 * touch it. This function takes no role. The first claim or peek finds no room in the cursor and so
 * calls the function, which takes the role.
 *
 * Thread: any. Blocks: no.
 */
struct spsc_cursor *spsc_cursor_of(struct spsc_ring *ring, uint32_t side);

/**
 * Wakes the other side, if it sleeps and what it waits for is there. To be called after the counter
 * was advanced by hand, if *other_parked | fenced is not 0.
 *
 * side: the side that advanced, SPSC_PRODUCER or SPSC_CONSUMER; anything else gives
 * SPSC_ERR_INVALID_ARGUMENT.
 *
 * Thread: the side's. Blocks: no.
 */
spsc_status spsc_wake(struct spsc_ring *ring, uint32_t side);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SPSC_SHM_H */
