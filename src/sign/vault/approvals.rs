//! Requests that wait until others have approved them.
//!
//! A request waits under an id that follows from what is to be signed: the first 16 bytes of SHA-256 over kind, key,
//! digest and reference. So asking again finds the same, and an approval is good for nothing else. It waits, and its
//! approvals count, for the time that the policy says.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::json;

use super::policy::{Approve, Kind};
use crate::base::canonical::Encoder;
use crate::base::{Digest, SourceDate};

/// So many requests wait at most for each key.
const MOST: i64 = 10_000;

/// What is to be signed.
#[derive(Clone, Debug)]
pub(super) struct Subject<'a> {
    pub fingerprint: &'a str,
    pub kind: Kind,
    pub digest: Digest,
    pub nevra: Option<String>,
    pub reference: Option<&'a str>,
}

impl Subject<'_> {
    pub fn id(&self) -> String {
        let mut encoder = Encoder::new("gander signing request 1");
        encoder
            .bytes(self.kind.name())
            .bytes(self.fingerprint)
            .bytes(self.digest.as_bytes())
            .optional(self.reference);
        encoder.finish().hex().chars().take(32).collect()
    }
}

/// How far it is.
pub(super) enum Standing {
    /// Enough have approved: these.
    Approved(Vec<String>),
    /// It waits.
    Waiting { id: String, given: u32 },
    /// Too many wait.
    Full,
}

/// Looks whether enough have approved; else has the request wait.
pub(super) fn standing(
    database: &Connection,
    subject: &Subject<'_>,
    approve: &Approve,
    user: &str,
    now: SourceDate,
) -> rusqlite::Result<Standing> {
    database.prepare("DELETE FROM gander_pending WHERE until <= ?")?.execute([now.seconds()])?;
    let id = subject.id();
    let mut approvals = approvers(database, &id)?;
    approvals.retain(|name| approve.of.contains(name) && (approve.requester || name != user));
    let given = u32::try_from(approvals.len()).unwrap_or(u32::MAX);
    if given >= approve.needed {
        return Ok(Standing::Approved(approvals));
    }
    let sql = "INSERT INTO gander_pending (id, fingerprint, kind, digest, nevra, reference, user, time, until)
        SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM gander_pending WHERE fingerprint = ?2) < ?10
        ON CONFLICT (id) DO NOTHING";
    let until = now.seconds() + i64::from(approve.valid.0);
    let Subject { fingerprint, kind, digest, nevra, reference } = subject;
    let values = params![
        id,
        fingerprint,
        kind.name(),
        digest.hex(),
        nevra,
        reference,
        user,
        now.seconds(),
        until,
        MOST
    ];
    database.prepare(sql)?.execute(values)?;
    let there = database.prepare("SELECT 1 FROM gander_pending WHERE id = ?")?.exists([&id])?;
    Ok(if there { Standing::Waiting { id, given } } else { Standing::Full })
}

fn approvers(database: &Connection, id: &str) -> rusqlite::Result<Vec<String>> {
    super::database::names(
        database,
        "SELECT user FROM gander_approvals WHERE pending = ? ORDER BY user",
        [id],
    )
}

/// Who asked for what waits under an id of a key.
pub(super) fn requester(
    database: &Connection,
    id: &str,
    fingerprint: &str,
    now: SourceDate,
) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT user FROM gander_pending WHERE id = ? AND fingerprint = ? AND until > ?";
    database.prepare(sql)?.query_row(params![id, fingerprint, now.seconds()], |row| row.get(0)).optional()
}

/// Takes an approval, and says how many there are of those who count.
pub(super) fn approve(
    database: &Connection,
    id: &str,
    user: &str,
    approve: &Approve,
    requester: &str,
    now: SourceDate,
) -> rusqlite::Result<u32> {
    let sql = "INSERT OR IGNORE INTO gander_approvals (pending, user, time) VALUES (?, ?, ?)";
    database.prepare(sql)?.execute(params![id, user, now.seconds()])?;
    let mut all = approvers(database, id)?;
    all.retain(|name| approve.of.contains(name) && (approve.requester || name != requester));
    Ok(u32::try_from(all.len()).unwrap_or(u32::MAX))
}

/// What waits for a key, a line of JSON each, and how many lines.
pub(super) fn list(
    database: &Connection,
    fingerprint: &str,
    now: SourceDate,
) -> rusqlite::Result<(u32, String)> {
    let sql = "SELECT id, kind, digest, nevra, reference, user, time, until FROM gander_pending
        WHERE fingerprint = ? AND until > ? ORDER BY time, id";
    let mut found = database.prepare(sql)?;
    let of = |row: &Row<'_>| {
        let time = |place| {
            let date = SourceDate::from_seconds(row.get(place)?);
            Ok::<_, rusqlite::Error>(date.map_or_else(|_| String::new(), |date| date.to_string()))
        };
        let id: String = row.get(0)?;
        let by = approvers(database, &id)?;
        Ok(json!({
            "id": id, "kind": row.get::<_, String>(1)?, "digest": row.get::<_, String>(2)?,
            "nevra": row.get::<_, Option<String>>(3)?, "reference": row.get::<_, Option<String>>(4)?,
            "user": row.get::<_, String>(5)?, "time": time(6)?, "until": time(7)?, "approved-by": by,
        }))
    };
    let (mut count, mut text) = (0, String::new());
    for line in found.query_map(params![fingerprint, now.seconds()], of)? {
        // Writing to a text cannot fail.
        let _infallible = writeln!(text, "{}", line?);
        count += 1;
    }
    Ok((count, text))
}
