//! Selection: what holds of every answer, over random universes, and input that somebody made to hurt.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod aside;
mod everything;
mod graphs;
mod hostile;
mod properties;
mod removal;
