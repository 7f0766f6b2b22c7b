package io.github.spscshm;

/**
 * A message that was received, or is to be sent.
 *
 * @param tag the sender's, to tell kinds of messages apart
 * @param data the payload, which is not copied here
 */
public record Message(int tag, byte[] data) {}
