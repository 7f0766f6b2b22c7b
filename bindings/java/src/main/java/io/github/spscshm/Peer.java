package io.github.spscshm;

/**
 * The process at the other end of a connection, as the kernel tells.
 *
 * @param pid its number in this process's PID namespace; 0 if it has none there
 * @param uid its effective user, as of then
 * @param gid its effective group, as of then
 */
public record Peer(int pid, int uid, int gid) {}
