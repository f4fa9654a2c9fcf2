//! Repositories: write, open and check.

pub mod open;
mod write;

pub use write::{KIND, REVISION, RepoError, execute, package_path, step};
