//! `gander image build`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::session::Ids;
use super::super::{Failure, Global};
use super::named;
use crate::base::Digest;
use crate::debian::{self, Mirrors};
use crate::fetch::Fetcher;
use crate::oci::{self, Image};
use crate::runner::RunOptions;
use crate::store::Store;

/// Build the image of a lock of Debian packages and print its digest.
///
/// Packages that the store does not have are downloaded, by digest. The same lock gives the same digest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The lock.
    lock: PathBuf,
    /// Also write the image as an OCI layout into this folder, which must not exist.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// What the layout calls the image (org.opencontainers.image.ref.name).
    #[arg(long, value_name = "NAME", requires = "output")]
    name: Option<String>,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let store = global.open_store()?;
    let image = image_of(global, &store, &args.lock)?;
    if let Some(output) = &args.output {
        oci::export(&store, &image, args.name.as_deref(), output)?;
        global.say(format_args!("wrote the layout {}", output.display()));
    }
    println!("{image}");
    Ok(ExitCode::SUCCESS)
}

/// The image of a lock of packages; built if the store does not have it, and kept either way.
pub fn image_of(global: &Global, store: &Store, lock: &Path) -> Result<Digest, Failure> {
    image_of_lock(global, store, &named::read_lock(lock)?)
}

/// The same for a lock that is not in a file.
pub fn image_of_lock(global: &Global, store: &Store, lock: &debian::Lock) -> Result<Digest, Failure> {
    let action = named::action(lock)?;
    let image = match named::built(store, &action)? {
        Some(image) => image,
        None => {
            let fetcher = Fetcher::new(store, global.offline)?;
            let missing = lock.packages.iter().filter(|package| !store.has(&package.digest)).count();
            if missing > 0 {
                let mirrors = if global.offline {
                    Mirrors::none()
                } else {
                    global.say(format_args!("downloading {missing} of {} packages", lock.packages.len()));
                    let suites = lock.packages.iter().map(|package| package.suite.as_str());
                    Mirrors::find(&global.debian_mirror, suites)?
                };
                named::runtime()?.block_on(debian::fetch_all(lock, &mirrors, &fetcher, &()))?;
            }
            global.say(format_args!("assembling the image of {} packages", lock.packages.len()));
            let runner = Ids::default().runner(global, store)?;
            let outcome = runner.run(&action, &RunOptions::default())?;
            oci::image_in(&outcome.output)?
        }
    };
    Image::load(store, &image)?.keep(store)?;
    Ok(image)
}
