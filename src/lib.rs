//! gander composes releases of RPM distributions: hermetic, reproducible, from a lock.
//!
//! A folder is a room with one purpose. The order below is the order of dependence: a room imports
//! only rooms above it, and a test enforces that.

pub mod base;
pub mod openpgp;
pub mod rpm;
pub mod format;

pub mod recipe;
pub mod convert;
pub mod select;
pub mod lock;
pub mod plan;

pub mod store;
pub mod fetch;
pub mod debian;
pub mod oci;
pub mod runner;

pub mod root;
pub mod build;
pub mod koji;
pub mod hub;
pub mod sign;
pub mod sigul;
pub mod repo;
pub mod media;
pub mod boot;
pub mod compose;
pub mod publish;

pub mod cli;
