//! Python's buffers: bytes that a caller passes, and views of bytes that are lent.

use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice};
use std::ffi::c_int;
use std::mem::MaybeUninit;

/// The contiguous bytes of an object, for the length of a call.
pub struct Bytes {
    // Boxed: some exporters keep the address.
    view: Box<ffi::Py_buffer>,
}

impl Bytes {
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::get(object, ffi::PyBUF_SIMPLE)
    }

    /// Bytes that may be written.
    pub fn writable(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::get(object, ffi::PyBUF_WRITABLE)
    }

    fn get(object: &Bound<'_, PyAny>, flags: c_int) -> PyResult<Self> {
        let mut view = Box::new(MaybeUninit::<ffi::Py_buffer>::uninit());
        // SAFETY: the object is alive, and the place is for a view, which is written on success.
        let got = unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), flags) };
        if got != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        // SAFETY: it was written.
        Ok(Self { view: unsafe { view.assume_init() } })
    }

    /// As for Python's own calls that let other threads run: whoever writes the object meanwhile sends
    /// one or the other.
    pub fn as_slice(&self) -> &[u8] {
        if self.view.len == 0 {
            return &[];
        }
        // SAFETY: the view stands for so many contiguous bytes for as long as it is held.
        unsafe { std::slice::from_raw_parts(self.view.buf.cast(), self.view.len as usize) }
    }

    /// Of a writable view.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        if self.view.len == 0 || self.view.readonly != 0 {
            return &mut [];
        }
        // SAFETY: as in `as_slice`, and the exporter lets them be written.
        unsafe { std::slice::from_raw_parts_mut(self.view.buf.cast(), self.view.len as usize) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        Python::attach(|_| {
            // SAFETY: the view was got, and is released once.
            unsafe { ffi::PyBuffer_Release(&raw mut *self.view) }
        });
    }
}

// SAFETY: a view may be used and released by any thread that is attached to the interpreter.
unsafe impl Send for Bytes {}

/// Bytes to send. `bytes` itself, which nobody writes, needs no view.
pub enum Source<'py> {
    Whole(Bound<'py, PyBytes>),
    View(Bytes),
}

impl<'py> Source<'py> {
    pub fn of(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(match object.cast_exact::<PyBytes>() {
            Ok(bytes) => Self::Whole(bytes.clone()),
            Err(_) => Self::View(Bytes::of(object)?),
        })
    }

    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes.as_bytes(),
            Self::View(view) => view.as_slice(),
        }
    }
}

/// Bytes of the ring, or of a message that was put together. Who lends them says for how long.
#[derive(Clone, Copy)]
pub struct Lent {
    pub data: *mut u8,
    pub len: usize,
}

// SAFETY: an address and a number. Those who read or write there make sure that it is still lent.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl Lent {
    /// Exports the bytes to a view, which holds `owner`.
    ///
    /// # Safety
    /// The view is what `__getbuffer__` was given. The bytes stay lent until it is released.
    pub unsafe fn export(
        self,
        owner: &Bound<'_, PyAny>,
        view: *mut ffi::Py_buffer,
        read_only: bool,
        flags: c_int,
    ) -> PyResult<()> {
        let (data, len) = (self.data.cast(), self.len as ffi::Py_ssize_t);
        // SAFETY: the caller's promise. It takes a reference to the owner.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(view, owner.as_ptr(), data, len, read_only.into(), flags)
        };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(owner.py())) }
    }

    /// `bytes` of all.
    ///
    /// # Safety
    /// The bytes are lent.
    pub unsafe fn to_bytes<'py>(self, py: Python<'py>) -> Bound<'py, PyBytes> {
        // SAFETY: the caller's promise. The peer can write the bytes at any time: this copies them, and
        // looks at none.
        PyBytes::new(py, unsafe { std::slice::from_raw_parts(self.data, self.len) })
    }

    /// As `bytes` has it: a number for an index, `bytes` for a slice.
    ///
    /// # Safety
    /// The bytes are lent.
    pub unsafe fn get<'py>(self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        match self.part(key)? {
            Part::Byte(at) => {
                // SAFETY: the index is within what is lent.
                let byte = unsafe { self.data.add(at).read_volatile() };
                Ok(byte.into_pyobject(py)?.into_any())
            }
            // SAFETY: so is the range.
            Part::Bytes(part) => Ok(unsafe { part.to_bytes(py) }.into_any()),
        }
    }

    /// What an assignment is about to write, as `memoryview` has it: a slice keeps its length.
    pub fn assign<'py>(
        self,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Assignment<'py>> {
        match self.part(key)? {
            Part::Byte(at) => Ok(Assignment::Byte(self.data.wrapping_add(at), value.extract()?)),
            Part::Bytes(part) => {
                let value = Source::of(value)?;
                let (has, needs) = (value.as_slice().len(), part.len);
                if has != needs {
                    return Err(PyValueError::new_err(format!("{has} bytes for {needs}")));
                }
                Ok(Assignment::Bytes(part, value))
            }
        }
    }

    fn part(self, key: &Bound<'_, PyAny>) -> PyResult<Part> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let range = slice.indices(self.len as isize)?;
            if range.step != 1 {
                return Err(PyValueError::new_err("slices have a step of 1: use a memoryview"));
            }
            let data = self.data.wrapping_offset(range.start);
            return Ok(Part::Bytes(Self { data, len: range.slicelength }));
        }
        let index: isize =
            key.extract().map_err(|_| PyTypeError::new_err("indices are integers or slices"))?;
        let at = if index < 0 { index + self.len as isize } else { index };
        if (0..self.len as isize).contains(&at) {
            Ok(Part::Byte(at as usize))
        } else {
            Err(PyIndexError::new_err("index out of range"))
        }
    }
}

enum Part {
    Byte(usize),
    Bytes(Lent),
}

/// Bytes for a place that was checked.
pub enum Assignment<'py> {
    Byte(*mut u8, u8),
    Bytes(Lent, Source<'py>),
}

impl Assignment<'_> {
    /// # Safety
    /// The bytes are lent for writing.
    pub unsafe fn run(self) {
        match self {
            // SAFETY: the caller's promise; the index was checked.
            Self::Byte(at, byte) => unsafe { at.write(byte) },
            // SAFETY: likewise. The source may be part of what is written.
            Self::Bytes(to, from) => unsafe {
                from.as_slice().as_ptr().copy_to(to.data, to.len);
            },
        }
    }
}
