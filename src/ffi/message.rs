//! Messages.

use super::guard::{guard, handle, place};
use super::side;
use super::types::{spsc_ring, spsc_status};
use crate::cursor::{Rx, Tx};
use crate::endpoint::Endpoint;
use crate::message::{Given, Outgoing, Receiver, Sender};
use crate::status::{Result, Status};
use std::ffi::c_void;
use std::mem::MaybeUninit;

/// A message that was received, or is to be sent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct spsc_message {
    /// The payload. May be NULL if len is 0.
    pub data: *const c_void,
    /// Its size in bytes.
    pub len: usize,
    /// The caller's, to tell kinds of messages apart.
    pub tag: u32,
    /// 0 in a message that was received. Ignored in one that is to be sent.
    pub reserved: u32,
}

impl From<Given> for spsc_message {
    #[inline(always)]
    fn from(given: Given) -> Self {
        Self { data: given.data.cast(), len: given.len, tag: given.tag, reserved: 0 }
    }
}

/// # Safety
/// `ring` is NULL or an open handle, and this is the only thread that uses its producer's side.
#[inline(always)]
unsafe fn sending<'a>(ring: *mut spsc_ring) -> Result<(&'a mut Endpoint<Tx>, &'a mut Sender)> {
    // SAFETY: the caller's promise.
    unsafe {
        let handle = handle(ring)?;
        Ok((&mut *handle.endpoint(), &mut *handle.sender()))
    }
}

/// # Safety
/// `ring` is NULL or an open handle, and this is the only thread that uses its consumer's side.
#[inline(always)]
unsafe fn receiving<'a>(ring: *mut spsc_ring) -> Result<(&'a mut Endpoint<Rx>, &'a mut Receiver)> {
    // SAFETY: the caller's promise.
    unsafe {
        let handle = handle(ring)?;
        Ok((&mut *handle.endpoint(), &mut *handle.receiver()))
    }
}

/// Sends a copy of len bytes at data as one message, once there is room for it, and wakes the
/// consumer if it sleeps.
///
/// A message is a frame in the ring's stream of bytes. So a ring carries either bytes or messages,
/// and the reader must know which. Every payload in the ring is aligned to 8 bytes.
///
/// A message of more than half the capacity goes in fragments, while the other side receives them.
/// It may be larger than the ring. If the call ends half-way, that message is lost, but none before
/// it or after it. With timeout_ns 0 it is sent only if there is room for all of it.
///
/// tag: the caller's, to tell kinds of messages apart.
/// data: may be NULL if len is 0.
/// timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
///
/// Outcomes and errors as spsc_claim. SPSC_ERR_CORRUPT also if what was sent before is not a stream
/// of messages. No message is too large.
///
/// Thread: producer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_send(
    ring: *mut spsc_ring,
    tag: u32,
    data: *const c_void,
    len: usize,
    timeout_ns: u64,
) -> spsc_status {
    let message = Outgoing { data: data.cast(), len, tag };
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    if let Ok((endpoint, sender)) = unsafe { sending(ring) }
        && sender.try_send(endpoint, message)
    {
        // SAFETY: as above.
        return unsafe { side::handed_over(ring, endpoint) };
    }
    // SAFETY: as above.
    unsafe { send_waiting(ring, message, timeout_ns) }
}

#[cold]
#[inline(never)]
unsafe fn send_waiting(ring: *mut spsc_ring, message: Outgoing, timeout_ns: u64) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (endpoint, sender) = unsafe { sending(ring)? };
        sender.send(endpoint, message, timeout_ns)
    })
}

/// Sends several messages: waits until there is room for the first, and sends all that fit, at once.
/// Otherwise as spsc_send. If the first one is larger than half the capacity, it is sent alone.
///
/// messages: count messages; may be NULL if count is 0.
/// out_count: how many of them were sent: at least one, unless count is 0.
///
/// Thread: producer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_send_some(
    ring: *mut spsc_ring,
    messages: *const spsc_message,
    count: usize,
    timeout_ns: u64,
    out_count: *mut usize,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    if let (Ok((endpoint, sender)), Ok(out)) = unsafe { (sending(ring), place(out_count)) }
        && !messages.is_null()
        // SAFETY: as above; the function asks for no message beyond `count`.
        && let Some(sent) = sender.try_send_some(endpoint, count, |i| unsafe { outgoing(messages, i) })
    {
        out.write(sent);
        // SAFETY: as above.
        return unsafe { side::handed_over(ring, endpoint) };
    }
    // SAFETY: as above.
    unsafe { send_some_waiting(ring, messages, count, timeout_ns, out_count) }
}

