//! The threads of this process: how many the system grants.
//!
//! A runtime that cannot start a thread panics, or waits for one without end. So the threads are tried first: below a
//! limit (`ulimit -u`, the `pids` of a container) there are fewer, and with too few an error.

use std::{
    fs::File,
    io,
    num::NonZero,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use tokio::runtime::{Builder, Runtime};

/// The number of concurrent blocking calls, such as reads of local files.
const BLOCKING: usize = 8;
/// More threads of each kind are not tried: a machine with so many processors has no small limit.
const MOST_TRIED: usize = 16;
/// One worker, one for the blocking calls and one in reserve, and one for CPU-bound work.
const FEWEST: usize = 4;
/// The runtime has six: two for polling, two for waking it up, and two for signals; the others are for files and connections.
const DESCRIPTORS: usize = 12;

/// Starts the runtime, with as many threads as the system grants.
///
/// # Errors
/// The system grants too few threads or file descriptors.
pub(super) fn runtime() -> io::Result<Runtime> {
    enough_descriptors()?;
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let wanted = processors.min(MOST_TRIED);
    let granted = granted(2 * wanted + BLOCKING);
    if granted >= 2 * wanted + BLOCKING {
        return Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING).build();
    }
    if granted < FEWEST {
        let why = format!(
            "the system grants {granted} more threads, and at least {FEWEST} are needed: raise the limit (`ulimit -u`, `pids.max`)"
        );
        return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
    }
    let share = ((granted - 2) / 3).clamp(1, wanted);
    // The pool of CPU-bound work would panic when it is first used.
    rayon::ThreadPoolBuilder::new().num_threads(share).build_global().map_err(io::Error::other)?;
    let blocking = (granted - 2 * share).min(BLOCKING);
    Builder::new_multi_thread().worker_threads(share).max_blocking_threads(blocking).enable_all().build()
}

/// Fails if the system grants too few file descriptors: the runtime panics without one for its signal handler.
fn enough_descriptors() -> io::Result<()> {
    let opened: io::Result<Vec<File>> = (0..DESCRIPTORS).map(|_| File::open("/dev/null")).collect();
    let Err(error) = opened else { return Ok(()) };
    let why = format!(
        "at least {DESCRIPTORS} more file descriptors are needed ({error}): raise the limit (`ulimit -n`)"
    );
    Err(io::Error::new(io::ErrorKind::WouldBlock, why))
}

/// Starts up to so many threads at the same time, ends them, and returns their number.
fn granted(most: usize) -> usize {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let wait = |gate: &(Mutex<bool>, Condvar)| {
        let open = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(gate.1.wait_while(open, |open| !*open));
    };
    let start = || {
        let gate = Arc::clone(&gate);
        thread::Builder::new().stack_size(64 << 10).spawn(move || wait(&gate)).ok()
    };
    let started: Vec<_> = std::iter::from_fn(start).take(most).collect();
    *gate.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    gate.1.notify_all();
    let count = started.len();
    for thread in started {
        // It cannot panic.
        let _ = thread.join();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_threads_are_tried_than_asked_for() {
        assert_eq!(granted(3), 3);
        assert!(runtime().is_ok());
    }
}
