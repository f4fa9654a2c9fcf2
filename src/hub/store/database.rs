//! Opening a hub, and its transactions: many readers, one writer.
//!
//! A hub in a folder keeps `hub.sqlite` with a write-ahead log that is synchronised at each commit: whoever is killed,
//! with `kill -9` too, leaves what was committed and nothing else. Writers take turns: in a process by a mutex, between
//! processes by a lock on `hub.lock`, which ends with its process. A reader sees the state of its beginning however
//! long it reads.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::change::Write;
use super::error::{HubError, not_allowed, unexpected};
use super::schema;
use crate::format::xmlrpc::Fault;

const DATABASE: &str = "hub.sqlite";
const LOCK: &str = "hub.lock";
/// How long a reader waits for a checkpoint of another process.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections that are kept for the next reader.
const IDLE: usize = 8;

/// A hub's state.
pub struct Hub {
    writer: Mutex<View>,
    readers: Mutex<Vec<View>>,
    place: Option<Place>,
    frozen: bool,
}

/// Where a hub lies that is not in memory.
struct Place {
    folder: PathBuf,
    lock: File,
}

/// A consistent state of a hub: what is asked of it. [`Read`] and [`Write`] are one.
pub struct View {
    pub(in crate::hub) database: Connection,
}

impl fmt::Debug for View {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("View")
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Hub").field("folder", &self.folder()).finish_non_exhaustive()
    }
}

impl Hub {
    /// Opens the hub in a folder; a folder without one (it is made where it lacks) gets a fresh one, which has what
    /// every Koji hub has from the start and neither users nor events.
    ///
    /// # Errors
    /// The folder or its files cannot be used, or are no hub of this version.
    pub fn open(folder: &Path) -> Result<Self, HubError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| HubError::Folder { path, source }
        };
        fs::create_dir_all(folder.join("topdir")).map_err(unusable(folder))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable(&path))?;
        // Two that open a folder at once would both make the tables.
        lock.lock().map_err(unusable(&path))?;
        let path = folder.join(DATABASE);
        let mut database = connect(&path).map_err(|error| unusable_database(&path, error))?;
        check(&mut database, &path)?;
        lock.unlock().map_err(unusable(&path))?;
        let place = Place { folder: folder.to_owned(), lock };
        Ok(Self {
            writer: Mutex::new(View { database }),
            readers: Mutex::default(),
            place: Some(place),
            frozen: false,
        })
    }

    /// A fresh hub in memory, without files. Readers and writers take turns: a thread must let go of one before it asks
    /// for the next.
    ///
    /// # Errors
    /// There is no memory.
    pub fn memory() -> Result<Self, HubError> {
        let path = PathBuf::from(":memory:");
        let broken = |source| HubError::Database { path: path.clone(), source };
        let mut database = Connection::open_in_memory().map_err(broken)?;
        configure(&database).map_err(broken)?;
        check(&mut database, &path)?;
        Ok(Self {
            writer: Mutex::new(View { database }),
            readers: Mutex::default(),
            place: None,
            frozen: false,
        })
    }

    /// The same, and nothing changes it any more.
    pub(in crate::hub) fn frozen(self) -> Self {
        Self { frozen: true, ..self }
    }

    /// The folder; none in memory.
    pub fn folder(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.folder.as_path())
    }

    /// Where the files are that Koji calls topdir; none in memory.
    pub fn topdir(&self) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join("topdir"))
    }

    /// The state of now, which does not change while it is looked at.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read(&self) -> Result<Read<'_>, Fault> {
        let view = match &self.place {
            None => Viewed::Writer(lock(&self.writer)),
            Some(place) => {
                // A connection is taken out of the pool before the lock ends.
                let idle = lock(&self.readers).pop();
                match idle {
                    Some(view) => Viewed::Own(Some(view)),
                    None => Viewed::Own(Some(View { database: connect(&place.folder.join(DATABASE))? })),
                }
            }
        };
        let read = Read { hub: self, view };
        read.database.execute_batch("BEGIN")?;
        // SQLite takes its snapshot with the first read, not with BEGIN.
        read.database.query_row("SELECT count(*) FROM sequence", [], |_| Ok(()))?;
        Ok(read)
    }

    /// A transaction that may change the hub, once all earlier ones are done. Without [`Write::commit`] nothing of it
    /// stays.
    ///
    /// # Errors
    /// The database or the lock file cannot be written; the hub answers for a lock.
    pub fn write(&self) -> Result<Write<'_>, Fault> {
        if self.frozen {
            return Err(not_allowed("this hub answers for a lock: nothing in it can be changed"));
        }
        let view = lock(&self.writer);
        let file = match &self.place {
            Some(place) => {
                place.lock.lock().map_err(|error| unexpected(format!("the hub's lock failed: {error}")))?;
                Some(Locked(&place.lock))
            }
            None => None,
        };
        Write::begin(view, file)
    }
}

/// The lock between processes, until it is dropped.
#[derive(Debug)]
pub(in crate::hub) struct Locked<'h>(&'h File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // It ends with the process, at the latest.
        self.0.unlock().ok();
    }
}

/// One state of the hub, to be asked.
#[derive(Debug)]
pub struct Read<'h> {
    hub: &'h Hub,
    view: Viewed<'h>,
}

#[derive(Debug)]
enum Viewed<'h> {
    /// The hub's only connection.
    Writer(MutexGuard<'h, View>),
    /// One of its own; none while it is dropped.
    Own(Option<View>),
}

impl Deref for Read<'_> {
    type Target = View;

    #[allow(clippy::expect_used, reason = "only drop takes the connection")]
    fn deref(&self) -> &View {
        match &self.view {
            Viewed::Writer(view) => view,
            Viewed::Own(view) => view.as_ref().expect("the connection is there until the reader is dropped"),
        }
    }
}

impl Drop for Read<'_> {
    fn drop(&mut self) {
        // Where this fails, nothing of the connection is used again.
        let ended = self.database.execute_batch("ROLLBACK").is_ok();
        if let Viewed::Own(view) = &mut self.view {
            let mut idle = lock(&self.hub.readers);
            if ended && idle.len() < IDLE {
                idle.extend(view.take());
            }
        }
    }
}

/// A thread that panicked left a transaction, which is rolled back before the next begins.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // A path, whatever it looks like, and never a URI.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    configure(&database)?;
    Ok(database)
}

fn configure(database: &Connection) -> rusqlite::Result<()> {
    database.busy_timeout(PATIENCE)?;
    database
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;")
}

fn unusable_database(path: &Path, source: rusqlite::Error) -> HubError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => HubError::Foreign(path),
        _ => HubError::Database { path, source },
    }
}

/// Makes the tables of a fresh database; refuses what is none of this version's.
fn check(database: &mut Connection, path: &Path) -> Result<(), HubError> {
    let broken = |error| unusable_database(path, error);
    let number =
        |database: &Connection, name| database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number(database, "application_id").map_err(broken)?;
    let found = number(database, "user_version").map_err(broken)?;
    let tables: i64 =
        database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(broken)?;
    if tables > 0 && application != schema::APPLICATION {
        return Err(HubError::Foreign(path.to_owned()));
    }
    if found > schema::VERSION {
        return Err(HubError::Newer { path: path.to_owned(), found, known: schema::VERSION });
    }
    database.pragma_update(None, "journal_mode", "WAL").map_err(broken)?;
    if tables == 0 || found < schema::VERSION {
        let all = database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        if tables == 0 { schema::create(&all) } else { schema::upgrade(&all, found) }.map_err(broken)?;
        all.commit().map_err(broken)?;
    }
    Ok(())
}
