//! Queries: rows with Koji's members, conditions with bound values, and what callers may say about order and amount.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use serde::{Serialize, Serializer};

use super::error::unexpected;
use crate::format::xmlrpc::Fault;

/// What is kept as JSON: `extra` of builds, tags and RPMs, requests of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub serde_json::Value);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl FromSql for Json {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let read = serde_json::from_str(value.as_str()?);
        read.map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for Json {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(self.0.to_string().into())
    }
}

/// What a caller says about a listing (`queryOpts`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// Only how many there are.
    pub count_only: bool,
    /// Members to order by, separated by commas, each with `-` before it for the greatest first.
    pub order: Option<String>,
    /// How many to leave out at the beginning.
    pub offset: i64,
    /// How many at most; 0: all.
    pub limit: i64,
}

/// The answer to a query with [`QueryOptions`].
#[derive(Clone, Debug, PartialEq)]
pub enum Listing<T> {
    /// How many.
    Count(i64),
    /// The rows.
    Rows(Vec<T>),
}

impl<T> Listing<T> {
    /// The rows; none where only their number was asked for.
    pub fn rows(self) -> Vec<T> {
        match self {
            Self::Count(_) => Vec::new(),
            Self::Rows(rows) => rows,
        }
    }
}

impl<T: Serialize> Serialize for Listing<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => count.serialize(serializer),
            Self::Rows(rows) => rows.serialize(serializer),
        }
    }
}

/// A row: its members and what they are in SQL.
pub(in crate::hub) trait Columns: Sized {
    /// (member, expression).
    const COLUMNS: &'static [(&'static str, &'static str)];

    /// Reads the columns, which are in this order from the first on.
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self>;
}

/// A struct of members that a hub sends, with the expression of each.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($member:ident : $type:ty = $sql:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[allow(missing_docs, reason = "members are Koji's and documented there")]
        pub struct $name { $(pub $member: $type,)* }

        impl $crate::hub::store::query::Columns for $name {
            const COLUMNS: &'static [(&'static str, &'static str)] = &[$((stringify!($member), $sql),)*];

            fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut columns = 0..;
                // Members of a struct are read in the order they are written.
                Ok(Self { $($member: row.get(columns.next().unwrap_or_default())?,)* })
            }
        }
    };
}
pub(in crate::hub) use row;

/// A SELECT in the making. Texts are the code's own; whatever came from outside is a bound value.
pub(in crate::hub) struct Select {
    from: String,
    conditions: Vec<String>,
    values: Vec<Value>,
    order: &'static str,
}

impl Select {
    /// Tables and joins.
    pub(in crate::hub) fn from(from: &str) -> Self {
        Self { from: from.to_owned(), conditions: Vec::new(), values: Vec::new(), order: "" }
    }

    /// A condition with its values.
    pub(in crate::hub) fn and<V: Into<Value>>(
        mut self,
        condition: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.conditions.push(condition.to_owned());
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// A condition on one value, where there is one.
    pub(in crate::hub) fn with(self, condition: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.and(condition, [value]),
            None => self,
        }
    }

    /// A condition without values, where it is wanted.
    pub(in crate::hub) fn only(self, wanted: bool, condition: &str) -> Self {
        if wanted { self.and(condition, std::iter::empty::<Value>()) } else { self }
    }

    /// Entries of a versioned table in force at an event, or now.
    pub(in crate::hub) fn at(self, table: &str, event: Option<i64>) -> Self {
        match event {
            None => self.only(true, &format!("{table}.revoke_event IS NULL")),
            Some(event) => self.and(
                &format!(
                    "{table}.create_event <= ? AND ({table}.revoke_event IS NULL OR ? < {table}.revoke_event)"
                ),
                [event, event],
            ),
        }
    }

    /// The order where the caller says none.
    pub(in crate::hub) fn order(mut self, order: &'static str) -> Self {
        self.order = order;
        self
    }

