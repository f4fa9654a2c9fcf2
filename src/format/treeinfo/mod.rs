//! `.treeinfo` 1.2: what an installable tree has, exact to productmd 1.51.
//!
//! An INI file: sections and keys sorted by code point, `key = value`, an empty line after every section (the
//! last one too). Paths are relative to the tree; a repository may lie beside it (`../`).
//! ```text
//! [checksums]          PATH = ALGORITHM:HEX                                            (where there are any)
//! [general]            for readers older than productmd; made from the rest:
//!                      two lines `; WARNING.N = …`, arch, family, name = "FAMILY VERSION", packagedir, platforms,
//!                      repository, timestamp, variant (the main one), variants, version
//! [header]             type = productmd.treeinfo, version = 1.2
//! [images-PLATFORM]    kernel, initrd, boot.iso, efiboot.img, … = PATH                 (for each platform that has any)
//! [media]              discnum, totaldiscs                                             (on media)
//! [release]            name, short, version, [is_layered = true]
//! [base_product]       name, short, version                                            (for a layered release)
//! [stage2]             mainimage, [instimage]                                          (where there is one)
//! [tree]               arch, build_timestamp, platforms, variants (uids)
//! [variant-UID]        id, uid, name, type = variant|optional, [addons (uids)], [packages], [repository],
//!                      [source_packages], [source_repository], [debug_packages], [debug_repository], [identity]
//! [addon-UID]          the same, type = addon, and parent = UID
//! ```
//! Lists are sorted and joined by commas; `platforms` always has the arch. `packagedir` and `repository` are the
//! main variant's, its source ones in a tree of arch `src`, and missing where it has none.
//!
//! Read are 1.0 to 1.2 and, the older form of anaconda and lorax that has no `[header]`. Such a
//! file is written back in the new form. Fractions of timestamps are cut off.
//!
//! Own checks beyond productmd's, on reading and writing: checksum paths, `instimage` and variant paths may not be
//! absolute; checksums have their algorithm's length; discs are numbered within their set; nothing has a form
//! that the file cannot hold (see the module `ini`); addons and nothing else stand below a variant.

mod ini;
mod legacy;
mod read;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ini::{Ini, LARGEST};

/// The file is no `.treeinfo`, or says what it may not. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeInfoError {
    /// The file is too large. Retrying cannot help.
    #[error("the file has {0} bytes, more than {LARGEST}")]
    TooLarge(usize),
    /// A line is not of the format. Retrying cannot help.
    #[error("line {line}: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A field is missing or wrong. Retrying cannot help.
    #[error("[{section}] {key}: {problem}")]
    Field {
        /// Its section.
        section: String,
        /// Its key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn wrong(section: impl Into<String>, key: impl Into<String>, problem: impl Into<String>) -> TreeInfoError {
    TreeInfoError::Field { section: section.into(), key: key.into(), problem: problem.into() }
}

/// A product's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeProduct {
    /// Its name for people.
    pub name: String,
    /// Its short name.
    pub short: String,
    /// Its version.
    pub version: String,
}

/// A checksum of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// `sha256`, …
    pub algorithm: String,
    /// Hex digits.
    pub hex: String,
}

/// How a variant relates to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TreeVariantType {
    /// It stands alone.
    #[default]
    Variant,
    /// More packages for another one, in a tree of its own.
    Optional,
    /// More packages for its parent, in the same tree.
    Addon,
}

impl TreeVariantType {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variant => "variant",
            Self::Optional => "optional",
            Self::Addon => "addon",
        }
    }

    fn find(name: &str) -> Option<Self> {
        [Self::Variant, Self::Optional, Self::Addon].into_iter().find(|kind| kind.name() == name)
    }
}

/// Where the parts of a variant lie, relative to the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreePaths {
    /// Binary packages.
    pub packages: Option<String>,
    /// Repository of binary packages.
    pub repository: Option<String>,
    /// Source packages.
    pub source_packages: Option<String>,
    /// Repository of source packages.
    pub source_repository: Option<String>,
    /// Debug packages.
    pub debug_packages: Option<String>,
    /// Repository of debug packages.
    pub debug_repository: Option<String>,
    /// A certificate that names the product.
    pub identity: Option<String>,
}

