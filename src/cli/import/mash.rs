//! `gander import mash`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::{Failure, Global, Kind};
use super::{Outcome, about, folder, name, read, read_input};
use crate::base::{RelPath, fnmatch};
use crate::convert::{MashInput, from_mash};
use crate::format::mash_conf::{self, Section};

/// Files that one pattern may stand for.
const MOST_FILES: usize = 1_000;

/// Write a recipe from a configuration of mash.
///
/// Lists that it includes are read where they lie in its folder, as those below its 'configdir' do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration: NAME.mash.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The section to import, where there are several.
    #[arg(long, value_name = "NAME")]
    section: Option<String>,
    /// The file with the section 'defaults', mash.conf.
    #[arg(long, value_name = "FILE")]
    defaults: Option<PathBuf>,
    #[command(flatten)]
    outcome: Outcome,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let sections = sections(&args.file)?;
    let defaults = match &args.defaults {
        Some(path) => Some((name(path), self::sections(path)?)),
        None => None,
    };
    let configdir = sections
        .iter()
        .chain(defaults.iter().flat_map(|(_, sections)| sections))
        .find_map(|section| section.settings.get("configdir"))
        .map_or("/etc/mash", |setting| setting.value.trim_end_matches('/'))
        .to_owned();
    let named = name(&args.file);
    let folder = folder(&args.file);
    let input = MashInput {
        name: &named,
        section: args.section.as_deref(),
        sections: &sections,
        defaults: defaults.as_ref().map(|(name, sections)| (name.as_str(), sections.as_slice())),
        keys: &args.outcome.keys,
    };
    let conversion = from_mash(&input, &mut |pattern| words(folder, &configdir, pattern));
    args.outcome.show(global, &conversion.map_err(|error| about(Kind::Usage, &args.file, error))?)
}

fn sections(path: &Path) -> Result<Vec<Section>, Failure> {
    mash_conf::parse(&read_input(path, mash_conf::LARGEST)?).map_err(|error| about(Kind::Usage, path, error))
}

/// The words of all files of a pattern in the configuration's folder; none where there are none.
#[allow(clippy::disallowed_methods, reason = "the names are sorted")]
fn words(folder: &Path, configdir: &str, pattern: &str) -> Option<Vec<String>> {
    let below = pattern.strip_prefix(configdir).and_then(|rest| rest.strip_prefix('/')).unwrap_or(pattern);
    let below = RelPath::new(below).ok()?;
    let folder = below.parent().map_or_else(|| folder.to_path_buf(), |parent| parent.below(folder));
    let names = std::fs::read_dir(&folder).ok()?.take(100_000).filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        // As a shell does: what is hidden is named as such.
        let hidden = name.starts_with('.') && !below.file_name().starts_with('.');
        (!hidden && fnmatch::matches(below.file_name(), &name)).then_some(name)
    });
    let names: BTreeSet<String> = names.take(MOST_FILES).collect();
    let mut words = Vec::new();
    for name in &names {
        let bytes = read(&folder.join(name), mash_conf::LARGEST).ok()?;
        let text = String::from_utf8(bytes).ok().filter(|text| text.len() <= mash_conf::LARGEST)?;
        words.extend(mash_conf::words_of_file(&text).map(str::to_owned));
    }
    (!names.is_empty()).then_some(words)
}
