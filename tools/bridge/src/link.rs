//! The server: the connection, the stream, and what is asked of it.

use crate::chunk::{Chunk, Origin};
use crate::options::{Address, Options};
use crate::progress::Progress;
use crate::trouble::{Outcome, Trouble, passing};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, State, StorageType, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{ConnectErrorKind, ConnectOptions, Event};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The durable consumer that says which ring receives the stream. Nobody fetches from it.
const BINDING: &str = "spsc-bridge";
/// How long an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// A consumer that nobody has asked for so long is removed by the server.
const ABANDONED: Duration = Duration::from_secs(300);

/// How long to wait before the next try: doubling, up to a second, and a bit at random so that many
/// bridges do not come back at the same moment.
#[derive(Debug, Default)]
pub struct BackOff {
    tries: u32,
}

impl BackOff {
    pub fn delay(tries: u32) -> Duration {
        let most = Duration::from_millis(4 << tries.min(8));
        let random = std::collections::hash_map::RandomState::new();
        let share = std::hash::BuildHasher::hash_one(&random, tries) as u32;
        most / 2 + (most / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
    }

    pub async fn pause(&mut self) {
        tokio::time::sleep(Self::delay(self.tries)).await;
        self.tries += 1;
    }

    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

/// One stream of the server.
#[derive(Debug)]
pub struct Link {
    pub context: Context,
    pub address: Address,
    pub client: async_nats::Client,
    /// How often a connection was made anew. What was asked before the last time may never be answered.
    connections: watch::Receiver<u64>,
}

impl Link {
    /// Connects, for as long as it takes.
    pub async fn connect(
        options: &Options,
        address: &Address,
        window: usize,
        progress: &Arc<Progress>,
    ) -> Outcome<Self> {
        let told = Arc::clone(progress);
        let (made, connections) = watch::channel(0);
        let made = Arc::new(made);
        let mut connect = ConnectOptions::new()
            .name("spsc-bridge")
            .max_reconnects(None)
            .reconnect_delay_callback(|tries| BackOff::delay(tries.try_into().unwrap_or(u32::MAX)))
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ping_interval(Duration::from_secs(5))
            .event_callback(move |event| {
                let (told, made) = (Arc::clone(&told), Arc::clone(&made));
                async move {
                    match event {
                        Event::Connected => {
                            if told.connected() {
                                made.send_modify(|times| *times += 1);
                            }
                        }
                        Event::Disconnected => told.disconnected(),
                        other => told.say(&format!("server: {other}")),
                    }
                }
            });
        if let Some(path) = &options.credentials {
            connect = connect.credentials_file(path).await.map_err(|error| {
                Trouble::Final(format!("credentials {}: {error}", path.display()))
            })?;
        }
        if let Some(path) = &options.tls_ca {
            connect = connect.add_root_certificates(path.clone()).require_tls(true);
        }
        if let (Some(certificate), Some(key)) = (&options.tls_certificate, &options.tls_key) {
            connect = connect.add_client_certificate(certificate.clone(), key.clone());
        }
        if let Some((user, password)) = &address.user {
            connect = connect.user_and_password(user.clone(), password.clone());
        }
        let mut back_off = BackOff::default();
        let client = loop {
            match connect.clone().connect(&address.servers).await {
                Ok(client) => break client,
                Err(error) => {
                    let words = format!("{}: {error}", address.shown());
                    match error.kind() {
                        ConnectErrorKind::Authentication
                        | ConnectErrorKind::AuthorizationViolation
                        | ConnectErrorKind::ServerParse => return Err(Trouble::Final(words)),
                        _ => progress.set_state(&words),
                    }
                }
            }
            back_off.pause().await;
        };
        let context = async_nats::jetstream::context::ContextBuilder::new()
            .timeout(PATIENCE)
            .ack_timeout(PATIENCE)
            .max_ack_inflight(2 * window + 16)
            .build(client.clone());
        Ok(Self { context, address: address.clone(), client, connections })
    }

    /// Tells of each new connection from now on.
    pub fn connections(&self) -> watch::Receiver<u64> {
        let mut connections = self.connections.clone();
        connections.mark_unchanged();
        connections
    }

    /// Does what asks the server, and gives up when there is a new connection.
    pub async fn unless_cut<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let mut connections = self.connections();
        tokio::select! {
            done = work => done,
            _ = connections.changed() => Err(Trouble::Passing("connected anew".to_owned())),
        }
    }

    /// The stream, or `None` if there is none.
    async fn find(&self) -> Outcome<Option<Stream>> {
        match self.context.get_stream(&self.address.stream).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(ref said)
                    if said.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(passing("no answer about the stream")(&error)),
            },
        }
    }

    /// The stream, which is made if there is none.
    pub async fn stream_to_send(&self, options: &Options) -> Outcome<Stream> {
        if let Some(stream) = self.find().await? {
            self.check(&stream.cached_info().config)?;
            return Ok(stream);
        }
        let limit = i64::try_from(options.limit.0).unwrap_or(i64::MAX);
        let config = Config {
            name: self.address.stream.clone(),
            subjects: vec![self.address.subject.clone()],
            max_bytes: limit,
            discard: DiscardPolicy::New,
            storage: if options.memory { StorageType::Memory } else { StorageType::File },
            num_replicas: options.replicas,
            description: Some("a ring of bytes: spsc-bridge".to_owned()),
            ..Config::default()
        };
        let made = self.context.create_stream(config).await;
        let stream = made.map_err(|error| passing("the stream can't be made")(&error))?;
        self.check(&stream.cached_info().config)?;
        Ok(stream)
    }

    /// The stream, as soon as there is one.
    pub async fn stream_to_receive(&self) -> Outcome<Option<Stream>> {
        let found = self.find().await?;
        if let Some(stream) = &found {
            self.check(&stream.cached_info().config)?;
        }
        Ok(found)
    }

    /// Refuses a stream that would drop what nobody has received, or that others may write to.
    fn check(&self, config: &Config) -> Outcome<()> {
        let only = [self.address.subject.clone()];
        let wrong = if config.subjects != only {
            format!("its subjects are {:?} and not just {:?}", config.subjects, only)
        } else if config.retention != RetentionPolicy::Limits {
            "its retention is not by limits".to_owned()
        } else if config.discard != DiscardPolicy::New {
            "it discards old messages when it is full, and not new ones".to_owned()
        } else if !config.max_age.is_zero() {
            "it drops messages by age".to_owned()
        } else if config.max_messages_per_subject > 0 {
            "it keeps a limited number of messages of a subject".to_owned()
        } else if config.mirror.is_some()
            || config.sources.as_ref().is_some_and(|all| !all.is_empty())
        {
            "it is fed from other streams".to_owned()
        } else if config.deny_purge {
            "it does not let go of what was received (deny_purge)".to_owned()
        } else if config.no_ack {
            "it does not acknowledge (no_ack)".to_owned()
        } else {
            return Ok(());
        };
        let name = &self.address.stream;
        Err(Trouble::Final(format!("the stream {name} can't carry a ring: {wrong}")))
    }

    /// What the stream holds at this moment.
    pub async fn state(&self, stream: &Stream) -> Outcome<State> {
        match stream.get_info().await {
            Ok(info) => Ok(info.state),
            Err(error) => {
                // A stream that was deleted is no passing trouble.
                if self.find().await?.is_none() {
                    let name = &self.address.stream;
                    return Err(Trouble::Final(format!("the stream {name} was deleted")));
                }
                Err(passing("no answer about the stream")(&error))
            }
        }
    }

    /// The chunk with this number, or `None` if it is not there any more.
    pub async fn chunk(&self, stream: &Stream, sequence: u64) -> Outcome<Option<(Chunk, Origin)>> {
        match stream.get_raw_message(sequence).await {
            Ok(message) => Chunk::parse(Some(&message.headers), message.payload).map(Some),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(ref said)
                    if said.error_code() == ErrorCode::NO_MESSAGE_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(passing("no answer about a message")(&error)),
            },
        }
    }

    /// Binds the stream to the ring that receives it, and says which ring that is: `ours`, unless one
    /// was bound before.
    pub async fn bind(&self, stream: &Stream, ours: &Origin) -> Outcome<Origin> {
        loop {
            match stream.consumer_info(BINDING).await {
                Ok(info) => {
                    let text = info.config.description.unwrap_or_default();
                    return Origin::parse(&text).ok_or_else(|| {
                        Trouble::Final(format!("the consumer {BINDING} is not a bridge's"))
                    });
                }
                Err(error) => match error.kind() {
                    ConsumerInfoErrorKind::NotFound => {}
                    ConsumerInfoErrorKind::JetStream(ref said)
                        if said.error_code() == ErrorCode::CONSUMER_NOT_FOUND => {}
                    _ => return Err(passing("no answer about the consumer")(&error)),
                },
            }
            let config = pull::Config {
                durable_name: Some(BINDING.to_owned()),
                description: Some(ours.to_string()),
                ack_policy: AckPolicy::None,
                ..pull::Config::default()
            };
            // Of two that make it at once the server takes one, or the last: look again.
            if let Err(error) = stream.create_consumer(config).await {
                return Err(passing("the consumer can't be made")(&error));
            }
        }
    }

    /// A consumer that delivers from this number on.
    pub async fn consumer(&self, stream: &Stream, from: u64) -> Outcome<PullConsumer> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from.max(1) },
            ack_policy: AckPolicy::None,
            inactive_threshold: ABANDONED,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let made = stream.create_consumer(config).await;
        made.map_err(|error| passing("the consumer can't be made")(&error))
    }

    /// Removes what comes before this number.
    pub async fn forget_before(&self, stream: &Stream, sequence: u64) -> Outcome<()> {
        // Some servers take a purge up to the first message for a purge of all.
        if sequence <= 1 {
            return Ok(());
        }
        // With a subject, though there is only one: a purge without writes the file anew that holds the
        // messages that stay, and a server that is killed meanwhile loses them.
        let purge = stream.purge().filter(self.address.subject.clone()).sequence(sequence);
        let purged = purge.await;
        purged.map(|_| ()).map_err(|error| passing("received messages can't be removed")(&error))
    }
}
