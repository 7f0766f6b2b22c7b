//! Waiting for many ends at once.

use crate::consumer::Consumer;
use crate::end::Call;
use crate::error::raised;
use crate::producer::Producer;
use crate::wait::{timeout, until};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use spsc_shm::{End, Status, WaitSet, Waitable};

/// An end that is lent to the set.
enum Lent<'a> {
    Producer(&'a mut spsc_shm::Producer),
    Consumer(&'a mut spsc_shm::Consumer),
}

impl Waitable for Lent<'_> {
    fn end(&mut self) -> End<'_> {
        match self {
            Self::Producer(end) => End::Producer(end),
            Self::Consumer(end) => End::Consumer(end),
        }
    }
}

enum Taken<'a> {
    Producer(Call<'a, spsc_shm::Producer>),
    Consumer(Call<'a, spsc_shm::Consumer>),
}

/// Waits until at least one of the ends is ready, and gives a list of those that are: a producer has `need`
/// bytes of space, a consumer `need` bytes of data, or its next call says why that can't be. Up to 127 ends.
#[pyfunction]
#[pyo3(signature = (ends, timeout=None, need=1))]
pub fn wait_any<'py>(
    py: Python<'py>,
    ends: Vec<Bound<'py, PyAny>>,
    timeout: Option<f64>,
    need: usize,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let timeout = self::timeout(timeout)?;
    if ends.is_empty() || ends.len() > WaitSet::<Lent<'_>>::MAX {
        return Err(PyValueError::new_err("a wait is for 1 to 127 ends"));
    }
    let mut taken = Vec::with_capacity(ends.len());
    for end in &ends {
        taken.push(if let Ok(producer) = end.cast::<Producer>() {
            Taken::Producer(producer.get().end.take(py)?)
        } else if let Ok(consumer) = end.cast::<Consumer>() {
            Taken::Consumer(consumer.get().end.take(py)?)
        } else {
            return Err(PyTypeError::new_err("an end is a Producer or a Consumer"));
        });
    }
    let mut set = WaitSet::new();
    for call in &mut taken {
        let end = match call {
            Taken::Producer(call) => Lent::Producer(call.side()),
            Taken::Consumer(call) => Lent::Consumer(call.side()),
        };
        set.insert(end, need).map_err(|error| raised(py, error))?;
    }
    let waiting = || {
        let all = ends.iter().map(|end| match end.cast::<Producer>() {
            Ok(producer) => producer.get().end.waiting(),
            Err(_) => end.cast::<Consumer>().expect("it is one or the other").get().end.waiting(),
        });
        all.collect()
    };
    let ready = until(py, timeout, true, waiting, |limit| {
        let ready = set.wait(limit)?;
        Ok(ready.collect::<Vec<_>>())
    })?;
    // An interrupt of one end is the answer of the whole wait.
    let interrupted = ready.iter().filter_map(|key| set.outcome(*key)?.err());
    if let Some(error) = interrupted.into_iter().find(|error| error.status() == Status::Interrupted)
    {
        return Err(raised(py, error));
    }
    Ok(ready.into_iter().map(|key| ends[key].clone()).collect())
}
