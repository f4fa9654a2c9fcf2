//! Changes: each takes effect as a whole or not at all, and knows its event, its time and who made it.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::MutexGuard;

use rusqlite::{ToSql, params};

use super::database::{Locked, View};
use super::error::generic;
use super::time::Time;
use crate::format::xmlrpc::Fault;

/// When a change is made, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The event it happens at: where a hub's history is loaded, the one it had there, which is at least the hub's last;
    /// otherwise none, and the change takes the next one if it needs one.
    pub event: Option<i64>,
    /// The time of the event, where it is new.
    pub time: Time,
    /// The user's id.
    pub user: i64,
}

impl Stamp {
    /// A change that takes the next event.
    pub fn new(time: Time, user: i64) -> Self {
        Self { event: None, time, user }
    }
}

/// A transaction that changes the hub. It is also a [`View`] of what it has changed.
///
/// Each method is one change: a fault leaves nothing of it, but for the event that it had taken, which nothing uses then
/// (as with Koji, whose sequence of events is no part of a transaction).
#[derive(Debug)]
pub struct Write<'h> {
    // Dropped in this order: the connection is free before the other processes may write.
    view: MutexGuard<'h, View>,
    _file: Option<Locked<'h>>,
    /// The last event taken, here or before.
    last: Cell<i64>,
    done: bool,
}

impl<'h> Write<'h> {
    pub(in crate::hub) fn begin(view: MutexGuard<'h, View>, file: Option<Locked<'h>>) -> Result<Self, Fault> {
        if !view.database.is_autocommit() {
            // A thread died in its transaction.
            view.database.execute_batch("ROLLBACK")?;
        }
        view.database.execute_batch("BEGIN IMMEDIATE")?;
        let write = Self { view, _file: file, last: Cell::new(0), done: false };
        let last =
            write
                .database
                .query_row("SELECT value FROM sequence WHERE name = 'event'", [], |row| row.get(0))?;
        write.last.set(last);
        Ok(write)
    }

    /// Makes everything permanent.
    ///
    /// # Errors
    /// The database cannot be written; nothing is changed.
    pub fn commit(self) -> Result<(), Fault> {
        self.commit_then(|| {})
    }

    /// Makes everything permanent, and does something more before others may write.
    ///
    /// # Errors
    /// The database cannot be written; nothing is changed, and nothing more is done.
    pub fn commit_then(mut self, more: impl FnOnce()) -> Result<(), Fault> {
        self.database.execute("UPDATE sequence SET value = ? WHERE name = 'event'", [self.last.get()])?;
        self.database.execute_batch("COMMIT")?;
        self.done = true;
        more();
        Ok(())
    }

    /// Several changes that happen together or not at all.
    ///
    /// # Errors
    /// That of the first change that fails.
    pub fn together<T>(&mut self, changes: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.database.execute_batch("SAVEPOINT change")?;
        let result = changes(self);
        self.database.execute_batch(match result {
            Ok(_) => "RELEASE change",
            Err(_) => "ROLLBACK TO change; RELEASE change",
        })?;
        result
    }

    /// One change.
    pub(in crate::hub) fn change<T>(
        &mut self,
        stamp: &Stamp,
        act: impl FnOnce(&Change<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let stamp = *stamp;
        self.together(|write| {
            act(&Change { view: &write.view, last: &write.last, stamp, event: Cell::new(None) })
        })
    }
}

impl Deref for Write<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be rolled back here is when the next writer begins.
            self.view.database.execute_batch("ROLLBACK").ok();
        }
    }
}

/// One change while it is made.
pub(in crate::hub) struct Change<'w> {
    view: &'w View,
    last: &'w Cell<i64>,
    stamp: Stamp,
    /// The event, once it is taken.
    event: Cell<Option<i64>>,
}

impl Deref for Change<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        self.view
    }
}

impl Change<'_> {
    /// Who makes it.
    pub(in crate::hub) fn user(&self) -> i64 {
        self.stamp.user
    }

    /// When it is made.
    pub(in crate::hub) fn time(&self) -> Time {
        self.stamp.time
    }

    /// Whether the caller names the event.
    pub(in crate::hub) fn given(&self) -> bool {
        self.stamp.event.is_some()
    }

    /// The change's event; taken when it is first asked for.
    pub(in crate::hub) fn event(&self) -> Result<i64, Fault> {
        if let Some(event) = self.event.get() {
            return Ok(event);
        }
        let last = self.last.get();
        let event = self.stamp.event.unwrap_or(last + 1);
        if event < last || event < 1 {
            return Err(generic(format!("event {event} is not after the hub's last one, {last}")));
        }
        self.database.execute(
            "INSERT INTO events VALUES (?, ?) ON CONFLICT DO NOTHING",
            params![event, self.stamp.time],
        )?;
        self.last.set(event);
        self.event.set(Some(event));
        Ok(event)
    }

    /// Adds an entry to a versioned table. Table and columns are the code's own words.
    pub(in crate::hub) fn begin(
        &self,
        table: &str,
        columns: &str,
        values: &[&dyn ToSql],
    ) -> Result<(), Fault> {
        let marks = "?, ".repeat(values.len());
        let sql = format!("INSERT INTO {table} ({columns}, create_event, creator_id) VALUES ({marks}?, ?)");
        let (event, user) = (self.event()?, self.user());
        let mut all = values.to_vec();
        all.extend([&event as &dyn ToSql, &user]);
        self.database.prepare(&sql)?.execute(&*all)?;
        Ok(())
    }

    /// Ends the entries of a versioned table that are in force and fit; says how many. An event is taken even if there
    /// are none.
    pub(in crate::hub) fn end(&self, table: &str, fits: &str, values: &[&dyn ToSql]) -> Result<usize, Fault> {
        let sql = format!(
            "UPDATE {table} SET revoke_event = ?, revoker_id = ? WHERE revoke_event IS NULL AND ({fits})"
        );
        let (event, user) = (self.event()?, self.user());
        let mut all: Vec<&dyn ToSql> = vec![&event, &user];
        all.extend(values);
        Ok(self.database.prepare(&sql)?.execute(&*all)?)
    }
}