#[cold]
#[inline(never)]
unsafe fn send_some_waiting(
    ring: *mut spsc_ring,
    messages: *const spsc_message,
    count: usize,
    timeout_ns: u64,
    out_count: *mut usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let ((endpoint, sender), out) = unsafe { (sending(ring)?, place(out_count)?) };
        if messages.is_null() && count != 0 {
            return Err(Status::InvalidArgument.into());
        }
        // SAFETY: the caller's promise; the function asks for no message beyond `count`.
        let message = |i| unsafe { outgoing(messages, i) };
        out.write(sender.send_some(endpoint, count, message, timeout_ns)?);
        Ok(())
    })
}

/// # Safety
/// `messages` has more than `i` messages.
#[inline(always)]
unsafe fn outgoing(messages: *const spsc_message, i: usize) -> Outgoing {
    // SAFETY: the caller's promise.
    let spsc_message { data, len, tag, .. } = unsafe { *messages.add(i) };
    Outgoing { data: data.cast(), len, tag }
}

/// Waits until there is room for a message of max_len bytes, and claims its payload, to write in
/// place. It is sent by spsc_message_publish. A new claim, or sending anything else, replaces it.
///
/// max_len: bytes, at most half the capacity; more gives SPSC_ERR_TOO_LARGE.
/// timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
/// out_data: aligned to 8; valid until the message is published, the next claim, or spsc_close.
///
/// Outcomes and errors as spsc_send.
///
/// Thread: producer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_message_claim(
    ring: *mut spsc_ring,
    max_len: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    if let (Ok((endpoint, sender)), Ok(out)) = unsafe { (sending(ring), place(out_data)) }
        && let Some(data) = sender.try_claim(endpoint, max_len)
    {
        out.write(data.cast());
        return spsc_status::SPSC_OK;
    }
    // SAFETY: as above.
    unsafe { claim_waiting(ring, max_len, timeout_ns, out_data) }
}

#[cold]
#[inline(never)]
unsafe fn claim_waiting(
    ring: *mut spsc_ring,
    max_len: usize,
    timeout_ns: u64,
    out_data: *mut *mut c_void,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let ((endpoint, sender), out) = unsafe { (sending(ring)?, place(out_data)?) };
        out.write(sender.claim(endpoint, max_len, timeout_ns)?.cast());
        Ok(())
    })
}

/// Sends the first len claimed bytes as one message, and wakes the consumer if it sleeps. The claim
/// is used up.
///
/// tag: as for spsc_send.
/// len: bytes, at most what was claimed; 0 sends an empty message.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if len is more than is claimed, or if nothing
/// is claimed. Then nothing is sent.
///
/// Thread: producer. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_message_publish(
    ring: *mut spsc_ring,
    tag: u32,
    len: usize,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one producer thread.
    if let Ok((endpoint, sender)) = unsafe { sending(ring) }
        && sender.try_publish(endpoint, tag, len)
    {
        // SAFETY: as above.
        return unsafe { side::handed_over(ring, endpoint) };
    }
    not_done(ring)
}

/// Why nothing has moved.
#[cold]
#[inline(never)]
fn not_done(ring: *mut spsc_ring) -> spsc_status {
    let status = if ring.is_null() { Status::InvalidArgument } else { Status::Misuse };
    guard(|| Err(status.into()))
}

/// Waits for the next message. Until spsc_receive_done, another spsc_receive gives the same one
/// again.
///
/// timeout_ns: nanoseconds for the whole call; 0 does not wait, SPSC_WAIT_FOREVER has no limit.
/// out_message: its data is valid until spsc_receive_done or spsc_close. It is in the ring, aligned
/// to 8. If the other process breaks the rules, it can change it at any time: copy before you
/// validate. A message that came in fragments is assembled in memory of this handle, which is kept
/// for the next one.
///
/// A call that ends before all fragments are there keeps what it has, and the next one goes on. After
/// SPSC_CLOSED and SPSC_PEER_DEAD the rest can't come: that message is lost.
///
/// Outcomes and errors as spsc_peek, and these: SPSC_ERR_CORRUPT if no sender of messages wrote what
/// is there; SPSC_ERR_TOO_LARGE if all fragments together are more than spsc_set_max_message;
/// SPSC_ERR_NO_MEMORY if there is no memory for them. After the last two, spsc_receive_done skips the
/// message.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_receive(
    ring: *mut spsc_ring,
    timeout_ns: u64,
    out_message: *mut spsc_message,
) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
    if let (Ok((endpoint, receiver)), Ok(out)) = unsafe { (receiving(ring), place(out_message)) }
        && let Some(given) = receiver.try_receive(endpoint)
    {
        out.write(given.into());
        return spsc_status::SPSC_OK;
    }
    // SAFETY: as above.
    unsafe { receive_waiting(ring, timeout_ns, out_message) }
}

