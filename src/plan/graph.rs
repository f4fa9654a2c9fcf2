//! The graph of steps.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{Step, StepId};

/// Steps in an order in which each comes after all that it needs.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    steps: BTreeMap<StepId, Step>,
    order: Vec<StepId>,
}

/// The plan is not one; a bug in what lowered it, so retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A step was added before one that it needs.
    #[error("step {step} ('{label}') needs step {missing}, which is not in the plan before it")]
    MissingInput {
        /// The step that needs.
        step: String,
        /// Its label.
        label: String,
        /// The one that is missing.
        missing: String,
    },
}

impl Plan {
    /// An empty plan.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step after those it needs; a step that is there already is not added twice.
    pub fn add(&mut self, step: Step) -> Result<StepId, PlanError> {
        let id = step.id();
        let missing = step.needs().find(|needed| !self.steps.contains_key(needed));
        if let Some(missing) = missing {
            return Err(PlanError::MissingInput {
                step: id.short(),
                label: step.label,
                missing: missing.short(),
            });
        }
        if self.steps.insert(id, step).is_none() {
            self.order.push(id);
        }
        Ok(id)
    }

    /// The steps, each after all that it needs, in the order they were added.
    pub fn steps(&self) -> impl Iterator<Item = (StepId, &Step)> {
        self.order.iter().filter_map(|id| Some((*id, self.steps.get(id)?)))
    }

    /// One step.
    pub fn get(&self, id: StepId) -> Option<&Step> {
        self.steps.get(&id)
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether it has no step.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The steps among these and all that they need.
    pub fn closure(&self, wanted: impl IntoIterator<Item = StepId>) -> BTreeSet<StepId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<_> = wanted.into_iter().collect();
        while let Some(id) = open.pop() {
            if let Some(step) = self.steps.get(&id)
                && found.insert(id)
            {
                open.extend(step.needs());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::step::{Input, tests::step};
    use super::*;
    use crate::base::RelPath;

    #[test]
    fn a_step_comes_after_what_it_needs() {
        let mut plan = Plan::new();
        let first = step("first");
        let mut second = step("second");
        second.inputs.insert(RelPath::new("y").unwrap(), Input::Output { step: first.id(), path: None });
        assert!(plan.add(second.clone()).is_err());
        let first = plan.add(first).unwrap();
        let second = plan.add(second).unwrap();
        assert_eq!(plan.steps().map(|(id, _)| id).collect::<Vec<_>>(), [first, second]);
        assert_eq!(plan.closure([first]), BTreeSet::from([first]));
        assert_eq!(plan.closure([second]).len(), 2);
    }
}
