import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';

/** What can be sent: a string as UTF-8, or bytes. */
export type Data = string | ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** How long a call may wait. */
export interface Wait {
  /** Milliseconds; without it, or with `Infinity`, there is no limit, and 0 does not wait. */
  timeout?: number;
}

/** How long a promise may take. */
export interface AsyncWait extends Wait {
  /** Ends the wait: the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
}

export interface RingOptions {
  /** Whether all pages are entered at once, so that the first lap takes no page faults. */
  prefault?: boolean;
  /** How long a wait spins before it sleeps, in milliseconds. Without it, as recent waits suggest. */
  spin?: number;
}

export interface NamedRingOptions extends RingOptions {
  /** Permission bits, less the umask. 0o600 by default. */
  mode?: number;
  /** Whether a ring of the same name that nobody uses is replaced. */
  replaceStale?: boolean;
}

/** A message that was received: a copy, which stays. */
export interface Message {
  data: Buffer;
  /** What the sender marked it with: a number of 32 bits. */
  tag: number;
}

/**
 * What the library's calls throw. `code` says which of its outcomes it is.
 *
 * Arguments of a wrong type or out of range are a `TypeError` or a `RangeError`, as with Node.js's own
 * calls, and a wait that a signal ended is rejected with the signal's reason.
 */
export class SpscError extends Error {
  code:
    | 'ERR_SPSC_TIMEOUT'
    | 'ERR_SPSC_INTERRUPTED'
    | 'ERR_SPSC_CLOSED'
    | 'ERR_SPSC_PEER_DEAD'
    | 'ERR_SPSC_INVALID_ARGUMENT'
    | 'ERR_SPSC_INVALID_NAME'
    | 'ERR_SPSC_ALREADY_EXISTS'
    | 'ERR_SPSC_NOT_FOUND'
    | 'ERR_SPSC_PERMISSION'
    | 'ERR_SPSC_NO_SPACE'
    | 'ERR_SPSC_NO_MEMORY'
    | 'ERR_SPSC_NOT_READY'
    | 'ERR_SPSC_NOT_A_RING'
    | 'ERR_SPSC_VERSION'
    | 'ERR_SPSC_ROLE_TAKEN'
    | 'ERR_SPSC_TOO_LARGE'
    | 'ERR_SPSC_MISUSE'
    | 'ERR_SPSC_CORRUPT'
    | 'ERR_SPSC_SYSTEM'
    | 'ERR_SPSC_HANDLE_CLOSED'
    | 'ERR_SPSC_IN_USE';
  /** The operating system's error number, made negative, where there is one. */
  errno?: number;
}

/** What the two ends of a ring have in common. */
declare abstract class End {
  /** Whether it is closed. */
  readonly closed: boolean;
  /** Ends the current wait, or the next one, with `ERR_SPSC_INTERRUPTED`. */
  interrupt(): void;
  /** Gives the role up, and detaches what is claimed or peeked. A wait that goes on ends with
   * `ERR_SPSC_HANDLE_CLOSED`. */
  close(): void;
}

/**
 * The end of a ring that writes. It becomes the ring's producer with its first claim, send or wait, and is
 * it until it is closed: the consumer then reads what was published, and learns of the end.
 *
 * Promises are settled in the order of their calls. While one is pending, a call that is synchronous throws
 * `ERR_SPSC_IN_USE`.
 */
export class Producer extends End {
  private constructor();
  /** Sends a message, once there is room for it; the event loop stands still meanwhile. It may be larger
   * than the ring, if the consumer receives meanwhile. */
  send(data: Data, options?: Wait & { tag?: number }): void;
  /** As `send`, without blocking the event loop. The data must not change until the promise is settled. */
  sendAsync(data: Data, options?: AsyncWait & { tag?: number }): Promise<void>;
  /** Waits until `n` bytes are free, and gives a buffer over them, in the ring. It is detached, and thus of
   * length 0, with `publish` and with each other call of this end. */
  claim(n: number, options?: Wait): Buffer;
  /** As `claim`, for all that is free once `min` bytes are (1 by default). */
  claimSome(min?: number, options?: Wait): Buffer;
  /** Publishes the first `n` bytes of what is claimed; all by default. The claim is over. */
  publish(n?: number): void;
  /** Waits until `n` bytes are free (1 by default). Claims nothing. */
  waitForSpace(n?: number, options?: AsyncWait): Promise<void>;
}

/**
 * The end of a ring that reads. It becomes the ring's consumer with its first peek, receive or wait, and is
 * it until it is closed. What was not released stays for the next consumer.
 *
 * `for await (const message of consumer)` gives the messages up to the end of the stream. Promises are
 * settled in the order of their calls. While one is pending, a call that is synchronous throws
 * `ERR_SPSC_IN_USE`.
 */
