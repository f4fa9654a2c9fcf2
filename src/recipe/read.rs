//! From TOML to a recipe: which keys there are, and what makes sense together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::RecipeError;
use super::gather::{Gathering, Method};
use super::multilib::PPC;
use super::repo::RepoSource;
use super::schema::*;
use super::sign::Signing;
use super::table::{Findings, Table, Text, either, suggest};
use crate::base::RelPath;
use crate::base::arch::TreeArch;
use crate::format::productmd::VariantType;
use crate::format::repodata::{Compression, Form};

/// A recipe is written by a person; more than this is a file of another kind.
const LIMIT: usize = 1 << 20;

const TOP: &[&str] = &["release", "builder", "source", "repodata", "variant", "media", "sign"];
const BUILDER: &[&str] = &["image"];
const SOURCE: &[&str] = &["build", "dir", "repo", "koji", "keys", "on-unsigned", "lookaside"];
const BUILD: &[&str] = &["specs", "sources", "debian", "targets"];
const REPODATA: &[&str] = &["compression", "database"];
const VARIANT: &[&str] = &[
    "type",
    "parent",
    "lookaside",
    "release",
    "arches",
    "comps",
    "groups",
    "environments",
    "packages",
    "modules",
    "exclude",
    "multilib",
    "sources",
    "debug",
    "hashed",
    "layout",
    "optional",
    "fulltree",
    "fulltree-excludes",
    "selfhosting",
    "greedy",
    "langpacks",
    "weak",
    "prepopulate",
    "require-members",
    "system-release",
    "method",
    "arch",
];

/// Every table of a recipe with its keys, for the test that the documentation names them all.
#[cfg(test)]
pub(super) const SCHEMA: &[(&str, &[&str])] = &[
    ("[release]", super::release::RELEASE),
    ("[builder]", BUILDER),
    ("[[source]]", SOURCE),
    ("build", BUILD),
    ("repo", super::repo::REPO),
    ("koji", super::koji::KOJI),
    ("hold` and `force", super::koji::PIN),
    ("[repodata]", REPODATA),
    ("[variant.ID]", VARIANT),
    ("[variant.ID.arch.ARCH]", super::gather::BY_ARCH),
    ("release` of `[variant.ID]", super::family::RELEASE),
    ("layout", super::layout::LAYOUT),
    ("multilib", super::multilib::MULTILIB),
    ("[[media]]", super::media::MEDIA),
    ("[sign]", super::sign::SIGN),
    ("also", super::sign::ALSO),
    ("sigul", super::sign::SIGUL),
    ("token", super::sign::TOKEN),
];

const ON_UNSIGNED: &[(&str, OnUnsigned)] =
    &[("sign", OnUnsigned::Sign), ("error", OnUnsigned::Error), ("allow", OnUnsigned::Allow)];
impl Recipe {
    /// Reads a recipe. The name is what messages call it, usually its path.
    pub fn parse(text: &str, name: &str) -> Result<Self, RecipeError> {
        let mut reader = Reader::default();
        if text.len() > LIMIT {
            reader.findings.add(0..0, "a recipe has at most 1 MiB");
            return Err(RecipeError::new(name, "", reader.findings.into_inner()));
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            reader.findings.add(error.span().unwrap_or(0..0), error.message());
        }
        let parts = if errors.is_empty() { reader.recipe(&table) } else { None };
        match parts {
            Some(parts) if reader.findings.is_empty() => Ok(Self {
                release: parts.release,
                builder: parts.builder,
                sources: parts.sources,
                repodata: parts.repodata,
                variants: parts.variants,
                media: parts.media,
                sign: parts.signing.key,
                also: parts.signing.also,
                sign_treeinfo: parts.signing.treeinfo,
                compromised: parts.signing.compromised,
                name: name.into(),
                text: text.into(),
                inputs: reader.inputs,
            }),
            _ => Err(RecipeError::new(name, text, reader.findings.into_inner())),
        }
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The paths that it names, in the order of the text; each relative to the recipe's folder.
    pub fn inputs(&self) -> &[InputPath] {
        &self.inputs
    }

    /// Reports every path it names that does not lead to what it must, as the caller finds out.
    pub fn check_inputs(&self, mut is_there: impl FnMut(&InputPath) -> bool) -> Result<(), RecipeError> {
        let mut findings = Findings::default();
        for input in &self.inputs {
            if !is_there(input) {
                findings.add_with_help(
                    input.span.clone(),
                    format!("'{}' is no {}", input.path, input.kind),
                    "looked for in the recipe's folder",
                );
            }
        }
        match findings.is_empty() {
            true => Ok(()),
            false => Err(RecipeError::new(&self.name, &self.text, findings.into_inner())),
        }
    }
}

struct Parts {
    release: Release,
    builder: Option<Builder>,
    sources: Vec<Source>,
    repodata: Form,
    variants: BTreeMap<String, Variant>,
    media: Vec<Medium>,
    signing: Signing,
}

#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) findings: Findings,
    inputs: Vec<InputPath>,
    /// Of the variant that is read.
    pub(super) dependent: Vec<super::lines::Dependent>,
}

