//! `gander image push`.

use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use super::named::{self, Access};
use crate::oci::{self, Reference};

/// Put an image into a registry and print where it is, by digest.
#[allow(rustdoc::broken_intra_doc_links, reason = "in a help text, brackets hold what may be left out")]
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image: its digest in the store, the lock it was built from, or the folder of a layout.
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Where to: HOST[:PORT]/REPOSITORY[:TAG]; without a tag it can be had by digest only.
    #[arg(value_name = "REF")]
    reference: Reference,
    #[command(flatten)]
    access: Access,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let access = args.access.open(global)?;
    let store = global.open_store()?;
    let image = named::resolve(&store, &args.image)?;
    if let Some(digest) = args.reference.digest.filter(|digest| *digest != image) {
        let message = format!("the image is {image}, but the place to push it to says {digest}");
        return Err(Failure::new(Kind::Usage, message).hint("leave the digest out"));
    }
    let say = |text: &str| global.say(text);
    named::runtime()?.block_on(oci::push(&store, &image, &args.reference, &access, &say))?;
    println!("{}/{}@{image}", args.reference.host(), args.reference.repository());
    Ok(ExitCode::SUCCESS)
}
