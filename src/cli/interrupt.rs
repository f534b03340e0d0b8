//! SIGINT and SIGTERM: a command ends with one line that reports what is published.
//!
//! The command is stopped by dropping its future at the next point where it waits. A conditional write that is in flight
//! is completed first, because only its result shows whether the suite is published; a prune removes its marker. Any
//! other step may be cut short: the next command resumes it.

use std::{
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal as Stream, SignalKind, signal},
    sync::watch,
    time::sleep,
};

use super::{ending_signal::EndingSignal, failure::Failure, ui::Ui};

/// Timeout of a critical step, such as a conditional write to a slow store.
const CRITICAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout of a step that blocks the thread, such as hashing a file.
const BLOCKING_TIMEOUT: Duration = Duration::from_secs(1);
/// A failure within this time before a signal is caused by it: a terminal also interrupts gpg and other child processes.
const SAME_MOMENT: Duration = Duration::from_millis(20);
/// The interval at which the end of a critical step is polled.
const POLL: Duration = Duration::from_millis(10);

/// Runs a command until it completes or a signal ends it.
pub(super) async fn unless_interrupted(
    work: impl Future<Output = Result<ExitCode, Failure>>,
    ui: &Arc<Ui>,
) -> Result<Result<ExitCode, Failure>, EndingSignal> {
    // Without handlers, the default action of the signals ends the process.
    let Ok(signals) = Signals::listen() else { return Ok(work.await) };
    let (sender, mut received) = watch::channel(None);
    let watcher = tokio::spawn(end_after_timeout(signals, sender, Arc::clone(ui)));
    let mut work = pin!(work);
    let first = tokio::select! {
        biased;
        signal = arrival(&mut received) => Err(signal),
        done = &mut work => Ok(done),
    };
    let ended = match first {
        Ok(Ok(code)) => Ok(Ok(code)),
        Ok(Err(failure)) => tokio::select! {
            biased;
            signal = arrival(&mut received) => Err(signal),
            () = sleep(SAME_MOMENT) => Ok(Err(failure)),
        },
        Err(signal) => tokio::select! {
            biased;
            done = &mut work => if done.is_ok() { Ok(done) } else { Err(signal) },
            () = settled(ui) => Err(signal),
        },
    };
    watcher.abort();
    ended
}

/// Waits for the first signal.
async fn arrival(received: &mut watch::Receiver<Option<EndingSignal>>) -> EndingSignal {
    match received.wait_for(Option::is_some).await.map(|signal| *signal) {
        Ok(Some(signal)) => signal,
        _ => std::future::pending().await,
    }
}

/// Waits until no critical step is in progress.
async fn settled(ui: &Ui) {
    while ui.is_critical() {
        sleep(POLL).await;
    }
}

/// Forwards the first signal; ends the process itself if the command blocks, or at the second signal.
async fn end_after_timeout(mut signals: Signals, sender: watch::Sender<Option<EndingSignal>>, ui: Arc<Ui>) {
    let signal = signals.next().await;
    ui.stop().notify_one();
    let _ = sender.send(Some(signal));
    let since = Instant::now();
    loop {
        let again = tokio::select! {
            _ = signals.next() => true,
            () = sleep(POLL) => false,
        };
        let limit = if ui.is_critical() { CRITICAL_TIMEOUT } else { BLOCKING_TIMEOUT };
        if again || since.elapsed() > limit {
            let _ = ui.interrupted(signal);
            std::process::exit(signal.code().into());
        }
    }
}

/// The streams of both signals.
struct Signals {
    interrupt: Option<Stream>,
    terminate: Option<Stream>,
}

impl Signals {
    /// Listens from now on, except to signals that the parent process has set to be ignored, as `nohup` and shells do for
    /// background jobs.
    fn listen() -> std::io::Result<Self> {
        let ignored = ignored_signals();
        let listen = |kind: SignalKind| {
            let bit = 1_u64 << (kind.as_raw_value() - 1);
            (ignored & bit == 0).then(|| signal(kind)).transpose()
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> EndingSignal {
        tokio::select! {
            () = received(self.interrupt.as_mut()) => EndingSignal::Interrupt,
            () = received(self.terminate.as_mut()) => EndingSignal::Terminate,
        }
    }
}

async fn received(stream: Option<&mut Stream>) {
    let arrived = match stream {
        Some(stream) => stream.recv().await,
        None => None,
    };
    if arrived.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Returns the mask of ignored signals; empty where the system does not report it.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
