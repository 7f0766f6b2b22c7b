//! Connections under tokio: both directions at once, cancelled, closed, and many at a time.

use spsc_shm::aio::{Connection, Listener};
use spsc_shm::{ConnOptions, Status};
use std::future::Future;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::{Rng, may_be_dropped, watchdog};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// In a runtime with one thread, and in one with several.
fn in_each_runtime<F: Future<Output = ()>>(body: impl Fn() -> F) {
    let _watchdog = watchdog();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(body());
    Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap().block_on(body());
}

fn path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(format!("spsc-aio-{}-{}", name.0, name.1))
}

/// A client's end. One that did not run for long may have been dropped, and dials again.
async fn dial(path: PathBuf) -> Connection {
    loop {
        let start = Instant::now();
        match Connection::dial(&path).await {
            Err(error) if is_closed(&error) && may_be_dropped(start) => {}
            dialled => return dialled.unwrap(),
        }
    }
}

fn is_closed(error: &std::io::Error) -> bool {
    let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<spsc_shm::Error>());
    ours.is_some_and(|error| error.status() == Status::Closed)
}

/// Both ends of a connection with rings of so many bytes.
async fn pair(capacity: usize) -> (Connection, Connection) {
    let path = path();
    let options = ConnOptions::new().to_server(capacity).to_client(capacity);
    let mut listener: Listener = options.listen(&path).unwrap().try_into().unwrap();
    let dialling = tokio::spawn(dial(path));
    let server = listener.accept().await.unwrap();
    (server, dialling.await.unwrap())
}

/// Sends bytes in pieces of random sizes, and ends.
async fn send(mut to: impl AsyncWrite + Unpin, total: usize, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut sent = 0;
    while sent < total {
        let n = rng.size(3000).min(total - sent);
        let piece: Vec<u8> = (sent..sent + n).map(|i| (i * 7) as u8).collect();
        to.write_all(&piece).await.unwrap();
        sent += n;
    }
    to.shutdown().await.unwrap();
}

/// Receives as many, and the end.
async fn receive(mut from: impl AsyncRead + Unpin, total: usize, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut received = 0;
    let mut buffer = vec![0; 5000];
    loop {
        let most = 1 + rng.below(5000) as usize;
        let n = from.read(&mut buffer[..most]).await.unwrap();
        if n == 0 {
            break;
        }
        for (i, byte) in (received..).zip(&buffer[..n]) {
            assert_eq!(*byte, (i * 7) as u8, "byte {i}");
        }
        received += n;
    }
    assert_eq!(received, total);
}

