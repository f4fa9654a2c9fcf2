//! Runs the steps of a plan: each once all that it needs is there, several at a time, none whose action
//! the store already answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::ComposeError;
use crate::base::Digest;
use crate::plan::{Action, Input, Plan, ResolvedInput, Step, StepId};
use crate::runner::{RunOptions, Runner};
use crate::store::{Store, Tree};

/// What happens while steps run, for whoever watches.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something that people may want to know.
    Note(&'a str),
    /// A step begins to run.
    Start(&'a Step),
    /// A step has run.
    Done(&'a Step, Duration),
    /// The store has what a step would make, so it does not run.
    Known(&'a Step),
    /// What is no step is done: resolving, signing, delivering.
    Phase(&'a str, Duration),
}

/// The world that steps run in.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Answers by action key and keeps what steps make.
    pub store: &'a Store,
    /// Runs a step in its jail.
    pub runner: &'a Runner,
    /// How many steps may run at a time.
    pub jobs: usize,
    /// Is told what happens.
    pub watch: &'a (dyn Fn(Event<'_>) + Sync),
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("store", &self.store.root())
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

impl Session<'_> {
    /// Tells people something.
    pub fn note(&self, text: impl AsRef<str>) {
        (self.watch)(Event::Note(text.as_ref()));
    }

    /// Does something that is no step, and tells how long it took.
    pub fn timed<T>(&self, name: &str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        (self.watch)(Event::Phase(name, start.elapsed()));
        done
    }
}

/// What became of a step.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// The name that the store answers by.
    pub key: Digest,
    /// The digest of its output tree.
    pub tree: Digest,
    /// How long it ran; none if the store had the answer.
    pub elapsed: Option<Duration>,
}

/// The steps that were carried out, with their output trees.
#[derive(Clone, Debug, Default)]
pub struct Executed {
    records: BTreeMap<StepId, StepRecord>,
    trees: BTreeMap<StepId, Tree>,
}

impl Executed {
    /// The digest of an input: of an object, of a file that a step made, or of its whole output tree.
    pub fn file(&self, input: &Input) -> Option<Digest> {
        match input {
            Input::Object(digest) => Some(*digest),
            Input::Output { step, path: Some(path) } => Some(self.trees.get(step)?.file(path)?.0),
            Input::Output { step, path: None } => Some(self.records.get(step)?.tree),
        }
    }

    /// The output tree of a step.
    pub fn tree(&self, step: StepId) -> Option<&Tree> {
        self.trees.get(&step)
    }

    /// What became of each step.
    pub fn records(&self) -> &BTreeMap<StepId, StepRecord> {
        &self.records
    }

    /// How many steps ran instead of being answered by the store.
    pub fn ran(&self) -> usize {
        self.records.values().filter(|record| record.elapsed.is_some()).count()
    }

    fn resolve(&self, step: &Step) -> Result<Action, ComposeError> {
        let absent = |input: &Input| match input {
            Input::Output { path: Some(path), .. } => {
                ComposeError::NoOutput { step: step.label.clone(), path: path.to_string() }
            }
            _ => ComposeError::NoOutput { step: step.label.clone(), path: "its tree".into() },
        };
        let resolved = |input: &Input| {
            let digest = self.file(input).ok_or_else(|| absent(input))?;
            Ok::<_, ComposeError>(match input {
                Input::Output { path: None, .. } => ResolvedInput::Tree(digest),
                _ => ResolvedInput::File(digest),
            })
        };
        let mut inputs = BTreeMap::new();
        for (path, input) in &step.inputs {
            inputs.insert(path.clone(), resolved(input)?);
        }
        let root = step.root.as_ref().map(resolved).transpose()?;
        let base = match &step.base {
            Some(base) => Some(self.file(base).ok_or_else(|| absent(base))?),
            None => None,
        };
        Ok(Action { step: step.clone(), inputs, root, base })
    }
}

