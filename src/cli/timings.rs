//! `--timings`: what ran, how long it took, and what the store had.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::compose::Event;
use crate::plan::{Step, StepId};

/// Takes down what happens.
#[derive(Debug)]
pub struct Timings {
    start: Instant,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Steps by their plan id: kind, label, and how long they ran; none if the store had the answer.
    steps: BTreeMap<StepId, (String, String, Option<Duration>)>,
    /// What is no step, in the order in which it ended first.
    phases: Vec<(String, Duration)>,
}

impl Timings {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { start: Instant::now(), seen: Mutex::default() }
    }

    /// Takes down an event.
    pub fn see(&self, event: &Event<'_>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut step = |step: &Step, time: Option<Duration>| {
            let entry = (step.kind.clone(), step.label.clone(), time);
            let known = seen.steps.entry(step.id()).or_insert(entry);
            // The store has what ran before.
            known.2 = known.2.or(time);
        };
        match event {
            Event::Known(known) => step(known, None),
            Event::Done(done, elapsed) => step(done, Some(*elapsed)),
            Event::Phase(name, elapsed) => match seen.phases.iter_mut().find(|phase| phase.0 == *name) {
                // Signing has several turns.
                Some((_, sum)) => *sum += *elapsed,
                None => seen.phases.push(((*name).to_owned(), *elapsed)),
            },
            Event::Note(_) | Event::Start(_) => {}
        }
    }

    /// The tables.
    pub fn text(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        tables(&seen, self.start.elapsed())
    }
}

/// All that is known of the steps of one kind.
#[derive(Default)]
struct OfKind {
    ran: usize,
    known: usize,
    sum: Duration,
    longest: Duration,
}

fn tables(seen: &Seen, total: Duration) -> String {
    let mut ran: Vec<(Duration, &str, &str)> = Vec::new();
    let mut kinds: BTreeMap<&str, OfKind> = BTreeMap::new();
    for (kind, label, time) in seen.steps.values() {
        let of = kinds.entry(kind).or_default();
        match time {
            None => of.known += 1,
            Some(time) => {
                of.ran += 1;
                of.sum += *time;
                of.longest = of.longest.max(*time);
                ran.push((*time, kind, label));
            }
        }
    }
    ran.sort_by(|left, right| (right.0, left.1, left.2).cmp(&(left.0, right.1, right.2)));
    let mut text = String::new();
    let mut row = |line: std::fmt::Arguments<'_>| {
        // Writing into memory cannot fail.
        let _ = writeln!(text, "{line}");
    };
    if !ran.is_empty() {
        row(format_args!("{:>9}  {:<10} what", "seconds", "step"));
    }
    for (time, kind, label) in &ran {
        row(format_args!("{:>9.2}  {kind:<10} {label}", time.as_secs_f64()));
    }
    let head = ["kind", "ran", "from store", "sum", "longest"];
    row(format_args!("{:<10} {:>6} {:>11} {:>9} {:>9}", head[0], head[1], head[2], head[3], head[4]));
    let mut all = OfKind::default();
    let mut kind_row = |kind: &str, of: &OfKind| {
        let (sum, longest) = (of.sum.as_secs_f64(), of.longest.as_secs_f64());
        row(format_args!("{kind:<10} {:>6} {:>11} {sum:>9.2} {longest:>9.2}", of.ran, of.known));
    };
    for (kind, of) in &kinds {
        kind_row(kind, of);
        all.ran += of.ran;
        all.known += of.known;
        all.sum += of.sum;
        all.longest = all.longest.max(of.longest);
    }
    kind_row("all", &all);
    for (name, time) in &seen.phases {
        row(format_args!("{name:<10} {:>38.2}", time.as_secs_f64()));
    }
    row(format_args!("{:<10} {:>38.2}", "elapsed", total.as_secs_f64()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn the_longest_comes_first_and_kinds_are_summed() {
        let mut seen = Seen::default();
        for (kind, label, time) in [
            ("iso", "dvd", Some(2500)),
            ("attach", "a.rpm", Some(10)),
            ("attach", "b.rpm", Some(10)),
            ("attach", "c.rpm", None),
            ("image", "", None),
        ] {
            let time = time.map(Duration::from_millis);
            seen.steps.insert(StepId(Digest::of(label)), (kind.into(), label.into(), time));
        }
        seen.phases.push(("deliver".into(), Duration::from_millis(1240)));
        let wanted = "  seconds  step       what
     2.50  iso        dvd
     0.01  attach     a.rpm
     0.01  attach     b.rpm
kind          ran  from store       sum   longest
attach          2           1      0.02      0.01
image           0           1      0.00      0.00
iso             1           0      2.50      2.50
all             3           2      2.52      2.50
deliver                                      1.24
elapsed                                      3.00
";
        assert_eq!(tables(&seen, Duration::from_secs(3)), wanted);
    }
}
