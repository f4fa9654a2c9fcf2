//! Tasks. This hub does at once what is asked of it; a task tells the client so.

use rusqlite::params;
use serde::Serialize;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::query::{Json, Listing, QueryOptions, Select, row, set};
use crate::hub::store::time::{Seconds, Time};

row! {
    /// A task, without its request.
    Row {
        arch: String = "arch",
        awaited: Option<bool> = "awaited",
        channel_id: i64 = "channel_id",
        completion_time: Option<Time> = "completion_time",
        completion_ts: Option<Seconds> = "completion_time",
        create_time: Time = "create_time",
        create_ts: Seconds = "create_time",
        host_id: Option<i64> = "host_id",
        id: i64 = "id",
        label: Option<String> = "label",
        method: String = "method",
        owner: i64 = "owner",
        parent: Option<i64> = "parent",
        priority: i64 = "priority",
        start_time: Option<Time> = "start_time",
        start_ts: Option<Seconds> = "start_time",
        state: i64 = "state",
        waiting: Option<bool> = "waiting",
        weight: f64 = "weight",
    }
}

/// A task (`getTaskInfo`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// What is always there.
    #[serde(flatten)]
    pub row: Row,
    /// What it is to do, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Json>,
}

/// A new task.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// Its id, where it is given.
    pub id: Option<i64>,
    /// What it does.
    pub method: String,
    /// With which arguments: an array.
    pub request: Json,
    /// 0 free, 1 open, 2 closed, 3 canceled, 4 assigned, 5 failed.
    pub state: i64,
    /// Arch of the builder.
    pub arch: String,
    /// Lower is done earlier.
    pub priority: i64,
}

row! {
    /// A task in lists.
    ListedTask {
        arch: String = "task.arch",
        awaited: Option<bool> = "task.awaited",
        channel_id: i64 = "task.channel_id",
        completion_time: Option<Time> = "task.completion_time",
        create_time: Time = "task.create_time",
        host_id: Option<i64> = "task.host_id",
        id: i64 = "task.id",
        label: Option<String> = "task.label",
        method: String = "task.method",
        owner: i64 = "task.owner",
        owner_name: String = "users.name",
        owner_type: i64 = "users.usertype",
        parent: Option<i64> = "task.parent",
        priority: i64 = "task.priority",
        request: Json = "task.request",
        result: Option<Json> = "task.result",
        start_time: Option<Time> = "task.start_time",
        state: i64 = "task.state",
        waiting: Option<bool> = "task.waiting",
        weight: f64 = "task.weight",
    }
}

/// Which tasks (`listTasks`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Of this owner.
    pub owner: Option<i64>,
    /// In one of these states.
    pub states: Option<Vec<i64>>,
    /// That do this.
    pub method: Option<String>,
    /// Only those that no other task made.
    pub top: bool,
}

impl View {
    /// Tasks (`listTasks`), lowest id first unless another order is wanted.
    ///
    /// # Errors
    /// An order that is none.
    pub fn list_tasks(
        &self,
        filter: &TaskFilter,
        options: &QueryOptions,
    ) -> Result<Listing<ListedTask>, Fault> {
        Select::from("task JOIN users ON users.id = task.owner")
            .with("task.owner = ?", filter.owner)
            .with("task.state IN (SELECT value FROM json_each(?))", filter.states.as_deref().map(set))
            .with("task.method = ?", filter.method.clone())
            .only(filter.top, "task.parent IS NULL")
            .order("task.id")
            .list(&self.database, options)
    }

    /// A task (`getTaskInfo`).
    ///
    /// # Errors
    /// There is none, and `strict`.
    pub fn task(&self, id: i64, request: bool, strict: bool) -> Result<Option<Task>, Fault> {
        let found = self.tasks(Select::from("task").and("id = ?", [id]), request)?.into_iter().next();
        if strict && found.is_none() { Err(generic("query returned no rows")) } else { Ok(found) }
    }

    /// The tasks that a task made (`getTaskChildren`).
    ///
    /// # Errors
    /// The database fails.
    pub fn task_children(&self, id: i64, request: bool) -> Result<Vec<Task>, Fault> {
        self.tasks(Select::from("task").and("parent = ?", [id]).order("id"), request)
    }

    fn tasks(&self, tasks: Select, request: bool) -> Result<Vec<Task>, Fault> {
        let mut all = Vec::new();
        tasks.each(&self.database, ", request", |row: Row, columns| {
            let request = if request { Some(columns.get(19)?) } else { None };
            all.push(Task { row, request });
            Ok(())
        })?;
        Ok(all)
    }

    /// What a task gave (`getTaskResult`); none where it has not ended or gave nothing.
    ///
    /// # Errors
    /// There is no such task.
    pub fn task_result(&self, id: i64) -> Result<Option<Json>, Fault> {
        self.task(id, false, true)?;
        let sql = "SELECT result FROM task WHERE id = ?";
        Ok(self.database.prepare(sql)?.query_row([id], |row| row.get(0))?)
    }
}

impl Write<'_> {
    /// Makes a task, whose owner is who makes it. Its id.
    ///
    /// # Errors
    /// The id is another's.
    pub fn create_task(&mut self, stamp: &Stamp, new: &NewTask) -> Result<i64, Fault> {
        self.change(stamp, |change| {
            change.database.execute(
                "INSERT INTO task (id, state, create_time, channel_id, owner, method, request, arch, priority, weight)
                 VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, 1.0)",
                params![
                    new.id,
                    new.state,
                    change.time(),
                    change.user(),
                    new.method,
                    new.request,
                    new.arch,
                    new.priority
                ],
            )?;
            Ok(change.database.last_insert_rowid())
        })
    }

    /// Says that a task ended, how, and what it gave.
    ///
    /// # Errors
    /// There is no such task.
    pub fn end_task(
        &mut self,
        stamp: &Stamp,
        id: i64,
        state: i64,
        result: Option<&Json>,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            change.task(id, false, true)?;
            let sql = "UPDATE task SET state = ?, completion_time = ?, result = ? WHERE id = ?";
            change.database.execute(sql, params![state, change.time(), result, id])?;
            Ok(())
        })
    }
}
