//! The ends of a ring as `std::io` streams.

use spsc_shm::{Consumer, Producer, Ring};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::thread;
use support::{Name, fork, reap, set_counters, watchdog};

fn ring() -> (Producer, Consumer) {
    Ring::anonymous(1).unwrap().split()
}

/// More than fits the ring, and without a period that is a power of two, which could hide a mistake.
fn long_text() -> Vec<u8> {
    (0..300_000_u32).map(|i| (i % 251) as u8).collect()
}

#[test]
fn a_copy_through_the_ring_is_the_original() {
    let _watchdog = watchdog();
    let text = long_text();
    let (mut producer, mut consumer) = ring();
    let original = text.clone();
    let writer = thread::spawn(move || io::copy(&mut &original[..], &mut producer).unwrap());
    let mut copy = Vec::new();
    let read = io::copy(&mut consumer, &mut copy).unwrap();
    assert_eq!(writer.join().unwrap(), read);
    assert!(copy == text);
}

#[test]
fn buffered_streams_and_lines_work() {
    let _watchdog = watchdog();
    let (producer, consumer) = ring();
    let writer = thread::spawn(move || {
        let mut out = BufWriter::new(producer);
        for number in 0..20_000 {
            writeln!(out, "line {number}").unwrap();
        }
        out.flush().unwrap();
    });
    let mut count = 0;
    for (number, line) in BufReader::new(consumer).lines().enumerate() {
        assert_eq!(line.unwrap(), format!("line {number}"));
        count += 1;
    }
    writer.join().unwrap();
    assert_eq!(count, 20_000);
}

#[test]
fn the_end_of_the_stream_comes_after_all_bytes_and_is_not_final() {
    let name = Name::new();
    let (mut producer, mut consumer) = Ring::create(&name, 1).unwrap().split();
    producer.write_all(b"first").unwrap();
    drop(producer);
    let mut text = String::new();
    assert_eq!(consumer.read_to_string(&mut text).unwrap(), 5);
    assert_eq!(consumer.read(&mut [0; 9]).unwrap(), 0);
    let mut producer = Ring::connect(&name).unwrap().into_producer();
    producer.write_all(b"second").unwrap();
    drop(producer);
    consumer.read_to_string(&mut text).unwrap();
    assert_eq!(text, "firstsecond");
}

#[test]
fn a_write_and_a_read_take_what_there_is() {
    let (mut producer, mut consumer) = ring();
    let capacity = producer.ring().capacity();
    let much = vec![3; capacity + 1];
    assert_eq!(producer.write(&[]).unwrap(), 0);
    assert_eq!(producer.write(&much[..100]).unwrap(), 100);
    assert_eq!(producer.write(&much).unwrap(), capacity - 100);
    // The ring is full. Writing nothing does not wait.
    assert_eq!(producer.write(&[]).unwrap(), 0);
    producer.flush().unwrap();
    let mut buffer = vec![0; 2 * capacity];
    assert_eq!(consumer.read(&mut buffer[..10]).unwrap(), 10);
    assert_eq!(consumer.read(&mut buffer).unwrap(), capacity - 10);
    assert_eq!(consumer.read(&mut []).unwrap(), 0);
    assert_eq!(producer.write(&much).unwrap(), capacity);
}

#[test]
fn a_closed_consumer_is_a_broken_pipe() {
    let (mut producer, mut consumer) = ring();
    producer.write_all(b"x").unwrap();
    consumer.read_exact(&mut [0]).unwrap();
    drop(consumer);
    let much = vec![0; 2 * producer.ring().capacity()];
    assert_eq!(producer.write_all(&much).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_stream_that_ends_early_is_an_unexpected_end() {
    let (mut producer, mut consumer) = ring();
    producer.write_all(b"12").unwrap();
    drop(producer);
    let error = consumer.read_exact(&mut [0; 3]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_dead_producer_is_a_reset_connection() {
    support::alone(|| {
        let (mut producer, mut consumer) = ring();
        let child = fork(|| producer.write_all(b"last words").unwrap());
        assert_eq!(reap(child), 0);
        let mut text = Vec::new();
        // This is not the end of the stream: the reader must not take a part for the whole.
        let error = consumer.read_to_end(&mut text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(text, b"last words");
    });
}

#[test]
fn an_interruption_is_not_retried() {
    let (_producer, mut consumer) = ring();
    consumer.ring().wakeup_all();
    let error = consumer.read_exact(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    let inner = error.into_inner().unwrap().downcast::<spsc_shm::Error>().unwrap();
    assert_eq!(inner.status(), spsc_shm::Status::Interrupted);
}

#[test]
fn counters_that_lie_are_invalid_data() {
    let ring = Ring::anonymous(1).unwrap();
    set_counters(&ring, 0, 1);
    let (mut producer, mut consumer) = ring.split();
    assert_eq!(producer.write(b"x").unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(consumer.read(&mut [0]).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_reader_in_front_of_the_ring_adds_a_buffer_of_its_own() {
    let _watchdog = watchdog();
    let (mut producer, consumer) = ring();
    let writer = thread::spawn(move || producer.write_all(&long_text()).unwrap());
    let mut copy = Vec::new();
    BufReader::with_capacity(7, consumer).read_to_end(&mut copy).unwrap();
    writer.join().unwrap();
    assert!(copy == long_text());
}

#[test]
fn errors_of_making_a_ring_have_their_kinds() {
    let kind = |result: spsc_shm::Result<Ring>| io::Error::from(result.unwrap_err()).kind();
    let name = Name::new();
    assert_eq!(kind(Ring::connect(&name)), ErrorKind::NotFound);
    assert_eq!(kind(Ring::create("a/b", 1)), ErrorKind::InvalidInput);
    assert_eq!(kind(Ring::create(&name, usize::MAX)), ErrorKind::InvalidInput);
    assert_eq!(kind(Ring::create(&name, 1 << 45)), ErrorKind::StorageFull);
    assert_eq!(kind(Ring::anonymous(1 << 45)), ErrorKind::OutOfMemory);
    let _ring = Ring::create(&name, 1).unwrap();
    assert_eq!(kind(Ring::create(&name, 1)), ErrorKind::AlreadyExists);
}

/// Memory that another process may write is never behind a reference that safe code can get, nor is
/// a descriptor that it could cut an object short with.
mod safe_code_gets {
    use spsc_shm::{Consumer, Producer, ReadGrant, Ring, WriteGrant};
    use static_assertions::assert_not_impl_any;
    use std::borrow::{Borrow, BorrowMut};
    use std::io::BufRead;
    use std::ops::{Deref, DerefMut, Index, IndexMut, RangeFull};
    use std::os::fd::{AsFd, IntoRawFd};

    assert_not_impl_any!(ReadGrant<'_>: Deref, AsRef<[u8]>, Borrow<[u8]>, Index<usize>, Index<RangeFull>, BufRead);
    assert_not_impl_any!(WriteGrant<'_>: Deref, DerefMut, AsRef<[u8]>, AsMut<[u8]>, Borrow<[u8]>, BorrowMut<[u8]>, IndexMut<usize>, IndexMut<RangeFull>);
    assert_not_impl_any!(Consumer: BufRead, AsFd, IntoRawFd);
    assert_not_impl_any!(Producer: AsFd, IntoRawFd);
    assert_not_impl_any!(Ring: AsFd, IntoRawFd);
}
