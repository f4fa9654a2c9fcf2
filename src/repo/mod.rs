//! Repositories: write and check.

pub mod create;
mod write;

pub use write::{KIND, REVISION, RepoError, execute, package_path, step};
