//! The addon of the package `spsc-shm`: rings and connections, as JavaScript's own part in `lib/` needs
//! them. What users see is there.
//!
//! A call that may end in more than one way gives a number: what was asked for, or else a negative
//! code, of [`code`]. JavaScript makes errors of them. That is cheaper than a thrown error, and most calls
//! that find nothing are followed by a wait.

mod code;
mod connection;
mod consumer;
mod end;
mod event_loop;
mod lend;
mod poll;
mod producer;
mod ring;
mod wait;
