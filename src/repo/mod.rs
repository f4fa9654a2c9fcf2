//! Repositories: write and check.
