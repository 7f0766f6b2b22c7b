//! From the server to a ring.
//!
//! One thread has the ring, and writes what it is given where the ring stands. Another has the server:
//! it fetches, and removes there what is in the ring.

use crate::chunk::{Chunk, FRAME_HEADER, Frame, Kind, Origin};
use crate::link::{BackOff, Link};
use crate::options::{Address, Options};
use crate::progress::Progress;
use crate::ring;
use crate::trouble::{Outcome, Trouble, passing};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use spsc_shm::{Producer, RoleState, Status};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Messages that are asked for at once.
const MESSAGES: usize = 512;
/// How often the server tells that it lives while it has nothing.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Received messages are removed at most this often, unless many bytes wait for it.
const TIDY: Duration = Duration::from_millis(20);

/// A chunk for the ring's thread, and its share of the memory for such.
#[derive(Debug)]
struct Given {
    sequence: u64,
    chunk: Chunk,
    _share: OwnedSemaphorePermit,
}

/// Carries the stream into the ring until its end.
pub fn run(from: &Address, options: &Options, progress: &Arc<Progress>) -> Outcome<()> {
    let ring = ring::open(options, progress)?;
    let name = ring::identity(&ring)?;
    let was_closed = ring.stats().producer.state == RoleState::Closed;
    let mut producer = ring.into_producer();
    // Takes the role: from here on nobody else publishes.
    drop(producer.claim_some(0, Some(Duration::ZERO))?);
    let published = producer.ring().stats().published;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::Final(error.to_string()))?;
    runtime.block_on(async {
        let link = Link::connect(options, from, 0, progress).await?;
        let mut back_off = BackOff::default();
        let ours = Origin { ring: name, base: published };
        let (stream, base, first) = loop {
            match link.unless_cut(begin(&link, &ours)).await {
                Ok(Some(begun)) => break begun,
                Ok(None) => progress.set_state("waits for the stream to be made"),
                Err(Trouble::Passing(words)) => progress.set_state(&words),
                Err(error) => return Err(error),
            }
            back_off.pause().await;
        };
        progress.set_state("carries");
        let (give, given) = mpsc::channel(MESSAGES);
        let (done, done_out) = watch::channel(0);
        let position = published.wrapping_sub(base);
        progress.carried(position, 0);
        let sink = Sink {
            producer,
            position,
            was_closed,
            follow: options.follow,
            given,
            done,
            progress: Arc::clone(progress),
        };
        let interrupter = sink.producer.interrupter();
        let thread = tokio::task::spawn_blocking(move || sink.run());
        let link = Arc::new(link);
        let fetched = fetch(&link, &stream, first, options, give, progress);
        let tidied = tidy(&link, &stream, done_out, progress);
        tokio::pin!(thread);
        let fetched = tokio::select! {
            // The ring's thread ends first when all is well, and when the ring is at fault.
            ended = &mut thread => return ended.unwrap_or_else(|_| Err(panicked())),
            fetched = fetched => fetched,
            () = tidied => Ok(()),
        };
        interrupter.interrupt();
        let ended = thread.await.unwrap_or_else(|_| Err(panicked()));
        fetched.and(ended)
    })
}

fn panicked() -> Trouble {
    Trouble::Final("a bug: panicked".to_owned())
}

/// Finds the stream, the counter of this ring where it begins, and the first message to fetch. `None`
/// if there is no stream yet.
async fn begin(link: &Link, ours: &Origin) -> Outcome<Option<(Stream, u64, u64)>> {
    let Some(stream) = link.stream_to_receive().await? else { return Ok(None) };
    let name = &link.address.stream;
    let bound = link.bind(&stream, ours).await?;
    if bound.ring != ours.ring {
        return Err(Trouble::Final(format!(
            "the stream {name} goes to another ring ({}): this one was made anew, or another receiver uses \
             the stream. To begin again, delete the stream",
            bound.ring
        )));
    }
    let first = link.state(&stream).await?.first_sequence.max(1);
    Ok(Some((stream, bound.base, first)))
}

/// Fetches from `first` on, and gives it to the ring's thread.
async fn fetch(
    link: &Link,
    stream: &Stream,
    first: u64,
    options: &Options,
    give: mpsc::Sender<Given>,
    progress: &Progress,
) -> Outcome<()> {
    let mut next = first;
    let mut back_off = BackOff::default();
    let memory =
        Arc::new(Semaphore::new(options.window.0.try_into().unwrap_or(Semaphore::MAX_PERMITS)));
    loop {
        let on = fetch_on(link, stream, &mut next, options, &give, &memory, &mut back_off);
        match link.unless_cut(on).await {
            Ok(()) => return Ok(()),
            Err(Trouble::Passing(words)) => progress.recovers(&words),
            Err(error) => return Err(error),
        }
        back_off.pause().await;
        // It may have been deleted.
        match link.unless_cut(link.state(stream)).await {
            Err(Trouble::Passing(_)) => {}
            looked => drop(looked?),
        }
    }
}

