//! Which packages modules let be seen, as libdnf (0.69) decides it.
//!
//! - Of each module at most one stream is active: the one that is asked for, otherwise the default one unless the module is
//!   left out. Of the stream, its latest build whose needs the other active streams meet, and all others of that one's
//!   context: earlier ones, too. A default stream whose needs
//!   are not met is not active; one that is asked for is a problem then, since nothing is made active that nobody named.
//! - The packages of active builds are seen, those of all others are not.
//! - Packages outside of modules are not seen where an active build has a package of their name, or one whose name they
//!   provide. Source packages are only hidden by source packages.
//!
//! Where one build of a stream is asked for (by version, perhaps by context), its other builds count as not active.
//!
//! What a module needs of `platform` is not looked at: repositories are of one platform. Modules are told apart by arch, so
//! that the repositories of several can be sources of one recipe; what is active for one arch hides names for all.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::similar;
use super::streams::Streams;
use crate::base::Nevra;
use crate::format::modulemd::{Content, Document, Modules, Stream};
use crate::recipe::ModuleChoice;

/// What everything runs on; a module that no repository has.
const PLATFORM: &str = "platform";

/// Which packages are seen.
#[derive(Clone, Debug, Default)]
pub struct Visible<'m> {
    /// The active streams as `MODULE:STREAM`, by arch.
    pub active: BTreeMap<&'m str, Vec<String>>,
    /// The documents of the builds that are active, and all else that is said of their modules.
    pub documents: Vec<&'m Document>,
    /// Default streams that are not active, since something that they need is not.
    pub unmet: BTreeSet<String>,
    shown: BTreeSet<&'m Nevra>,
    hidden: BTreeSet<&'m Nevra>,
    names: BTreeSet<&'m str>,
    sources: BTreeSet<&'m str>,
    /// Packages of streams that variants name.
    named: BTreeSet<&'m Nevra>,
}

/// Why modules cannot be as they are asked for. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ModularProblem {
    /// No source has the module.
    #[error("no source has the module '{module}'{}", .similar.as_ref().map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default())]
    Module {
        /// The module.
        module: String,
        /// One that may have been meant.
        similar: Option<String>,
    },
    /// It has no such stream.
    #[error("the module '{module}' has no stream '{stream}', only {}", .known.join(", "))]
    Stream {
        /// The module.
        module: String,
        /// The stream that was asked for.
        stream: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The stream has no such build.
    #[error("there is no build {wanted}, only {}", .known.join(", "))]
    Build {
        /// The build that was asked for.
        wanted: String,
        /// Those that the stream has.
        known: Vec<String>,
    },
    /// Two streams of one module are asked for.
    #[error(
        "two streams of the module '{module}' are asked for, {first} and {second}: only one can be active"
    )]
    Two {
        /// The module.
        module: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A stream needs others that are not active.
    #[error("{stream} ({arch}) needs {}: name them in 'modules', too", .needs.join(", or "))]
    Needs {
        /// The stream that was asked for.
        stream: String,
        /// The arch that it is for.
        arch: String,
        /// What its builds need, each as a whole.
        needs: Vec<String>,
    },
}

type Active<'m> = BTreeMap<(&'m str, &'m str), (&'m str, bool)>;

