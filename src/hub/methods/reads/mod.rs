//! Methods that ask.

mod builds;
mod tagged;
mod tags;

use super::table::Method;

/// The methods.
pub const METHODS: &[&[Method]] = &[tags::METHODS, tagged::METHODS, builds::METHODS];
