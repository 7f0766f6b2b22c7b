#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(loom, allow(dead_code, reason = "only the models use what is left"))]
#![cfg_attr(
    not(feature = "capi"),
    allow(dead_code, unused_imports, reason = "some parts serve the C interface only")
)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("spsc-shm needs a 64-bit target: a ring is mapped twice, and counters are 64 bits");

// Imports run one way: each module uses only those above it. ARCHITECTURE.md is the map.
mod status;
mod sync;
mod sys;
mod layout;
#[cfg(not(loom))]
mod registry;
mod role;
mod cursor;
mod wait;
mod endpoint;
mod arm;
#[cfg(not(loom))]
mod grant;
#[cfg(not(loom))]
mod message;
#[cfg(not(loom))]
mod options;
#[cfg(not(loom))]
mod segment;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod conn;
#[cfg(not(loom))]
mod ring;
#[cfg(not(loom))]
mod wait_set;
#[cfg(not(loom))]
mod connection;
#[cfg(all(feature = "tokio", not(loom)))]
pub mod aio;
#[cfg(all(feature = "capi", not(loom)))]
pub mod ffi;

#[cfg(all(test, loom))]
mod models;

pub use arm::Readiness;
#[cfg(not(loom))]
pub use connection::{ConnOptions, Connection, Doorbell, Handshake, Listener, Peer, Step};
#[cfg(not(loom))]
pub use grant::{ReadGrant, WriteGrant};
#[cfg(not(loom))]
pub use handle::{RoleState, RoleStats, Stats};
#[cfg(not(loom))]
pub use message::{BatchIter, Message, MessageBatch, MessageGrant, Payload};
#[cfg(not(loom))]
pub use options::{Options, Spin};
#[cfg(not(loom))]
pub use ring::{Consumer, Interrupter, Messages, Producer, Ring};
pub use status::{Error, Result, Status};
#[cfg(not(loom))]
pub use wait_set::{End, Ready, WaitSet, Waitable};
