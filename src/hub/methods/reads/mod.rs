//! Methods that ask.

mod builds;
mod tagged;
mod tags;
mod tasks;

use super::table::Method;

/// The methods.
pub const METHODS: &[&[Method]] = &[tags::METHODS, tagged::METHODS, builds::METHODS, tasks::METHODS];
