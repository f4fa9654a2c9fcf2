//! The file that a hub is: its tables, its transactions, how rows are read, and how callers name what is in them.

pub(super) mod change;
pub(super) mod database;
pub(super) mod error;
pub(super) mod events;
pub(super) mod names;
pub(super) mod query;
pub mod schema;
pub(super) mod time;
