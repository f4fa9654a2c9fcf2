//! Sessions as they are kept, so that they outlive the server: never with their keys, but with what a key is checked by.

use rusqlite::params;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::Write;
use crate::hub::store::database::View;
use crate::hub::store::query::{Select, row};
use crate::hub::store::time::Time;

row! {
    /// A session.
    Session {
        id: i64 = "id",
        user: i64 = "user_id",
        // The SHA-256 of its key.
        digest: Vec<u8> = "key",
        address: String = "hostip",
        // The number of the last call that changed something, and when that was.
        call: Option<i64> = "callnum",
        updated: Time = "update_time",
        started: Time = "start_time",
        renewed: Option<Time> = "renew_time",
    }
}

impl View {
    /// All sessions, and the number of the last that was made.
    pub(in crate::hub) fn sessions(&self) -> Result<(Vec<Session>, i64), Fault> {
        let sql = "SELECT value FROM sequence WHERE name = 'session'";
        let last = self.database.query_row(sql, [], |row| row.get(0))?;
        Ok((Select::from("sessions").order("id").all(&self.database)?, last))
    }
}

impl Write<'_> {
    /// Keeps a session, in place of what was kept of it.
    pub(in crate::hub) fn keep_session(&mut self, session: &Session) -> Result<(), Fault> {
        let Session { id, user, digest, address, call, updated, started, renewed } = session;
        self.database.execute(
            "INSERT OR REPLACE INTO sessions (id, user_id, key, hostip, callnum, start_time, renew_time, update_time)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![id, user, digest, address, call, started, renewed, updated],
        )?;
        self.database.execute("UPDATE sequence SET value = max(value, ?) WHERE name = 'session'", [id])?;
        Ok(())
    }

    /// Keeps the number of a call that changes something.
    pub(in crate::hub) fn keep_call(&mut self, session: i64, call: i64, time: Time) -> Result<(), Fault> {
        let sql =
            "UPDATE sessions SET callnum = max(coalesce(callnum, ?1), ?1), update_time = ?2 WHERE id = ?3";
        self.database.execute(sql, params![call, time, session])?;
        Ok(())
    }

    /// Ends a session.
    pub(in crate::hub) fn end_session(&mut self, id: i64) -> Result<(), Fault> {
        self.database.execute("DELETE FROM sessions WHERE id = ?", [id])?;
        Ok(())
    }
}
