//! `gander image pull`.

use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use super::named::{self, Access};
use crate::oci::{self, Reference};

/// Take an image from a registry into the store, by its digest.
#[allow(rustdoc::broken_intra_doc_links, reason = "in a help text, brackets hold what may be left out")]
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image: HOST[:PORT]/REPOSITORY@sha256:….
    #[arg(value_name = "REF")]
    reference: Reference,
    /// Accept a tag in place of a digest: look up what it names now.
    #[arg(long)]
    resolve_tag: bool,
    #[command(flatten)]
    access: Access,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let access = args.access.open(global)?;
    let reference = args.reference;
    let runtime = named::runtime()?;
    let name = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => *digest,
        (None, Some(tag)) if args.resolve_tag => {
            let digest = runtime.block_on(oci::resolve(&reference, tag, &access))?;
            global.say(format_args!("{reference} is now {digest}"));
            digest
        }
        (None, tag) => {
            let message = format!("'{reference}' names no image by its digest");
            let failure = Failure::new(Kind::Usage, message).hint(format!("expected {reference}@sha256:…"));
            return Err(match tag {
                Some(_) => failure.hint("--resolve-tag looks up what the tag names now"),
                None => failure,
            });
        }
    };
    let store = global.open_store()?;
    let say = |text: &str| global.say(text);
    let image = runtime.block_on(oci::pull(&store, &reference, &name, &access, &say))?;
    image.keep(&store)?;
    println!("{name}");
    Ok(ExitCode::SUCCESS)
}
