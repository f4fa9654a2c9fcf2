//! `koji` of a `[[source]]`: the packages that Koji has tagged, at one event.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use super::modules::ModuleChoice;
use super::read::{Reader, made_of};
use super::repo::{Url, UrlError};
use super::schema::Origin;
use super::table::{Table, Text};
use crate::base::RelPath;
use crate::base::relpath::RelPathError;

pub(super) const KOJI: &[&str] = &[
    "id",
    "hub",
    "files",
    "tag",
    "event",
    "inherit",
    "latest",
    "volumes",
    "arches",
    "includepkgs",
    "excludepkgs",
    "hold",
    "force",
    "noarch",
    "modules",
];
pub(super) const PIN: &[&str] = &["build", "reason"];

const NOARCH: &[(&str, Noarch)] =
    &[("header", Noarch::Header), ("source", Noarch::Source), ("mash", Noarch::Mash)];

/// Packages that Koji has tagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KojiSource {
    /// What it is called in messages and in the lock.
    pub id: String,
    /// The hub that is asked.
    pub hub: HubPlace,
    /// Where the hub's files are, if that is not what the profile says.
    pub files: Option<Url>,
    /// The tag.
    pub tag: String,
    /// The event; the latest when the lock is made where there is none.
    pub event: Option<i64>,
    /// Whether builds of the tags that the tag inherits from count.
    pub inherit: bool,
    /// Whether only the build of each package that was tagged last counts.
    pub latest: bool,
    /// The only volumes whose builds count; all where there are none.
    pub volumes: Vec<String>,
    /// The only arches of packages that count; all where there are none.
    pub arches: Vec<String>,
    /// Patterns of the only packages that count; all where there are none.
    pub includepkgs: Vec<String>,
    /// Patterns of packages that do not count.
    pub excludepkgs: Vec<String>,
    /// Builds that stay, though the tag has later ones.
    pub hold: Vec<PinnedBuild>,
    /// Builds that are taken whatever the tag says.
    pub force: Vec<PinnedBuild>,
    /// Whose word on arches `noarch` packages follow.
    pub noarch: Noarch,
    /// Streams whose packages are taken from the tags of their builds, and modules that are left out.
    pub modules: Vec<ModuleChoice>,
}

/// A hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubPlace {
    /// One that Koji's own configuration files describe.
    Profile(String),
    /// One by the URL that calls go to.
    Url(Url),
    /// One of gander's own in a folder beside the recipe, asked without a server.
    Embedded(RelPath),
}

impl std::fmt::Display for HubPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Profile(name) => write!(f, "profile:{name}"),
            Self::Url(url) => url.fmt(f),
            Self::Embedded(folder) => write!(f, "embedded:{folder}"),
        }
    }
}

/// A text names no hub. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubPlaceError {
    /// It is no name of a profile.
    #[error("'{}' is no name of a profile", .0.escape_debug())]
    Profile(String),
    /// It does not say where the hub is.
    #[error("an embedded hub has a folder, as given to 'gander hub': embedded:FOLDER, or name it as 'files'")]
    NoFolder,
    /// The folder is none beside the recipe.
    #[error("the folder of an embedded hub: {0}")]
    Folder(#[from] RelPathError),
    /// The URL is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The URL is none that calls go to.
    #[error("a hub is called by https: or http:, at a URL without '?' and '#'")]
    NotCallable,
    /// It is nothing of that.
    #[error("'{}' is no hub", .0.escape_debug())]
    Unknown(String),
}

