//! Kickstart files: what an image or a compose is to contain, as pykickstart 3.78 reads them.
//!
//! ```text
//! COMMAND [ARGUMENT | --OPTION[=VALUE]]…     # one line; shell-like quotes; `#` begins a comment anywhere
//! %include FILE                              # the lines of another file, also within a section
//! %ksappend FILE                             # its text in place of this line, before anything is read
//! %packages [OPTION]…                        # PACKAGE, -PACKAGE, @GROUP [--nodefaults|--optional], -@GROUP, @^ENVIRONMENT
//! %end
//! %pre %pre-install %post %onerror %traceback [--interpreter=P] [--erroronfail] [--log=F] [--nochroot, %post]
//! %certificate --filename=F [--dir=D] [--type=T]
//! %addon %anaconda                           # kept as they are
//! %fulltree-excludes %multilib-blacklist %multilib-whitelist %prepopulate   # Pungi's lists of packages
//! ```
//! A section ends with a line `%end` in the file in which it began. What is known depends on the [`Dialect`].
//! Nothing here reads files: [`Kickstart::parse`] asks its caller for the text of an included one. All mistakes
//! are reported at once, each with its file and line. Where this differs from pykickstart, and why, stands in
//! `docs/kickstart.md`.

mod arguments;
mod commands;
mod packages;
mod purpose;
mod read;
mod rules;
mod syntax;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::sync::Arc;

pub use arguments::Arguments;
pub use commands::{Bootloader, Directive, Finish, Firewall, Network, Partition, Repo, Source, User};
pub use packages::{Group, Include, MOST_GROUPS, Packages, PackagesSection};
pub use purpose::{Purpose, Use};
pub use syntax::Dialect;

/// The longest file that is read.
pub const MOST_BYTES: usize = 1 << 20;
/// The longest line.
pub const LONGEST_LINE: usize = 64 << 10;
/// How deep files may include others.
pub const DEEPEST_INCLUDE: usize = 16;
/// How many files may be included in all, and how many bytes they may have together.
pub const MOST_INCLUDES: usize = 256;
/// See [`MOST_INCLUDES`].
pub const MOST_BYTES_IN_ALL: usize = 8 << 20;
/// After so many problems reading stops.
pub const MOST_PROBLEMS: usize = 100;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, by the name that the caller gave it.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A mistake, or what deserves a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, as a sentence without a final period.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The kickstart cannot be used. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum KickstartError {
    /// It has mistakes.
    #[error("the kickstart has mistakes:\n  {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Invalid(Vec<Problem>),
}

/// A file that a kickstart asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// What stands in the line: a path, absolute, relative to the working folder or to the asking file, or a URL.
    pub target: &'a str,
    /// The file that asks.
    pub from: &'a str,
    /// Whether by `%ksappend` rather than `%include`.
    pub append: bool,
}

/// A file that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// What it is called in messages, and when it asks for further files itself.
    pub name: String,
    /// What it holds.
    pub text: Vec<u8>,
}

/// Gives the files that a kickstart asks for, or says as a sentence why not.
pub type Includes<'a> = dyn FnMut(&Wanted) -> Result<Included, String> + 'a;

/// Refuses every include.
pub fn no_includes(wanted: &Wanted) -> Result<Included, String> {
    Err(format!("'{}' is not to be had: no other file may be included here", wanted.target))
}

/// A command with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name, as written.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub directive: Directive,
    /// Its words without the name.
    pub words: Vec<String>,
    /// The words taken apart; empty for deprecated commands and those that read their line themselves.
    pub arguments: Arguments,
}

/// When a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScriptKind {
    /// `%pre`: before anything.
    Pre,
    /// `%pre-install`: when the file systems are mounted.
    PreInstall,
    /// `%post`: when the packages are installed.
    Post,
    /// `%onerror`: when the installation fails.
    OnError,
    /// `%traceback`: when the installer breaks.
    Traceback,
}

impl ScriptKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pre, Self::PreInstall, Self::Post, Self::OnError, Self::Traceback];

    /// The name of its section.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Pre => "%pre",
            Self::PreInstall => "%pre-install",
            Self::Post => "%post",
            Self::OnError => "%onerror",
            Self::Traceback => "%traceback",
        }
    }
}

/// A script. A section with nothing but blanks is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// When it runs.
    pub kind: ScriptKind,
    /// Whether in the new system; only `%post` can.
    pub in_chroot: bool,
    /// What runs it.
    pub interpreter: String,
    /// Whether its failure is one of the whole.
    pub error_on_fail: bool,
    /// Where its output goes.
    pub log: Option<String>,
    /// The script, byte for byte.
    pub body: String,
    /// Where the section begins.
    pub place: Place,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.section())?;
        if self.interpreter != "/bin/sh" {
            write!(f, " --interpreter={}", quoted(&self.interpreter))?;
        }
        if self.kind == ScriptKind::Post && !self.in_chroot {
            f.write_str(" --nochroot")?;
        }
        if let Some(log) = &self.log {
            write!(f, " --logfile={}", quoted(log))?;
        }
        if self.error_on_fail {
            f.write_str(" --erroronfail")?;
        }
        let end = if self.body.ends_with('\n') { "" } else { "\n" };
        write!(f, "\n{}{end}%end\n", self.body)
    }
}

