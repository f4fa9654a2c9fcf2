//! Which CPU a step runs on.

use std::sync::{Arc, Mutex, PoisonError};

/// The CPUs that this process may use, and how many steps run on each.
pub(super) struct Cpus(Arc<Mutex<Vec<(usize, u32)>>>);

/// A CPU in use.
pub(super) struct Cpu {
    /// Its number; none if this process may not ask.
    pub number: Option<usize>,
    all: Arc<Mutex<Vec<(usize, u32)>>>,
}

impl Cpus {
    pub fn new() -> Self {
        let allowed = rustix::thread::sched_getaffinity(None).unwrap_or_default();
        let mut cpus: Vec<_> = (0..rustix::thread::CpuSet::MAX_CPU)
            .filter(|cpu| allowed.is_set(*cpu))
            .map(|cpu| (cpu, 0))
            .collect();
        // Two gander processes are not to crowd on the first.
        let turn = std::process::id() as usize % cpus.len().max(1);
        cpus.rotate_left(turn);
        Self(Arc::new(Mutex::new(cpus)))
    }

    /// The one that the fewest steps run on.
    pub fn take(&self) -> Cpu {
        let mut cpus = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = cpus.iter_mut().min_by_key(|(_, steps)| *steps).map(|(cpu, steps)| {
            *steps += 1;
            *cpu
        });
        Cpu { number, all: Arc::clone(&self.0) }
    }
}

impl Drop for Cpu {
    fn drop(&mut self) {
        let mut cpus = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, steps)) = cpus.iter_mut().find(|(cpu, _)| Some(*cpu) == self.number) {
            *steps = steps.saturating_sub(1);
        }
    }
}
