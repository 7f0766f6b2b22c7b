//! The native part of the Python package `spsc_shm`. What it consists of is said in `__init__.py`.

// Imports run one way: each module uses only those above it.
mod error;
mod buffer;
mod end;
mod signal;
mod wait;
mod producer;
mod consumer;
mod ring;
mod any;
mod connection;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ring::Ring>()?;
    module.add_class::<producer::Producer>()?;
    module.add_class::<producer::Claim>()?;
    module.add_class::<consumer::Consumer>()?;
    module.add_class::<consumer::Peek>()?;
    module.add_class::<consumer::Message>()?;
    module.add_class::<connection::Connection>()?;
    module.add_class::<connection::Handshake>()?;
    module.add_class::<connection::Listener>()?;
    module.add_function(wrap_pyfunction!(ring::unlink, module)?)?;
    module.add_function(wrap_pyfunction!(any::wait_any, module)?)?;
    Ok(())
}
