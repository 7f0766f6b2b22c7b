//! How a call waits: not at all at first, then briefly, then until it is over or a signal comes.

use crate::end::{Call, End, NOW, Side, Waiting};
use crate::error::raised;
use crate::signal::{self, Watch};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use spsc_shm::{Result, Status};
use std::time::{Duration, Instant};

/// How long a wait is on before signals are watched for. Most waits of a busy ring are shorter.
const BRIEF: Duration = Duration::from_micros(100);

/// Seconds as Python gives them. `None` is without limit.
pub fn timeout(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        None => Ok(None),
        Some(seconds) if seconds >= 0.0 => Ok(Duration::try_from_secs_f64(seconds).ok()),
        Some(_) => Err(PyValueError::new_err("a timeout is not negative")),
    }
}

/// A call on an end: takes back what is lent, and does `step` once it can be done, as [`until`] does. Gives
/// the result, and the call, for what is to be done before another may begin.
pub fn call<'a, S: Side + Send, T: Send>(
    py: Python<'_>,
    end: &'a End<S>,
    seconds: Option<f64>,
    brief: impl FnOnce(&S) -> bool,
    mut step: impl FnMut(&mut S, Option<Duration>) -> Result<T> + Send,
) -> PyResult<(T, Call<'a, S>)> {
    let timeout = timeout(seconds)?;
    let mut call = end.take(py)?;
    let side = call.side();
    let brief = brief(side);
    let waiting = || Ok(vec![end.waiting()?]);
    let done = until(py, timeout, brief, waiting, |limit| step(side, limit))?;
    Ok((done, call))
}

/// Does `attempt` once it can be done. Each time it is given how long it may wait.
///
/// The interpreter is held for the first attempt, and let go for the others. `brief` says whether the
/// second may be short: not if an attempt that runs out of time has done half of its work, and the next
/// would begin anew.
pub fn until<'a, T: Send>(
    py: Python<'_>,
    timeout: Option<Duration>,
    brief: bool,
    waiting: impl FnOnce() -> PyResult<Vec<Waiting<'a>>>,
    mut attempt: impl FnMut(Option<Duration>) -> Result<T> + Send,
) -> PyResult<T> {
    match attempt(NOW) {
        Err(error) if error.status() == Status::Timeout && timeout != NOW => {}
        done => return done.map_err(|error| raised(py, error)),
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let left = || deadline.map(|at| at.saturating_duration_since(Instant::now()));

    let waiting = waiting()?;
    if brief {
        let brief = timeout.map_or(BRIEF, |timeout| timeout.min(BRIEF));
        match py.detach(|| attempt(Some(brief))) {
            Err(error) if error.status() == Status::Timeout && left() != NOW => {}
            done => return done.map_err(|error| raised_by_wait(py, error, &waiting)),
        }
    }
    if !signal::is_main_thread() {
        return py.detach(|| attempt(left())).map_err(|error| raised_by_wait(py, error, &waiting));
    }
    let watch = Watch::new(&waiting);
    loop {
        py.check_signals()?;
        match py.detach(|| attempt(left())) {
            Err(error) if error.status() == Status::Interrupted && watch.came() => {
                py.check_signals()?;
                // Somebody else may have interrupted it as well: the signal's is left over then.
                if waiting.iter().any(Waiting::was_asked) || watch.settle() {
                    return Err(raised(py, error));
                }
            }
            done => return done.map_err(|error| raised_by_wait(py, error, &waiting)),
        }
    }
}

/// A wait ended with an error, which may be an interrupt that was asked for.
fn raised_by_wait(py: Python<'_>, error: spsc_shm::Error, waiting: &[Waiting<'_>]) -> PyErr {
    if error.status() == Status::Interrupted {
        waiting.iter().for_each(|end| _ = end.was_asked());
    }
    raised(py, error)
}
