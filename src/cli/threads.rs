//! The threads of this process: how many the system grants.
//!
//! A runtime that cannot start a thread panics, or waits for one without end. So the threads are tried first: below a
//! limit (`ulimit -u`, the `pids` of a container) there are fewer, and with too few an error.

use std::{
    fs::{self, File},
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
/// Threads that others may start meanwhile.
const RESERVE: usize = 64;
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
    let most = 2 * wanted + BLOCKING;
    // Starting threads only to count them is a tenth of a short command.
    let granted =
        if limits_allow(most, &|path| fs::read_to_string(path).ok()) { most } else { granted(most) };
    if granted >= most {
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
    // A root without devices has no /dev/null.
    let opened: io::Result<Vec<File>> = (0..DESCRIPTORS).map(|_| File::open("/")).collect();
    let Err(error) = opened else { return Ok(()) };
    let why = format!(
        "at least {DESCRIPTORS} more file descriptors are needed ({error}): raise the limit (`ulimit -n`)"
    );
    Err(io::Error::new(io::ErrorKind::WouldBlock, why))
}

/// Whether the limits of the system are known to be far away: of the user, of the system, and of every control group. `read`
/// returns the text of a file.
fn limits_allow(threads: usize, read: &dyn Fn(&str) -> Option<String>) -> bool {
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let allow = || {
        let load = read("/proc/loadavg")?;
        // Those of all users.
        let running = number(load.split_whitespace().nth(3)?.split_once('/')?.1)?;
        let needed = running.checked_add(threads)?.checked_add(RESERVE)?;
        let limits = read("/proc/self/limits")?;
        let of_user = limits.lines().find_map(|line| line.strip_prefix("Max processes"))?;
        let of_user = of_user.split_whitespace().next()?;
        let of_system = number(&read("/proc/sys/kernel/threads-max")?)?;
        let groups = read("/proc/self/cgroup")?;
        let lines = groups.lines().filter_map(|line| {
            let (controllers, folder) = line.split_once(':')?.1.split_once(":/")?;
            Some((controllers, folder))
        });
        let of_pids =
            lines.clone().find(|(controllers, _)| controllers.split(',').any(|name| name == "pids"));
        let (base, visible, folder) = match of_pids {
            Some((_, folder)) => ("/sys/fs/cgroup/pids", "notify_on_release", folder),
            None => {
                ("/sys/fs/cgroup", "cgroup.controllers", lines.clone().find(|(name, _)| name.is_empty())?.1)
            }
        };
        let file = |folder: &str, name: &str| read(&[base, folder, name].join("/").replace("//", "/"));
        file(folder, visible)?;
        let mut at = Some(folder);
        while let Some(folder) = at {
            let most = file(folder, "pids.max");
            if let Some(most) = most.filter(|most| most.trim() != "max") {
                let used = number(&file(folder, "pids.current")?)?;
                if number(&most)? < used.checked_add(threads)?.checked_add(RESERVE)? {
                    return None;
                }
            }
            at = (!folder.is_empty()).then(|| folder.rsplit_once('/').map_or("", |(above, _)| above));
        }
        let is_low = of_user != "unlimited" && number(of_user)? < needed;
        (!is_low && of_system >= needed).then_some(())
    };
    allow().is_some()
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
    fn only_limits_that_are_known_to_be_far_away_are_trusted() {
        let limits = |user: &str| format!("Limit Soft Hard Units\nMax processes {user} {user} processes\n");
        let allow = |user: &str, files: &[(&str, &str)]| {
            limits_allow(12, &|path: &str| match path {
                "/proc/loadavg" => Some("0.1 0.2 0.3 2/200 4711\n".to_owned()),
                "/proc/self/limits" => Some(limits(user)),
                "/proc/sys/kernel/threads-max" => Some("5000\n".to_owned()),
                path => files.iter().find(|(known, _)| *known == path).map(|(_, text)| (*text).to_owned()),
            })
        };
        let second = |most: &'static str| {
            vec![
                ("/proc/self/cgroup", "0::/a/b\n"),
                ("/sys/fs/cgroup/a/b/cgroup.controllers", "pids"),
                ("/sys/fs/cgroup/a/b/pids.max", "max\n"),
                ("/sys/fs/cgroup/a/pids.max", most),
                ("/sys/fs/cgroup/a/pids.current", "20\n"),
            ]
        };
        assert!(allow("unlimited", &second("max\n")) && allow("4000", &second("1000\n")));
        assert!(!allow("4000", &second("90\n")) && !allow("250", &second("max\n")));
        // Not visible from here, or not named.
        assert!(!allow("4000", &[("/proc/self/cgroup", "0::/../x\n")]) && !allow("4000", &[]));
        let first = [
            ("/proc/self/cgroup", "9:name=systemd:/\n8:cpu,pids:/\n0::/\n"),
            ("/sys/fs/cgroup/pids/notify_on_release", "0\n"),
        ];
        assert!(allow("4000", &first) && !allow("4000", &first[..1]));
    }

    #[test]
    fn no_more_threads_are_tried_than_asked_for() {
        assert_eq!(granted(3), 3);
        assert!(runtime().is_ok());
    }
}
