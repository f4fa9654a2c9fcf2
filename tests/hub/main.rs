//! The embedded hub: its rules one by one, its transactions, many rows, and what hostile callers try.
#![allow(clippy::disallowed_methods, reason = "tests start themselves again")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may fail")]

mod groups;
mod hostile;
mod kills;
mod rules;
mod size;
mod transactions;
mod world;
