//! Profiles: how hubs are reached, from the files that Koji's own tools read (library 1.36.1, `koji.read_config`).
//!
//! `/etc/koji.conf.d/*.conf`, `/etc/koji.conf`, `~/.koji/config.d/*.conf` and `~/.koji/config`, in this order and each
//! folder sorted; later files win, option by option. A profile is a section; `[DEFAULT]` holds for each. The form is
//! that of Python's `configparser`: `name = value` or `name: value`, names in any case, lines that begin with white
//! space go on, `#` and `;` begin lines of comment, `%(name)s` stands for another option and `%%` for a `%`.
//! Options that are not listed in [`Profile`] are passed over; a section or option that is twice in one file is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a configuration file.
const LARGEST: u64 = 1 << 20;
/// Options that stand for others inside of each other (`configparser.MAX_INTERPOLATION_DEPTH`).
const DEEPEST: usize = 10;

/// How a hub is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The profile's name; empty where only an address was given.
    pub name: String,
    /// `server`: the address that calls are sent to.
    pub server: String,
    /// `topurl`: the address of the hub's files.
    pub topurl: Option<String>,
    /// `topdir`: where the hub's files are mounted.
    pub topdir: PathBuf,
    /// `authtype`: `noauth`, `ssl`, `password`, `kerberos` or `gssapi`; none: whatever there is.
    pub authtype: Option<String>,
    /// `cert`: file of the client certificate and its key, PEM. `~/.koji/client.crt` where that is there.
    pub cert: Option<PathBuf>,
    /// `serverca`: file of the certificates that servers' ones have to come from, PEM. `~/.koji/serverca.crt` where that
    /// is there, else those of the system.
    pub serverca: Option<PathBuf>,
    /// `no_ssl_verify`: any certificate of a server is accepted.
    pub no_ssl_verify: bool,
    /// `principal`, for logins by GSSAPI.
    pub principal: Option<String>,
    /// `keytab`, for logins by GSSAPI.
    pub keytab: Option<PathBuf>,
    /// When calls are tried again.
    pub retry: Retry,
    /// `timeout`: how long nothing may come from the hub.
    pub timeout: Duration,
    /// `auth_timeout`: the same for a login.
    pub auth_timeout: Duration,
}

/// When calls are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `max_retries`: how often, at most; the first time at once.
    pub most: u32,
    /// `retry_interval`: how long to wait before every other time.
    pub interval: Duration,
    /// `anon_retry`: calls without a login are tried again, too.
    pub anonymous: bool,
    /// `offline_retry`: a hub that says to be offline is asked again.
    pub offline: bool,
    /// `offline_retry_interval`: how long to wait for it.
    pub offline_interval: Duration,
}

impl Default for Retry {
    /// Koji's own.
    fn default() -> Self {
        let interval = Duration::from_secs(20);
        Self { most: 30, interval, anonymous: true, offline: false, offline_interval: interval }
    }
}

/// A profile cannot be had. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No file has it.
    #[error("there is no profile '{name}'; known are: {}", .known.join(", "))]
    Unknown {
        /// The profile.
        name: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not in its form.
    #[error("{}, line {line}: {reason}", .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// An option's value is none.
    #[error("the option '{option}' of the profile '{name}' is not {wanted}: '{value}'")]
    Value {
        /// The profile.
        name: String,
        /// The option.
        option: String,
        /// What it has to be.
        wanted: &'static str,
        /// What it is.
        value: String,
    },
}

impl Profile {
    /// The profile for an address, with Koji's defaults for everything else.
    pub fn at(server: &str) -> Self {
        Self {
            name: String::new(),
            server: server.into(),
            topurl: None,
            topdir: "/mnt/koji".into(),
            authtype: None,
            cert: None,
            serverca: None,
            no_ssl_verify: false,
            principal: None,
            keytab: None,
            retry: Retry::default(),
            timeout: Duration::from_secs(12 * 60 * 60),
            auth_timeout: Duration::from_secs(60),
        }
    }

