//! The shortest way through the library.

use spsc_shm::{Ring, Status};
use std::time::Duration;

#[test]
fn what_is_published_is_peeked() {
    let (mut producer, mut consumer) = Ring::anonymous(1).unwrap().split();
    let mut grant = producer.claim(5, None).unwrap();
    grant.copy_from_slice(b"hello");
    grant.publish_all();
    let grant = consumer.peek(5, None).unwrap();
    assert_eq!(grant.to_vec(), b"hello");
    grant.release_all();
    let error = consumer.peek(1, Some(Duration::from_millis(5))).unwrap_err();
    assert_eq!(error.status(), Status::Timeout);
    drop(producer);
    let error = consumer.peek(1, None).unwrap_err();
    assert_eq!(error.status(), Status::Closed);
}
