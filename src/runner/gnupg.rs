//! A GnuPG home of somebody else's: read by gpg itself, in a copy, since gpg writes wherever it reads.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::probe;

/// The largest home that is copied, in bytes, and the most files.
const LARGEST_HOME: u64 = 1 << 30;
const MOST_FILES: usize = 100_000;
/// The largest key that is exported, in bytes, and the most that is kept of what gpg says.
const LARGEST_KEY: u64 = 4 << 20;
const LONGEST_WORDS: u64 = 64 << 10;

/// A copy of a home, for its owner only; gone, and its agent with it, when this is dropped.
#[derive(Debug)]
pub struct GnupgHome(TempDir);

impl GnupgHome {
    /// Copies keys and key rings; no settings, sockets, locks or trust. Settings that can name programs stay behind.
    pub fn copy_of(home: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("gnupg").tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        let mut left = (LARGEST_HOME, MOST_FILES);
        copy(home, folder.path(), &mut left, &|name| {
            ["pubring.kbx", "pubring.gpg", "secring.gpg", "private-keys-v1.d", "public-keys.d"]
                .iter()
                .any(|known| name == *known)
        })?;
        // Of the newest homes, whose public keys a daemon keeps.
        if folder.path().join("public-keys.d").exists() {
            fs::write(folder.path().join("common.conf"), "use-keyboxd\n")?;
        }
        Ok(Self(folder))
    }

    /// The secret key of a fingerprint, with its subkeys, binary, protected by the passphrase that opens it. The error
    /// has gpg's words.
    pub fn export(&self, fingerprint: &str, passphrase: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut command = self.program("gpg");
        command.args(["--batch", "--no-tty", "--no-auto-check-trustdb", "--pinentry-mode", "loopback"]);
        command.args(["--passphrase-fd", "0", "--export-secret-keys", "--", fingerprint]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut gpg = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("the program gpg cannot be started: {error}"))
        })?;
        let (stdin, stdout, stderr) = (gpg.stdin.take(), gpg.stdout.take(), gpg.stderr.take());
        let mut line = Zeroizing::new(Vec::with_capacity(passphrase.len() + 1));
        line.extend_from_slice(passphrase);
        line.push(b'\n');
        if let Some(mut stdin) = stdin {
            // Where gpg has ended without reading, it says why.
            drop(stdin.write_all(&line));
        }
        let words = thread::spawn(move || {
            let mut said = Vec::new();
            let read = stderr.map(|mut from| {
                (&mut from).take(LONGEST_WORDS).read_to_end(&mut said)?;
                io::copy(&mut from, &mut io::sink())
            });
            drop(read);
            said
        });
        let mut key = Zeroizing::new(Vec::new());
        if let Some(stdout) = stdout {
            stdout.take(LARGEST_KEY + 1).read_to_end(&mut key)?;
        }
        if key.len() as u64 > LARGEST_KEY {
            gpg.kill()?;
        }
        let status = gpg.wait()?;
        let said = words.join().unwrap_or_default();
        if status.success() && !key.is_empty() {
            return Ok(key);
        }
        let said: String = String::from_utf8_lossy(&said).trim().chars().take(1000).collect();
        Err(io::Error::other(format!("gpg did not export it: {}", said.escape_debug())))
    }

    fn program(&self, name: &str) -> Command {
        #[allow(clippy::disallowed_methods, reason = "only gpg reads its own homes of all ages")]
        let mut command = Command::new(probe::program(name).unwrap_or_else(|| name.into()));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .arg("--homedir")
            .arg(self.0.path());
        command
    }
}

impl Drop for GnupgHome {
    fn drop(&mut self) {
        let mut command = self.program("gpgconf");
        command.args(["--kill", "all"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // An agent ends by itself, too, when its home is gone.
        drop(command.status());
    }
}

fn copy(from: &Path, to: &Path, left: &mut (u64, usize), wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<()> {
    #[allow(clippy::disallowed_methods, reason = "their order does not count: each is copied under its name")]
    let entries = fs::read_dir(from)?;
    for entry in entries {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if !wanted(&name) {
            continue;
        }
        let target = to.join(&name);
        let large = || io::Error::other("the GnuPG home is larger than any of a signing service");
        if kind.is_dir() {
            fs::create_dir(&target)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o700))?;
            let plain = |name: &OsStr| !name.as_encoded_bytes().ends_with(b".lock");
            copy(&entry.path(), &target, left, &plain)?;
        } else if kind.is_file() {
            left.0 = left.0.checked_sub(entry.metadata()?.len()).ok_or_else(large)?;
            left.1 = left.1.checked_sub(1).ok_or_else(large)?;
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