/// Decides which packages are seen of repositories that have these modules.
pub fn visible<'m>(
    modules: &[&'m Modules],
    choices: &'m [ModuleChoice],
) -> Result<Visible<'m>, BTreeSet<ModularProblem>> {
    let mut builds: Builds<'_> = BTreeMap::new();
    for (module, stream) in modules.iter().flat_map(|modules| modules.streams()) {
        builds.entry((&stream.arch, module)).or_default().push(stream);
    }
    let chosen = chosen(choices, &builds)?;
    for ((_, module), streams) in &mut builds {
        let of = |stream: &Stream| {
            let about = |choice: &&ModuleChoice| {
                choice.module == *module && choice.stream.as_deref() == Some(&stream.name)
            };
            choices.iter().filter(about).all(|choice| choice.admits(stream.version, &stream.context))
        };
        streams.retain(|stream| of(stream));
    }
    let defaults = modules.iter().flat_map(|modules| &modules.documents).filter_map(default);
    let mut active: Active<'_> = BTreeMap::new();
    for (module, stream) in defaults.filter(|(module, _)| !chosen.contains_key(module)) {
        let has = |streams: &[&Stream]| streams.iter().any(|known| known.name == stream);
        for (key, _) in builds.iter().filter(|(key, streams)| key.1 == module && has(streams)) {
            active.insert(*key, (stream, false));
        }
    }
    for (module, stream) in chosen.iter().filter_map(|(module, stream)| Some((*module, (*stream)?))) {
        for key in builds.keys().filter(|key| key.1 == module) {
            active.insert(*key, (stream, true));
        }
    }

    let mut seen = Visible::default();
    // Without one default stream another one's needs may not be met either.
    let picked = loop {
        let picks = active.iter().map(|(key, (stream, _))| (*key, pick(&builds, &active, *key, stream)));
        let picks: BTreeMap<_, _> = picks.collect();
        let before = active.len();
        active.retain(|key, (stream, asked)| {
            let met = picks.get(key).is_some_and(Option::is_some);
            if !met && !*asked {
                seen.unmet.insert(format!("{}:{stream}", key.1));
            }
            met || *asked
        });
        if active.len() == before {
            break picks;
        }
    };
    let mut problems = BTreeSet::new();
    let mut taken = Vec::new();
    for (key, build) in picked {
        let (arch, module) = key;
        let Some((stream, _)) = active.get(&key) else { continue };
        match build {
            Some(build) => {
                seen.active.entry(arch).or_default().push(format!("{module}:{stream}"));
                let all = of_stream(&builds, key, stream);
                let context = all.into_iter().filter(|other| other.context == build.context);
                taken.extend(context);
            }
            // Another arch may have the stream.
            None if !has_stream(&builds, key, stream) => {}
            None => {
                let needs = needs_of(&builds, key, stream);
                let (stream, arch) = (format!("{module}:{stream}"), arch.to_owned());
                problems.insert(ModularProblem::Needs { stream, arch, needs });
            }
        }
    }
    for artifact in taken.iter().flat_map(|build| &build.artifacts) {
        seen.shown.insert(artifact);
        let names = if artifact.is_source() { &mut seen.sources } else { &mut seen.names };
        names.insert(&artifact.name);
    }
    let spoken: BTreeSet<&str> = active.keys().map(|(_, module)| *module).collect();
    seen.documents = modules
        .iter()
        .flat_map(|modules| &modules.documents)
        .filter(|document| match &document.content {
            Content::Stream(stream) => taken.iter().any(|taken| std::ptr::eq(*taken, stream)),
            _ => spoken.contains(document.module.as_str()),
        })
        .collect();
    for (_, stream) in modules.iter().flat_map(|modules| modules.streams()) {
        seen.hidden.extend(stream.artifacts.iter().filter(|artifact| !seen.shown.contains(artifact)));
    }
    if problems.is_empty() { Ok(seen) } else { Err(problems) }
}

