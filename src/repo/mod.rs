//! Repositories: write, open on mirrors, load, check and compare.

pub mod check;
mod compare;
pub mod create;
pub mod diff;
mod known;
pub mod load;
pub mod open;
mod step;

pub use compare::Change;
pub use known::known_packages;
pub use step::{Further, KIND, REVISION, RepoError, execute, package_path, package_place, step};
