//! Reads the forms 1.0 to 1.2, and what the older form has in common with them.

use std::collections::BTreeMap;

use super::ini::Ini;
use super::{
    Checksum, Disc, TreeInfo, TreeInfoError, TreePaths, TreeProduct, TreeVariant, TreeVariantType, wrong,
};

/// Variants of a tree, or addons of a variant.
pub(super) const MOST: usize = 1000;

pub(super) fn read(ini: &Ini) -> Result<TreeInfo, TreeInfoError> {
    let mut release = read_product(ini, "release")?;
    if ini.get("release", "short").is_none() {
        release.short.clone_from(&release.name);
    }
    let section = if ini.has("tree") { "tree" } else { "general" };
    let timestamp = if section == "tree" { seconds(ini, section, "build_timestamp")? } else { -1 };
    let mut info = TreeInfo::new(release, ini.need(section, "arch")?, timestamp);
    info.platforms = list(ini.need(section, "platforms")?).map(str::to_owned).collect();
    if let Some(layered) = ini.get("release", "is_layered") {
        let layered = match layered.to_ascii_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => true,
            "0" | "no" | "false" | "off" => false,
            _ => {
                return Err(wrong("release", "is_layered", format!("{layered:?} is neither true nor false")));
            }
        };
        if layered {
            info.base_product = Some(read_product(ini, "base_product")?);
            ini.need("base_product", "short")?;
        }
    }
    for uid in uids("tree", "variants", ini.get("tree", "variants").unwrap_or_default())? {
        let section = format!("variant-{uid}");
        let mut variant = read_variant(ini, &section)?;
        for uid in uids(&section, "addons", ini.get(&section, "addons").unwrap_or_default())? {
            let addon = read_variant(ini, &format!("addon-{uid}"))?;
            variant.addons.insert(uid.into(), addon);
        }
        info.variants.insert(uid.into(), variant);
    }
    // The first one is what a reader gets without a name.
    let first = info.variants.keys().next();
    let main = ini.get("general", "variant").filter(|main| first.is_some_and(|first| first != main));
    info.main_variant = main.filter(|main| info.variants.contains_key(*main)).map(str::to_owned);
    read_contents(ini, &mut info, |path| path.into())?;
    if ini.has("media") {
        info.disc = disc(number(ini, "media", "discnum")?, number(ini, "media", "totaldiscs")?);
    }
    Ok(info)
}

/// Both 0 means that there is none.
pub(super) fn disc(number: u32, total: u32) -> Option<Disc> {
    if number == 0 && total == 0 { None } else { Some(Disc { number, total }) }
}

fn read_product(ini: &Ini, section: &str) -> Result<TreeProduct, TreeInfoError> {
    Ok(TreeProduct {
        name: ini.need(section, "name")?.into(),
        short: ini.get(section, "short").unwrap_or_default().into(),
        version: ini.need(section, "version")?.into(),
    })
}

fn read_variant(ini: &Ini, section: &str) -> Result<TreeVariant, TreeInfoError> {
    let kind = ini.need(section, "type")?;
    let unknown = || wrong(section, "type", format!("{kind:?} is no type of variants"));
    let path = |key: &str| ini.get(section, key).map(str::to_owned);
    Ok(TreeVariant {
        id: ini.need(section, "id")?.into(),
        uid: ini.need(section, "uid")?.into(),
        name: ini.need(section, "name")?.into(),
        kind: TreeVariantType::find(kind).ok_or_else(unknown)?,
        paths: TreePaths {
            packages: path("packages"),
            repository: path("repository"),
            source_packages: path("source_packages"),
            source_repository: path("source_repository"),
            debug_packages: path("debug_packages"),
            debug_repository: path("debug_repository"),
            identity: path("identity"),
        },
        addons: BTreeMap::new(),
    })
}

/// Reads what both forms have alike: checksums, images and the installer's image.
pub(super) fn read_contents(
    ini: &Ini,
    info: &mut TreeInfo,
    path_of: impl Fn(&str) -> String,
) -> Result<(), TreeInfoError> {
    for (path, value) in ini.entries("checksums") {
        let (algorithm, hex) = match (value.split_once(':'), value.len()) {
            (Some(parts), _) => parts,
            (None, 32) => ("md5", value),
            (None, 40) => ("sha1", value),
            (None, 64) => ("sha256", value),
            _ => return Err(wrong("checksums", path, format!("{value:?} is no checksum"))),
        };
        let checksum = Checksum { algorithm: algorithm.into(), hex: hex.into() };
        info.checksums.insert(path_of(path), checksum);
    }
    for section in ini.sections() {
        let Some(platform) = section.strip_prefix("images-") else { continue };
        // Some call the platform xen of x86_64 xen-x86_64.
        let short = platform.strip_suffix(&info.arch).and_then(|start| start.strip_suffix('-'));
        let images = ini.entries(section).map(|(name, path)| (name.to_owned(), path_of(path))).collect();
        info.images.insert(short.unwrap_or(platform).into(), images);
    }
    let image = |key: &str| ini.get("stage2", key).filter(|path| !path.is_empty()).map(&path_of);
    info.main_image = image("mainimage");
    info.inst_image = image("instimage");
    Ok(())
}

/// A time in seconds, its fraction cut off.
pub(super) fn seconds(ini: &Ini, section: &str, key: &str) -> Result<i64, TreeInfoError> {
    let text = ini.need(section, key)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let whole = whole.parse::<i64>().ok().filter(|_| plain && text.len() <= 32);
    whole.ok_or_else(|| wrong(section, key, format!("{text:?} is not a time in seconds")))
}

pub(super) fn number(ini: &Ini, section: &str, key: &str) -> Result<u32, TreeInfoError> {
    let text = ini.need(section, key)?;
    text.parse().map_err(|_| wrong(section, key, format!("{text:?} is not a number")))
}

/// A list of variants or addons, which no tree has more of than [`MOST`].
pub(super) fn uids<'a>(section: &str, key: &str, text: &'a str) -> Result<Vec<&'a str>, TreeInfoError> {
    let found: Vec<&str> = list(text).take(MOST + 1).collect();
    if found.len() > MOST {
        return Err(wrong(section, key, format!("more than {MOST} are listed")));
    }
    Ok(found)
}

/// A list of a file; empty items are passed over.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|item| !item.is_empty())
}
