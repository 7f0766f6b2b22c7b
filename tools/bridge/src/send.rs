//! From a ring to the server.
//!
//! One thread has the ring: it peeks, and it releases what the server has acknowledged. Another has the
//! server: it publishes, each message on condition of the one before it, and hears the answers.

use crate::chunk::{Chunk, FRAME_HEADER, Frame, Kind, Origin, frame_size};
use crate::link::{BackOff, Link};
use crate::options::{Address, Options};
use crate::progress::Progress;
use crate::ring;
use crate::trouble::{Outcome, Trouble};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use spsc_shm::{Consumer, Interrupter, Status};
use std::collections::VecDeque;
use std::error::Error;
use std::future::IntoFuture;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::mpsc as queue;

/// Messages under way at most.
const MESSAGES: usize = 1024;
/// What the headers may take of the server's limit for a message.
const HEADERS: usize = 1024;

/// What the ring's thread is told.
#[derive(Debug)]
enum Told {
    /// The oldest chunk under way is stored.
    Stored,
    /// The server has the stream up to here. Whatever was under way is void. Go on from here.
    Resume { offset: u64, round: u64 },
}

/// A chunk, and the round of resuming in which it was taken.
type Taken = (u64, Chunk);

/// Carries the ring until its producer closes it.
pub fn run(to: &Address, options: &Options, progress: &Arc<Progress>) -> Outcome<()> {
    let ring = ring::open(options, progress)?;
    let name = ring::identity(&ring)?;
    let mut consumer = ring.into_consumer();
    // Takes the role: from here on nobody else releases.
    drop(consumer.peek_some(0, Some(Duration::ZERO))?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::Final(error.to_string()))?;
    runtime.block_on(async {
        let link = Link::connect(options, to, MESSAGES, progress).await?;
        let mut back_off = BackOff::default();
        let (stream, origin, place) = loop {
            match link.unless_cut(begin(&link, options, &consumer, &name)).await {
                Ok(begun) => break begun,
                Err(Trouble::Passing(words)) => progress.set_state(&words),
                Err(error) => return Err(error),
            }
            back_off.pause().await;
        };
        progress.set_state("carries");
        let most = link.client.server_info().max_payload.saturating_sub(HEADERS).max(1);
        let (taken_in, taken) = queue::unbounded_channel();
        let (told, told_out) = mpsc::channel();
        let interrupter = consumer.interrupter();
        let released = consumer.ring().stats().released;
        let source = Source {
            capacity: consumer.ring().capacity() as u64,
            consumer,
            messages: options.messages,
            follow: options.follow,
            window: options.window.0,
            largest: most,
            chunk: most.min(usize::try_from(options.chunk.0).unwrap_or(usize::MAX)),
            released: released.wrapping_sub(origin.base),
            stored: place.offset,
            sent: place.offset,
            under_way: VecDeque::new(),
            careful: false,
            closing: false,
            round: 0,
            taken: taken_in,
            told: told_out,
            progress: Arc::clone(progress),
        };
        let thread = std::thread::spawn(move || source.run());
        let carrier = Carrier {
            link,
            stream,
            ring: origin.ring.clone(),
            origin: origin.to_string(),
            place,
            round: 0,
            told,
            interrupter: interrupter.clone(),
            progress: Arc::clone(progress),
        };
        let carried = carrier.run(taken).await;
        // A thread that waits for the ring goes now that nobody listens any more.
        interrupter.interrupt();
        let had =
            thread.join().unwrap_or_else(|_| Err(Trouble::Final("a bug: panicked".to_owned())));
        carried.and(had)
    })
}

/// Where the server stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The number of the last message.
    sequence: u64,
    /// The end of what it holds of the stream.
    offset: u64,
}

