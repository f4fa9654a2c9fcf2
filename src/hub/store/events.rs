//! Events: the moments of a hub's history.
//!
//! A query at an event sees the versioned tables as they were just after it. An id that no event has is answered like
//! the last one before it, one beyond the last like now.

use super::change::{Stamp, Write};
use super::database::View;
use super::error::generic;
use super::query::{Select, row};
use super::time::{Seconds, Time};
use crate::format::xmlrpc::Fault;

row! {
    /// An event.
    Event {
        id: i64 = "id",
        ts: Seconds = "time",
    }
}

impl View {
    /// The event with this id (`getEvent`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn event(&self, id: i64, strict: bool) -> Result<Option<Event>, Fault> {
        let event = Select::from("events").and("id = ?", [id]).first(&self.database)?;
        found(event, strict)
    }

    /// The last event, or the last one before a time (`getLastEvent`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn last_event(&self, before: Option<Time>, strict: bool) -> Result<Option<Event>, Fault> {
        let events = Select::from("events").with("time < ?", before.map(Time::micros));
        let mut last = None;
        events.order("id DESC LIMIT 1").each(&self.database, "", |event, _| {
            last = Some(event);
            Ok(())
        })?;
        found(last, strict)
    }
}

impl Write<'_> {
    /// Takes an event for which this hub has nothing else to do: how a history is loaded.
    ///
    /// # Errors
    /// The event is before the hub's last one.
    pub fn skip_event(&mut self, stamp: &Stamp) -> Result<i64, Fault> {
        self.change(stamp, |change| change.event())
    }
}

fn found(event: Option<Event>, strict: bool) -> Result<Option<Event>, Fault> {
    if strict && event.is_none() { Err(generic("query returned no rows")) } else { Ok(event) }
}