impl<'m> Visible<'m> {
    /// Shows the packages of streams that variants name, too, whether they are active or not, and several of one module.
    /// They hide nothing. What is returned says of all that is seen of modules who sees it.
    pub fn name(
        &mut self,
        modules: &[&'m Modules],
        choices: &[ModuleChoice],
    ) -> Result<Streams, BTreeSet<ModularProblem>> {
        let mut builds: Builds<'_> = BTreeMap::new();
        let mut streams = Streams::default();
        for (module, stream) in modules.iter().flat_map(|modules| modules.streams()) {
            builds.entry((&stream.arch, module)).or_default().push(stream);
            streams.add(module, stream, self.is_active(stream));
        }
        // Each for itself: unlike one that is active, several streams of a module are no contradiction.
        let problems =
            choices.iter().filter_map(|choice| chosen(std::slice::from_ref(choice), &builds).err());
        let problems: BTreeSet<_> = problems.flatten().collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let here: BTreeSet<*const Document> =
            self.documents.iter().map(|document| std::ptr::from_ref(*document)).collect();
        let mut spoken: BTreeSet<&str> =
            self.documents.iter().map(|document| document.module.as_str()).collect();
        spoken.extend(choices.iter().map(|choice| choice.module.as_str()));
        let means = |document: &Document, stream: &Stream| {
            choices.iter().any(|choice| streams.means(choice, &document.module, stream))
        };
        for document in modules.iter().flat_map(|modules| &modules.documents) {
            let is_new = !here.contains(&std::ptr::from_ref(document));
            match &document.content {
                Content::Stream(stream) if means(document, stream) => {
                    self.named.extend(&stream.artifacts);
                }
                Content::Stream(_) => continue,
                _ if !spoken.contains(document.module.as_str()) => continue,
                _ => {}
            }
            if is_new {
                self.documents.push(document);
            }
        }
        streams.keep(choices);
        Ok(streams)
    }

    /// Whether a build is active.
    fn is_active(&self, stream: &Stream) -> bool {
        self.documents.iter().any(
            |document| matches!(&document.content, Content::Stream(active) if std::ptr::eq(active, stream)),
        )
    }
}

impl Visible<'_> {
    /// Whether a package is seen, by its name and the names that it provides.
    pub fn shows(&self, nevra: &Nevra, provides: impl IntoIterator<Item = impl AsRef<str>>) -> bool {
        if self.is_modular(nevra) {
            return true;
        }
        if self.hidden.contains(nevra) {
            return false;
        }
        match nevra.is_source() {
            true => !self.sources.contains(nevra.name.as_str()),
            false => {
                !self.names.contains(nevra.name.as_str())
                    && (self.names.is_empty()
                        || !provides.into_iter().any(|name| self.names.contains(name.as_ref())))
            }
        }
    }

    /// Whether a package belongs to an active stream, or one that a variant names.
    pub fn is_modular(&self, nevra: &Nevra) -> bool {
        self.shown.contains(nevra) || self.named.contains(nevra)
    }
}

/// The module and its default stream, if that is what the document says.
fn default(document: &Document) -> Option<(&str, &str)> {
    match &document.content {
        Content::Defaults(Some(stream)) => Some((&document.module, stream)),
        _ => None,
    }
}

type Builds<'m> = BTreeMap<(&'m str, &'m str), Vec<&'m Stream>>;

/// The modules that are spoken of, each with the stream that is asked for; none where the module is left out.
fn chosen<'m>(
    choices: &'m [ModuleChoice],
    builds: &Builds<'m>,
) -> Result<BTreeMap<&'m str, Option<&'m str>>, BTreeSet<ModularProblem>> {
    let mut chosen: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut problems = BTreeSet::new();
    for choice in choices {
        let module = choice.module.as_str();
        let stream = choice.stream.as_deref();
        let all = builds.iter().filter(|((_, name), _)| *name == module).flat_map(|(_, streams)| streams);
        let known: BTreeSet<String> = all.map(|stream| stream.name.clone()).collect();
        let two =
            chosen.insert(module, stream).flatten().zip(stream).filter(|(first, second)| first != second);
        if let Some((first, second)) = two {
            let (module, first, second) = (module.into(), first.into(), second.into());
            problems.insert(ModularProblem::Two { module, first, second });
        } else if known.is_empty() {
            let similar = similar(module, builds.keys().map(|(_, module)| *module));
            problems.insert(ModularProblem::Module { module: module.into(), similar });
        } else if let Some(stream) = stream.filter(|stream| !known.contains(*stream)) {
            let (module, stream, known) = (module.into(), stream.into(), known.into_iter().collect());
            problems.insert(ModularProblem::Stream { module, stream, known });
        } else if let Some(stream) = stream {
            let all = builds.iter().filter(|((_, name), _)| *name == module).flat_map(|(_, builds)| builds);
            let all: Vec<_> = all.filter(|build| build.name == stream).collect();
            if !all.iter().any(|build| choice.admits(build.version, &build.context)) {
                let known =
                    all.iter().map(|build| format!("{module}:{stream}:{}:{}", build.version, build.context));
                let known: BTreeSet<String> = known.collect();
                let (wanted, known) = (choice.to_string(), known.into_iter().collect());
                problems.insert(ModularProblem::Build { wanted, known });
            }
        }
    }
    if problems.is_empty() { Ok(chosen) } else { Err(problems) }
}