async fn fetch_on(
    link: &Link,
    stream: &Stream,
    next: &mut u64,
    options: &Options,
    give: &mpsc::Sender<Given>,
    memory: &Arc<Semaphore>,
    back_off: &mut BackOff,
) -> Outcome<()> {
    let most = usize::try_from(options.window.0).unwrap_or(Semaphore::MAX_PERMITS);
    let consumer = link.consumer(stream, *next).await?;
    let messages = consumer
        .stream()
        .max_bytes_per_batch(most.max(link.client.server_info().max_payload))
        .heartbeat(HEARTBEAT)
        .messages()
        .await;
    let mut messages = messages.map_err(|error| passing("no messages")(&error))?;
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| passing("no messages")(&error))?;
        let sequence =
            message.info().map_err(|error| passing("a message")(&error))?.stream_sequence;
        if sequence < *next {
            continue;
        }
        let message = message.message;
        let (chunk, _) = Chunk::parse(message.headers.as_ref(), message.payload)?;
        let share = u32::try_from(chunk.payload.len().clamp(1, most)).unwrap_or(u32::MAX);
        let share = Arc::clone(memory).acquire_many_owned(share).await;
        let _share = share.map_err(|error| Trouble::Final(error.to_string()))?;
        if give.send(Given { sequence, chunk, _share }).await.is_err() {
            return Ok(());
        }
        *next = sequence + 1;
        back_off.reset();
    }
    Err(Trouble::Passing("the messages ended".to_owned()))
}

/// Removes from the server what is in the ring, but for the last message: it says where the stream
/// stands.
async fn tidy(link: &Link, stream: &Stream, mut done: watch::Receiver<u64>, progress: &Progress) {
    let mut back_off = BackOff::default();
    let mut connections = link.connections();
    loop {
        tokio::select! {
            changed = done.changed() => if changed.is_err() { return },
            // A server that was killed may have again what it had removed.
            _ = connections.changed() => {}
        }
        let mut removed = Err(Trouble::Passing(String::new()));
        // A full stream takes nothing new until this has been done, and then nothing new is done here.
        while removed.is_err() {
            let sequence = *done.borrow_and_update();
            removed = link.unless_cut(link.forget_before(stream, sequence)).await;
            if let Err(error) = &removed {
                progress.say(&error.to_string());
                back_off.pause().await;
            }
        }
        back_off.reset();
        tokio::time::sleep(TIDY).await;
    }
}

/// The thread that has the ring.
struct Sink {
    producer: Producer,
    /// The offset in the stream at which the ring stands.
    position: u64,
    /// The ring was closed by a bridge before this one, at the position.
    was_closed: bool,
    follow: bool,
    given: mpsc::Receiver<Given>,
    done: watch::Sender<u64>,
    progress: Arc<Progress>,
}

impl Sink {
    fn run(mut self) -> Outcome<()> {
        while let Some(Given { sequence, chunk, _share }) = self.given.blocking_recv() {
            if chunk.offset > self.position {
                return Err(Trouble::Final(format!(
                    "the stream was cut short: the ring stands at {}, and what the server has goes on at {}",
                    self.position, chunk.offset
                )));
            }
            let known = self.position - chunk.offset;
            if chunk.kind == Kind::Closed {
                if known == 0 && !self.was_closed && !self.follow {
                    return Ok(());
                }
            } else if known < chunk.len() as u64 {
                let known = usize::try_from(known).expect("it is less than the chunk's length");
                match chunk.kind {
                    Kind::Frame(frame) => self.put_frame(frame, &chunk.payload, known)?,
                    _ => self.put(&chunk.payload[known..])?,
                }
                self.was_closed = false;
            }
            let _ = self.done.send(sequence);
        }
        Ok(())
    }

    /// Writes bytes as there is room for them.
    fn put(&mut self, mut bytes: &[u8]) -> Outcome<()> {
        while !bytes.is_empty() {
            self.room(1)?;
            let mut grant = self.producer.claim_some(1, Some(Duration::ZERO))?;
            let len = bytes.len().min(grant.len());
            grant.copy_from_slice(&bytes[..len]);
            grant.publish(len)?;
            self.went_on(len);
            bytes = &bytes[len..];
        }
        Ok(())
    }

    /// Writes a frame, which is published whole.
    fn put_frame(&mut self, frame: Frame, payload: &[u8], known: usize) -> Outcome<()> {
        let corrupt = || Trouble::Final("the ring stands in the midst of a message".to_owned());
        if known != 0 {
            return Err(corrupt());
        }
        let header = frame.header(payload.len()).ok_or_else(corrupt)?;
        let size = crate::chunk::frame_size(payload.len());
        let capacity = self.producer.ring().capacity();
        if size > capacity {
            return Err(Trouble::Final(format!(
                "a message of {} bytes does not fit in this ring of {capacity}: make it as large as the other",
                payload.len()
            )));
        }
        self.room(size)?;
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(payload);
        bytes.resize(size, 0);
        debug_assert!(size >= FRAME_HEADER);
        let mut grant = self.producer.claim(size, Some(Duration::ZERO))?;
        grant.copy_from_slice(&bytes);
        grant.publish_all();
        self.went_on(size);
        Ok(())
    }

    fn went_on(&mut self, len: usize) {
        self.position += len as u64;
        self.progress.carried(self.position, len as u64);
    }

    /// Waits until so much is free.
    fn room(&mut self, need: usize) -> Outcome<()> {
        loop {
            match self.producer.wait_for_space(need, None) {
                Ok(()) => return Ok(()),
                Err(error) => match error.status() {
                    Status::Interrupted if self.given.is_closed() => {
                        return Err(Trouble::Final("stopped".to_owned()));
                    }
                    Status::Interrupted => {}
                    Status::Closed if !self.follow => {
                        return Err(Trouble::Final("the consumer closed the ring".to_owned()));
                    }
                    status @ (Status::Closed | Status::PeerDead) => self.next_consumer(status)?,
                    _ => return Err(error.into()),
                },
            }
        }
    }

    fn next_consumer(&mut self, status: Status) -> Outcome<()> {
        let how = if status == Status::Closed { "closed the ring" } else { "died" };
        self.progress.set_state(&format!("the consumer {how}: waits for the next"));
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    }
}
