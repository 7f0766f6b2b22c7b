#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(loom, allow(dead_code, reason = "only the models use what is left"))]

// Imports run one way: each module builds on those above it.
mod status;
mod sync;
mod sys;
mod layout;
mod role;
mod spin;
mod pace;
mod park;
mod cursor;
#[cfg(not(loom))]
mod segment;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod ring;
#[cfg(not(loom))]
pub mod ffi;

#[cfg(all(test, loom))]
mod models;

#[cfg(not(loom))]
pub use handle::{RoleState, RoleStats, Stats};
#[cfg(not(loom))]
pub use ring::{Consumer, Options, Producer, ReadGrant, Ring, Spin, WriteGrant};
pub use status::{Error, Result, Status};
