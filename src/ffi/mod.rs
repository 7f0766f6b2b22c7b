//! The C interface. Its reference manual is the documentation of these functions, from which
//! `include/spsc_shm.h` is generated; each is a few lines over the handle.
//!
//! A handle from here is not one of [`crate::Ring`], nor the other way round.
//!
//! # Safety
//! What a caller of any of these owes: every pointer is NULL or valid for what its type says
//! during the call; a handle comes from a function here and is not closed yet; and the threads
//! are those that the function's documentation names. Nothing else: numbers may be anything.
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

mod any;
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
pub use consumer::*;
pub use cursor::*;
pub use lifecycle::*;
pub use message::*;
pub use producer::*;
pub use types::*;
pub use wait_any::*;
