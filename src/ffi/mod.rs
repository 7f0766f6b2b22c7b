//! The C interface. The documentation of these functions is its reference manual:
//! `include/spsc_shm.h` is generated from it. Each function is a few lines over the handle.
//!
//! A handle from here can't be used as a [`crate::Ring`], nor the reverse.
//!
//! # Safety
//! A caller of any of these promises three things. Every pointer is NULL, or valid during the call for
//! what its type says. A handle comes from a function here and is not closed yet. And the call is made
//! by a thread that the function's documentation allows. Numbers may be anything.
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

mod any;
mod conn;
mod consumer;
mod cursor;
mod guard;
mod lifecycle;
mod message;
mod producer;
mod side;
mod sized;
mod types;
mod wait_any;

pub use crate::cursor::Cursor as spsc_cursor;
pub use any::*;
pub use conn::*;
pub use consumer::*;
pub use cursor::*;
pub use lifecycle::*;
pub use message::*;
pub use producer::*;
pub use types::*;
pub use wait_any::*;