impl TreePaths {
    fn fields(&self) -> [(&'static str, &Option<String>); 7] {
        [
            ("packages", &self.packages),
            ("repository", &self.repository),
            ("source_packages", &self.source_packages),
            ("source_repository", &self.source_repository),
            ("debug_packages", &self.debug_packages),
            ("debug_repository", &self.debug_repository),
            ("identity", &self.identity),
        ]
    }
}

/// A variant in a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeVariant {
    /// Its id, without dashes.
    pub id: String,
    /// Its uid; an addon's is its parent's, a dash and its id.
    pub uid: String,
    /// Its name for people.
    pub name: String,
    /// How it relates to others.
    pub kind: TreeVariantType,
    /// Where it lies.
    pub paths: TreePaths,
    /// Its addons by uid.
    pub addons: BTreeMap<String, Self>,
}

/// Which disc of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disc {
    /// Its number, from 1.
    pub number: u32,
    /// How many the set has.
    pub total: u32,
}

/// What `.treeinfo` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeInfo {
    /// The release.
    pub release: TreeProduct,
    /// What a layered release stands on.
    pub base_product: Option<TreeProduct>,
    /// The tree's arch, or `src`.
    pub arch: String,
    /// When it was built. Not 0, which productmd refuses.
    pub build_timestamp: i64,
    /// Platforms beside the arch itself, such as `xen`.
    pub platforms: BTreeSet<String>,
    /// Top variants by uid.
    pub variants: BTreeMap<String, TreeVariant>,
    /// The uid of the variant that old readers see; the first one unless named.
    pub main_variant: Option<String>,
    /// Checksums by path.
    pub checksums: BTreeMap<String, Checksum>,
    /// Images by platform and name.
    pub images: BTreeMap<String, BTreeMap<String, String>>,
    /// The installer's image.
    pub main_image: Option<String>,
    /// The installer's image of old times.
    pub inst_image: Option<String>,
    /// The disc, where the tree is on one of a set.
    pub disc: Option<Disc>,
}

impl TreeInfo {
    /// A tree with nothing in it yet.
    pub fn new(release: TreeProduct, arch: &str, build_timestamp: i64) -> Self {
        Self {
            release,
            base_product: None,
            arch: arch.into(),
            build_timestamp,
            platforms: BTreeSet::new(),
            variants: BTreeMap::new(),
            main_variant: None,
            checksums: BTreeMap::new(),
            images: BTreeMap::new(),
            main_image: None,
            inst_image: None,
            disc: None,
        }
    }

    /// Reads a file. An empty `variants` can be read (openSUSE has such trees) but not written.
    pub fn parse(bytes: &[u8]) -> Result<Self, TreeInfoError> {
        let ini = Ini::parse(bytes)?;
        let info = match ini.get("header", "version") {
            None => legacy::read(&ini)?,
            Some(version) => {
                match version {
                    "1.0" => {}
                    "1.1" | "1.2" => {
                        let kind = ini.need("header", "type")?;
                        if kind != "productmd.treeinfo" {
                            let problem =
                                format!("the file is of type {kind:?} instead of productmd.treeinfo");
                            return Err(wrong("header", "type", problem));
                        }
                    }
                    _ => {
                        let problem = format!("gander reads the versions 1.0 to 1.2, not {version:?}");
                        return Err(wrong("header", "version", problem));
                    }
                }
                read::read(&ini)?
            }
        };
        info.check()?;
        Ok(info)
    }

