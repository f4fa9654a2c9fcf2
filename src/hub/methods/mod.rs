//! Koji's methods: a call comes in as XML-RPC, and its answer goes out.
//!
//! `table` lists the methods with their parameters, who may call them and what they do; `binding` gives arguments to
//! parameters; `sessions` knows who calls. A call is one transaction of the [`Hub`], and what it does to files takes
//! place with it (`placement`). Of a `multiCall`, each call takes effect or not on its own, and all together are one
//! transaction.

mod binding;
mod call;
mod files;
mod introspection;
mod login;
mod python;
mod reads;
mod table;
mod writes;

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::PoisonError;

pub use files::import::{Import, Imported, Tagging};
pub use files::package::PackageFile;
pub use files::placement::Files;
pub use files::uploads::Piece;
pub use login::passwords::{PasswordError, hash as hash_password};
pub use login::sessions::Ticket;

use self::call::{Call, Lazy, Outcome, Output};
use self::files::placement::Note;
use self::files::uploads::Uploads;
use self::login::passwords::Checker;
use self::login::sessions::{Admitted, Sessions};
use self::table::{Method, Needs};
use super::{Hub, RpmKey, Time, View};
use crate::base::chain;
use crate::format::xmlrpc::{
    self, Arguments, Fault, Value, XmlRpcError, read_call, write_answer, write_answers, write_fault,
};
use crate::hub::store::error::not_allowed;
use crate::hub::store::error::{generic, unexpected};

/// The version of Koji whose behaviour this is.
pub const KOJI_VERSION: &str = "1.35.3";

/// The folder of a hub in memory, which has no files: nothing can be below it.
const NOWHERE: &str = "/dev/null";
/// Calls of a multiCall.
const CALLS: usize = 10_000;

/// Something that is no fault of the caller: what Koji answers where its own code failed.
fn internal(error: impl Display) -> Fault {
    unexpected(error.to_string())
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// From where.
    pub address: IpAddr,
    /// The session that is claimed.
    pub ticket: Option<Ticket>,
}

impl Caller {
    /// Somebody in this process who is not logged in.
    pub fn inside() -> Self {
        Self { address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), ticket: None }
    }
}

/// The methods of one hub.
#[derive(Debug)]
pub struct Methods {
    hub: Hub,
    files: Files,
    uploads: Uploads,
    sessions: Sessions,
    passwords: Checker,
}