export class Consumer extends End {
  private constructor();
  /** Waits for the next message. */
  receive(options?: AsyncWait): Promise<Message>;
  /** As `receive`; the event loop stands still meanwhile. */
  receiveSync(options?: Wait): Message;
  /** Waits for a message, and gives all that are there, but no more than `max` (1024 by default). */
  receiveMany(options?: AsyncWait & { max?: number }): Promise<Message[]>;
  [Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined>;
  /** Waits until `n` bytes are there, and gives a buffer over them, in the ring. It is detached with
   * `release` and with each other call of this end. Read it only: what is written there, others may
   * read. */
  peek(n: number, options?: Wait): Buffer;
  /** As `peek`, for all that is there once `min` bytes are (1 by default). */
  peekSome(min?: number, options?: Wait): Buffer;
  /** Releases the first `n` bytes of what is peeked; all by default. The peek is over. */
  release(n?: number): void;
  /** Waits until `n` bytes are there (1 by default). Reads nothing. */
  waitForData(n?: number, options?: AsyncWait): Promise<void>;
}

/** A single-producer single-consumer ring in shared memory. */
export class Ring {
  private constructor();
  /** Makes a ring of at least `capacity` bytes under `name`. The capacity is rounded up to a power of
   * two. */
  static create(name: string, capacity: number, options?: NamedRingOptions): Ring;
  /** Opens the ring of this name. Waits for it to appear; the event loop stands still meanwhile. */
  static connect(name: string, options?: Wait): Ring;
  /** Makes a ring without a name. Hand `fd` to another process, and there say `Ring.fromFd`. */
  static anonymous(capacity: number, options?: RingOptions): Ring;
  /** Opens the ring without a name that is behind a descriptor, which stays the caller's. */
  static fromFd(fd: number): Ring;
  /** Removes a name. Whoever has the ring open keeps it. */
  static unlink(name: string): void;

  /** The ring's name, or `null`. */
  readonly name: string | null;
  /** Bytes that it holds at most. */
  readonly capacity: number;
  /** Bytes published and not yet released. */
  readonly available: number;
  /** The descriptor of a ring without a name, which stays the ring's; `null` for one with a name. */
  readonly fd: number | null;
  /** Whether both ends are closed. */
  readonly closed: boolean;
  /** The end that writes. */
  readonly producer: Producer;
  /** The end that reads. */
  readonly consumer: Consumer;
  /** Ends the current or next wait of both sides, in every process, with `ERR_SPSC_INTERRUPTED`. */
  wakeupAll(): void;
  /** What can be seen of the ring, for people. */
  debugDump(): string;
  /** Closes both ends. The other process reads what was published, and learns of the end. */
  close(): void;
}

export interface ConnectionOptions {
  /** Bytes of the ring from the client to the server, at least. The server's choice counts. Where it makes
   * none, a client gets what it asks for, up to 1 MiB, and else 64 KiB. */
  toServer?: number;
  /** Bytes of the ring from the server to the client, by the same rules. */
  toClient?: number;
  /** As for `Duplex`; false by default, as for a socket. */
  allowHalfOpen?: boolean;
  /** As for `Duplex`. */
  highWaterMark?: number;
}

export interface ConnectOptions extends ConnectionOptions, AsyncWait {}

export interface ServerOptions extends ConnectionOptions {
  /** Permission bits of the path, whatever the umask. 0o600 by default. */
  mode?: number;
  /** How many clients may be on their way in: 128 by default, at most 4096. */
  backlog?: number;
  prefault?: boolean;
  spin?: number;
}

/**
 * A connection between two processes: a stream, as `net.Socket` is one. It emits `connect` once it stands,
 * and an error with the code `ERR_SPSC_PEER_DEAD` when the other side's process dies without closing.
 */
export class Connection extends Duplex {
  private constructor();
  readonly connecting: boolean;
  readonly pending: boolean;
  readonly readyState: 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed';
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Who is on the other end, by what the kernel says; `null` before it stands, and after it. */
  readonly peer: { pid: number; uid: number; gid: number } | null;
  readonly timeout?: number;
  /** Emits `timeout` after so many milliseconds without a byte in either direction; 0 ends that. */
  setTimeout(milliseconds: number, callback?: () => void): this;
  /** Does nothing: it is for code that was written for sockets. */
  setNoDelay(yes?: boolean): this;
  /** Does nothing: it is for code that was written for sockets. */
  setKeepAlive(yes?: boolean, initialDelay?: number): this;
  ref(): this;
  unref(): this;
}

/** Connects to whoever listens at `path`. */
export function connect(path: string, listener?: () => void): Connection;
export function connect(path: string, options: ConnectOptions, listener?: () => void): Connection;

/** Waits for clients at a path. Emits `listening`, `connection`, `error`, `drop` and `close`. */
export class Server extends EventEmitter {
  constructor(listener?: (connection: Connection) => void);
  constructor(options: ServerOptions, listener?: (connection: Connection) => void);
  readonly listening: boolean;
  /** Further clients are turned away, with `drop`. */
  maxConnections: number;
  /** Listens at `path`, the file of a Unix socket. A path whose listener is gone is taken over. */
  listen(path: string, listener?: () => void): this;
  /** Where it listens, or `null`. */
  address(): string | null;
  getConnections(callback: (error: null, count: number) => void): this;
  /** Stops listening. `close` is emitted when the last connection is closed, too. */
  close(callback?: (error?: Error) => void): this;
  ref(): this;
  unref(): this;
}

/** A server whose listener is called with each client's connection. */
export function createServer(listener?: (connection: Connection) => void): Server;
export function createServer(options: ServerOptions, listener?: (connection: Connection) => void): Server;
