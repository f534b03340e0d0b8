//! Progress on a terminal: a bar where the end is known, else the step of the command and its time.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A step that is done sooner is not shown: it would only flicker.
const SOON: Duration = Duration::from_millis(700);

/// How often the time of a step is drawn.
const TICK: Duration = Duration::from_millis(150);

/// The first moments of a bar say little about its end: a time left that is wrong is worse than none.
const FIRST: Duration = Duration::from_secs(2);

/// The unit that a bar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Reading,
    Listing,
    Storing,
    Deleting,
}

/// The progress of a command.
pub(super) struct Progress {
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    bar: Option<(Phase, ProgressBar)>,
    step: Option<(&'static str, Instant)>,
    /// The line of the step, once it is drawn.
    line: Option<ProgressBar>,
    has_ticker: bool,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { shown: Mutex::default() })
    }

    /// Begins a step whose end is not known.
    pub(super) fn step(self: &Arc<Self>, what: &'static str) {
        let mut shown = self.shown();
        shown.clear();
        shown.step = Some((what, Instant::now()));
        if !shown.has_ticker {
            shown.has_ticker = true;
            let progress = Arc::downgrade(self);
            // Without a thread the command is as good, and only silent.
            drop(thread::Builder::new().name("progress".to_owned()).spawn(move || tick(&progress)));
        }
    }

    /// Ends the step: another program may ask the user for a passphrase.
    pub(super) fn pause(&self) {
        let mut shown = self.shown();
        shown.clear();
        shown.step = None;
    }

    /// Draws a bar; it disappears at its end, and the step goes on.
    pub(super) fn count(&self, phase: Phase, done: u64, total: u64) {
        if total == 0 {
            return;
        }
        let mut shown = self.shown();
        if shown.bar.as_ref().is_none_or(|(known, _)| *known != phase) {
            shown.clear();
            // The first frame has the style and the numbers of the phase.
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
            let columns = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0);
            let style = ProgressStyle::with_template(&template(phase, columns.into()));
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.with_key("left", move |state: &ProgressState, out: &mut dyn fmt::Write| {
                let left = time_left(state.elapsed(), done, state.pos(), state.len().unwrap_or(total));
                let _ = left.map(|left| write!(out, ", {:#} left", HumanDuration(left)));
            }));
            bar.set_position(done);
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.tick();
            shown.bar = Some((phase, bar));
        }
        if let Some((_, bar)) = &shown.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
        if done == total {
            shown.clear();
        }
    }

    /// Removes what is drawn, before a line is printed.
    pub(super) fn clear(&self) {
        self.shown().clear();
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(line) = self.line.take() {
            line.finish_and_clear();
        }
        if let Some((_, since)) = &mut self.step {
            *since = Instant::now();
        }
    }

    fn tick(&mut self) {
        let Some((what, since)) = self.step.filter(|_| self.bar.is_none()) else { return };
        if self.line.is_none() && since.elapsed() >= SOON {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            line.set_message(what);
            line.set_elapsed(since.elapsed());
            line.set_draw_target(ProgressDrawTarget::stderr());
            self.line = Some(line);
        }
        if let Some(line) = &self.line {
            line.tick();
        }
    }
}

/// Draws the step until the command has ended.
fn tick(progress: &Weak<Progress>) {
    loop {
        thread::sleep(TICK);
        let Some(progress) = progress.upgrade() else { return };
        progress.shown().tick();
    }
}

/// The time left at the speed since the bar began, at this count.
fn time_left(elapsed: Duration, began: u64, done: u64, total: u64) -> Option<Duration> {
    let since = done.checked_sub(began).filter(|since| *since > 0 && elapsed >= FIRST)?;
    // Rounded up: what is not done yet takes time.
    let left = elapsed.as_nanos() * u128::from(total.saturating_sub(done));
    Some(Duration::from_secs(
        u64::try_from(left.div_ceil(u128::from(since) * 1_000_000_000)).unwrap_or(u64::MAX),
    ))
}

/// The template of a phase for a terminal of this width: a line that is wrapped could not be drawn again.
fn template(phase: Phase, columns: usize) -> String {
    // The longest text beside the bar, with numbers of six digits.
    let (before, after, longest) = match phase {
        Phase::Reading => ("Reading ", " {pos}/{len} packages{left}", 43),
        Phase::Listing => ("Listing files of ", " {pos}/{len} packages{left}", 52),
        Phase::Deleting => ("Deleting ", " {pos}/{len} objects{left}", 43),
        Phase::Storing => {
            ("Storing ", " {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}{left}", 58)
        }
    };
    match columns.saturating_sub(longest + 1).min(30) {
        0..8 => match phase {
            Phase::Reading => "Reading {pos}/{len}{left}",
            Phase::Listing => "Listing {pos}/{len}{left}",
            Phase::Deleting => "Deleting {pos}/{len}{left}",
            Phase::Storing => "{binary_bytes}/{binary_total_bytes}{left}",
        }
        .to_owned(),
        width => format!("{before}{{bar:{width}}}{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest line of a template.
    fn longest(phase: Phase, columns: usize) -> usize {
        let mut text = template(phase, columns);
        for (name, value) in [
            ("{pos}", "123456"),
            ("{len}", "123456"),
            ("{left}", ", 59m left"),
            ("{binary_bytes}", "1023.99 MiB"),
            ("{binary_total_bytes}", "1023.99 MiB"),
            ("{binary_bytes_per_sec}", "1023.99 MiB/s"),
        ] {
            text = text.replace(name, value);
        }
        let bar = (1..=30).rev().find_map(|width| {
            let name = format!("{{bar:{width}}}");
            text.contains(&name).then(|| text.replace(&name, &"#".repeat(width)))
        });
        bar.unwrap_or(text).chars().count()
    }

    #[test]
    fn the_time_left_is_an_estimate_or_not_shown() {
        let left = |millis, began, done, total| {
            time_left(Duration::from_millis(millis), began, done, total).map(|left| left.as_secs())
        };
        assert_eq!(left(1900, 0, 50, 100), None, "too early");
        assert_eq!(left(9000, 5, 5, 100), None, "nothing is done yet");
        assert_eq!(left(2000, 0, 50, 100), Some(2));
        assert_eq!(left(2000, 900, 950, 1000), Some(2), "since the bar began");
        assert_eq!(left(2000, 0, 999_999, 1_000_000), Some(1), "not 0 before the end");
    }

    #[test]
    fn every_line_fits_from_forty_columns_on() {
        for phase in [Phase::Reading, Phase::Listing, Phase::Storing, Phase::Deleting] {
            for columns in [40, 50, 60, 70, 80, 200] {
                let longest = longest(phase, columns);
                assert!(longest <= columns, "{phase:?} at {columns}: {longest}");
            }
            assert!(template(phase, 100).contains("{bar:30}"), "{phase:?}");
        }
    }
}
