//! `gander sigul migrate`.

use std::path::PathBuf;

use super::super::output::visible;
use super::super::{Failure, Global, Kind};
use crate::sign::key::read_small;
use crate::sign::vault::migrate::{MigrateError, Migration, Passphrases, Source};
use crate::sign::vault::{Options, Vault};

/// Take the users, keys and accesses of a sigul server over into a signer's store; while no signer has it open.
///
/// Everybody keeps their passwords and passphrases. Each key must be opened once: the file of passphrases has a line for
/// each, with the key's name, a user's name, and that user's passphrase for the key, with tabs between them. Everything is
/// taken over at one moment, or nothing. The program gpg reads the GnuPG home, in a copy below TMPDIR.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sigul server's database (often /var/lib/sigul/server.sqlite).
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
    /// Its GnuPG home (often /var/lib/sigul/gnupg).
    #[arg(long, value_name = "DIR")]
    gnupg_home: PathBuf,
    /// The passphrases, or a file descriptor such as /dev/fd/3.
    #[arg(long, value_name = "FILE")]
    passphrases: PathBuf,
    /// Leave a key out (can be repeated).
    #[arg(long, value_name = "KEY")]
    without: Vec<String>,
    /// The store; made if it is not there.
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Do all but write: open each key and say what would be taken over.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<(), Failure> {
    let passphrases = Passphrases::parse(&read_small(&args.passphrases)?)?;
    let source = Source {
        database: &args.database,
        home: &args.gnupg_home,
        passphrases: &passphrases,
        without: &args.without,
    };
    let migration = Migration::prepare(&source)?;
    // Before the store is touched: a second run leaves no trace.
    migration.check(&args.store)?;
    if !args.check {
        migration.apply(&Vault::open(&args.store, Options::default())?)?;
    }
    for line in migration.carried() {
        println!("{}", visible(&line));
    }
    for line in migration.left_out() {
        println!("not taken over: {}", visible(line));
    }
    global.say(if args.check { "nothing was written" } else { "all this is in the store now" });
    Ok(())
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        use MigrateError as E;
        let kind = match error {
            E::Vault(error) => return error.into(),
            E::Line(_) | E::NoKey(_) | E::NoPassphrase(_) | E::There(_) => Kind::Usage,
            E::Sigul { .. } | E::Access { .. } | E::Key { .. } | E::Name(_) | E::Damaged => Kind::Input,
            E::File { .. } | E::Home { .. } | E::Write(_) | E::Record(_) => Kind::Surroundings,
        };
        Self::from_error(kind, &error).hint_full_disk("the store's disk")
    }
}