fn of_stream<'m>(builds: &Builds<'m>, key: (&str, &str), stream: &str) -> Vec<&'m Stream> {
    let builds = builds.get(&key).into_iter().flatten().copied();
    builds.filter(|build| build.name == stream).collect()
}

fn has_stream(builds: &Builds<'_>, key: (&str, &str), stream: &str) -> bool {
    !of_stream(builds, key, stream).is_empty()
}

/// The latest build of a stream whose needs are met; of several, the one whose context sorts first.
fn pick<'m>(
    builds: &Builds<'m>,
    active: &Active<'m>,
    key: (&'m str, &'m str),
    stream: &str,
) -> Option<&'m Stream> {
    let met = of_stream(builds, key, stream).into_iter().filter(|build| is_met(build, active, key.0));
    met.max_by(|left, right| left.version.cmp(&right.version).then_with(|| right.context.cmp(&left.context)))
}

fn is_met(build: &Stream, active: &Active<'_>, arch: &str) -> bool {
    let met = |(module, streams): (&String, &Vec<String>)| {
        let active = active.get(&(arch, module)).map(|(stream, _)| *stream);
        module == PLATFORM || active.is_some_and(|active| accepts(streams, active))
    };
    build.needs.is_empty() || build.needs.iter().any(|alternative| alternative.iter().all(met))
}

/// Whether a stream is one of those that are named, or none of those that are named with a `-`.
fn accepts(streams: &[String], active: &str) -> bool {
    let negated = |stream: &String| stream.strip_prefix('-').is_some_and(|stream| stream == active);
    let positive = streams.iter().any(|stream| !stream.starts_with('-'));
    match positive {
        true => streams.iter().any(|stream| stream == active),
        false => !streams.iter().any(negated),
    }
}

/// What the builds of a stream need, for people.
fn needs_of(builds: &Builds<'_>, key: (&str, &str), stream: &str) -> Vec<String> {
    let streams = of_stream(builds, key, stream);
    let alternatives = streams.iter().flat_map(|build| &build.needs);
    let texts: BTreeSet<String> = alternatives
        .map(|alternative| {
            let modules = alternative.iter().filter(|(module, _)| *module != PLATFORM);
            let modules = modules.map(|(module, streams)| match streams.as_slice() {
                [] => module.clone(),
                streams => format!("{module}:{}", streams.join("/")),
            });
            modules.collect::<Vec<_>>().join(" and ")
        })
        .collect();
    texts.into_iter().collect()
}

/// What a repository says of the modules whose packages it has, and of builds that its variant names, from these documents
/// of streams that are seen; nothing where there are none.
pub fn carried(
    documents: &[Document],
    has: impl Fn(&Nevra) -> bool,
    named: impl Fn(&str, &Stream) -> bool,
) -> Option<String> {
    let here = |document: &&Document| match &document.content {
        Content::Stream(stream) => stream.artifacts.iter().any(&has) || named(&document.module, stream),
        _ => false,
    };
    let modules: BTreeSet<&str> = documents.iter().filter(here).map(|document| &*document.module).collect();
    let said = |document: &&Document| {
        here(document)
            || (!matches!(document.content, Content::Stream(_)) && modules.contains(&*document.module))
    };
    // Sorted, so that the order of sources does not matter; repositories of two arches may say the same.
    let mut texts: Vec<(&str, &str)> =
        documents.iter().filter(said).map(|document| (&*document.module, &*document.text)).collect();
    texts.sort_unstable();
    texts.dedup();
    let whole = |text: &str| {
        let begin = if text.starts_with("---") { "" } else { "---\n" };
        let end = if text.ends_with('\n') { "" } else { "\n" };
        format!("{begin}{text}{end}")
    };
    (!texts.is_empty()).then(|| texts.iter().map(|(_, text)| whole(text)).collect())
}

#[cfg(test)]
#[path = "modular_tests.rs"]
mod tests;