#[test]
fn both_directions_carry_much_at_once() {
    in_each_runtime(|| async {
        const TOTAL: usize = 20_000_000;
        let (server, client) = pair(1).await;
        let ((server_in, server_out), (client_in, client_out)) =
            (server.into_split(), client.into_split());
        let tasks = [
            tokio::spawn(send(server_out, TOTAL, 1)),
            tokio::spawn(receive(client_in, TOTAL, 2)),
            tokio::spawn(send(client_out, TOTAL, 3)),
            tokio::spawn(receive(server_in, TOTAL, 4)),
        ];
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_question_and_its_answer_take_turns() {
    in_each_runtime(|| async {
        let (mut server, mut client) = pair(1).await;
        let answering = tokio::spawn(async move {
            let mut text = [0; 64];
            while server.read_exact(&mut text).await.is_ok() {
                server.write_all(&text).await.unwrap();
            }
        });
        for i in 0..20_000_u32 {
            let question = [i as u8; 64];
            client.write_all(&question).await.unwrap();
            let mut answer = [0; 64];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, question);
        }
        drop(client);
        answering.await.unwrap();
    });
}

/// Both tasks of the client wait at the same time, and then one is done: what it saw of the descriptor
/// is the other's business, too.
#[test]
fn a_task_that_has_done_does_not_keep_what_was_rung_for_the_other() {
    in_each_runtime(|| async {
        const BURST: usize = 6000; // more than the ring holds
        const ROUNDS: usize = 5000;
        let (mut server, client) = pair(1).await;
        let (mut reads, mut writes) = client.into_split();
        let answering = tokio::spawn(async move {
            let mut rng = Rng::new(7);
            let mut buffer = [0; BURST];
            for _ in 0..ROUNDS {
                // Space and the answer come close to each other, in either order.
                let first = rng.size(BURST);
                server.read_exact(&mut buffer[..first]).await.unwrap();
                server.write_all(&[1]).await.unwrap();
                server.read_exact(&mut buffer[first..]).await.unwrap();
            }
        });
        for _ in 0..ROUNDS {
            let writing = tokio::spawn(async move {
                writes.write_all(&[0; BURST]).await.unwrap();
                writes
            });
            reads.read_exact(&mut [0]).await.unwrap();
            writes = writing.await.unwrap();
        }
        answering.await.unwrap();
    });
}

#[test]
fn one_direction_ends_alone_and_the_other_lives_on() {
    in_each_runtime(|| async {
        let (mut server, mut client) = pair(1).await;
        client.write_all(b"last words").await.unwrap();
        client.shutdown().await.unwrap();
        client.shutdown().await.unwrap();
        let error = client.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last words");
        server.write_all(b"still here").await.unwrap();
        drop(server);
        text.clear();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "still here");
    });
}

#[test]
fn a_peer_that_closes_ends_a_read_and_a_write_that_wait() {
    in_each_runtime(|| async {
        let (server, client) = pair(1).await;
        let (mut reads, mut writes) = server.into_split();
        let reading = tokio::spawn(async move { reads.read(&mut [0]).await.unwrap() });
        let writing = tokio::spawn(async move { writes.write_all(&[0; 1 << 20]).await });
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(client);
        assert_eq!(reading.await.unwrap(), 0);
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_read_that_is_given_up_loses_nothing_and_harms_no_write() {
    in_each_runtime(|| async {
        let (server, client) = pair(1).await;
        let (mut reads, writes) = server.into_split();
        let (back, out) = client.into_split();
        const TOTAL: usize = 3_000_000;
        let other = [tokio::spawn(send(writes, TOTAL, 5)), tokio::spawn(receive(back, TOTAL, 6))];
        let sending = tokio::spawn(async move {
            let mut out = out;
            for i in 0..2000_u32 {
                out.write_all(&[i as u8]).await.unwrap();
                if i % 8 == 0 {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
            }
        });
        let mut received = 0_u32;
        let mut given_up = 0;
        while received < 2000 {
            let mut byte = [0];
            match timeout(Duration::from_micros(50), reads.read(&mut byte)).await {
                Ok(n) => {
                    assert_eq!((n.unwrap(), byte), (1, [received as u8]));
                    received += 1;
                }
                Err(_) => given_up += 1,
            }
        }
        assert!(given_up > 0);
        sending.await.unwrap();
        for task in other {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_dial_that_is_given_up_holds_nothing() {
    in_each_runtime(|| async {
        let path = path();
        let error = Connection::dial(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let mut listener = Listener::bind(&path).unwrap();
        assert!(timeout(Duration::from_millis(5), Connection::dial(&path)).await.is_err());
        // Nor an accept: the client that has left is none.
        assert!(timeout(Duration::from_millis(20), listener.accept()).await.is_err());
        let dialling = tokio::spawn(dial(path));
        listener.accept().await.unwrap();
        dialling.await.unwrap();
    });
}

#[test]
fn clients_wait_for_a_place_in_the_queue() {
    in_each_runtime(|| async {
        let path = path();
        let options = ConnOptions::new().backlog(1);
        let mut listener: Listener = options.listen(&path).unwrap().try_into().unwrap();
        let clients: Vec<_> = (0..8).map(|_| tokio::spawn(dial(path.clone()))).collect();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(timeout(Duration::from_millis(10), Connection::dial(&path)).await.is_err());
        let serving = tokio::spawn(async move {
            loop {
                drop(listener.accept().await);
            }
        });
        for client in clients {
            client.await.unwrap();
        }
        serving.abort();
    });
}

#[test]
fn one_thread_serves_many() {
    in_each_runtime(|| async {
        let path = path();
        let options = ConnOptions::new().to_server(1).to_client(1);
        let mut listener: Listener = options.listen(&path).unwrap().try_into().unwrap();
        let serving = tokio::spawn(async move {
            loop {
                let client = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut reads, mut writes) = client.into_split();
                    tokio::io::copy(&mut reads, &mut writes).await.unwrap();
                });
            }
        });
        let clients: Vec<_> = (0..50_u64)
            .map(|seed| {
                let path = path.clone();
                tokio::spawn(async move {
                    let (reads, writes) = dial(path).await.into_split();
                    let sending = tokio::spawn(send(writes, 300_000, seed));
                    receive(reads, 300_000, !seed).await;
                    sending.await.unwrap();
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        serving.abort();
    });
}

#[test]
fn an_error_is_the_library_s() {
    in_each_runtime(|| async {
        let path = path();
        let _listener = Listener::bind(&path).unwrap();
        let error = Listener::bind(&path).unwrap_err();
        let inner = error.into_inner().unwrap();
        let ours = inner.downcast_ref::<spsc_shm::Error>().unwrap();
        assert_eq!(ours.status(), Status::AlreadyExists);
    });
}