#[cold]
#[inline(never)]
unsafe fn receive_waiting(
    ring: *mut spsc_ring,
    timeout_ns: u64,
    out_message: *mut spsc_message,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let ((endpoint, receiver), out) = unsafe { (receiving(ring)?, place(out_message)?) };
        out.write(receiver.receive(endpoint, timeout_ns)?.into());
        Ok(())
    })
}

/// Waits for the next message, and gives all that are there, up to max: one call for many messages.
/// Otherwise as spsc_receive. A message that came in fragments is given alone.
///
/// out_messages: room for max messages; may be NULL if max is 0. spsc_receive_done consumes all that
/// were given.
/// out_count: how many were given: at least one, unless max is 0.
///
/// Thread: consumer. Blocks: up to timeout_ns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_receive_some(
    ring: *mut spsc_ring,
    timeout_ns: u64,
    out_messages: *mut spsc_message,
    max: usize,
    out_count: *mut usize,
) -> spsc_status {
    let out_messages = out_messages.cast::<MaybeUninit<spsc_message>>();
    // SAFETY: there is room for `max` messages, and no more are given.
    let give = |i, given: Given| unsafe {
        (*out_messages.add(i)).write(given.into());
    };
    // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
    if let (Ok((endpoint, receiver)), Ok(out)) = unsafe { (receiving(ring), place(out_count)) }
        && !out_messages.is_null()
        && let Some(count) = receiver.try_receive_some(endpoint, max, give)
    {
        out.write(count);
        return spsc_status::SPSC_OK;
    }
    // SAFETY: as above.
    unsafe { receive_some_waiting(ring, timeout_ns, out_messages, max, out_count) }
}

#[cold]
#[inline(never)]
unsafe fn receive_some_waiting(
    ring: *mut spsc_ring,
    timeout_ns: u64,
    out_messages: *mut MaybeUninit<spsc_message>,
    max: usize,
    out_count: *mut usize,
) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let ((endpoint, receiver), out) = unsafe { (receiving(ring)?, place(out_count)?) };
        if out_messages.is_null() && max != 0 {
            return Err(Status::InvalidArgument.into());
        }
        // SAFETY: there is room for `max` messages, and no more are given.
        let give = |i, given: Given| unsafe {
            (*out_messages.add(i)).write(given.into());
        };
        out.write(receiver.receive_some(endpoint, max, give, timeout_ns)?);
        Ok(())
    })
}

/// Consumes what the last spsc_receive or spsc_receive_some gave: the producer may write over it.
/// After an SPSC_ERR_TOO_LARGE or SPSC_ERR_NO_MEMORY it skips all of that message. What is still to
/// come of it is skipped by the next call that receives.
///
/// Errors: SPSC_ERR_INVALID_ARGUMENT; SPSC_ERR_MISUSE if nothing was received.
///
/// Thread: consumer. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_receive_done(ring: *mut spsc_ring) -> spsc_status {
    // SAFETY: a caller passes NULL or what the types say, from the one consumer thread.
    if let Ok((endpoint, receiver)) = unsafe { receiving(ring) }
        && receiver.try_done(endpoint)
    {
        // SAFETY: as above.
        return unsafe { side::handed_over(ring, endpoint) };
    }
    // SAFETY: as above.
    unsafe { done_assembled(ring) }
}

#[cold]
#[inline(never)]
unsafe fn done_assembled(ring: *mut spsc_ring) -> spsc_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let (endpoint, receiver) = unsafe { receiving(ring)? };
        receiver.done(endpoint)
    })
}

/// Sets how many bytes of fragments this handle assembles to one message at most. A message that is
/// in one piece may be larger.
///
/// bytes: 64 MiB by default.
///
/// Thread: consumer. Blocks: no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn spsc_set_max_message(ring: *mut spsc_ring, bytes: usize) -> spsc_status {
    guard(|| {
        // SAFETY: a caller passes NULL or an open handle, from the one consumer thread.
        unsafe { receiving(ring)? }.1.set_max(bytes as u64);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::spsc_message;
    use static_assertions::const_assert_eq;
    use std::mem::offset_of;

    const_assert_eq!(offset_of!(spsc_message, data), 0);
    const_assert_eq!(offset_of!(spsc_message, len), 8);
    const_assert_eq!(offset_of!(spsc_message, tag), 16);
    const_assert_eq!(offset_of!(spsc_message, reserved), 20);
    const_assert_eq!(size_of::<spsc_message>(), 24);
}
