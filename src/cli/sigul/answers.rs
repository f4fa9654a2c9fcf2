//! What is shown and written of answers.

use std::fs::Permissions;
use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::super::output::{quoted, visible, write_bytes};
use super::super::{Failure, Kind};
use super::asking::Session;
use crate::sigul::client::Request;
use crate::sigul::wire::Fields;
use crate::sigul::wire::fields::is_printable;

/// Prints names, each a line. The payload has each with a NUL behind it.
pub fn names(fields: &Fields, count: &str, payload: &[u8]) -> Result<(), Failure> {
    let names: Vec<&[u8]> = payload.split_inclusive(|byte| *byte == 0).collect();
    let ended = names.iter().all(|name| name.ends_with(&[0]));
    if !ended || fields.u32(count).ok() != u32::try_from(names.len()).ok() {
        return Err(Failure::new(Kind::Input, "the answer is no list of as many names as it says"));
    }
    for name in names {
        let name = name.split_last().map(|(_, name)| name).unwrap_or_default();
        if !name.iter().all(|byte| is_printable(*byte)) {
            return Err(Failure::new(Kind::Input, "the answer has a name with characters that do not print"));
        }
        println!("{}", String::from_utf8_lossy(name));
    }
    Ok(())
}

/// Prints a truth value.
pub fn truth(fields: &Fields, name: &str, what: &str) -> Result<(), Failure> {
    let value = fields.optional_bool(name).ok().flatten();
    let value =
        value.ok_or_else(|| Failure::new(Kind::Input, format!("the answer lacks '{}'", visible(name))))?;
    println!("{what}: {}", if value { "yes" } else { "no" });
    Ok(())
}

/// A number.
pub fn number(fields: &Fields, name: &str) -> Result<u32, Failure> {
    fields.u32(name).map_err(|error| Failure::new(Kind::Input, format!("the answer cannot be read: {error}")))
}

/// Writes bytes to stdout, or to a file that appears whole.
pub fn output(bytes: &[u8], path: Option<&Path>) -> Result<(), Failure> {
    match path {
        None => {
            write_bytes(bytes);
            Ok(())
        }
        Some(path) => replace(path, |file| std::fs::write(file, bytes)),
    }
}

/// Asks, and writes the payload of the answer to stdout or to a file that appears whole.
pub fn payload(
    session: &Session<'_>,
    request: Request<'_>,
    limit: u64,
    path: Option<&Path>,
) -> Result<(), Failure> {
    let Some(path) = path else {
        let (_, bytes) = session.runtime.block_on(session.client.call(request, limit))?;
        return output(&bytes, None);
    };
    let made = beside(path)?;
    let asked = session.runtime.block_on(async {
        let mut file = tokio::fs::File::from_std(made.reopen().map_err(|error| failed(path, error))?);
        session.client.call_into(request, limit, &mut file).await?;
        tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(|error| failed(path, error))
    });
    asked?;
    keep(made, path)
}

/// Bytes that make no sense on a terminal are refused there.
pub fn refuse_terminal(output: Option<&Path>) -> Result<(), Failure> {
    if output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::new(Kind::Usage, "the answer would be written to a terminal")
            .hint("name a file with --output"));
    }
    Ok(())
}

/// Replaces a file by one that is written whole.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), Failure> {
    let made = beside(path)?;
    write(made.path()).map_err(|error| failed(path, error))?;
    keep(made, path)
}

/// Gives a file its place; it is copied only where that is on another file system.
pub fn adopt(file: &Path, path: &Path) -> Result<(), Failure> {
    let opened = std::fs::File::open(file).map_err(|error| failed(path, error))?;
    settle(&opened).map_err(|error| failed(path, error))?;
    match std::fs::rename(file, path) {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            replace(path, |made| std::fs::copy(file, made).map(drop))
        }
        renamed => renamed.map_err(|error| failed(path, error)),
    }
}

/// Has a file readable for all, and on the disk.
fn settle(file: &std::fs::File) -> std::io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

/// A file beside another one.
pub fn beside(path: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".gander-sigul").tempfile_in(folder);
    made.map_err(|error| failed(path, error))
}

/// Gives a file its name.
pub fn keep(made: tempfile::NamedTempFile, path: &Path) -> Result<(), Failure> {
    let done = settle(made.as_file());
    done.and_then(|()| made.persist(path).map(drop).map_err(|error| error.error))
        .map_err(|error| failed(path, error))
}

pub fn failed(path: &Path, error: std::io::Error) -> Failure {
    let what = format!("'{}' cannot be written", quoted(path));
    Failure::new(Kind::Surroundings, what).hint(error.to_string())
}