/// A certificate to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The name of its file.
    pub filename: String,
    /// The folder of it.
    pub dir: Option<String>,
    /// What it is for, such as `anchor`.
    pub kind: Option<String>,
    /// The certificate, without the last line end.
    pub body: String,
    /// Where the section begins.
    pub place: Place,
}

/// A section that is kept as it is: `%addon`, `%anaconda`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name with the percent sign.
    pub name: String,
    /// What stands behind the name.
    pub words: Vec<String>,
    /// Its lines.
    pub body: String,
    /// Where it begins.
    pub place: Place,
}

/// One of Pungi's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListKind {
    /// `%fulltree-excludes`: sources whose other packages are not added.
    FulltreeExcludes,
    /// `%multilib-blacklist`: never multilib.
    MultilibBlacklist,
    /// `%multilib-whitelist`: always multilib.
    MultilibWhitelist,
    /// `%prepopulate`: taken as selected from the beginning, `NAME.ARCH`.
    Prepopulate,
}

impl ListKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::FulltreeExcludes, Self::MultilibBlacklist, Self::MultilibWhitelist, Self::Prepopulate];

    /// The name of its section.
    pub const fn section(self) -> &'static str {
        match self {
            Self::FulltreeExcludes => "%fulltree-excludes",
            Self::MultilibBlacklist => "%multilib-blacklist",
            Self::MultilibWhitelist => "%multilib-whitelist",
            Self::Prepopulate => "%prepopulate",
        }
    }
}

/// A line of one of Pungi's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which list.
    pub kind: ListKind,
    /// What is listed.
    pub name: String,
    /// Where.
    pub place: Place,
}

/// A kickstart file with all that it includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kickstart {
    /// Whose commands it has.
    pub dialect: Dialect,
    /// The commands in order.
    pub commands: Vec<Command>,
    /// All `%packages` sections together.
    pub packages: Packages,
    /// The scripts in order.
    pub scripts: Vec<Script>,
    /// The certificates in order.
    pub certificates: Vec<Certificate>,
    /// The sections that are kept as they are.
    pub sections: Vec<Section>,
    /// Pungi's lists, in order.
    pub lists: Vec<Listed>,
    /// What is accepted but should be changed.
    pub warnings: Vec<Problem>,
    /// The files in the order of their reading, the first included: for whoever locks the inputs.
    pub files: Vec<Arc<str>>,
}

impl Kickstart {
    /// Reads a kickstart and what it includes. The name is the one for messages.
    pub fn parse(
        name: &str,
        text: &[u8],
        dialect: Dialect,
        includes: &mut Includes,
    ) -> Result<Self, KickstartError> {
        read::Reader::new(dialect, includes).read(name, text)
    }

    /// The commands of a name.
    pub fn commands(&self, name: &str) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(move |command| command.name == name)
    }

    /// The last command of any of these names: of those that say one thing, it is the one that counts.
    pub fn last(&self, names: &[&str]) -> Option<&Command> {
        self.commands.iter().rev().find(|command| names.contains(&command.name.as_str()))
    }

    /// The repositories in order.
    pub fn repositories(&self) -> impl Iterator<Item = (&Place, &Repo)> {
        self.commands.iter().filter_map(|command| match &command.directive {
            Directive::Repo(repo) => Some((&command.place, &**repo)),
            _ => None,
        })
    }

    /// The partitions in order.
    pub fn partitions(&self) -> impl Iterator<Item = (&Place, &Partition)> {
        self.commands.iter().filter_map(|command| match &command.directive {
            Directive::Partition(partition) => Some((&command.place, &**partition)),
            _ => None,
        })
    }

    /// The services to enable and to disable. A later command replaces only what it names.
    pub fn services(&self) -> (Vec<String>, Vec<String>) {
        let mut all = (Vec::new(), Vec::new());
        for command in &self.commands {
            if let Directive::Services { enabled, disabled } = &command.directive {
                all.0 = enabled.clone().unwrap_or(all.0);
                all.1 = disabled.clone().unwrap_or(all.1);
            }
        }
        all
    }

    /// The firewall, where a command mentions it. A later command replaces the lists that it names.
    pub fn firewall(&self) -> Option<Firewall> {
        self.commands.iter().fold(None, |earlier: Option<Firewall>, command| match &command.directive {
            Directive::Firewall(firewall) => {
                let earlier = earlier.unwrap_or_default();
                Some(Firewall {
                    ports: firewall.ports.clone().or(earlier.ports),
                    trusted: firewall.trusted.clone().or(earlier.trusted),
                    services: firewall.services.clone().or(earlier.services),
                    removed: firewall.removed.clone().or(earlier.removed),
                    ..firewall.clone()
                })
            }
            _ => earlier,
        })
    }

    /// The boot loader, where a command mentions it. A later command replaces only what it names.
    pub fn bootloader(&self) -> Option<Bootloader> {
        self.commands.iter().fold(None, |earlier: Option<Bootloader>, command| match &command.directive {
            Directive::Bootloader(now) => {
                let earlier = earlier.unwrap_or_default();
                let now = (**now).clone();
                let order = if now.drive_order.is_empty() { earlier.drive_order } else { now.drive_order };
                Some(Bootloader {
                    append: now.append.or(earlier.append),
                    timeout: now.timeout.or(earlier.timeout),
                    default: now.default.or(earlier.default),
                    drive_order: order,
                    ..now
                })
            }
            _ => earlier,
        })
    }
}

/// A word as a kickstart line may have it.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "-_./:=,+@%^".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
