//! A status of the library as an exception of the package.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use spsc_shm::Error;

/// The exception for an error of the library. Its classes are Python's, in `_errors.py`.
#[cold]
pub fn raised(py: Python<'_>, error: Error) -> PyErr {
    static FROM_STATUS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = FROM_STATUS.import(py, "spsc_shm._errors", "from_status").and_then(|from_status| {
        from_status.call1((error.status() as i32, error.os_error(), error.status().to_string()))
    });
    made.map_or_else(|failed| failed, PyErr::from_value)
}

/// What Python's own files raise after `close`.
#[cold]
pub fn closed() -> PyErr {
    PyValueError::new_err("it is closed")
}

/// An end is one thread's at a time.
#[cold]
pub fn in_use() -> PyErr {
    PyRuntimeError::new_err("another thread is in a call on the same end")
}
