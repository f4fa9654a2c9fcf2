//! `gander hub replay`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::super::network::Network;
use super::super::{Failure, Global, Kind};
use super::listen::Listen;
use crate::compose::{kept_tag, lock_folder};
use crate::hub::Hub;
use crate::hub::methods::Methods;

/// Serve what a lock keeps of a tag: a hub that answers as the one did that the release was made from, at its event.
///
/// For koji, Pungi, mash and auditors, years later: everything that reads is answered, every change is refused. Files
/// below /kojifiles/ are those of the lock that the store or a bundle has. The address is the first line of stdout.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The lock, or the recipe that it belongs to.
    lock: PathBuf,
    /// The source whose tag is meant, where the lock has several.
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    #[command(flatten)]
    listen: Listen,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let lock = match args.lock.extension() {
        Some(extension) if extension == "toml" => lock_folder(&args.lock),
        _ => args.lock.clone(),
    };
    let store = global.open_store()?;
    let network = Network::new(global, &store)?;
    let kept = kept_tag(&store, &network, &lock, args.source.as_deref())?;
    // Objects of the store by the names that the hub has for them.
    let folder = store.scratch("replay")?;
    let topdir = folder.path().join("topdir");
    let methods = Arc::new(Methods::of_files(Hub::replay(&kept.snapshot)?, folder.path())?);
    for (path, digest) in &kept.files {
        let place = path.below(&topdir);
        let link = || {
            fs::create_dir_all(place.parent().unwrap_or(&topdir))?;
            fs::hard_link(store.object_path(digest), &place)
        };
        link().map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
    }
    if kept.absent > 0 {
        global.say(format_args!(
            "note: {} files of the lock are neither in the store nor in a bundle, and not served",
            kept.absent
        ));
    }
    let head = &kept.snapshot.head;
    let what = format!("what the lock keeps of {} at event {}", head.hub, head.event);
    args.listen.serve(global, methods, topdir.clone(), &what)?;
    Ok(ExitCode::SUCCESS)
}
