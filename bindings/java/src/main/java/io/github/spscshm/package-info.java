/**
 * A lock-free ring of bytes in shared memory, for one producer and one consumer, which may be in
 * two processes and written in different languages.
 *
 * <p>A {@link io.github.spscshm.Ring} is made by one process and opened by another. Each uses one
 * end of it, a {@link io.github.spscshm.Producer} or a {@link io.github.spscshm.Consumer}. A {@link
 * io.github.spscshm.Listener} and a {@link io.github.spscshm.Connection} are two rings, one for
 * each direction, between processes that meet at a path.
 *
 * <h2>How calls end</h2>
 *
 * <p>What is there is always given first. Only a call that would have to wait ends otherwise:
 *
 * <ul>
 *   <li>{@link java.util.concurrent.TimeoutException}: its time ran out.
 *   <li>{@link java.lang.InterruptedException}: its thread was interrupted.
 *   <li>{@link java.nio.channels.ClosedChannelException}: this end, or its ring, is closed. A call
 *       that waits when another thread closes it throws the subclass {@link
 *       java.nio.channels.AsynchronousCloseException}.
 *   <li>{@link io.github.spscshm.SpscException}: all else. Its {@link
 *       io.github.spscshm.SpscException#status status} is {@link io.github.spscshm.Status#CLOSED}
 *       at the end of the stream, {@link io.github.spscshm.Status#PEER_DEAD} if the other process
 *       died, {@link io.github.spscshm.Status#INTERRUPTED} after {@link
 *       io.github.spscshm.Ring#wakeupAll wakeupAll}, or an error.
 * </ul>
 *
 * <p>A {@link java.time.Duration} limits the whole call. Zero or less does not wait. Calls without
 * one wait without limit.
 *
 * <h2>Threads</h2>
 *
 * <p>An end is used by one thread at a time; it may change. A second one gets an {@link
 * java.lang.IllegalStateException}. {@code close} may be called by any thread at any time. It ends
 * the call that is in progress, and waits until that has left.
 *
 * <p>A wait of a virtual thread holds its carrier for some microseconds at most. After that a
 * platform thread waits in its place.
 */
package io.github.spscshm;