    /// The profile that Koji's own tools take when none is named: that of `KOJI_PROFILE`, or `koji`.
    #[allow(
        clippy::disallowed_methods,
        reason = "which hub is asked is configuration; the lock says what it answered"
    )]
    pub fn usual_name() -> String {
        std::env::var("KOJI_PROFILE").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "koji".into())
    }

    /// Reads a profile from the files of this machine and user.
    #[allow(
        clippy::disallowed_methods,
        reason = "which hub is asked is configuration; the lock says what it answered"
    )]
    pub fn named(name: &str) -> Result<Self, ProfileError> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        Self::read(name, Path::new("/etc"), home.as_deref())
    }

    /// Reads a profile from the files below `/etc` and a home folder, wherever those are.
    pub fn read(name: &str, etc: &Path, home: Option<&Path>) -> Result<Self, ProfileError> {
        let mut sections = Sections::default();
        let mut files = folder(&etc.join("koji.conf.d"))?;
        files.push(etc.join("koji.conf"));
        if let Some(home) = home {
            files.extend(folder(&home.join(".koji/config.d"))?);
            files.push(home.join(".koji/config"));
        }
        for path in files {
            if let Some(text) = text(&path)? {
                sections.add(&text).map_err(|(line, reason)| ProfileError::Form { path, line, reason })?;
            }
        }
        let Some(own) = sections.of.get(name) else {
            return Err(ProfileError::Unknown {
                name: name.into(),
                known: sections.of.into_keys().collect(),
            });
        };
        let options = Options { name, own, defaults: &sections.defaults };
        let seconds = |option, default: Duration| {
            Ok::<_, ProfileError>(
                options.int(option)?.map_or(default, |seconds| Duration::from_secs(seconds.into())),
            )
        };
        let plain = Self::at("http://localhost/kojihub");
        let beside = |option: &str, usual: &str| {
            Ok::<_, ProfileError>(match options.get(option)? {
                Some(path) if path.is_empty() => None,
                Some(path) => Some(at_home(&path, home)),
                None => home.map(|home| home.join(usual)).filter(|path| path.exists()),
            })
        };
        let retry = Retry {
            most: options.int("max_retries")?.unwrap_or(plain.retry.most),
            interval: seconds("retry_interval", plain.retry.interval)?,
            anonymous: options.bool("anon_retry")?.unwrap_or(plain.retry.anonymous),
            offline: options.bool("offline_retry")?.unwrap_or(plain.retry.offline),
            offline_interval: seconds("offline_retry_interval", plain.retry.offline_interval)?,
        };
        Ok(Self {
            name: name.into(),
            server: options.get("server")?.unwrap_or(plain.server),
            topurl: options.get("topurl")?.filter(|url| !url.is_empty()),
            topdir: options.get("topdir")?.map_or(plain.topdir, |path| at_home(&path, home)),
            authtype: options.get("authtype")?.filter(|kind| !kind.is_empty()),
            cert: beside("cert", ".koji/client.crt")?,
            serverca: beside("serverca", ".koji/serverca.crt")?,
            // Koji keeps the text, and any text but the empty one is true to it.
            no_ssl_verify: options.get("no_ssl_verify")?.is_some_and(|value| !value.is_empty()),
            principal: options.get("principal")?,
            keytab: options.get("keytab")?.map(|path| at_home(&path, home)),
            retry,
            timeout: seconds("timeout", plain.timeout)?,
            auth_timeout: seconds("auth_timeout", plain.auth_timeout)?,
        })
    }
}

