//! Repositories: write and check.

mod known;
mod write;

pub use known::known_packages;
pub use write::{KIND, REVISION, RepoError, execute, package_path, step};
