//! Repositories that were made of tags. This hub makes none; it keeps those of a history.

use rusqlite::params;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::Key;
use crate::hub::store::query::{Json, Select, row};
use crate::hub::store::time::{Seconds, Time};

row! {
    /// A repository (`repoInfo`, `getRepo`).
    Repo {
        begin_event: Option<i64> = "repo.begin_event",
        begin_ts: Option<Seconds> = "begin_event.time",
        create_event: i64 = "repo.create_event",
        create_ts: Seconds = "create_event.time",
        creation_time: Time = "repo.creation_time",
        creation_ts: Seconds = "repo.creation_time",
        custom_opts: Option<Json> = "repo.custom_opts",
        dist: bool = "repo.dist",
        end_event: Option<i64> = "repo.end_event",
        end_ts: Option<Seconds> = "end_event.time",
        id: i64 = "repo.id",
        opts: Option<Json> = "repo.opts",
        state: i64 = "repo.state",
        state_time: Time = "repo.state_time",
        state_ts: Seconds = "repo.state_time",
        tag_id: i64 = "repo.tag_id",
        tag_name: String = "tag.name",
        task_id: Option<i64> = "repo.task_id",
        task_state: Option<i64> = "task.state",
    }
}

/// A repository to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRepo {
    /// Its id, where it is given.
    pub id: Option<i64>,
    /// The tag.
    pub tag_id: i64,
    /// The event whose state it has.
    pub create_event: i64,
    /// From when on the tag was so.
    pub begin_event: Option<i64>,
    /// Until when.
    pub end_event: Option<i64>,
    /// 0 in the making, 1 ready, 2 expired, 3 deleted, 4 a problem.
    pub state: i64,
    /// Since when.
    pub state_time: Time,
    /// When it was made.
    pub creation_time: Time,
    /// Whether it is one for distribution.
    pub dist: bool,
    /// How it was made.
    pub opts: Option<Json>,
    /// What of that was asked for.
    pub custom_opts: Option<Json>,
    /// The task that made it.
    pub task_id: Option<i64>,
}

/// Koji's number of a repository that can be used.
const READY: i64 = 1;

const REPOS: &str =
    "repo JOIN tag ON repo.tag_id = tag.id JOIN events AS create_event ON repo.create_event = create_event.id
    LEFT JOIN events AS begin_event ON repo.begin_event = begin_event.id
    LEFT JOIN events AS end_event ON repo.end_event = end_event.id LEFT JOIN task ON repo.task_id = task.id";

impl View {
    /// A repository (`repoInfo`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn repo_info(&self, repo: i64, strict: bool) -> Result<Option<Repo>, Fault> {
        let found = Select::from(REPOS).and("repo.id = ?", [repo]).first(&self.database)?;
        if strict && found.is_none() { Err(generic("query returned no rows")) } else { Ok(found) }
    }

    /// The last repository of a tag (`getRepo`): in a state (ready, where none is said), or made at an event or before.
    ///
    /// # Errors
    /// The tag was never there.
    pub fn repo(
        &self,
        tag: &Key,
        state: Option<i64>,
        event: Option<i64>,
        dist: bool,
        min_event: Option<i64>,
    ) -> Result<Option<Repo>, Fault> {
        let repos =
            Select::from(REPOS).and("repo.tag_id = ?", [self.tag_id(tag)?]).and("repo.dist = ?", [dist]);
        let repos = match event.filter(|event| *event != 0) {
            Some(event) => repos.and("repo.create_event <= ?", [event]),
            None => repos.and("repo.state = ?", [state.unwrap_or(READY)]),
        };
        let repos = repos.with("repo.create_event >= ?", min_event);
        repos.order("repo.creation_time DESC, repo.id DESC").first(&self.database)
    }
}

impl Write<'_> {
    /// Keeps a repository. Its id.
    ///
    /// # Errors
    /// The tag, an event or the task are not there.
    pub fn create_repo(&mut self, stamp: &Stamp, new: &NewRepo) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            change.database.execute(
                "INSERT INTO repo (id, create_event, begin_event, end_event, tag_id, state, state_time, creation_time, dist,
                    opts, custom_opts, task_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    new.id,
                    new.create_event,
                    new.begin_event,
                    new.end_event,
                    new.tag_id,
                    new.state,
                    new.state_time,
                    new.creation_time,
                    new.dist,
                    new.opts,
                    new.custom_opts,
                    new.task_id,
                ],
            )?;
            Ok(change.database.last_insert_rowid())
        })
    }
}