/// The configuration files of a folder, sorted.
#[allow(clippy::disallowed_methods, reason = "the entries are sorted")]
fn folder(path: &Path) -> Result<Vec<PathBuf>, ProfileError> {
    let unread = |source| ProfileError::Read { path: path.into(), source };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(unread)?.path();
        if file.extension().is_some_and(|extension| extension == "conf") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// A file's text; none where there is no file.
fn text(path: &Path) -> Result<Option<String>, ProfileError> {
    use std::io::Read as _;
    let unread = |source| ProfileError::Read { path: path.into(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(unread)?;
    Ok(Some(text))
}

/// A path, whose `~` is the home folder.
fn at_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.into(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => path.into(),
    }
}

type Values = BTreeMap<String, String>;

/// The sections of all files, as written.
#[derive(Default)]
struct Sections {
    of: BTreeMap<String, Values>,
    defaults: Values,
}

impl Sections {
    /// Adds a file. An error has its line and what is wrong.
    fn add(&mut self, text: &str) -> Result<(), (usize, String)> {
        let mut file = BTreeMap::<String, Values>::new();
        let mut section: Option<String> = None;
        let mut option: Option<(String, usize)> = None;
        for (number, line) in text.lines().enumerate() {
            let wrong = |reason: &str| (number + 1, reason.to_owned());
            let content = line.trim();
            let indent = line.chars().take_while(|one| one.is_whitespace()).count();
            if content.starts_with(['#', ';']) {
                continue;
            }
            if content.is_empty() {
                // An empty line may belong to a value of several lines; at its end it is none of it.
                if let (Some(section), Some((option, _))) = (&section, &option)
                    && let Some(value) = file.get_mut(section).and_then(|values| values.get_mut(option))
                {
                    value.push('\n');
                }
                continue;
            }
            if let (Some(section), Some((option, depth))) = (&section, &option)
                && indent > *depth
                && let Some(value) = file.get_mut(section).and_then(|values| values.get_mut(option))
            {
                value.push('\n');
                value.push_str(content);
                continue;
            }
            if let Some(name) =
                content.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).map(|(name, _)| name)
            {
                if name.is_empty() {
                    return Err(wrong("a section has no name"));
                }
                if file.insert(name.into(), Values::new()).is_some() {
                    return Err(wrong("the section is in this file twice"));
                }
                section = Some(name.into());
                option = None;
                continue;
            }
            let Some((name, value)) = content.split_once(['=', ':']) else {
                return Err(wrong("this is neither a section nor 'name = value'"));
            };
            let values = section.as_ref().and_then(|section| file.get_mut(section));
            let Some(values) = values else { return Err(wrong("an option stands before the first section")) };
            let name = name.trim().to_lowercase();
            if name.is_empty() {
                return Err(wrong("an option has no name"));
            }
            if values.insert(name.clone(), value.trim().into()).is_some() {
                return Err(wrong("the option is in this section twice"));
            }
            option = Some((name, indent));
        }
        for (section, values) in file {
            let values = values.into_iter().map(|(name, value)| (name, value.trim_end().to_owned()));
            if section == "DEFAULT" {
                self.defaults.extend(values);
            } else {
                self.of.entry(section).or_default().extend(values);
            }
        }
        Ok(())
    }
}

/// The options of one profile.
struct Options<'s> {
    name: &'s str,
    own: &'s Values,
    defaults: &'s Values,
}

impl Options<'_> {
    fn raw(&self, option: &str) -> Option<&str> {
        self.own.get(option).or_else(|| self.defaults.get(option)).map(String::as_str)
    }

    fn wrong(&self, option: &str, wanted: &'static str, value: &str) -> ProfileError {
        let (name, option) = (self.name.into(), option.into());
        ProfileError::Value { name, option, wanted, value: value.into() }
    }

    fn get(&self, option: &str) -> Result<Option<String>, ProfileError> {
        let Some(value) = self.raw(option) else { return Ok(None) };
        let mut out = String::new();
        match self.interpolate(value, 0, &mut out) {
            Some(()) => Ok(Some(out)),
            None => Err(self.wrong(option, "a text whose '%' are '%(option)s' or '%%'", value)),
        }
    }

    fn interpolate(&self, value: &str, depth: usize, out: &mut String) -> Option<()> {
        let mut rest = value;
        while let Some((plain, behind)) = rest.split_once('%') {
            out.push_str(plain);
            if let Some(behind) = behind.strip_prefix('%') {
                out.push('%');
                rest = behind;
                continue;
            }
            let (name, behind) = behind.strip_prefix('(')?.split_once(")s")?;
            if depth >= DEEPEST || out.len() > LARGEST as usize {
                return None;
            }
            self.interpolate(self.raw(&name.to_lowercase())?, depth + 1, out)?;
            rest = behind;
        }
        out.push_str(rest);
        Some(())
    }

    fn int(&self, option: &str) -> Result<Option<u32>, ProfileError> {
        let Some(value) = self.get(option)? else { return Ok(None) };
        value.trim().parse().map(Some).map_err(|_| self.wrong(option, "a whole number", &value))
    }

    fn bool(&self, option: &str) -> Result<Option<bool>, ProfileError> {
        let Some(value) = self.get(option)? else { return Ok(None) };
        match value.to_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => Ok(Some(true)),
            "0" | "no" | "false" | "off" => Ok(Some(false)),
            _ => Err(self.wrong(option, "yes or no", &value)),
        }
    }
}
