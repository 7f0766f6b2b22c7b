//! Messages through the Rust interface and the C functions.

mod common;

use common::status;
use spsc_shm::{Ring, Status};
use std::thread;
use std::time::Duration;

const NOW: Option<Duration> = Some(Duration::ZERO);

#[test]
fn what_is_sent_is_received_with_its_tag() {
    let (mut producer, mut consumer) = Ring::anonymous(4096).unwrap().split();
    for len in [0, 1, 7, 8, 9, 100, 2047, 2048] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        producer.send(len as u32, &bytes, NOW).unwrap();
        for _ in 0..2 {
            let message = consumer.receive(NOW).unwrap();
            assert_eq!((message.tag(), message.to_vec()), (len as u32, bytes.clone()));
            assert!(message.as_ptr().addr().is_multiple_of(8));
        }
        consumer.receive(NOW).unwrap().done();
        assert_eq!(status(consumer.receive(NOW)), Status::Timeout);
    }
}

#[test]
fn a_message_larger_than_the_ring_arrives_in_one_piece() {
    let (mut producer, mut consumer) = Ring::anonymous(4096).unwrap().split();
    let bytes: Vec<u8> = (0..1_000_000).map(|i| (i % 251) as u8).collect();
    let expected = bytes.clone();
    let sender = thread::spawn(move || {
        for tag in 0..3 {
            producer.send(tag, &bytes, None).unwrap();
            producer.send(tag + 10, b"small", None).unwrap();
        }
    });
    for tag in 0..3 {
        let message = consumer.receive(None).unwrap();
        assert_eq!(message.tag(), tag);
        assert!(message.into_vec() == expected);
        let message = consumer.receive(None).unwrap();
        assert_eq!((message.tag(), message.into_vec()), (tag + 10, b"small".to_vec()));
    }
    sender.join().unwrap();
    assert_eq!(status(consumer.receive(None)), Status::Closed);
}