/// Finds the stream, and where in it to go on.
async fn begin(
    link: &Link,
    options: &Options,
    consumer: &Consumer,
    name: &str,
) -> Outcome<(Stream, Origin, Place)> {
    let stream = link.stream_to_send(options).await?;
    let sequence = link.state(&stream).await?.last_sequence;
    let stats = consumer.ring().stats();
    if sequence == 0 {
        let origin = Origin { ring: name.to_owned(), base: stats.released };
        return Ok((stream, origin, Place { sequence, offset: 0 }));
    }
    let Some((chunk, origin)) = link.chunk(&stream, sequence).await? else {
        return Err(Trouble::Final(format!(
            "the stream {} was cut short: its last message, {sequence}, is gone, and with it where to go on",
            link.address.stream
        )));
    };
    if origin.ring != name {
        return Err(Trouble::Final(format!(
            "the stream {} carries another ring ({}): this one was made anew, or another sender uses the \
             stream. To begin again, delete the stream",
            link.address.stream, origin.ring
        )));
    }
    let offset = chunk.end();
    let (released, published) =
        (stats.released.wrapping_sub(origin.base), stats.published.wrapping_sub(origin.base));
    if offset < released {
        return Err(Trouble::Final(format!(
            "the stream {} was cut short: it ends at {offset}, and the ring has released up to {released}",
            link.address.stream
        )));
    }
    if offset > published {
        return Err(Trouble::Final(format!(
            "the stream {} ends at {offset}, but the ring has only got to {published}: another sender?",
            link.address.stream
        )));
    }
    Ok((stream, origin, Place { sequence, offset }))
}

/// The thread that has the ring.
struct Source {
    consumer: Consumer,
    capacity: u64,
    messages: bool,
    follow: bool,
    window: u64,
    /// The largest payload that the server takes.
    largest: usize,
    chunk: usize,
    /// The ring is free up to here. This and what follows are offsets in the stream.
    released: u64,
    /// The server has the stream up to here.
    stored: u64,
    /// It was sent up to here.
    sent: u64,
    /// The ends of the chunks under way, the oldest first; and whether it is the end of the stream.
    under_way: VecDeque<(u64, bool)>,
    /// One chunk at a time, until the server takes one.
    careful: bool,
    /// The end of the stream is under way.
    closing: bool,
    round: u64,
    taken: queue::UnboundedSender<Taken>,
    told: mpsc::Receiver<Told>,
    progress: Arc<Progress>,
}

/// What a look at the ring gave.
enum Look {
    Chunk(Chunk),
    /// There may be something to hear.
    Interrupted,
    /// Nothing more comes from this producer.
    Ended(Status),
}