    fn sql(&self, columns: &str) -> String {
        let mut sql = format!("SELECT {columns} FROM {}", self.from);
        for (index, condition) in self.conditions.iter().enumerate() {
            sql.push_str(if index == 0 { " WHERE (" } else { ") AND (" });
            sql.push_str(condition);
        }
        if !self.conditions.is_empty() {
            sql.push(')');
        }
        sql
    }

    /// All rows, each given to a function with the row of columns that come after the type's own.
    pub(in crate::hub) fn each<T: Columns>(
        &self,
        database: &Connection,
        further: &str,
        mut take: impl FnMut(T, &Row<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut sql = self.sql(&format!("{}{further}", columns::<T>()));
        if !self.order.is_empty() {
            sql.push_str(" ORDER BY ");
            sql.push_str(self.order);
        }
        let mut statement = database.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(&self.values))?;
        while let Some(row) = rows.next()? {
            take(T::from_row(row)?, row)?;
        }
        Ok(())
    }

    /// All rows.
    pub(in crate::hub) fn all<T: Columns>(&self, database: &Connection) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        self.each(database, "", |row, _| {
            all.push(row);
            Ok(())
        })?;
        Ok(all)
    }

    /// The first row.
    pub(in crate::hub) fn first<T: Columns>(&self, database: &Connection) -> Result<Option<T>, Fault> {
        Ok(self.all(database)?.into_iter().next())
    }

    /// The rows as a caller wants them.
    pub(in crate::hub) fn list<T: Columns>(
        mut self,
        database: &Connection,
        options: &QueryOptions,
    ) -> Result<Listing<T>, Fault> {
        let order = match options.order.as_deref().filter(|order| !order.is_empty()) {
            Some(order) => order_of::<T>(order)?,
            None => self.order.to_owned(),
        };
        let part = options.limit > 0 || options.offset > 0;
        let limit = if options.limit > 0 { options.limit } else { -1 };
        let mut sql = if options.count_only {
            self.sql(if part { "1" } else { "count(*)" })
        } else {
            self.sql(&columns::<T>())
        };
        if !options.count_only && !order.is_empty() {
            sql.push_str(" ORDER BY ");
            sql.push_str(&order);
        }
        if part {
            sql.push_str(" LIMIT ? OFFSET ?");
            self.values.extend([limit, options.offset.max(0)].map(Value::from));
        }
        if options.count_only {
            if part {
                sql = format!("SELECT count(*) FROM ({sql})");
            }
            let count = database.query_row(&sql, params_from_iter(&self.values), |row| row.get(0))?;
            return Ok(Listing::Count(count));
        }
        let mut statement = database.prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(&self.values), T::from_row)?;
        Ok(Listing::Rows(rows.collect::<rusqlite::Result<_>>()?))
    }
}

fn columns<T: Columns>() -> String {
    let all: Vec<_> = T::COLUMNS.iter().map(|(_, sql)| *sql).collect();
    all.join(", ")
}

/// Only members may be named. Nothing sorts last, or first where the order is turned round, as in PostgreSQL.
fn order_of<T: Columns>(order: &str) -> Result<String, Fault> {
    let mut all = Vec::new();
    for term in order.split(',') {
        let (name, direction) = match term.strip_prefix('-') {
            Some(name) => (name, "DESC NULLS FIRST"),
            None => (term, "ASC NULLS LAST"),
        };
        let column = T::COLUMNS.iter().find(|(member, _)| *member == name);
        let (_, sql) = column.ok_or_else(|| unexpected(format!("Invalid order: {name}")))?;
        all.push(format!("{sql} {direction}"));
    }
    Ok(all.join(", "))
}

/// Texts as one value, for `IN (SELECT value FROM json_each(?))`.
pub(in crate::hub) fn set<T: Serialize>(values: &[T]) -> Value {
    Value::Text(serde_json::to_value(values).unwrap_or_default().to_string())
}