    /// Writes the file, after checking what it will say.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TreeInfoError> {
        self.check()?;
        let no_variant = || wrong("tree", "variants", "a tree without a variant cannot be written");
        let (first, _) = self.variants.first_key_value().ok_or_else(no_variant)?;
        let main = self.main_variant.as_ref().unwrap_or(first);
        let main = self.variants.get(main).ok_or_else(no_variant)?;
        let mut ini = Ini::default();
        ini.set("header", "type", "productmd.treeinfo");
        ini.set("header", "version", "1.2");
        write_product(&mut ini, "release", &self.release);
        if let Some(base) = &self.base_product {
            ini.set("release", "is_layered", "true");
            write_product(&mut ini, "base_product", base);
        }
        let uids = join(self.variants.keys());
        ini.set("tree", "arch", &self.arch);
        ini.set("tree", "build_timestamp", self.build_timestamp.to_string());
        ini.set("tree", "platforms", join(&self.all_platforms()));
        ini.set("tree", "variants", &uids);
        for variant in self.variants.values() {
            write_variant(&mut ini, variant, None);
        }
        for (path, Checksum { algorithm, hex }) in &self.checksums {
            ini.set("checksums", path, format!("{algorithm}:{hex}"));
        }
        for (platform, images) in &self.images {
            let section = format!("images-{platform}");
            ini.section(&section);
            for (name, path) in images {
                ini.set(&section, name, path);
            }
        }
        for (key, path) in [("mainimage", &self.main_image), ("instimage", &self.inst_image)] {
            if let Some(path) = path {
                ini.set("stage2", key, path);
            }
        }
        if let Some(disc) = self.disc {
            ini.set("media", "discnum", disc.number.to_string());
            ini.set("media", "totaldiscs", disc.total.to_string());
        }
        let warnings = [
            "This section provides compatibility with pre-productmd treeinfos.",
            "Read productmd documentation for details about new format.",
        ];
        for (number, warning) in warnings.into_iter().enumerate() {
            ini.comment("general", &format!("WARNING.{number}"), warning);
        }
        ini.set("general", "arch", &self.arch);
        ini.set("general", "family", &self.release.name);
        ini.set("general", "name", format!("{} {}", self.release.name, self.release.version));
        ini.set("general", "platforms", join(&self.all_platforms()));
        ini.set("general", "timestamp", self.build_timestamp.to_string());
        ini.set("general", "variant", &main.uid);
        ini.set("general", "variants", &uids);
        ini.set("general", "version", &self.release.version);
        let source = self.arch == "src";
        let or_source = |path: &Option<String>, other: &Option<String>| {
            path.clone().or_else(|| other.clone().filter(|_| source))
        };
        let paths = &main.paths;
        if let Some(path) = or_source(&paths.packages, &paths.source_packages) {
            ini.set("general", "packagedir", path);
        }
        if let Some(path) = or_source(&paths.repository, &paths.source_repository) {
            ini.set("general", "repository", path);
        }
        ini.to_bytes()
    }

    /// The platforms with the arch.
    fn all_platforms(&self) -> BTreeSet<String> {
        self.platforms.iter().cloned().chain([self.arch.clone()]).collect()
    }

    /// Looks for what productmd refuses, and for what it overlooks.
    pub fn check(&self) -> Result<(), TreeInfoError> {
        check_product("release", &self.release)?;
        if let Some(base) = &self.base_product {
            check_product("base_product", base)?;
        }
        if self.arch.is_empty() {
            return Err(wrong("tree", "arch", "it may not be empty"));
        }
        if self.build_timestamp == 0 {
            return Err(wrong("tree", "build_timestamp", "productmd takes 0 for a missing time"));
        }
        let platforms = self.all_platforms();
        if let Some(bad) = platforms.iter().find(|name| name.contains(',') || name.is_empty()) {
            return Err(wrong("tree", "platforms", format!("{bad:?} is not a platform")));
        }
        for (uid, variant) in &self.variants {
            if *uid != variant.uid {
                return Err(wrong(section_of(variant), "uid", format!("it is listed as {uid:?}")));
            }
            let joined = uid.replace('-', "") == variant.id;
            if variant.uid.contains('-') && variant.kind != TreeVariantType::Optional && !joined {
                return Err(wrong(section_of(variant), "uid", "only an optional variant has a dash in it"));
            }
            check_variant(variant, None)?;
        }
        if let Some(main) = &self.main_variant
            && !self.variants.contains_key(main)
        {
            return Err(wrong("general", "variant", format!("{main:?} is none of the tree's variants")));
        }
        for (path, checksum) in &self.checksums {
            check_path("checksums", path, path)?;
            if !is_checksum(checksum) {
                let Checksum { algorithm, hex } = checksum;
                return Err(wrong("checksums", path, format!("{hex:?} is no checksum by {algorithm:?}")));
            }
        }
        for (platform, images) in &self.images {
            let section = format!("images-{platform}");
            if !platforms.contains(platform) {
                return Err(wrong("tree", "platforms", format!("{platform:?} has images but is not listed")));
            }
            for (name, path) in images {
                check_path(&section, name, path)?;
            }
        }
        for (key, path) in [("mainimage", &self.main_image), ("instimage", &self.inst_image)] {
            if let Some(path) = path {
                check_path("stage2", key, path)?;
            }
        }
        if let Some(Disc { number, total }) = self.disc
            && (number == 0 || number > total)
        {
            return Err(wrong("media", "discnum", format!("there is no disc {number} in a set of {total}")));
        }
        Ok(())
    }
}