impl Source {
    fn run(mut self) -> Outcome<()> {
        self.release()?;
        loop {
            while let Ok(told) = self.told.try_recv() {
                if self.hear(&told)? {
                    return Ok(());
                }
            }
            if self.taken.is_closed() {
                return Ok(());
            }
            let look = if self.may_send() { self.look()? } else { Look::Interrupted };
            match look {
                Look::Chunk(chunk) => self.send(chunk),
                Look::Ended(Status::Closed) if !self.follow => {
                    let offset = self.sent;
                    self.send(Chunk { offset, kind: Kind::Closed, payload: Bytes::new() });
                    self.closing = true;
                }
                // What is under way comes first, so that the producer's space is free for the next.
                Look::Ended(status) if self.under_way.is_empty() => self.next_producer(status)?,
                Look::Interrupted if self.may_send() => {}
                Look::Interrupted | Look::Ended(_) => {
                    let Ok(told) = self.told.recv() else { return Ok(()) };
                    if self.hear(&told)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn may_send(&self) -> bool {
        let under_way = self.sent - self.stored;
        let few = if self.careful { 1 } else { MESSAGES };
        let room = under_way < self.window.min(self.capacity);
        room && self.under_way.len() < few && !self.closing
    }

    fn send(&mut self, chunk: Chunk) {
        self.sent = chunk.end();
        self.under_way.push_back((chunk.end(), chunk.kind == Kind::Closed));
        // If nobody listens any more, the next step of the loop sees it.
        let _ = self.taken.send((self.round, chunk));
    }

    /// The next part of the stream that was not sent yet. Waits for it.
    fn look(&mut self) -> Outcome<Look> {
        let before =
            usize::try_from(self.sent - self.stored).expect("it is less than the capacity");
        let grant = match self.consumer.peek_some(before + 1, None) {
            Ok(grant) => grant,
            Err(error) => match error.status() {
                Status::Interrupted => return Ok(Look::Interrupted),
                status @ (Status::Closed | Status::PeerDead) => return Ok(Look::Ended(status)),
                _ => return Err(error.into()),
            },
        };
        let there = grant.len() - before;
        let copy = |at: usize, len: usize| {
            let mut bytes = vec![0; len];
            assert!(at + len <= grant.len(), "{len} bytes at {at} of {}", grant.len());
            // SAFETY: they lie in the grant. No reference to them is made.
            unsafe { grant.as_ptr().add(at).copy_to_nonoverlapping(bytes.as_mut_ptr(), len) };
            bytes
        };
        let (kind, payload) = if self.messages {
            let no_messages = || {
                let words = "what is in the ring are no messages: try it without --messages";
                Trouble::Final(words.to_owned())
            };
            if there < FRAME_HEADER {
                return Err(no_messages());
            }
            let header = copy(before, FRAME_HEADER).try_into().expect("it is a header long");
            let (frame, len) = Frame::parse(header);
            if frame_size(len) > there {
                return Err(no_messages());
            }
            if len > self.largest {
                return Err(Trouble::Final(format!(
                    "a message of {len} bytes is more than the server takes: raise its max_payload"
                )));
            }
            (Kind::Frame(frame), copy(before + FRAME_HEADER, len))
        } else {
            (Kind::Bytes, copy(before, there.min(self.chunk)))
        };
        Ok(Look::Chunk(Chunk { offset: self.sent, kind, payload: payload.into() }))
    }

    fn next_producer(&mut self, status: Status) -> Outcome<()> {
        let how = if status == Status::Closed { "closed the ring" } else { "died" };
        self.progress.set_state(&format!("the producer {how}: waits for the next"));
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    }

    /// True when the end of the stream is stored.
    fn hear(&mut self, told: &Told) -> Outcome<bool> {
        match *told {
            Told::Stored => {
                let Some((end, last)) = self.under_way.pop_front() else { return Ok(false) };
                self.careful = false;
                self.stored = end;
                self.release()?;
                Ok(last)
            }
            Told::Resume { offset, round } => {
                self.under_way.clear();
                (self.stored, self.sent, self.round) = (offset, offset, round);
                (self.careful, self.closing) = (true, false);
                self.release()?;
                Ok(false)
            }
        }
    }

    /// Releases what the server has.
    fn release(&mut self) -> Outcome<()> {
        let len = self.stored.checked_sub(self.released).ok_or_else(|| {
            Trouble::Final(format!(
                "the stream was cut short: it ends at {}, and the ring has released up to {}",
                self.stored, self.released
            ))
        })?;
        let bytes = usize::try_from(len).unwrap_or(usize::MAX);
        self.consumer.peek_some(bytes, Some(Duration::ZERO))?.release(bytes)?;
        self.released = self.stored;
        self.progress.carried(self.stored, len);
        Ok(())
    }
}

/// The half that has the server.
struct Carrier {
    link: Link,
    stream: Stream,
    /// The ring's identity, and that with the counter where the stream begins.
    ring: String,
    origin: String,
    place: Place,
    round: u64,
    told: mpsc::Sender<Told>,
    interrupter: Interrupter,
    progress: Arc<Progress>,
}

/// Why a message was not acknowledged.
enum Refusal {
    /// The stream holds as much as it may.
    Full,
    /// It was not the next one, or there was no answer: see what the server has.
    Unknown(String),
}

impl Carrier {
    async fn run(mut self, mut taken: queue::UnboundedReceiver<Taken>) -> Outcome<()> {
        let mut answers = FuturesOrdered::new();
        let mut back_off = BackOff::default();
        let mut last_sent = self.place.sequence;
        let mut connections = self.link.connections();
        loop {
            let refusal = tokio::select! {
                biased;
                Some((end, answer)) = answers.next() => match self.heard(end, answer) {
                    Ok(()) => {
                        back_off.reset();
                        continue;
                    }
                    Err(refusal) => refusal,
                },
                // What was under way may be lost, and nobody says so.
                _ = connections.changed() => Refusal::Unknown("connected anew".to_owned()),
                next = taken.recv() => match next {
                    None => return Ok(()),
                    Some((round, _)) if round != self.round => continue,
                    Some((_, chunk)) => match self.publish(&chunk, last_sent).await {
                        Ok(answer) => {
                            last_sent += 1;
                            let end = chunk.end();
                            answers.push_back(async move { (end, answer.into_future().await) });
                            continue;
                        }
                        Err(error) => Refusal::Unknown(error.to_string()),
                    },
                },
            };
            // Each message that is still under way was sent on condition of one before it: whichever
            // arrives yet is the same part of the stream as what is sent again, or is refused.
            answers = FuturesOrdered::new();
            match refusal {
                Refusal::Full => {
                    self.progress.set_state("the stream is full: waits for the receiver");
                    back_off.pause().await;
                }
                Refusal::Unknown(words) => {
                    self.progress.recovers(&words);
                    self.look_again(&mut back_off).await?;
                }
            }
            last_sent = self.place.sequence;
            self.round += 1;
            self.tell(Told::Resume { offset: self.place.offset, round: self.round });
        }
    }

    async fn publish(&self, chunk: &Chunk, last: u64) -> Result<PublishAckFuture, PublishError> {
        let message = PublishMessage::build()
            .payload(chunk.payload.clone())
            .headers(chunk.headers(&self.origin, last));
        self.link.context.send_publish(self.link.address.subject.clone(), message).await
    }

    fn heard(
        &mut self,
        end: u64,
        answer: Result<async_nats::jetstream::publish::PublishAck, PublishError>,
    ) -> Result<(), Refusal> {
        match answer {
            Ok(ack) if ack.sequence == self.place.sequence + 1 => {
                self.place = Place { sequence: ack.sequence, offset: end };
                self.progress.set_state("carries");
                self.tell(Told::Stored);
                Ok(())
            }
            Ok(ack) => Err(Refusal::Unknown(format!("an unexpected message {}", ack.sequence))),
            Err(error) if is_full(&error) => Err(Refusal::Full),
            Err(error) => Err(Refusal::Unknown(error.to_string())),
        }
    }

    fn tell(&self, told: Told) {
        // The thread has ended if it fails, and then the queue of chunks says so.
        let _ = self.told.send(told);
        self.interrupter.interrupt();
    }

    /// Asks the server what it has, for as long as it takes.
    async fn look_again(&mut self, back_off: &mut BackOff) -> Outcome<()> {
        loop {
            back_off.pause().await;
            match self.link.unless_cut(self.look_once()).await {
                Ok(place) => {
                    self.place = place;
                    return Ok(());
                }
                Err(Trouble::Passing(words)) => self.progress.set_state(&words),
                Err(error) => return Err(error),
            }
        }
    }

    async fn look_once(&self) -> Outcome<Place> {
        let sequence = self.link.state(&self.stream).await?.last_sequence;
        if sequence == self.place.sequence {
            return Ok(self.place);
        }
        let name = &self.link.address.stream;
        if sequence < self.place.sequence {
            return Err(Trouble::Final(format!(
                "the stream {name} was cut short: its last message is {sequence}, and {} was acknowledged",
                self.place.sequence
            )));
        }
        // This ring's chunks come from this process, or from one before it that took the same bytes.
        match self.link.chunk(&self.stream, sequence).await? {
            Some((chunk, origin)) if origin.ring == self.ring => {
                Ok(Place { sequence, offset: chunk.end() })
            }
            Some((_, origin)) => Err(Trouble::Final(format!(
                "a second sender writes to the stream {name}, from the ring {}",
                origin.ring
            ))),
            None => Err(Trouble::Final(format!(
                "the stream {name} was cut short: its last message, {sequence}, is gone"
            ))),
        }
    }
}

fn is_full(error: &PublishError) -> bool {
    let said = error.source().and_then(|source| source.downcast_ref());
    error.kind() == PublishErrorKind::Other
        && said.is_some_and(|said: &async_nats::jetstream::Error| {
            said.error_code() == ErrorCode::STREAM_STORE_FAILED
        })
}
