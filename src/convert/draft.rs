//! A recipe that is being put together, and its text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::keys::Keys;
use crate::base::RelPath;
use crate::recipe::Lookaside;

/// How wide a line of the recipe may become before a list gets a line for each element.
const WIDTH: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) head: Vec<String>,
    pub(super) name: String,
    pub(super) short: String,
    pub(super) version: String,
    pub(super) compression: Option<&'static str>,
    pub(super) database: bool,
    pub(super) sources: Vec<Source>,
    pub(super) variants: Vec<Variant>,
}

/// A `[[source]]`.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) comment: String,
    pub(super) origin: Origin,
    /// The trees that look aside at it, each with its arch.
    pub(super) lookaside: Lookaside,
}

#[derive(Debug)]
pub(super) enum Origin {
    /// Keys of `koji`, written, in their order.
    Koji(Vec<(&'static str, String)>, std::sync::Arc<Keys>),
    Repo {
        id: String,
        baseurl: String,
    },
    Dir(RelPath),
}

/// A `[variant.ID]`, with what it says beyond the defaults.
#[derive(Debug, Default)]
pub(super) struct Variant {
    pub(super) id: String,
    /// Whether it is only there as a comment, since it selects nothing yet.
    pub(super) disabled: bool,
    pub(super) comment: String,
    /// Type and parent, unless it stands alone.
    pub(super) inner: Option<(&'static str, String)>,
    /// What a layered product releases.
    pub(super) release: Option<Release>,
    /// Variants whose packages it only looks aside at.
    pub(super) lookaside: Vec<String>,
    pub(super) arches: Vec<String>,
    pub(super) comps: Option<RelPath>,
    pub(super) groups: Vec<String>,
    pub(super) environments: Vec<String>,
    /// Streams of modules.
    pub(super) modules: Vec<String>,
    pub(super) common: Lists,
    /// What is added for single arches.
    pub(super) by_arch: BTreeMap<String, Lists>,
    pub(super) method: &'static str,
    /// Keys that are true.
    pub(super) flags: Vec<&'static str>,
    pub(super) greedy: Option<String>,
    pub(super) multilib: Option<Multilib>,
    /// What single arches have in place of that.
    pub(super) multilib_by_arch: BTreeMap<String, Multilib>,
    pub(super) no_sources: bool,
    /// Where its trees lie, if not as Pungi has it.
    pub(super) layout: Option<Layout>,
    /// Whether packages lie in no folders by their first letter.
    pub(super) flat: bool,
}

/// A name, a short name and a version.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) name: String,
    pub(super) short: String,
    pub(super) version: String,
}

/// Lists that can differ by arch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) packages: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) prepopulate: Vec<String>,
}

impl Lists {
    fn named(&self) -> [(&'static str, &[String]); 3] {
        [("packages", &self.packages), ("exclude", &self.exclude), ("prepopulate", &self.prepopulate)]
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Multilib {
    pub(super) profile: &'static str,
    pub(super) methods: Vec<String>,
    pub(super) whitelist: Vec<String>,
    pub(super) blacklist: Vec<String>,
    /// What the method `file` takes.
    pub(super) patterns: Vec<String>,
    pub(super) prefer_ppc64: bool,
}

impl Multilib {
    fn write(&self, text: &mut Text) {
        text.pair("profile", &string(self.profile));
        if self.profile != "none" {
            text.list("methods", &self.methods);
        }
        text.list_if_any("whitelist", &self.whitelist);
        text.list_if_any("blacklist", &self.blacklist);
        text.list_if_any("patterns", &self.patterns);
        if self.prefer_ppc64 {
            text.pair("prefer-ppc64", "true");
        }
    }
}

/// A TOML string.
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                // Writing into memory cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

/// A TOML list of strings in one line.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| string(text)).collect::<Vec<_>>().join(", "))
}

/// Adds what is not there yet.
pub(super) fn add_new(list: &mut Vec<String>, new: impl IntoIterator<Item = String>) {
    let mut known: std::collections::BTreeSet<String> = list.iter().cloned().collect();
    for text in new {
        if known.insert(text.clone()) {
            list.push(text);
        }
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn comment(&mut self, text: &str) {
        for line in text.lines() {
            let line: String = line.chars().filter(|char| !char.is_control()).collect();
            self.line(format!("# {line}").trim_end());
        }
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn pair(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {value}"));
    }

    fn list(&mut self, key: &str, texts: &[String]) {
        let line = format!("{key} = {}", list(texts));
        if line.chars().count() <= WIDTH {
            return self.line(&line);
        }
        self.line(&format!("{key} = ["));
        texts.iter().for_each(|text| self.line(&format!("    {},", string(text))));
        self.line("]");
    }

    fn list_if_any(&mut self, key: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.list(key, texts);
        }
    }
}

impl Draft {
    /// The text of the recipe.
    pub(super) fn write(&self) -> String {
        let mut text = Text::default();
        self.head.iter().for_each(|line| text.comment(line));
        text.line("\n[release]");
        text.pair("name", &string(&self.name));
        text.pair("short", &string(&self.short));
        text.pair("version", &string(&self.version));
        if self.compression.is_some() || self.database {
            text.line("\n[repodata]");
            if let Some(compression) = self.compression {
                text.pair("compression", &string(compression));
            }
            if self.database {
                text.pair("database", "true");
            }
        }
        for source in &self.sources {
            source.write(&mut text, &self.variants);
        }
        for variant in &self.variants {
            let mut own = Text::default();
            variant.write(&mut own);
            if variant.disabled {
                text.line("");
                text.comment(own.0.trim_start());
            } else {
                text.0.push_str(&own.0);
            }
        }
        text.0
    }
}

impl Source {
    fn write(&self, text: &mut Text, variants: &[Variant]) {
        let trees = self.lookaside_of(variants);
        text.line("");
        if self.lookaside.is_on() && trees.is_empty() {
            let place = match &self.origin {
                Origin::Repo { baseurl, .. } => baseurl,
                Origin::Dir(path) => path.as_str(),
                Origin::Koji(..) => "a tag",
            };
            text.comment(&format!("Only variants that are comments below look aside at {place}."));
            return;
        }
        text.comment(&self.comment);
        text.line("[[source]]");
        match &self.origin {
            Origin::Koji(pairs, keys) => {
                let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                text.pair("koji", &format!("{{ {} }}", pairs.join(", ")));
                let known: Vec<_> = keys.known.iter().map(ToString::to_string).collect();
                text.list_if_any("keys", &known);
                if !keys.missing.is_empty() {
                    let ends: Vec<_> = keys.missing.iter().map(|id| format!("…{id}")).collect();
                    text.line(&format!(
                        "# keys = {}   # the whole fingerprints that end like this",
                        list(&ends)
                    ));
                }
                if keys.unsigned {
                    text.pair("on-unsigned", &string("allow"));
                }
            }
            Origin::Repo { id, baseurl } => {
                let check = if self.lookaside.is_on() { "" } else { ", gpgcheck = false" };
                text.pair(
                    "repo",
                    &format!("{{ id = {}, baseurl = {}{check} }}", string(id), string(baseurl)),
                );
            }
            Origin::Dir(path) => {
                text.pair("dir", &string(path.as_str()));
                if !self.lookaside.is_on() {
                    text.pair("on-unsigned", &string("allow"));
                }
            }
        }
        let all = variants.iter().filter(|variant| !variant.disabled).map(|variant| &variant.id);
        if self.lookaside.is_on() && all.eq(&trees) {
            text.pair("lookaside", "true");
        } else {
            text.list_if_any("lookaside", &trees);
        }
    }

    /// Whether it is delivered or looked aside at as another one.
    pub(super) fn is_like(&self, lookaside: &Lookaside) -> bool {
        self.lookaside.is_on() == lookaside.is_on()
    }

    /// More trees look aside at it.
    pub(super) fn seen_by(&mut self, more: Lookaside) {
        if let (Lookaside::Trees(trees), Lookaside::Trees(more)) = (&mut self.lookaside, more) {
            for tree in more {
                if !trees.contains(&tree) {
                    trees.push(tree);
                }
            }
        }
    }

    /// Variants that look aside at it, and trees of those that do not as a whole.
    fn lookaside_of(&self, variants: &[Variant]) -> Vec<String> {
        let mut named = Vec::new();
        let all = variants.iter().filter(|variant| !variant.disabled && self.lookaside.is_on());
        for variant in all {
            let is_for = |arch: &&String| self.lookaside.is_for(&variant.id, arch);
            let arches: Vec<_> = variant.arches.iter().filter(is_for).collect();
            if arches.len() == variant.arches.len() {
                named.push(variant.id.clone());
                continue;
            }
            named.extend(arches.iter().map(|arch| format!("{}/{arch}", variant.id)));
        }
        named
    }
}

/// Folders of a variant's trees.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) packages: String,
    pub(super) repository: String,
    pub(super) source: String,
    pub(super) debug: String,
}

impl Layout {
    /// As a recipe has it.
    pub(super) fn written(&self) -> String {
        let [packages, repository, source, debug] =
            [&self.packages, &self.repository, &self.source, &self.debug].map(|text| string(text));
        format!("{{ packages = {packages}, repository = {repository}, source = {source}, debug = {debug} }}")
    }
}

impl Variant {
    fn write(&self, text: &mut Text) {
        text.line("");
        text.comment(&self.comment);
        text.line(&format!("[variant.{}]", self.id));
        if let Some((kind, parent)) = &self.inner {
            text.pair("type", &string(kind));
            text.pair("parent", &string(parent));
        }
        if let Some(Release { name, short, version }) = &self.release {
            let [name, short, version] = [name, short, version].map(|text| string(text));
            text.pair("release", &format!("{{ name = {name}, short = {short}, version = {version} }}"));
        }
        text.list("arches", &self.arches);
        text.list_if_any("lookaside", &self.lookaside);
        // What is in another variant has its comps file.
        if let Some(comps) = self.comps.as_ref().filter(|_| self.inner.is_none()) {
            text.pair("comps", &string(comps.as_str()));
        }
        text.list_if_any("groups", &self.groups);
        text.list_if_any("environments", &self.environments);
        text.list_if_any("modules", &self.modules);
        for (key, texts) in self.common.named() {
            text.list_if_any(key, texts);
        }
        if self.method != "deps" {
            text.pair("method", &string(self.method));
        }
        for flag in &self.flags {
            text.pair(flag, "true");
        }
        if let Some(greedy) = &self.greedy {
            text.pair("greedy", &string(greedy));
        }
        if self.no_sources {
            text.pair("sources", "false");
        }
        if self.flat {
            text.pair("hashed", "false");
        }
        if let Some(layout) = &self.layout {
            text.pair("layout", &layout.written());
        }
        if let Some(multilib) = &self.multilib {
            text.line(&format!("[variant.{}.multilib]", self.id));
            multilib.write(text);
        }
        for (arch, lists) in &self.by_arch {
            text.line(&format!("[variant.{}.arch.{arch}]", self.id));
            for (key, texts) in lists.named() {
                text.list_if_any(key, texts);
            }
        }
        for (arch, multilib) in &self.multilib_by_arch {
            text.line(&format!("[variant.{}.arch.{arch}.multilib]", self.id));
            multilib.write(text);
        }
    }
}