fn join<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    texts.into_iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

fn section_of(variant: &TreeVariant) -> String {
    let kind = if variant.kind == TreeVariantType::Addon { "addon" } else { "variant" };
    format!("{kind}-{}", variant.uid)
}

fn check_product(section: &str, product: &TreeProduct) -> Result<(), TreeInfoError> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = product.version.starts_with(|first: char| first.is_ascii_digit());
    if number && !product.version.split('.').all(digits) {
        let problem =
            format!("{:?} starts as a number but is not numbers with dots between", product.version);
        return Err(wrong(section, "version", problem));
    }
    Ok(())
}

fn check_variant(variant: &TreeVariant, parent: Option<&TreeVariant>) -> Result<(), TreeInfoError> {
    let section = section_of(variant);
    if variant.id.is_empty() || variant.id.contains(['-', ',']) {
        return Err(wrong(section, "id", format!("{:?} is not a variant's id", variant.id)));
    }
    if variant.uid.contains(',') || variant.uid.is_empty() {
        return Err(wrong(section, "uid", format!("{:?} is not a variant's uid", variant.uid)));
    }
    if let Some(parent) = parent
        && variant.uid != format!("{}-{}", parent.uid, variant.id)
    {
        let problem = format!("{:?} does not fit the parent {:?} and the id", variant.uid, parent.uid);
        return Err(wrong(section, "uid", problem));
    }
    if parent.is_some() != (variant.kind == TreeVariantType::Addon) {
        return Err(wrong(section, "type", "addons, and nothing else, stand below a variant"));
    }
    if parent.is_some() && !variant.addons.is_empty() {
        return Err(wrong(section, "addons", "an addon has no addons"));
    }
    for (key, path) in variant.paths.fields() {
        if let Some(path) = path {
            check_path(&section, key, path)?;
        }
    }
    for (uid, addon) in &variant.addons {
        if *uid != addon.uid {
            return Err(wrong(section_of(addon), "uid", format!("it is listed as {uid:?}")));
        }
        check_variant(addon, Some(variant))?;
    }
    Ok(())
}

fn check_path(section: &str, key: &str, path: &str) -> Result<(), TreeInfoError> {
    if path.starts_with('/') {
        return Err(wrong(section, key, format!("the path {path:?} is not relative to the tree")));
    }
    Ok(())
}

fn is_checksum(checksum: &Checksum) -> bool {
    let hex = checksum.hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let length = match checksum.algorithm.as_str() {
        "md5" => 32,
        "sha1" => 40,
        "sha224" => 56,
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex && checksum.hex.len() == length
}

fn write_product(ini: &mut Ini, section: &str, product: &TreeProduct) {
    ini.set(section, "name", &product.name);
    ini.set(section, "short", &product.short);
    ini.set(section, "version", &product.version);
}

fn write_variant(ini: &mut Ini, variant: &TreeVariant, parent: Option<&TreeVariant>) {
    let section = section_of(variant);
    ini.set(&section, "id", &variant.id);
    ini.set(&section, "uid", &variant.uid);
    ini.set(&section, "name", &variant.name);
    ini.set(&section, "type", variant.kind.name());
    for (key, path) in variant.paths.fields() {
        if let Some(path) = path {
            ini.set(&section, key, path);
        }
    }
    if let Some(parent) = parent {
        ini.set(&section, "parent", &parent.uid);
    }
    if !variant.addons.is_empty() {
        ini.set(&section, "addons", join(variant.addons.keys()));
    }
    for addon in variant.addons.values() {
        write_variant(ini, addon, Some(variant));
    }
}
