//! All that the library asks of the operating system, and nothing else: another platform is
//! another folder beside `linux` with the same modules. Under `--cfg loom` a model stands in for
//! what the waiting protocol uses.

#[cfg(not(loom))]
mod linux;
#[cfg(not(loom))]
pub(crate) use linux::*;

#[cfg(loom)]
pub(crate) mod model;
#[cfg(loom)]
pub(crate) use model::*;