/// Carries out these steps and all that they need. What was executed before is not looked at again. After
/// the first failure nothing new is begun; what runs is waited for.
pub fn execute(
    session: &Session<'_>,
    plan: &Plan,
    wanted: impl IntoIterator<Item = StepId>,
    before: Executed,
) -> Result<Executed, ComposeError> {
    let mut open: BTreeMap<StepId, BTreeSet<StepId>> = BTreeMap::new();
    for id in plan.closure(wanted) {
        if let Some(step) = plan.get(id)
            && !before.records.contains_key(&id)
        {
            let needs = step.needs().filter(|needed| !before.records.contains_key(needed));
            open.insert(id, needs.collect());
        }
    }
    // In the order of the plan, so that logs and loads are alike from run to run.
    let order = plan.steps().map(|(id, _)| id).filter(|id| open.contains_key(id)).collect();
    let state =
        Mutex::new(State { open, order, running: 0, done: before, failures: Vec::new(), broken: false });
    let turn = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..session.jobs.max(1) {
            scope.spawn(|| work(session, plan, &state, &turn));
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut failures = state.failures.into_iter();
    let Some(first) = failures.next() else { return Ok(state.done) };
    for further in failures {
        session.note(format!("another step failed as well: {further}"));
    }
    Err(first)
}

struct State {
    /// Steps that have not begun, with what they still wait for.
    open: BTreeMap<StepId, BTreeSet<StepId>>,
    order: Vec<StepId>,
    running: usize,
    done: Executed,
    failures: Vec<ComposeError>,
    /// Whether a thread broke off, by a bug; what it had begun will never be done.
    broken: bool,
}

/// Tells the others when a thread breaks off, lest they wait for its step for ever.
struct Alarm<'a>(&'a Mutex<State>, &'a Condvar);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.0).broken = true;
            self.1.notify_all();
        }
    }
}

fn lock<'a>(state: &'a Mutex<State>) -> MutexGuard<'a, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(session: &Session<'_>, plan: &Plan, state: &Mutex<State>, turn: &Condvar) {
    // Dropped after the lock that is held below.
    let _alarm = Alarm(state, turn);
    let mut held = lock(state);
    loop {
        if held.broken || !held.failures.is_empty() || (held.open.is_empty() && held.running == 0) {
            turn.notify_all();
            return;
        }
        let ready = held.order.iter().position(|id| held.open.get(id).is_some_and(BTreeSet::is_empty));
        let Some(place) = ready else {
            if held.running == 0 {
                // Nothing runs and nothing is ready: a plan cannot hold a circle, so this is the end.
                held.open.clear();
                continue;
            }
            held = turn.wait(held).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let id = held.order.remove(place);
        held.open.remove(&id);
        let action = plan.get(id).map(|step| held.done.resolve(step));
        held.running += 1;
        drop(held);
        let outcome = match action {
            Some(Ok(action)) => carry_out(session, &action),
            Some(Err(error)) => Err(error),
            None => Err(ComposeError::NoOutput { step: id.short(), path: "the step itself".into() }),
        };
        held = lock(state);
        held.running -= 1;
        match outcome {
            Ok((record, tree)) => {
                held.done.records.insert(id, record);
                held.done.trees.insert(id, tree);
                held.open.values_mut().for_each(|needs| {
                    needs.remove(&id);
                });
            }
            Err(error) => held.failures.push(error),
        }
        turn.notify_all();
    }
}

fn carry_out(session: &Session<'_>, action: &Action) -> Result<(StepRecord, Tree), ComposeError> {
    let key = action.key();
    if let Some((digest, tree)) = session.store.action(&key)? {
        (session.watch)(Event::Known(&action.step));
        return Ok((StepRecord { key, tree: digest, elapsed: None }, tree));
    }
    (session.watch)(Event::Start(&action.step));
    let outcome = session.runner.run(action, &RunOptions::default())?;
    (session.watch)(Event::Done(&action.step, outcome.elapsed));
    let record = StepRecord { key, tree: outcome.tree, elapsed: Some(outcome.elapsed) };
    Ok((record, outcome.output))
}
