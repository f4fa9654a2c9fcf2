//! The machine: its command line, and how its boot ended.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::console::{Search, Visible};
use crate::base::{Digest, RelPath};
use crate::format::iso9660::{IsoError, IsoImage};
use crate::runner::{Command, Ended, Next, Root, RunError, Runner, Watched};

/// Where the machine's medium lies in the jail.
const MEDIUM: &str = "in/medium.iso";
/// How long the line may take to end on which the text stands.
const REST_OF_LINE: Duration = Duration::from_secs(1);

/// Why a medium was not booted.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The medium cannot be opened. Retrying cannot help.
    #[error("the image '{path}' cannot be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The medium is no image, or half of one. Retrying cannot help.
    #[error("the image '{path}' cannot be booted")]
    NoImage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: IsoError,
    },
    /// Nothing on it is for this firmware. Retrying cannot help.
    #[error("the image '{path}' cannot be booted by {firmware}: its boot catalog has {has}")]
    NotBootable {
        /// The file.
        path: PathBuf,
        /// The firmware that was asked for.
        firmware: &'static str,
        /// What can boot it.
        has: &'static str,
    },
    /// QEMU failed. A retry helps only if the surroundings change.
    #[error("the machine failed: QEMU {ended}{}{said}", if said.is_empty() { "" } else { ": " })]
    Machine {
        /// How QEMU ended.
        ended: Ended,
        /// What it said.
        said: String,
    },
    /// What the guest wrote cannot be passed on. A retry may help.
    #[error("what the machine writes to its serial console cannot be written to {to}")]
    Console {
        /// The file.
        to: String,
        /// Why.
        source: io::Error,
    },
    /// The jail failed. Whether a retry can help, it says itself.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What brings a machine up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF.
    Uefi,
}

impl Firmware {
    fn name(self) -> &'static str {
        match self {
            Self::Bios => "BIOS",
            Self::Uefi => "UEFI",
        }
    }
}

/// A machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// The ISO image that is its CD.
    pub medium: &'a Path,
    /// What boots it.
    pub firmware: Firmware,
    /// Its memory in MiB.
    pub memory: u32,
}

/// How a boot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The text appeared, after this time.
    Reached(Duration),
    /// It did not appear in time.
    TimedOut,
    /// The machine switched itself off, or wanted to start anew, before it appeared.
    Off(Duration),
}

impl Machine<'_> {
    /// Looks whether the medium can be booted at all, before anything is downloaded or waited for.
    pub fn check(&self) -> Result<(), BootError> {
        let path = || self.medium.to_owned();
        // To open a pipe would wait for whoever writes into it.
        let opened = std::fs::metadata(self.medium).and_then(|found| match found.is_file() {
            true => File::open(self.medium),
            false => Err(io::Error::other("it is no regular file")),
        });
        let image = opened.map_err(|source| BootError::Open { path: path(), source })?;
        let found = IsoImage::read(image).map_err(|source| BootError::NoImage { path: path(), source })?;
        let boots = match self.firmware {
            Firmware::Bios => found.bios,
            Firmware::Uefi => found.uefi,
        };
        if boots {
            return Ok(());
        }
        let has = match (found.bios, found.uefi) {
            (true, _) => "an entry for BIOS only",
            (_, true) => "an entry for UEFI only",
            _ => "no entry, or there is none",
        };
        Err(BootError::NotBootable { path: path(), firmware: self.firmware.name(), has })
    }

    /// QEMU's command line in the jail.
    fn command_line(&self) -> Vec<String> {
        let mut line: Vec<String> = [
            "/usr/bin/qemu-system-x86_64",
            "-no-user-config",
            "-nodefaults",
            "-accel",
            "tcg",
            "-machine",
            "pc",
            // Page tables of five levels and machines within the machine only take time.
            "-cpu",
            "max,la57=off,svm=off",
            "-smp",
            "1",
            "-display",
            "none",
            "-vga",
            "std",
            "-serial",
            "stdio",
            "-net",
            "none",
            "-no-reboot",
            "-m",
        ]
        .map(str::to_owned)
        .into();
        line.push(self.memory.to_string());
        let mut drive = |text: String| line.extend(["-drive".into(), text]);
        if self.firmware == Firmware::Uefi {
            let flash = |unit: u8, how: &str, file: &str| {
                format!("if=pflash,format=raw,unit={unit},{how},file=/usr/share/OVMF/{file}")
            };
            drive(flash(0, "readonly=on", "OVMF_CODE.fd"));
            drive(flash(1, "snapshot=on", "OVMF_VARS.fd"));
        }
        drive(format!("if=ide,index=2,media=cdrom,format=raw,readonly=on,file=/{MEDIUM}"));
        line
    }
}

/// What takes everything that a machine writes to its console: the bytes, and what of them people may see.
pub type Console<'a> = &'a mut dyn FnMut(&[u8], &str) -> Result<(), BootError>;

/// Boots a machine in the image of QEMU and waits until its console shows a text.
pub fn boot(
    runner: &Runner,
    emulator: Digest,
    machine: &Machine<'_>,
    until: &str,
    timeout: Duration,
    console: Console<'_>,
) -> Result<Verdict, BootError> {
    machine.check()?;
    let path = std::fs::canonicalize(machine.medium)
        .map_err(|source| BootError::Open { path: machine.medium.to_owned(), source })?;
    let binds = RelPath::new(MEDIUM).map(|target| vec![(path, target)]).unwrap_or_default();
    let argv = machine.command_line();
    let command = Command { root: Root::Image(emulator), binds, output: None, source_date: None, argv };
    let start = Instant::now();
    let (mut text, mut search) = (Visible::default(), Search::new(until));
    let (mut reached, mut failed) = (None, None);
    let mut watch = |bytes: &[u8]| {
        let shown = text.show(bytes);
        if let Err(error) = console(bytes, &shown) {
            failed = Some(error);
            return Next::Enough;
        }
        let rest = match reached {
            Some(_) => Some(shown.as_str()),
            None => search.found(&shown),
        };
        match rest {
            None => Next::Go,
            Some(rest) => {
                reached.get_or_insert_with(|| start.elapsed());
                // The line on which it stands may tell more.
                if rest.contains('\n') { Next::Enough } else { Next::Within(REST_OF_LINE) }
            }
        }
    };
    let watched = runner.watch(&command, timeout, &mut watch)?;
    if let Some(error) = failed {
        return Err(error);
    }
    match (reached, watched) {
        (Some(time), _) => Ok(Verdict::Reached(time)),
        (None, Watched::Enough | Watched::Deadline) => Ok(Verdict::TimedOut),
        (None, Watched::Ended(Ended::Exited(0), _)) => Ok(Verdict::Off(start.elapsed())),
        (None, Watched::Ended(ended, said)) => Err(BootError::Machine { ended, said }),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        for medium in [&pipe, folder.path(), &folder.path().join("none")] {
            let machine = Machine { medium, firmware: Firmware::Bios, memory: 64 };
            assert!(matches!(machine.check(), Err(BootError::Open { .. })), "{}", medium.display());
        }
    }
}
