//! Repositories: write and check.

mod write;

pub use write::{KIND, REVISION, RepoError, execute, package_path, step};
