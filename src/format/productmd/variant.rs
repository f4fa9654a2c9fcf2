//! A variant in `composeinfo.json`.

use std::collections::{BTreeMap, BTreeSet};

use super::compose::Release;
use super::json::{At, Json, show_key};
use super::{MetadataError, check_text, named, wrong};
use crate::base::RelPath;

named! {
    /// How a variant relates to others.
    pub enum VariantType {
        /// It stands alone.
        Variant = "variant",
        /// More packages for its parent, in trees of their own.
        Optional = "optional",
        /// More packages for its parent, within the parent's trees.
        Addon = "addon",
        /// A product of its own upon its parent.
        LayeredProduct = "layered-product",
    }
}

impl VariantType {
    /// The types in the order in which Pungi (4.3.6) gathers variants.
    pub const GATHERED: [Self; 4] = [Self::Variant, Self::Addon, Self::LayeredProduct, Self::Optional];
}

named! {
    /// What lies at a path of a variant.
    pub enum PathKind {
        /// The installable tree.
        OsTree = "os_tree",
        /// Binary packages.
        Packages = "packages",
        /// Repository of binary packages.
        Repository = "repository",
        /// Media.
        Isos = "isos",
        /// Other images.
        Images = "images",
        /// Jigdo files of media.
        Jigdos = "jigdos",
        /// The tree of sources.
        SourceTree = "source_tree",
        /// Source packages.
        SourcePackages = "source_packages",
        /// Repository of source packages.
        SourceRepository = "source_repository",
        /// Media of sources.
        SourceIsos = "source_isos",
        /// Jigdo files of media of sources.
        SourceJigdos = "source_jigdos",
        /// The tree of debug packages.
        DebugTree = "debug_tree",
        /// Debug packages.
        DebugPackages = "debug_packages",
        /// Repository of debug packages.
        DebugRepository = "debug_repository",
    }
}

/// One variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its id: letters and digits.
    pub id: String,
    /// Its uid: the parent's, a dash, the id; without a parent the id.
    pub uid: String,
    /// Its name for people.
    pub name: String,
    /// How it relates to others.
    pub kind: VariantType,
    /// Its arches.
    pub arches: BTreeSet<String>,
    /// Where its parts lie, by arch, relative to `compose/`.
    pub paths: BTreeMap<PathKind, BTreeMap<String, RelPath>>,
    /// The release of a layered product; no other variant has one.
    pub release: Option<Release>,
    /// Variants of this variant by id.
    pub variants: BTreeMap<String, Self>,
}

impl Variant {
    /// Reads everything but the children.
    pub(super) fn read(at: &At<'_>, version: (u32, u32)) -> Result<Self, MetadataError> {
        let kind = at.field("type")?.one_of("variant type", VariantType::find)?;
        let mut arches = BTreeSet::new();
        for arch in at.field("arches")?.items()? {
            arches.insert(arch.text()?.to_owned());
        }
        let layered = kind == VariantType::LayeredProduct;
        let release = if layered { Some(Release::read(at, version)?.0) } else { None };
        let field = at.field("paths")?;
        let mut paths: BTreeMap<PathKind, BTreeMap<String, RelPath>> = BTreeMap::new();
        for (name, by_arch) in field.entries()? {
            let Some(kind) = PathKind::find(name) else { continue };
            for (arch, path) in by_arch.entries()? {
                // productmd drops both; null and an empty path mean the same to it.
                if !arches.contains(arch) || path.is_null() || path.text()?.is_empty() {
                    continue;
                }
                paths.entry(kind).or_default().insert(arch.into(), path.rel_path()?);
            }
        }
        Ok(Self {
            id: at.field("id")?.text()?.into(),
            uid: at.field("uid")?.text()?.into(),
            name: at.field("name")?.text()?.into(),
            kind,
            arches,
            paths,
            release,
            variants: BTreeMap::new(),
        })
    }

    pub(super) fn check(&self, depth: usize) -> Result<(), MetadataError> {
        let path = format!("payload.variants.{}", show_key(&self.uid));
        if depth == 0 {
            return Err(wrong(path, "variants are nested too deep"));
        }
        if self.id.is_empty() || !self.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let problem = format!("{:?} is not made of ASCII letters and digits", self.id);
            return Err(wrong(format!("{path}.id"), problem));
        }
        check_text(|| format!("{path}.name"), &self.name, false)?;
        if self.arches.is_empty() {
            return Err(wrong(format!("{path}.arches"), "a variant needs an arch"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if let Some(arch) = self.arches.iter().find(|arch| arch.is_empty() || !arch.bytes().all(plain)) {
            return Err(wrong(format!("{path}.arches"), format!("{arch:?} is not an arch")));
        }
        for (kind, by_arch) in &self.paths {
            // They would be lost without a word.
            if let Some(arch) = by_arch.keys().find(|arch| !self.arches.contains(*arch)) {
                let path = format!("{path}.paths.{}.{}", kind.name(), show_key(arch));
                return Err(wrong(path, "the variant does not have this arch"));
            }
        }
        if (self.kind == VariantType::LayeredProduct) != self.release.is_some() {
            return Err(wrong(
                format!("{path}.release"),
                "a layered product, and nothing else, has a release",
            ));
        }
        if let Some(release) = &self.release {
            release.product.check(&format!("{path}.release"))?;
        }
        for (id, child) in &self.variants {
            let path = format!("payload.variants.{}", show_key(&child.uid));
            if *id != child.id || child.uid != format!("{}-{}", self.uid, child.id) {
                let problem = format!(
                    "the uid {:?} does not fit the id {:?} and the parent {:?}",
                    child.uid, child.id, self.uid
                );
                return Err(wrong(format!("{path}.uid"), problem));
            }
            if let Some(arch) = child.arches.iter().find(|arch| !self.arches.contains(*arch)) {
                let problem = format!("the parent {:?} does not have {arch:?}", self.uid);
                return Err(wrong(format!("{path}.arches"), problem));
            }
            child.check(depth - 1)?;
        }
        Ok(())
    }

    /// Everything but the children themselves.
    pub(super) fn write(&self) -> Json {
        let texts = |texts: &mut dyn Iterator<Item = &String>| Json::List(texts.map(Json::text).collect());
        let paths = self.paths.iter().filter(|(_, by_arch)| !by_arch.is_empty()).map(|(kind, by_arch)| {
            (kind.name(), Json::map(by_arch.iter().map(|(arch, path)| (arch, Json::text(path.as_str())))))
        });
        let mut fields = vec![
            ("arches", texts(&mut self.arches.iter())),
            ("id", Json::text(&self.id)),
            ("name", Json::text(&self.name)),
            ("paths", Json::map(paths)),
            ("type", Json::text(self.kind.name())),
            ("uid", Json::text(&self.uid)),
        ];
        if let Some(release) = &self.release {
            fields.push(("release", release.write(true)));
        }
        if !self.variants.is_empty() {
            fields.push(("variants", texts(&mut self.variants.keys())));
        }
        Json::map(fields)
    }
}
