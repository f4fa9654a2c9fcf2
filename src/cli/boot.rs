//! `gander boot`.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::session::Ids;
use super::{Failure, Global, Kind, image};
use crate::boot::{self, BootError, Machine, Verdict};
use crate::debian;
use crate::format::iso9660::IsoError;

/// Boot an image in an emulated machine and wait until its serial console shows a text.
///
/// The machine has no network and no disk. What its console shows is written to stdout, without escape sequences
/// and control characters. Exits with 0 when the text appears and with 1 when it does not in time, or when the
/// machine ends without it. QEMU and its firmware are downloaded at the first time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ISO image.
    image: PathBuf,
    /// What boots it.
    #[arg(long, value_enum, default_value_t)]
    firmware: Firmware,
    /// The text to wait for.
    #[arg(long, value_name = "TEXT", default_value = boot::MARKER, value_parser = parse_text)]
    until: String,
    /// How many seconds it may take.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86400))]
    timeout: u32,
    /// Also write what the console shows, as it comes, to this file.
    #[arg(long, value_name = "FILE")]
    serial: Option<PathBuf>,
    /// The machine's memory in MiB.
    #[arg(long, value_name = "MB", default_value_t = 1536, value_parser = clap::value_parser!(u32).range(64..=65536))]
    memory: u32,
    #[command(flatten)]
    ids: Ids,
}

/// What boots an image.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Firmware {
    /// SeaBIOS.
    #[default]
    Bios,
    /// OVMF.
    Uefi,
}

fn parse_text(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected some text".into()),
        text if text.contains(|char: char| char.is_control() && char != '\t') => {
            Err("a console shows no control characters, so this would never be found".into())
        }
        text => Ok(text.into()),
    }
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let firmware = match args.firmware {
        Firmware::Bios => boot::Firmware::Bios,
        Firmware::Uefi => boot::Firmware::Uefi,
    };
    let machine = Machine { medium: &args.image, firmware, memory: args.memory };
    machine.check()?;
    let store = global.open_store()?;
    let lock = debian::Lock::parse(boot::LOCK).map_err(|error| {
        Failure::new(Kind::Bug, format!("the lock of QEMU's image is malformed: {error}"))
    })?;
    let emulator = image::image_of_lock(global, &store, &lock)?;
    let runner = args.ids.runner(global, &store)?;
    let mut file = match &args.serial {
        Some(path) => Some((path, File::create(path).map_err(|error| unwritten(path, error))?)),
        None => None,
    };
    let mut read = true;
    let mut console = |bytes: &[u8], shown: &str| {
        if let Some((path, file)) = &mut file {
            file.write_all(bytes).map_err(|error| unwritten(path, error))?;
        }
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(shown.as_bytes()).and_then(|()| stdout.flush()) {
            // Whoever read this went away; how the boot ends still matters.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => read = false,
            Err(source) if read => {
                return Err(BootError::Console { to: "the standard output".into(), source });
            }
            _ => {}
        }
        Ok(())
    };
    let timeout = Duration::from_secs(args.timeout.into());
    let verdict = boot::boot(&runner, emulator, &machine, &args.until, timeout, &mut console)?;
    let image = args.image.display();
    match verdict {
        Verdict::Reached(time) => {
            global.say(format_args!("'{}' appeared after {:.1} s", args.until, time.as_secs_f64()));
            Ok(ExitCode::SUCCESS)
        }
        Verdict::TimedOut => {
            let message = format!("{image} did not show '{}' within {} s", args.until, args.timeout);
            Err(Failure::new(Kind::Verdict, message).hint(
                "the system must write to its serial console (console=ttyS0); a slow machine needs a longer --timeout",
            ))
        }
        Verdict::Off(time) => {
            let time = time.as_secs_f64();
            let message = format!("{image} ended after {time:.1} s without showing '{}'", args.until);
            Err(Failure::new(Kind::Verdict, message)
                .hint("its last words are above; a kernel that panics may need more --memory"))
        }
    }
}

fn unwritten(path: &Path, source: std::io::Error) -> BootError {
    BootError::Console { to: format!("'{}'", path.display()), source }
}

impl From<BootError> for Failure {
    fn from(error: BootError) -> Self {
        let error = match error {
            BootError::Run(error) => return error.into(),
            error => error,
        };
        let kind = match &error {
            BootError::Run(_) => Kind::Bug,
            BootError::Open { .. } | BootError::NoImage { .. } | BootError::NotBootable { .. } => Kind::Input,
            BootError::Machine { .. } | BootError::Console { .. } => Kind::Surroundings,
        };
        let failure = Self::from_error(kind, &error);
        match &error {
            BootError::NoImage { source: IsoError::CutOff { .. }, .. } => {
                failure.hint("get or make it again")
            }
            BootError::NotBootable { has, .. } if has.contains("UEFI") => {
                failure.hint("boot it with --firmware uefi")
            }
            BootError::NotBootable { has, .. } if has.contains("BIOS") => {
                failure.hint("boot it with --firmware bios")
            }
            BootError::Machine { said, .. } if said.contains("Permission denied") => {
                failure.hint("QEMU runs as another user than root: let everybody read the image")
            }
            BootError::Machine { said, .. } if said.contains("Cannot allocate memory") => {
                failure.hint("give the machine less --memory")
            }
            _ => failure,
        }
    }
}
