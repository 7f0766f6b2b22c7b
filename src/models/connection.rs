//! The doorbell of a connection: an event loop on one side, and a peer that is in no loop on the other.

use super::{Arc, Barriers, End, NO_HEAVY, NO_LIGHT, Ring, Rx, Status, Tx, UNREGISTERED};
use super::{call_wakeup_all, check, check_with, check_within, status, sys, thread};
use crate::arm::{self, Asked, Readiness};
use crate::cursor::Side;
use crate::sys::bell::Kick;
use crate::wait::bell::Door;

/// The ends of the socket.
const OURS: i32 = 1;
const THEIRS: i32 = 2;

/// One process's end of a connection.
struct Line {
    sender: End<Tx>,
    receiver: End<Rx>,
    socket: i32,
    door: Arc<Door>,
}

/// A new connection, with rings of one byte, of which neither side has used anything.
fn connection() -> [Line; 2] {
    let rings = [Ring::new(1), Ring::sibling(1)];
    let line = |out: &Arc<Ring>, back: &Arc<Ring>, socket| {
        let door = Arc::new(Door::new(socket, Kick::new(socket).unwrap()));
        out.monitors[Tx::ROLE as usize].bell.install(Arc::clone(&door));
        back.monitors[Rx::ROLE as usize].bell.install(Arc::clone(&door));
        let mut line = Line { sender: out.end(), receiver: back.end(), socket, door };
        // As in the handshake.
        line.sender.endpoint.take_role(false).unwrap();
        line.receiver.endpoint.take_role(false).unwrap();
        line
    };
    [line(&rings[0], &rings[1], OURS), line(&rings[1], &rings[0], THEIRS)]
}

fn asked<S: Side>(end: &mut End<S>, need: u64) -> Asked<'_, S> {
    let side = (need != 0).then_some((&mut end.endpoint, need));
    Asked { control: &end.ring.control, side }
}

impl Line {
    /// As `conn::arm`. That there are no more doorbells than arms is checked by the door.
    fn arm(&mut self, need_data: u64, need_space: u64) -> Readiness {
        let Self { sender, receiver, door, .. } = self;
        arm::arm(asked(receiver, need_data), asked(sender, need_space), || door.drain_for_loop())
            .unwrap()
    }

    /// An event loop, up to the first thing that can be done.
    fn poll(&mut self, need_data: u64, need_space: u64) -> Readiness {
        loop {
            let ready = self.arm(need_data, need_space);
            if ready.any() {
                return ready;
            }
            sys::bell::poll(self.socket);
        }
    }
}

const READABLE: Readiness = Readiness { readable: true, writable: false };
const WRITABLE: Readiness = Readiness { readable: false, writable: true };

fn a_loop_waits_for_data() {
    let [mut us, mut them] = connection();
    let sending = thread::spawn(move || {
        them.sender.send(1).unwrap();
        them
    });
    assert_eq!(us.poll(1, 0), READABLE);
    us.receiver.receive(1).unwrap();
    sending.join().unwrap();
}

fn a_loop_waits_for_space() {
    let [mut us, mut them] = connection();
    us.sender.send(1).unwrap();
    let receiving = thread::spawn(move || {
        them.receiver.receive(1).unwrap();
        them
    });
    assert_eq!(us.poll(0, 1), WRITABLE);
    us.sender.send(1).unwrap();
    receiving.join().unwrap();
}

/// Both at once, of which one happens.
fn a_loop_waits_for_either(what_happens: Readiness) {
    let [mut us, mut them] = connection();
    us.sender.send(1).unwrap();
    let peer = thread::spawn(move || {
        if what_happens.readable {
            them.sender.send(1).unwrap();
        } else {
            them.receiver.receive(1).unwrap();
        }
        them
    });
    assert_eq!(us.poll(1, 1), what_happens);
    peer.join().unwrap();
}

#[test]
fn a_publish_rings_a_loop_that_is_armed_for_data() {
    check(a_loop_waits_for_data);
}

