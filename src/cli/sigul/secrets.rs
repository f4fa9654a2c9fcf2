//! Where passphrases and passwords come from: files, one after the other from stdin, or the terminal.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::super::{Failure, Kind};
use crate::sign::key::read_passphrase;

/// The most bytes of a secret that a field holds.
const LONGEST: usize = 255;

/// Where secrets come from. A path such as `/dev/fd/3` is a file descriptor.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Secrets")]
pub struct Secrets {
    /// The key's passphrase: the first line of this file.
    #[arg(short = 'f', long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The administrator's password: the first line of this file.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The passphrase or password that is to be set: the first line of this file.
    #[arg(long, value_name = "FILE")]
    new_secret_file: Option<PathBuf>,
    /// Read secrets from stdin, each ended by a NUL, in the order in which they would be asked for.
    #[arg(long)]
    batch: bool,
}

/// A secret that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// An administrator's password.
    Password,
    /// A passphrase for a key.
    Passphrase,
    /// A passphrase or password that is to be set.
    New,
}

impl Secrets {
    /// Gets a secret. `configured` is where the configuration says that it lies.
    pub fn get(
        &self,
        which: Which,
        prompt: &str,
        configured: Option<&Path>,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let file = match which {
            Which::Password => self.password_file.as_deref(),
            Which::Passphrase => self.passphrase_file.as_deref().or(configured.filter(|_| !self.batch)),
            Which::New => self.new_secret_file.as_deref(),
        };
        let secret = match file {
            Some(file) => read_passphrase(file)?,
            None if self.batch => next_of_batch()?,
            None => {
                let secret = ask(prompt)?;
                if which == Which::New && *ask("The same again: ")? != *secret {
                    return Err(Failure::new(Kind::Usage, "the two are not the same"));
                }
                secret
            }
        };
        match secret.len() {
            0 => Err(Failure::new(Kind::Usage, "an empty passphrase or password protects nothing")),
            1..=LONGEST => Ok(secret),
            _ => Err(Failure::new(
                Kind::Usage,
                format!("a passphrase or password has at most {LONGEST} bytes"),
            )),
        }
    }
}

/// The next secret on stdin. Read byte by byte, so that nothing of what follows is taken.
fn next_of_batch() -> Result<Zeroizing<Vec<u8>>, Failure> {
    thread_local!(static REST: RefCell<Option<File>> = const { RefCell::new(None) });
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Usage, "no secret can be read from stdin").hint(error.to_string())
    };
    let mut secret = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    REST.with_borrow_mut(|stdin| {
        let stdin = match stdin {
            Some(stdin) => stdin,
            None => {
                let opened = rustix::io::dup(std::io::stdin()).map_err(|error| failed(error.into()))?;
                stdin.insert(File::from(opened))
            }
        };
        let mut byte = [0];
        while secret.len() <= LONGEST {
            stdin.read_exact(&mut byte).map_err(failed)?;
            match byte {
                [0] => return Ok(secret),
                [byte] => secret.push(byte),
            }
        }
        Ok(secret)
    })
}

/// Asks at the terminal, without showing what is typed.
fn ask(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let none = |error: std::io::Error| {
        let failure = Failure::new(Kind::Usage, "there is no terminal to ask for a passphrase or password");
        failure
            .hint(error.to_string())
            .hint("name a file with --passphrase-file, --password-file or --new-secret-file, or use --batch")
    };
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(none)?;
    terminal.write_all(prompt.as_bytes()).map_err(none)?;
    let before = tcgetattr(&terminal).map_err(|error| none(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(|error| none(error.into()))?;
    let restore = Restore { terminal: terminal.try_clone().map_err(none)?, before };
    let mut secret = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let mut byte = [0];
    while secret.len() <= LONGEST {
        match terminal.read(&mut byte).map_err(none)? {
            0 => break,
            _ if byte == *b"\n" => break,
            _ => secret.extend_from_slice(&byte),
        }
    }
    drop(restore);
    Ok(secret)
}

/// Gives a terminal back as it was.
struct Restore {
    terminal: File,
    before: Termios,
}

impl Drop for Restore {
    fn drop(&mut self) {
        // Nothing is left to be done where that fails.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
