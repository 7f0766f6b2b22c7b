//! How fast the bridge is, beside the same chunks with the NATS client alone.
//!
//!     cargo run --release --example figures [ROUNDS]
//!
//! Both go through one server, in turns. Build the bridge in release first.

#[path = "../tests/support/mod.rs"]
mod support;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use spsc_shm::{Consumer, Producer, Ring, Status};
use std::error::Error;
use std::future::IntoFuture;
use std::thread;
use std::time::{Duration, Instant};
use support::{Name, Process, Server, bridge};

type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Bytes of one measurement, and of a chunk of it.
const LEN: usize = 256 << 20;
const CHUNK: usize = 128 << 10;
/// As the bridge: 4 MiB are under way.
const WINDOW: usize = (4 << 20) / CHUNK;
const MESSAGE: usize = 64;

fn main() -> Done<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let server = Server::start();
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let alone = client_alone(&server, &format!("ALONE{round}"))?;
        let bridged = through_bridge(&server, &format!("BRIDGE{round}"))?;
        println!("client alone {alone:.0} MiB/s, bridge {bridged:.0} MiB/s");
        ratios.push(bridged / alone);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "bridge to client alone: {:.2} in the median of {ratios:.2?}",
        ratios[ratios.len() / 2]
    );
    for (what, pause, count) in [("warm", 1, 2000), ("cold", 200, 50)] {
        let pause = Duration::from_millis(pause);
        let alone = latency_alone(&server, &format!("LA{what}"), pause, count)?;
        let bridged = latency_of_bridge(&server, &format!("LB{what}"), pause, count)?;
        println!(
            "{what}, a message of {MESSAGE} bytes: client alone {alone}, ring to ring {bridged}"
        );
    }
    Ok(())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn connect(url: &str) -> Done<jetstream::Context> {
    let client = async_nats::connect(url).await?;
    Ok(jetstream::context::ContextBuilder::new().max_ack_inflight(4 * WINDOW).build(client))
}

async fn make(context: &jetstream::Context, name: &str) -> Done<()> {
    let config = stream::Config {
        name: name.to_owned(),
        subjects: vec![format!("{name}.bytes")],
        max_bytes: 2 * LEN as i64,
        discard: stream::DiscardPolicy::New,
        ..stream::Config::default()
    };
    context.create_stream(config).await?;
    Ok(())
}