#[test]
fn a_release_rings_a_loop_that_is_armed_for_space() {
    check(a_loop_waits_for_space);
}

#[test]
fn either_rings_a_loop_that_is_armed_for_both() {
    check(|| a_loop_waits_for_either(READABLE));
    check(|| a_loop_waits_for_either(WRITABLE));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_light_half_a_loop_waits_beside_its_data() {
    check_with(NO_LIGHT, a_loop_waits_for_data);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_a_loop_waits_beside_its_data() {
    check_with(NO_HEAVY, a_loop_waits_for_data);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_light_half_a_loop_waits_beside_its_space() {
    check_with(NO_LIGHT, a_loop_waits_for_space);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_a_loop_waits_beside_its_space() {
    check_with(NO_HEAVY, a_loop_waits_for_space);
}

#[test]
fn a_ringer_that_is_not_registered_fences_by_itself() {
    check_with(UNREGISTERED, a_loop_waits_for_data);
    check_with(UNREGISTERED, a_loop_waits_for_space);
}

#[test]
fn a_ringer_fences_where_the_loop_can_t_issue_the_barrier() {
    // The handshake has told it so. The loop's own fence is the other half.
    let barriers = Barriers { light: false, ..Barriers::BOTH };
    check_with(barriers, || {
        let [mut us, mut them] = connection();
        them.sender.close();
        them.sender.endpoint.take_role(true).unwrap();
        let sending = thread::spawn(move || {
            them.sender.send(1).unwrap();
            them
        });
        assert_eq!(us.poll(1, 0), READABLE);
        sending.join().unwrap();
    });
}

#[test]
fn two_loops_may_serve_each_other() {
    check(|| {
        let [mut us, mut them] = connection();
        let answering = thread::spawn(move || {
            assert_eq!(them.poll(1, 0), READABLE);
            them.receiver.receive(1).unwrap();
            them.sender.send(1).unwrap();
            them
        });
        us.sender.send(1).unwrap();
        assert_eq!(us.poll(1, 0), READABLE);
        us.receiver.receive(1).unwrap();
        answering.join().unwrap();
    });
}

#[test]
fn a_loop_that_is_rung_for_the_last_thing_still_hears_of_the_next() {
    check(|| {
        let [mut us, mut them] = connection();
        let sending = thread::spawn(move || {
            (0..2).for_each(|_| them.sender.send(1).unwrap());
            them
        });
        for _ in 0..2 {
            assert_eq!(us.poll(1, 0), READABLE);
            us.receiver.receive(1).unwrap();
        }
        sending.join().unwrap();
    });
}

#[test]
fn a_call_may_wait_for_what_the_loop_was_armed_for() {
    check(|| {
        let [mut us, mut them] = connection();
        let sending = thread::spawn(move || {
            them.sender.send(1).unwrap();
            them
        });
        if !us.arm(1, 0).any() {
            // Takes the arming back, and sleeps in the call.
            us.receiver.receive(1).unwrap();
        }
        sending.join().unwrap();
    });
}

#[test]
fn an_interruption_does_not_take_a_doorbell() {
    check(|| {
        let [mut us, mut them] = connection();
        let calling = call_wakeup_all(&us.receiver.ring);
        let sending = thread::spawn(move || {
            them.sender.send(1).unwrap();
            them
        });
        assert_eq!(us.poll(1, 0), READABLE);
        calling.join().unwrap();
        sending.join().unwrap();
    });
}

#[test]
fn a_close_rings_a_loop_and_gives_the_data_first() {
    check(|| {
        let [mut us, mut them] = connection();
        let sending = thread::spawn(move || {
            them.sender.send(1).unwrap();
            them.sender.close();
            them
        });
        assert_eq!(us.poll(1, 0), READABLE);
        us.receiver.receive(1).unwrap();
        assert_eq!(us.poll(1, 0), READABLE);
        assert_eq!(status(us.receiver.receive(1)), Some(Status::Closed));
        sending.join().unwrap();
    });
}

fn a_call_waits_for_data() {
    let [mut us, mut them] = connection();
    let sending = thread::spawn(move || {
        them.sender.send(1).unwrap();
        them
    });
    us.receiver.receive(1).unwrap();
    sending.join().unwrap();
}

#[test]
fn a_publish_rings_a_call_that_sleeps_at_the_door() {
    check(a_call_waits_for_data);
    check_with(UNREGISTERED, a_call_waits_for_data);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_light_half_a_call_sleeps_at_the_door_beside_its_data() {
    check_with(NO_LIGHT, a_call_waits_for_data);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_heavy_half_a_call_sleeps_at_the_door_beside_its_data() {
    check_with(NO_HEAVY, a_call_waits_for_data);
}

#[test]
fn two_threads_wait_and_one_of_them_sleeps_at_the_door() {
    // With three threads, one more preemption would take minutes.
    check_within(2, Barriers::BOTH, || {
        let [us, mut them] = connection();
        let Line { mut sender, mut receiver, .. } = us;
        sender.send(1).unwrap();
        let sending = thread::spawn(move || {
            // The second time, the first has left the door as it was.
            (0..2).for_each(|_| sender.send(1).unwrap());
            sender
        });
        let peer = thread::spawn(move || {
            (0..2).for_each(|_| them.receiver.receive(1).unwrap());
            them.sender.send(1).unwrap();
            them
        });
        receiver.receive(1).unwrap();
        sending.join().unwrap();
        peer.join().unwrap();
    });
}

#[test]
fn a_loop_and_a_call_of_another_thread_are_both_woken() {
    // The call may have been at the door before the loop.
    check_within(2, Barriers::BOTH, || {
        let [us, mut them] = connection();
        let Line { mut sender, mut receiver, door, socket } = us;
        sender.send(1).unwrap();
        let other = Arc::clone(&sender.ring);
        let sending = thread::spawn(move || {
            sender.send(1).unwrap();
            sender
        });
        let peer = thread::spawn(move || {
            them.receiver.receive(1).unwrap();
            them.sender.send(1).unwrap();
            them
        });
        loop {
            // Of the sender nothing is asked: its side is another thread's.
            let space = Asked { control: &other.control, side: None };
            let data = asked(&mut receiver, 1);
            if arm::arm(data, space, || door.drain_for_loop()).unwrap().any() {
                break;
            }
            sys::bell::poll(socket);
        }
        receiver.receive(1).unwrap();
        sending.join().unwrap();
        peer.join().unwrap();
    });
}

#[test]
fn an_interrupt_ends_a_sleep_at_the_door() {
    check(|| {
        let [mut us, _them] = connection();
        let ring = Arc::clone(&us.receiver.ring);
        let interrupting = thread::spawn(move || ring.interrupt::<Rx>());
        assert_eq!(status(us.receiver.receive(1)), Some(Status::Interrupted));
        interrupting.join().unwrap();
    });
}

#[test]
fn a_close_ends_a_sleep_at_the_door() {
    check(|| {
        let [mut us, mut them] = connection();
        let closing = thread::spawn(move || {
            them.sender.close();
            them
        });
        assert_eq!(status(us.receiver.receive(1)), Some(Status::Closed));
        closing.join().unwrap();
    });
}

#[test]
fn the_peer_s_wakeup_all_ends_a_sleep_at_the_door() {
    check(|| {
        let [mut us, them] = connection();
        let calling = thread::spawn(move || {
            // As the handle does.
            let ring = &them.sender.ring;
            crate::wait::interrupt_all(&ring.control);
            let bell = &ring.monitors[Tx::ROLE as usize].bell;
            bell.rouse_own(Tx::park(&ring.control));
            bell.rouse_peer(Tx::other_park(&ring.control));
            them
        });
        assert_eq!(status(us.receiver.receive(1)), Some(Status::Interrupted));
        calling.join().unwrap();
    });
}
