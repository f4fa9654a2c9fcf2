//! Repositories: write, open on mirrors, load, check and compare.

pub mod check;
mod compare;
pub mod diff;
pub mod load;
pub mod open;
mod write;

pub use compare::Change;
pub use write::{KIND, REVISION, RepoError, execute, package_path, step};