impl HubPlace {
    /// Reads `profile:NAME`, `https://…` or `embedded:FOLDER`.
    pub fn parse(text: &str) -> Result<Self, HubPlaceError> {
        if let Some(name) = text.strip_prefix("profile:") {
            let short = || HubPlaceError::Profile(name.chars().take(200).collect());
            return if made_of(name, "-_.") { Ok(Self::Profile(name.into())) } else { Err(short()) };
        }
        if text == "embedded" {
            return Err(HubPlaceError::NoFolder);
        }
        if let Some(folder) = text.strip_prefix("embedded:") {
            return Ok(Self::Embedded(RelPath::new(folder)?));
        }
        if !text.contains("://") {
            return Err(HubPlaceError::Unknown(text.chars().take(200).collect()));
        }
        let url: Url = text.parse()?;
        let callable = !url.as_str().starts_with("file:") && !url.as_str().contains(['?', '#']);
        if callable { Ok(Self::Url(url)) } else { Err(HubPlaceError::NotCallable) }
    }
}

/// A build that a recipe insists on, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedBuild {
    /// The package that it is a build of.
    pub package: String,
    /// Its name-version-release.
    pub build: String,
    /// Why; the lock keeps it.
    pub reason: String,
}

/// Whose ExclusiveArch and ExcludeArch `noarch` packages follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Noarch {
    /// Their own.
    #[default]
    Header,
    /// Those of their build's source package, as with Pungi.
    Source,
    /// The same as mash reads them: an exclusive `noarch` says nothing, and arches are those of mash.
    Mash,
}

impl Noarch {
    /// Its name in recipes and locks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Source => "source",
            Self::Mash => "mash",
        }
    }
}

/// The package of a build: what stands before its version.
fn package_of(nvr: &str) -> Option<&str> {
    let (rest, release) = nvr.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    [name, version, release].iter().all(|part| !part.is_empty()).then_some(name)
}

impl Reader {
    pub(super) fn koji<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Option<Origin> {
        let table = Table::of("'koji' of [[source]]", value, KOJI, &mut self.findings)?;
        let hub = table.required("hub", &mut self.findings);
        let files = table.text("files", &mut self.findings);
        // "embedded" on its own: what 'files' names is the hub's folder.
        let inside = hub.as_ref().is_some_and(|hub| hub.text == "embedded") && files.is_some();
        let (hub, files) = match files {
            Some(folder) if inside => (self.embedded(&folder), None),
            files => (hub.and_then(|text| self.hub(&text)), files.and_then(|text| self.url(&text, true))),
        };
        match (&hub, table.get("files").filter(|_| !inside)) {
            (Some(HubPlace::Url(_)), None) => self.findings.add_with_help(
                table.span.clone(),
                "'koji' of [[source]] lacks 'files', the place of the hub's files",
                "such as files = \"https://kojipkgs.example.org\", what koji's configuration calls topurl",
            ),
            (Some(HubPlace::Embedded(_)), Some(value)) => self.findings.add(
                value.span(),
                "'files' has no meaning with an embedded hub: its files lie in its folder",
            ),
            _ => {}
        }
        let tag = table.required("tag", &mut self.findings);
        if let Some(text) = tag.as_ref().filter(|text| !is_name(text.text)) {
            self.findings
                .add(text.span.clone(), format!("'{}' is no name of a tag", text.text.escape_debug()));
        }
        let id = table.text("id", &mut self.findings).or_else(|| tag.clone());
        if let Some(text) = id.as_ref().filter(|text| !made_of(text.text, "-_.")) {
            let message = format!("the id '{}' may hold letters, digits, '-', '_' and '.' only", text.text);
            let help = "without an 'id' the tag's name is it: give the source one of its own";
            self.findings.add_with_help(text.span.clone(), message, help);
        }
        let event = table.number("event", &mut self.findings);
        if let (Some(event), Some(value)) = (event, table.get("event"))
            && event < 1
        {
            self.findings.add(value.span(), "an event is a number from 1");
        }
        let inherit = table.flag("inherit", true, &mut self.findings);
        let latest = table.flag("latest", true, &mut self.findings);
        let volumes = self.koji_names(&table, "volumes");
        let arches = self.koji_names(&table, "arches");
        let includepkgs = self.specs(&table, "includepkgs");
        let excludepkgs = self.specs(&table, "excludepkgs");
        let hold = self.pins(&table, "hold");
        let force = self.pins(&table, "force");
        let mut pinned = BTreeSet::new();
        for pin in hold.iter().chain(&force) {
            if !pinned.insert(&pin.package) {
                let place = table.get("force").or(table.get("hold")).map_or(0..0, Spanned::span);
                let message = format!("two builds of '{}' are held or forced", pin.package);
                self.findings.add(place, message);
            }
        }
        let noarch = table.text("noarch", &mut self.findings);
        let noarch = noarch.and_then(|text| text.choose(NOARCH, &mut self.findings)).unwrap_or_default();
        let modules = table.texts("modules", &mut self.findings);
        let modules = modules.iter().filter_map(|text| text.parse(&mut self.findings)).collect();
        Some(Origin::Koji(Box::new(KojiSource {
            id: id?.text.into(),
            hub: hub?,
            files,
            tag: tag?.text.into(),
            event,
            inherit,
            latest,
            volumes,
            arches,
            includepkgs,
            excludepkgs,
            hold,
            force,
            noarch,
            modules,
        })))
    }

