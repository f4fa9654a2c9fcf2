//! gander composes releases of RPM distributions: hermetic, reproducible, from a lock.
//!
//! A folder is a room with one purpose. The order below is the order of dependence: a room imports
//! only rooms above it, and a test enforces that.

pub mod base;
pub mod format;
pub mod openpgp;
pub mod rpm;

pub mod lock;
pub mod plan;
pub mod recipe;
pub mod select;

pub mod debian;
pub mod fetch;
pub mod oci;
pub mod runner;
pub mod store;

pub mod build;
pub mod compose;
pub mod repo;
pub mod sign;

pub mod cli;
