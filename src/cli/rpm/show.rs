//! `gander rpm show`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::output::Format;
use super::super::{Failure, Kind};
use crate::rpm::Headers;

/// Show what a package file says about itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let shown = args.file.display();
    let file = File::open(&args.file)
        .map_err(|error| Failure::new(Kind::Input, format!("{shown} cannot be read: {error}")))?;
    let broken = |error| Failure::from_error(Kind::Input, &error);
    let headers = Headers::read(BufReader::new(file)).map_err(broken)?;
    let package = headers.package().map_err(broken)?;
    match args.format {
        Format::Text => println!("name      {}", package.nevra),
        Format::Json => println!("{:#}", serde_json::json!({ "nevra": package.nevra })),
    }
    Ok(ExitCode::SUCCESS)
}