/// What the bridge asks of a consumer, too.
async fn messages(context: &jetstream::Context, name: &str) -> Done<pull::Stream> {
    let config = pull::Config {
        ack_policy: AckPolicy::None,
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer = context.get_stream(name).await?.create_consumer(config).await?;
    Ok(consumer.stream().max_bytes_per_batch(4 << 20).messages().await?)
}

/// MiB/s of one thread that publishes and one that fetches.
fn client_alone(server: &Server, name: &str) -> Done<f64> {
    let url = server.url("");
    runtime().block_on(async { make(&connect(&url).await?, name).await })?;
    let since = Instant::now();
    let fetcher = {
        let (url, name) = (url.clone(), name.to_owned());
        thread::spawn(move || {
            runtime().block_on(async {
                let context = connect(&url).await?;
                let mut messages = messages(&context, &name).await?;
                let mut there = 0;
                while there < LEN {
                    there += messages.next().await.ok_or("no message")??.payload.len();
                }
                Done::Ok(())
            })
        })
    };
    runtime().block_on(async {
        let context = connect(&url).await?;
        let subject = format!("{name}.bytes");
        let mut acks = FuturesOrdered::new();
        for sent in 0..LEN / CHUNK {
            let mut chunk = vec![0; CHUNK];
            support::fill(&mut chunk[..8], sent as u64 * 8);
            let message = PublishMessage::build().payload(chunk.into());
            acks.push_back(context.send_publish(subject.clone(), message).await?.into_future());
            if acks.len() == WINDOW {
                acks.next().await.expect("one is under way")?;
            }
        }
        while let Some(ack) = acks.next().await {
            ack?;
        }
        Done::Ok(())
    })?;
    fetcher.join().expect("the fetcher")?;
    let rate = support::rate(LEN as u64, since);
    runtime()
        .block_on(async { connect(&url).await?.delete_stream(name).await.map_err(Box::from) })
        .map(|_| rate)
}

/// Two rings and two bridges.
struct Way {
    _names: [Name; 2],
    producer: Producer,
    consumer: Consumer,
    _bridges: [Process; 2],
}

impl Way {
    fn new(server: &Server, stream: &str) -> Done<Self> {
        let (near, far) = (Name::new("near"), Name::new("far"));
        let producer = Ring::create(&near.0, 8 << 20)?.into_producer();
        let consumer = Ring::create(&far.0, 8 << 20)?.into_consumer();
        let url = server.url(&format!("{stream}.bytes"));
        let start = |arguments: &[&str]| bridge(&[], arguments, Some("/dev/null".as_ref()));
        let sender = start(&["send", "--ring", &near.0, "--to", &url, "--limit", "512MiB"]);
        let receiver = start(&["receive", "--ring", &far.0, "--from", &url]);
        let mut way =
            Self { _names: [near, far], producer, consumer, _bridges: [sender, receiver] };
        // Until both are at work.
        way.pass(&[0; MESSAGE])?;
        Ok(way)
    }

    /// One message from ring to ring.
    fn pass(&mut self, message: &[u8]) -> Done<Duration> {
        let mut grant = self.producer.claim(message.len(), None)?;
        grant.copy_from_slice(message);
        let since = Instant::now();
        grant.publish_all();
        self.consumer.peek(message.len(), None)?.release_all();
        Ok(since.elapsed())
    }
}

/// MiB/s from ring to ring.
fn through_bridge(server: &Server, stream: &str) -> Done<f64> {
    let Way { mut producer, mut consumer, _names, _bridges } = Way::new(server, stream)?;
    let since = Instant::now();
    let thread = thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        for sent in 0..LEN / CHUNK {
            support::fill(&mut chunk[..8], sent as u64 * 8);
            let mut grant = producer.claim(CHUNK, None).expect("space");
            grant.copy_from_slice(&chunk);
            grant.publish_all();
        }
        producer
    });
    let (mut there, mut bytes) = (0, vec![0; CHUNK]);
    while there < LEN {
        let grant = consumer.peek_some(1, None)?;
        let len = grant.len().min(bytes.len());
        grant.copy_to_slice(&mut bytes[..len]);
        grant.release(len)?;
        there += len;
    }
    let rate = support::rate(LEN as u64, since);
    drop(thread.join().expect("the producer"));
    match consumer.peek(1, None).map(|_| ()) {
        Err(error) if error.status() == Status::Closed => Ok(rate),
        other => Err(format!("no end of the stream: {other:?}").into()),
    }
}

fn quantiles(mut all: Vec<Duration>) -> String {
    all.sort();
    let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize].as_micros();
    format!("{} µs in the median, 99 % within {} µs", at(0.5), at(0.99))
}

fn latency_of_bridge(server: &Server, stream: &str, pause: Duration, count: usize) -> Done<String> {
    let mut way = Way::new(server, stream)?;
    let mut all = Vec::new();
    for _ in 0..count {
        thread::sleep(pause);
        all.push(way.pass(&[1; MESSAGE])?);
    }
    Ok(quantiles(all))
}

fn latency_alone(server: &Server, name: &str, pause: Duration, count: usize) -> Done<String> {
    let url = server.url("");
    runtime().block_on(async {
        let (to, from) = (connect(&url).await?, connect(&url).await?);
        make(&to, name).await?;
        let mut messages = messages(&from, name).await?;
        let mut all = Vec::new();
        for _ in 0..count {
            tokio::time::sleep(pause).await;
            let since = Instant::now();
            let message = PublishMessage::build().payload(vec![1; MESSAGE].into());
            let ack = to.send_publish(format!("{name}.bytes"), message).await?;
            messages.next().await.ok_or("no message")??;
            all.push(since.elapsed());
            ack.await?;
        }
        Ok(quantiles(all))
    })
}
