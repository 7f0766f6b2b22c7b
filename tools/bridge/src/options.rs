//! What can be chosen: on the command line, or in a file for many rings.

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use std::path::PathBuf;
use std::str::FromStr;
use toml::Table;

/// Carries a ring to another machine over NATS JetStream, each byte exactly once.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// A line of JSON about each ring every second, on standard output
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take from a ring of this machine, and send to the server
    Send {
        /// Where to: nats://[USER:PASSWORD@]HOST[:PORT][,HOST…]/STREAM.SUBJECT
        #[arg(long)]
        to: Address,
        #[command(flatten)]
        options: Options,
    },
    /// Take from the server, and put into a ring of this machine
    Receive {
        /// Where from: nats://[USER:PASSWORD@]HOST[:PORT][,HOST…]/STREAM.SUBJECT
        #[arg(long)]
        from: Address,
        #[command(flatten)]
        options: Options,
    },
    /// Carry all the rings that a file lists
    Run {
        /// A TOML file with a table [[send]] or [[receive]] for each ring
        file: PathBuf,
    },
}

/// What belongs to one ring.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The ring's name
    #[arg(long)]
    pub ring: String,
    /// Make the ring, with at least so many bytes, if there is none of that name
    #[arg(long, value_name = "BYTES")]
    pub create: Option<Size>,
    /// Carry each message of the ring as a message of the server, its tag as a header (send)
    #[arg(long)]
    #[serde(default)]
    pub messages: bool,
    /// Go on after the end: another producer may come
    #[arg(long)]
    #[serde(default)]
    pub follow: bool,
    /// The most that the server keeps, where the stream has to be made (send)
    #[arg(long, value_name = "BYTES", default_value = "256MiB")]
    #[serde(default = "default_limit")]
    pub limit: Size,
    /// Bytes in one message of the server at most (send)
    #[arg(long, value_name = "BYTES", default_value = "128KiB")]
    #[serde(default = "default_chunk")]
    pub chunk: Size,
    /// Bytes under way and not acknowledged at most; receive: bytes asked for at once
    #[arg(long, value_name = "BYTES", default_value = "4MiB")]
    #[serde(default = "default_window")]
    pub window: Size,
    /// Servers that keep a copy, where the stream has to be made (send)
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[serde(default = "default_replicas")]
    pub replicas: usize,
    /// The server keeps the stream in memory, where it has to be made (send)
    #[arg(long)]
    #[serde(default)]
    pub memory: bool,
    /// A file with a user's credentials
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Certificates to trust; TLS is required then
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// A certificate to show
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

fn default_limit() -> Size {
    Size(256 << 20)
}

fn default_chunk() -> Size {
    Size(128 << 10)
}

fn default_window() -> Size {
    Size(4 << 20)
}

fn default_replicas() -> usize {
    1
}

/// The file for many rings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub send: Vec<Table>,
    #[serde(default)]
    pub receive: Vec<Table>,
}

/// One ring's table: an address under `key`, and the options.
pub fn ring_of(mut table: Table, key: &str) -> Result<(Address, Options), String> {
    let address = table.remove(key).ok_or_else(|| format!("a ring without {key:?}"))?;
    let address = address.as_str().ok_or_else(|| format!("{key:?} is no text"))?.parse()?;
    let options = Options::deserialize(table).map_err(|error| error.message().to_owned())?;
    Ok((address, options))
}

/// A number of bytes, such as 65536, 64KiB or 1MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let shift = match &text[digits.len()..] {
            "" | "B" => 0,
            "KiB" | "K" | "k" => 10,
            "MiB" | "M" => 20,
            "GiB" | "G" => 30,
            unit => return Err(format!("{unit:?} is no unit: use KiB, MiB or GiB")),
        };
        let number: u64 = digits.parse().map_err(|error| format!("{text:?}: {error}"))?;
        let size = number.checked_mul(1 << shift).filter(|&size| size > 0);
        size.map(Size).ok_or_else(|| format!("{text:?} is out of range"))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(String),
        }
        match Either::deserialize(from)? {
            Either::Number(bytes) => Ok(Self(bytes)),
            Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// Servers, and the stream there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub servers: Vec<String>,
    /// A user and a password.
    pub user: Option<(String, String)>,
    pub stream: String,
    pub subject: String,
}

impl Address {
    /// It, without the user.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.servers.join(","), self.subject)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("{text:?} is not of the form nats://HOST[:PORT]/STREAM.SUBJECT");
        let (scheme, rest) = text.split_once("://").ok_or_else(wanted)?;
        let (hosts, subject) = rest.rsplit_once('/').ok_or_else(wanted)?;
        let (stream, _) = subject.split_once('.').ok_or_else(wanted)?;
        let plain = |c: char| !c.is_whitespace() && !"*>\\/".contains(c);
        if !matches!(scheme, "nats" | "tls")
            || hosts.is_empty()
            || subject.split('.').any(|token| token.is_empty() || !token.chars().all(plain))
        {
            return Err(wanted());
        }
        // Who one is stands before the first host, and goes for all.
        let (user, hosts) = match hosts.rsplit_once('@') {
            Some((user, hosts)) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                (Some((user.to_owned(), password.to_owned())), hosts)
            }
            None => (None, hosts),
        };
        let servers = hosts.split(',').map(|host| format!("{scheme}://{host}")).collect();
        Ok(Self { servers, user, stream: stream.to_owned(), subject: subject.to_owned() })
    }
}
