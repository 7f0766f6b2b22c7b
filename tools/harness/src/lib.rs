//! Two processes on two CPUs, and what a message between them takes: shared by the tools and
//! benchmarks that measure.

pub mod process;
pub mod channel;
pub mod ring;
#[cfg(feature = "c")]
pub mod inline;
#[cfg(feature = "c")]
pub mod messages;
pub mod floors;
pub mod alternatives;
pub mod stats;
pub mod table;
pub mod machine;
pub mod versus;