/// The time of now.
fn now() -> Time {
    #[allow(clippy::disallowed_methods, reason = "a hub's events have the time at which they happen")]
    let now = std::time::SystemTime::now();
    let micros = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Time::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

impl Methods {
    /// The methods of a hub. What a dead process left half done in its folder is put in order.
    pub fn new(hub: Hub) -> Result<Self, Fault> {
        let folder = hub.folder().unwrap_or(Path::new(NOWHERE));
        let files = Files::new(folder);
        if hub.folder().is_some() {
            let write = hub.write()?;
            files.recover(|note| took_place(&write, note))?;
        }
        Self::over(hub, files)
    }

    /// The methods of a hub in memory, whose files are those in `topdir/` of a folder.
    pub fn of_files(hub: Hub, folder: &Path) -> Result<Self, Fault> {
        Self::over(hub, Files::new(folder))
    }

    fn over(hub: Hub, files: Files) -> Result<Self, Fault> {
        let uploads = Uploads::new(files.topdir());
        let (kept, last) = hub.read()?.sessions()?;
        let sessions = Sessions::of(kept, last);
        Ok(Self { hub, files, uploads, sessions, passwords: Checker::default() })
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Removes what was uploaded and never imported. Only one who serves the hub alone may do that.
    pub fn clear_uploads(&self) -> io::Result<()> {
        self.files.clear_uploads()
    }

    /// Answers a call.
    ///
    /// # Errors
    /// It is none. Whatever else goes wrong is a fault within the answer.
    pub fn answer(&self, caller: &Caller, call: &[u8]) -> Result<Vec<u8>, XmlRpcError> {
        let call = read_call(call)?;
        Ok(self.perform(caller, call).unwrap_or_else(|fault| write_fault(&fault)))
    }

    fn perform(&self, caller: &Caller, call: xmlrpc::Call) -> Result<Vec<u8>, Fault> {
        let several = matches!(call.method.as_str(), "multiCall" | "system.multicall");
        let method = if several { None } else { Some(table::find(&call.method)?) };
        let turn = caller.ticket.as_ref().and_then(|ticket| self.sessions.turn(ticket));
        let _turn = turn.as_ref().map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        let login = self.admit(caller, &call.method)?;
        let mut lazy = Lazy::new(&self.hub, &self.files);
        let answer = match method {
            Some(method) => {
                let mut one = Call::new(self, caller, &login, lazy.source(), Output::Document);
                run(method, &mut one, call.arguments())?
            }
            None => self.several(caller, &login, &mut lazy, call.arguments())?,
        };
        let ticket = caller.ticket.as_ref().filter(|_| matches!(login, Some(Admitted::Login(_))));
        let time = now();
        if let (Some(Ticket { id, call: Some(call), .. }), Some(write)) = (ticket, lazy.written()) {
            write.keep_call(*id, *call, time)?;
        }
        if let (true, Some(ticket)) = (lazy.commit()?, ticket) {
            self.sessions.changed(ticket, time);
        }
        Ok(answer)
    }

    /// A multiCall.
    fn several<'m>(
        &'m self,
        caller: &Caller,
        login: &Option<Admitted>,
        lazy: &mut Lazy<'m>,
        arguments: Arguments,
    ) -> Result<Vec<u8>, Fault> {
        let mut arguments = binding::Bound::new(
            "ModXMLRPCRequestHandler.multiCall",
            "calls",
            arguments.positional,
            arguments.keywords,
        )?;
        let Value::Array(calls) = arguments.take("calls") else {
            return Err(internal("the calls of a multiCall are no array"));
        };
        if calls.len() > CALLS {
            return Err(generic(format!("a multiCall has at most {CALLS} calls")));
        }
        let calls: Vec<_> = calls.into_iter().map(single).collect();
        let writes = |call: &Result<xmlrpc::Call, Fault>| {
            call.as_ref()
                .ok()
                .and_then(|call| table::find(&call.method).ok())
                .is_some_and(|method| method.writes)
        };
        if calls.iter().any(writes) {
            lazy.write()?;
        }
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let answer = call.and_then(|call| {
                let method = table::find(&call.method)?;
                lazy.savepoint(|source| {
                    run(method, &mut Call::new(self, caller, login, source, Output::Value), call.arguments())
                })
            });
            answers.push(answer);
        }
        write_answers(&answers).map_err(internal)
    }

    /// Looks at the session of a call.
    fn admit(&self, caller: &Caller, method: &str) -> Result<Option<Admitted>, Fault> {
        let Some(ticket) = &caller.ticket else { return Ok(None) };
        let mut admitted = self.sessions.admit(ticket, caller.address, method, now())?;
        if let Admitted::Login(login) = &mut admitted {
            let user = self.hub.read()?.known_user(&login.user.into())?;
            if user.status != 0 {
                let text = format!("logins by {} are not allowed", user.name);
                return Err(Fault { code: login::sessions::AUTH_ERROR, text });
            }
            login.name = user.name;
        }
        Ok(Some(admitted))
    }

    /// Takes a piece of an upload; the answer, as XML-RPC.
    pub fn upload(&self, caller: &Caller, piece: Result<Piece, Fault>, body: &mut dyn io::Read) -> Vec<u8> {
        let received = self.admit(caller, "").and_then(|admitted| match admitted {
            Some(Admitted::Login(login)) => self.uploads.receive(login.user, &piece?, body),
            _ => Err(not_allowed("you must be logged-in to upload a file")),
        });
        let answer =
            received.and_then(|received| write_answer(&received).map_err(|error| internal(chain(&error))));
        answer.unwrap_or_else(|fault| write_fault(&fault))
    }
}

/// Binds the arguments of a call and runs it, where its caller may.
fn run(method: &Method, call: &mut Call<'_, '_>, arguments: Arguments) -> Outcome {
    call.bind(method, arguments)?;
    match method.needs {
        Needs::Nothing => {}
        Needs::Login => drop(call.user()?),
        Needs::Permission(permission) => call.require(permission)?,
    }
    (method.run)(call)
}

/// A call within a multiCall.
fn single(value: Value) -> Result<xmlrpc::Call, Fault> {
    let Value::Struct(mut members) = value else { return Err(internal("a call is no struct")) };
    match (members.remove("methodName"), members.remove("params")) {
        (Some(Value::Text(method)), Some(Value::Array(params))) => Ok(xmlrpc::Call { method, params }),
        (Some(Value::Text(_)), _) => Err(internal("'params'")),
        _ => Err(internal("'methodName'")),
    }
}

/// Whether what a journal notes is in the database.
fn took_place(view: &View, note: &Note) -> Result<bool, Fault> {
    match note {
        Note::Rpm { nvra, .. } => Ok(view.rpm(&RpmKey::from(nvra.as_str()), false)?.is_some()),
        Note::Signature { nvra, sigkey, .. } => {
            let Some(rpm) = view.rpm(&RpmKey::from(nvra.as_str()), false)? else { return Ok(false) };
            Ok(files::signing::has_signature(view, rpm.id, sigkey)?)
        }
        Note::Build { id, .. } => {
            let build = view.build(&(*id).into(), false)?;
            Ok(build.is_some_and(|build| build.row.state == super::BuildState::Deleted as i64))
        }
        Note::Arrival { id, volume, .. } => {
            let build = view.build(&(*id).into(), false)?;
            Ok(build.is_some_and(|build| build.row.volume_id == *volume))
        }
        Note::Departure { id, volume, .. } => {
            let build = view.build(&(*id).into(), false)?;
            Ok(build.is_some_and(|build| build.row.volume_id != *volume))
        }
    }
}