impl Reader {
    fn recipe<'t>(&mut self, root: &'t Spanned<DeTable<'t>>) -> Option<Parts> {
        let start = 0..0;
        let top = Table::new("a recipe", start.clone(), root.get_ref(), TOP, &mut self.findings);
        let release = match top.get("release") {
            Some(value) => self.release(value),
            None => self.lack(start.clone(), "a recipe needs a [release] with 'name', 'short' and 'version'"),
        };
        let builder = top.get("builder").and_then(|value| self.builder(value));
        let signing = top.get("sign").map(|value| self.signing(value)).unwrap_or_default();
        let sources = match top.get("source") {
            Some(value) => self.sources(value, &top),
            None => self.lack(start.clone(), "a recipe needs at least one [[source]] of packages"),
        };
        let repodata = top.get("repodata").and_then(|value| self.repodata(value)).unwrap_or_default();
        let variants = match top.get("variant") {
            Some(value) => self.variants(value),
            None => self.lack(start, "a recipe needs at least one [variant.ID]"),
        };
        let media = match (top.get("media"), &variants) {
            (Some(value), Some(variants)) => self.media(value, variants),
            _ => Some(Vec::new()),
        };
        if let (Some(value), None) = (top.get("media"), top.get("builder")) {
            let message = "media are made here, but there is no [builder]";
            self.findings.add_with_help(value.span(), message, "add [builder] with an image");
        }
        self.check_compromised(&top, sources.as_deref().unwrap_or_default(), &signing);
        self.inputs.sort_by_key(|input| input.span.start);
        Some(Parts {
            release: release?,
            builder,
            sources: sources?,
            repodata,
            variants: variants?,
            media: media?,
            signing,
        })
    }

    pub(super) fn lack<T>(&mut self, span: Range<usize>, message: impl Into<String>) -> Option<T> {
        self.findings.add(span, message);
        None
    }

    fn builder<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Option<Builder> {
        let table = Table::of("[builder]", value, BUILDER, &mut self.findings)?;
        let image = table.required("image", &mut self.findings)?;
        let Some((repository, digest)) = image.text.split_once('@') else {
            if !image.text.ends_with(".lock") {
                let message =
                    format!("'{}' is neither the lock of an image nor an image by digest", image.text);
                let help = "a lock ends with .lock; an image of a registry is written NAME@sha256:…";
                self.findings.add_with_help(image.span, message, help);
                return None;
            }
            let path = self.input("builder.image", &image, InputKind::File)?;
            return Some(Builder { image: BuilderImage::Lock(path) });
        };
        let digest = Text { text: digest, span: image.span.clone() }.parse(&mut self.findings);
        let plain = repository.contains('/') && repository.split('/').all(|part| made_of(part, "-._:"));
        if !plain {
            let message = format!("'{repository}' is no repository of a registry");
            self.findings.add_with_help(image.span, message, "write registry.example.org/NAME@sha256:…");
            return None;
        }
        Some(Builder { image: BuilderImage::Registry { repository: repository.into(), digest: digest? } })
    }

    fn sources<'t>(&mut self, value: &'t Spanned<DeValue<'t>>, top: &Table<'t>) -> Option<Vec<Source>> {
        let Some(list) = value.get_ref().as_array() else {
            return self.lack(value.span(), "sources are written as [[source]], in double brackets");
        };
        if list.is_empty() {
            return self.lack(value.span(), "a recipe needs at least one [[source]] of packages");
        }
        // Each is read even where one before it has problems: all are to be shown.
        let sources: Vec<_> = list.iter().map(|item| self.source(item, top)).collect();
        let sources: Vec<Source> = sources.into_iter().collect::<Option<_>>()?;
        let mut ids = BTreeSet::new();
        for (source, item) in sources.iter().zip(list) {
            let (what, id) = match &source.origin {
                Origin::Repo(repo) => ("two repositories have", &repo.id),
                Origin::Koji(koji) => ("two sources have", &koji.id),
                Origin::Build(_) | Origin::Dir(_) => continue,
            };
            if !ids.insert(id) {
                let message = format!("{what} the id '{id}'");
                self.findings.add_with_help(item.span(), message, "give each an 'id' of its own");
            }
        }
        if sources.iter().all(|source| source.lookaside.is_on()) {
            return self.lack(value.span(), "every source is looked aside at: there is nothing to deliver");
        }
        Some(sources)
    }

    fn source<'t>(&mut self, value: &'t Spanned<DeValue<'t>>, top: &Table<'t>) -> Option<Source> {
        let table = Table::of("[[source]]", value, SOURCE, &mut self.findings)?;
        let lookaside = self.asked_lookaside(&table, top);
        let keys = table.texts("keys", &mut self.findings);
        let accepts_none = keys.is_empty();
        let keys: Vec<_> =
            keys.iter().filter_map(|key| key.parse::<Fingerprint>(&mut self.findings)).collect();
        let asked = table.text("on-unsigned", &mut self.findings);
        let asked_span = asked.as_ref().map_or(table.span.clone(), |text| text.span.clone());
        let asked = asked.and_then(|text| text.choose(ON_UNSIGNED, &mut self.findings));
        let places = ["build", "dir", "repo", "koji"].map(|key| table.get(key).map(|value| (key, value)));
        let origin = match places.into_iter().flatten().collect::<Vec<_>>().as_slice() {
            [("build", build)] => self.build(build, top, &table),
            [("dir", _)] => {
                let dir = table.text("dir", &mut self.findings)?;
                self.input("source.dir", &dir, InputKind::Folder).map(Origin::Dir)
            }
            [("repo", repo)] => self.repo(repo, !accepts_none, lookaside.is_on()),
            [(_, koji)] => self.koji(koji),
            [] => self.lack(table.span.clone(), "a [[source]] needs 'build', 'dir', 'repo' or 'koji'"),
            [.., (_, last)] => {
                self.lack(last.span(), "a [[source]] has only one of 'build', 'dir', 'repo' and 'koji'")
            }
        }?;
        if lookaside.is_on() {
            return self.lookaside(origin, keys, lookaside, &table);
        }
        if let (Origin::Build(_), Some(value)) = (&origin, table.get("keys")) {
            self.findings
                .add(value.span(), "'keys' has no meaning here: what is built here carries no signature yet");
        }
        let on_unsigned = asked.unwrap_or(match origin {
            Origin::Build(_) => OnUnsigned::Sign,
            Origin::Repo(RepoSource { gpgcheck: false, .. }) => OnUnsigned::Allow,
            Origin::Dir(_) | Origin::Repo(_) | Origin::Koji(_) => OnUnsigned::Error,
        });
        match on_unsigned {
            OnUnsigned::Sign | OnUnsigned::Allow
                if matches!(origin, Origin::Repo(RepoSource { gpgcheck: true, .. })) =>
            {
                self.findings.add_with_help(
                    asked_span,
                    "every package of this source must be signed by one of its keys, as 'gpgcheck' demands",
                    "set gpgcheck = false in 'repo', or leave out on-unsigned",
                );
            }
            OnUnsigned::Sign if top.get("sign").is_none() => self.findings.add_with_help(
                asked_span,
                "packages of this source are to be signed, but there is no [sign]",
                "add [sign], or on-unsigned = \"allow\"",
            ),
            OnUnsigned::Error if matches!(origin, Origin::Build(_)) => self.findings.add(
                asked_span,
                "what is built here carries no signature yet, so 'error' would refuse all of it",
            ),
            // What 'gpgcheck' demands was said there.
            OnUnsigned::Error if matches!(origin, Origin::Repo(RepoSource { gpgcheck: true, .. })) => {}
            OnUnsigned::Error if accepts_none => self.findings.add_with_help(
                asked_span,
                "no key is accepted from this source, so all of it would be refused",
                "list fingerprints in 'keys', or set on-unsigned",
            ),
            _ => {}
        }
        Some(Source { origin, keys, on_unsigned, lookaside })
    }

    fn build<'t>(
        &mut self,
        value: &'t Spanned<DeValue<'t>>,
        top: &Table<'t>,
        source: &Table<'t>,
    ) -> Option<Origin> {
        let table = Table::of("'build' of [[source]]", value, BUILD, &mut self.findings)?;
        let specs = table.required("specs", &mut self.findings);
        let specs = specs.and_then(|text| self.input("source.build.specs", &text, InputKind::Folder));
        let sources = table.text("sources", &mut self.findings);
        let sources = sources.and_then(|text| self.input("source.build.sources", &text, InputKind::Folder));
        let debian = table.text("debian", &mut self.findings);
        let debian = debian.and_then(|text| self.input("source.build.debian", &text, InputKind::File));
        let targets = table.required_texts("targets", "[\"x86_64\"]", &mut self.findings);
        let package_arches: Vec<_> = TreeArch::names()
            .filter_map(TreeArch::find)
            .flat_map(|arch| arch.native.iter().chain(arch.multilib).copied())
            .collect();
        for target in &targets {
            if !package_arches.contains(&target.text) {
                let help = suggest(target.text, package_arches.iter().copied()).map_or_else(
                    || format!("such as {}", either(["x86_64", "i686", "aarch64"])),
                    |near| format!("did you mean '{near}'?"),
                );
                self.findings.add_with_help(
                    target.span.clone(),
                    format!("'{}' is no arch that packages have", target.text),
                    help,
                );
            }
        }
        if top.get("builder").is_none() {
            self.findings.add_with_help(
                source.span.clone(),
                "packages of this source are built here, but there is no [builder]",
                "add [builder] with an image",
            );
        }
        let targets = targets.into_iter().map(|target| target.text.into()).collect();
        Some(Origin::Build(BuildSource { specs: specs?, sources, debian, targets }))
    }

    fn repodata<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Option<Form> {
        let table = Table::of("[repodata]", value, REPODATA, &mut self.findings)?;
        let names = Compression::ALL.map(|compression| (compression.name(), compression));
        let compression = table.text("compression", &mut self.findings);
        let compression = compression.and_then(|text| text.choose(&names, &mut self.findings));
        let database = table.flag("database", false, &mut self.findings);
        Some(Form { compression: compression.unwrap_or_default(), database })
    }

    pub(super) fn variant<'t>(
        &mut self,
        id: &str,
        value: &'t Spanned<DeValue<'t>>,
        others: &'t DeTable<'t>,
    ) -> Option<Variant> {
        let table = Table::of(format!("[variant.{id}]"), value, VARIANT, &mut self.findings)?;
        let family = self.family(id, &table);
        let has_comps = table.get("comps").is_some() || family.parent_has("comps", others);
        let arches = self.arches(&table);
        let comps = table.text("comps", &mut self.findings);
        let comps = comps.and_then(|text| self.input(&format!("variant.{id}.comps"), &text, InputKind::File));
        let groups = self.names(&table, "groups");
        let environments = self.names(&table, "environments");
        let lines = self.lines(&table);
        let mut exclude = self.patterns(&table, "exclude");
        exclude.extend(lines.exclude);
        let multilib = table.get("multilib").and_then(|value| self.multilib(id, value));
        if let Some(value) = table.get("multilib")
            && !arches.is_empty()
            && arches.iter().all(|arch| match &multilib {
                Some(multilib) => !multilib.has_secondary(arch),
                None => arch.multilib.is_empty(),
            })
        {
            let message = format!("'multilib' has no effect: no arch of [variant.{id}] has a secondary arch");
            self.findings.add(value.span(), message);
        }
        if let Some(value) = table.get("multilib")
            && multilib.as_ref().is_some_and(|multilib| multilib.prefer_ppc64)
            && !arches.iter().any(|arch| arch.name == PPC)
        {
            let message = format!("'prefer-ppc64' has no effect: [variant.{id}] has no tree of {PPC}");
            self.findings.add(value.span(), message);
        }
        let sources = table.flag("sources", true, &mut self.findings);
        let debug = table.flag("debug", false, &mut self.findings);
        let hashed = table.flag("hashed", true, &mut self.findings);
        let layout = self.layout(&table, &arches, family.kind);
        if let (Some(first), None) = (groups.iter().chain(&environments).next(), has_comps.then_some(())) {
            let message =
                format!("[variant.{id}] names '{}' but no 'comps' file to look it up in", first.text);
            self.findings.add(first.span.clone(), message);
        }
        let everything = table.get("method").is_some_and(|method| method.get_ref().as_str() == Some("mash"));
        if !everything
            && family.kind != VariantType::Optional
            && ["groups", "environments", "packages", "modules", "arch"]
                .iter()
                .all(|key| table.get(key).is_none())
        {
            let message = format!(
                "[variant.{id}] selects nothing: it needs 'groups', 'environments', 'packages' or 'modules'"
            );
            self.findings.add(table.span.clone(), message);
        }
        let plain = |texts: Vec<Text<'_>>| texts.into_iter().map(|text| text.text.into()).collect();
        let (groups, environments) = (plain(groups), plain(environments));
        let gather = Gathering::read(&table, (sources, has_comps, &family), &mut self.findings);
        let by_arch = table.get("arch").map(|value| self.by_arch(id, value, &arches)).unwrap_or_default();
        // The parent's environments are the variant's, too.
        let any_environment = table.get("environments").is_some() || family.kind != VariantType::Variant;
        let any_environment = self.dependent(id, has_comps, any_environment);
        if gather.method == Method::Nodeps {
            self.idle_of_nodeps(&table, any_environment);
        }
        Some(Variant {
            arches,
            comps,
            groups,
            environments,
            packages: lines.packages,
            modules: self.named_modules(&table),
            lines: lines.groups,
            exclude,
            multilib,
            sources,
            debug,
            hashed,
            layout,
            gather,
            by_arch,
            family,
        })
    }

    fn arches(&mut self, table: &Table<'_>) -> Vec<&'static TreeArch> {
        let names = table.required_texts("arches", "[\"x86_64\"]", &mut self.findings);
        let mut arches = Vec::new();
        for name in names {
            match TreeArch::find(name.text) {
                Some(arch) => arches.push(arch),
                None => {
                    let near = suggest(name.text, TreeArch::names());
                    let help = near.map_or_else(
                        || format!("known: {}", TreeArch::names().collect::<Vec<_>>().join(", ")),
                        |near| format!("did you mean '{near}'?"),
                    );
                    self.findings.add_with_help(
                        name.span,
                        format!("'{}' is no arch of a tree", name.text),
                        help,
                    );
                }
            }
        }
        arches
    }

    /// A path relative to the recipe's folder.
    fn input(&mut self, key: &str, text: &Text<'_>, kind: InputKind) -> Option<RelPath> {
        let path = text.parse::<RelPath>(&mut self.findings)?;
        self.inputs.push(InputPath { key: key.into(), path: path.clone(), kind, span: text.span.clone() });
        Some(path)
    }

    fn names<'t>(&mut self, table: &Table<'t>, key: &str) -> Vec<Text<'t>> {
        let mut names = table.texts(key, &mut self.findings);
        names.retain(|name| {
            let good = made_of(name.text, "-._+ ");
            if !good {
                self.findings.add(name.span.clone(), format!("'{}' cannot be a name in '{key}'", name.text));
            }
            good
        });
        names
    }

    pub(super) fn patterns(&mut self, table: &Table<'_>, key: &str) -> Vec<String> {
        let mut patterns = Vec::new();
        for text in table.texts(key, &mut self.findings) {
            if made_of(text.text, super::lines::PATTERN) {
                patterns.push(text.text.into());
            } else {
                let message = format!("'{}' is no package name, glob or name.arch", text.text);
                self.findings.add(text.span, message);
            }
        }
        patterns
    }
}

pub(super) fn owned(text: Option<Text<'_>>) -> Option<String> {
    text.map(|text| text.text.into())
}

pub(super) fn made_of(text: &str, extra: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || extra.contains(char))
}

pub(super) fn check(
    text: &Option<Text<'_>>,
    rule: &str,
    findings: &mut Findings,
    good: impl Fn(&str) -> bool,
) {
    if let Some(text) = text.as_ref().filter(|text| !good(text.text)) {
        findings.add(text.span.clone(), rule);
    }
}