    fn embedded(&mut self, folder: &Text<'_>) -> Option<HubPlace> {
        match RelPath::new(folder.text) {
            Ok(folder) => Some(HubPlace::Embedded(folder)),
            Err(error) => self.lack(folder.span.clone(), HubPlaceError::Folder(error).to_string()),
        }
    }

    fn hub(&mut self, text: &Text<'_>) -> Option<HubPlace> {
        match HubPlace::parse(text.text) {
            // Its folder need not be there: a lock does without it where a bundle has the files.
            Ok(hub) => Some(hub),
            Err(error) => {
                let help = "a hub is 'profile:NAME' of koji's configuration, 'https://…/kojihub' or 'embedded:FOLDER'";
                self.findings.add_with_help(text.span.clone(), error.to_string(), help);
                None
            }
        }
    }

    fn koji_names(&mut self, table: &Table<'_>, key: &str) -> Vec<String> {
        let mut names = Vec::new();
        for text in table.texts(key, &mut self.findings) {
            if made_of(text.text, "-_.") {
                names.push(text.text.into());
            } else {
                self.findings.add(text.span, format!("'{}' cannot be a name in '{key}'", text.text));
            }
        }
        names
    }

    fn pins<'t>(&mut self, table: &Table<'t>, key: &str) -> Vec<PinnedBuild> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            let message = format!("'{key}' of {} must be a list of tables", table.name);
            let help = format!("such as {key} = [{{ build = \"bash-5.1.8-9.el9\", reason = \"…\" }}]");
            self.findings.add_with_help(value.span(), message, help);
            return Vec::new();
        };
        let mut pins = Vec::new();
        for item in list.iter() {
            let name = format!("'{key}' of {}", table.name);
            let Some(pin) = Table::of(name, item, PIN, &mut self.findings) else { continue };
            let build = pin.required("build", &mut self.findings);
            let reason = pin.required("reason", &mut self.findings);
            if let Some(text) = reason.as_ref().filter(|text| text.text.contains(char::is_control)) {
                self.findings.add(text.span.clone(), "a reason is one line of text");
            }
            let (Some(build), Some(reason)) = (build, reason) else { continue };
            match package_of(build.text).filter(|_| made_of(build.text, "-._+~^,")) {
                Some(package) => pins.push(PinnedBuild {
                    package: package.into(),
                    build: build.text.into(),
                    reason: reason.text.into(),
                }),
                None => {
                    let message = format!("'{}' is no name-version-release", build.text.escape_debug());
                    self.findings.add(build.span, message);
                }
            }
        }
        pins
    }
}

/// Koji's own rule leaves much to each hub; what breaks lines and lists is none anywhere.
fn is_name(text: &str) -> bool {
    text.len() <= 256 && !text.contains(|char: char| char.is_control() || char.is_whitespace())
}
