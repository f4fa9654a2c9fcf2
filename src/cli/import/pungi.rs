//! `gander import pungi`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use super::{Outcome, about, folder, name, read, read_input};
use crate::convert::{Companion, PungiInput, companion, from_pungi};
use crate::format::comps::Comps;
use crate::format::pungi_conf::{self, PungiConf, PungiConfError};
use crate::format::{variants_xml, xml};

/// Bytes of the largest file with JSON that an option names.
const LARGEST_JSON: usize = 16 << 20;

/// Write a recipe from a configuration of Pungi 4.
///
/// Files that it imports and names are read where they lie in its folder; variants, comps and lists that come from
/// elsewhere are given by options.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration: NAME.conf or NAME.json.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The variants XML (default: what 'variants_file' names).
    #[arg(long, value_name = "FILE")]
    variants: Option<PathBuf>,
    /// The comps file, which says what groups there are (default: what 'comps_file' names).
    #[arg(long, value_name = "FILE")]
    comps: Option<PathBuf>,
    /// The JSON of 'gather_prepopulate' (default: what it names).
    #[arg(long, value_name = "FILE")]
    prepopulate: Option<PathBuf>,
    /// The JSON of 'gather_source_mapping' (default: what it names).
    #[arg(long, value_name = "FILE")]
    source_mapping: Option<PathBuf>,
    #[command(flatten)]
    outcome: Outcome,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let folder = folder(&args.file);
    let bytes = read_input(&args.file, pungi_conf::LARGEST)?;
    let named = name(&args.file);
    let conf =
        PungiConf::parse(&named, &bytes, &mut |path| Ok(read(&path.below(folder), pungi_conf::LARGEST)?));
    let conf = conf.map_err(|error| {
        let kind = if matches!(error, PungiConfError::Import { .. }) { Kind::Input } else { Kind::Usage };
        let failure = about(kind, &args.file, error);
        if bytes.trim_ascii_start().starts_with(b"[") {
            failure.hint("of a composition in parts (pungi-orchestrate), import the file that each part names as 'config'")
        } else {
            failure
        }
    })?;
    let variants_path = variants(args, folder, &conf)?;
    let variants = variants_xml::parse(&read_input(&variants_path, variants_xml::LARGEST)?)
        .map_err(|error| about(Kind::Usage, &variants_path, error))?;
    let comps = match beside(&args.comps, folder, &conf, "comps_file") {
        Some(path) => {
            let parsed = Comps::parse(&read_input(&path, xml::LARGEST)?);
            Some(parsed.map_err(|error| about(Kind::Usage, &path, error))?)
        }
        None => None,
    };
    let text = |given: &Option<PathBuf>, option| -> Result<Option<String>, Failure> {
        let Some(path) = beside(given, folder, &conf, option) else { return Ok(None) };
        let bytes = read_input(&path, LARGEST_JSON)?;
        match String::from_utf8(bytes) {
            Ok(text) if text.len() <= LARGEST_JSON => Ok(Some(text)),
            Ok(_) => Err(about(Kind::Usage, &path, std::io::Error::other("it is larger than 16 MiB"))),
            Err(error) => Err(about(Kind::Usage, &path, error)),
        }
    };
    let conversion = from_pungi(&PungiInput {
        name: &named,
        conf: &conf,
        variants_name: &name(&variants_path),
        variants: &variants,
        comps: comps.as_ref(),
        prepopulate: text(&args.prepopulate, "gather_prepopulate")?.as_deref(),
        mapping: text(&args.source_mapping, "gather_source_mapping")?.as_deref(),
        keys: &args.outcome.keys,
    });
    let conversion = conversion.map_err(|error| about(Kind::Usage, &args.file, error))?;
    args.outcome.show(global, &conversion)
}

/// The path of a file: that of the command line, or what an option names in the folder and is there.
fn beside(given: &Option<PathBuf>, folder: &Path, conf: &PungiConf, option: &str) -> Option<PathBuf> {
    if given.is_some() {
        return given.clone();
    }
    match companion(conf.get(option)) {
        Companion::Beside(path) => Some(path.below(folder)).filter(|path| path.is_file()),
        Companion::None | Companion::Elsewhere { .. } => None,
    }
}

/// The path of the variants XML, without which there is no recipe.
fn variants(args: &Args, folder: &Path, conf: &PungiConf) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.variants {
        return Ok(path.clone());
    }
    let hint = "give the file with --variants FILE";
    match companion(conf.get("variants_file")) {
        Companion::Beside(path) => Ok(path.below(folder)),
        Companion::Elsewhere { whence, .. } => {
            let text =
                format!("the variants XML is not in the folder of '{}' but from {whence}", name(&args.file));
            Err(Failure::new(Kind::Input, text).hint(hint))
        }
        Companion::None => {
            let text = format!("'{}' names no 'variants_file'", name(&args.file));
            Err(Failure::new(Kind::Usage, text).hint(hint))
        }
    }
}
