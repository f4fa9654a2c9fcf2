//! Steps and the graph they form. Pure: computing a plan touches nothing.
//!
//! A [`Step`] has two names. Its [`StepId`] (plan id) hashes its description with inputs named
//! symbolically and is known before anything runs. Its action key hashes the same description with
//! every input and root replaced by its content digest; the store answers by action key, so a step
//! whose inputs come out unchanged is not run again.

mod graph;
mod step;

pub use graph::{Plan, PlanError};
pub use step::{Action, Executor, Input, ResolvedInput, Rights, Step, StepId, StepIo};
