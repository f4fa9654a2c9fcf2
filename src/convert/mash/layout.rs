//! Where mash puts trees: its paths as a `layout` of the recipe.

use super::super::draft::{Layout, Variant, string};
use super::super::note::{NoteKind, short};
use super::Work;
use crate::recipe::Recipe;

/// mash's defaults where the recipe's are the same.
const SOURCE: &str = "source/SRPMS";
const DEBUG: &str = "%(arch)s/debug";
const PATHS: [&str; 4] = ["rpm_path", "repodata_path", "source_path", "debuginfo_path"];

/// A path as a recipe has it.
fn path(text: &str) -> String {
    let text = text.replace("%(arch)s", "$arch").replace("%%", "%");
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}

impl Work<'_, '_> {
    /// The folders of a variant's trees, where mash is told them.
    pub(super) fn layout(&mut self, variant: &Variant) -> Option<Layout> {
        let of = |option: &str| self.value(option).map(str::to_owned);
        let [packages, repository, source, debug] = PATHS.map(of);
        let Some(packages) = packages else {
            for option in PATHS {
                if self.value(option).is_some() {
                    let text = "it means nothing without 'rpm_path': the trees lie as Pungi has them";
                    self.note(NoteKind::Lost, option, text);
                }
            }
            return None;
        };
        // mash takes the path as it is written: of one that ends in a slash the folder is that itself.
        let parent = packages.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
        let layout = Layout {
            packages: path(&packages),
            repository: path(&repository.unwrap_or(parent)),
            source: path(source.as_deref().unwrap_or(SOURCE)),
            debug: path(debug.as_deref().unwrap_or(DEBUG)),
        };
        match problem(&layout, variant) {
            None => Some(layout),
            Some(problem) => {
                let text = format!("the trees lie as Pungi has them, not in {}: {problem}", short(&packages));
                self.note(NoteKind::Lost, "rpm_path", text);
                None
            }
        }
    }
}

/// What a recipe with nothing but this layout has against it.
fn problem(layout: &Layout, variant: &Variant) -> Option<String> {
    let arches: Vec<_> = variant.arches.iter().map(|arch| string(arch)).collect();
    if arches.is_empty() {
        return None;
    }
    let recipe = format!(
        "release = {{ name = 'x', short = 'x', version = '1' }}\nsource = [{{ dir = 'x', on-unsigned = 'allow' }}]\n\
         [variant.X]\nmethod = 'mash'\narches = [{}]\ndebug = {}\nsources = {}\nlayout = {}\n",
        arches.join(", "),
        variant.flags.contains(&"debug"),
        !variant.no_sources,
        layout.written(),
    );
    let error = Recipe::parse(&recipe, "layout").err()?;
    error.problems().first().map(|problem| problem.message.clone())
}
