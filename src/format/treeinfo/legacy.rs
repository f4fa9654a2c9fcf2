//! `.treeinfo` from before productmd, which anaconda and lorax wrote and lorax still writes.
//!
//! ```text
//! [general]            family, version, name, arch, timestamp (with a fraction), variant, packagedir, [discnum, totaldiscs]
//! [stage2] [images-PLATFORM] [checksums]
//! [variant-ID] [addon-ID]   [repository], [packages], [packagedir], [identity], [name], [type], [addons]   (RHEL 6 alone)
//! ```
//! Read as productmd 1.51 does: of a version such as `21_Alpha` the number stays; well known families have their
//! short names, others none; a Fedora tree without `packagedir` has its packages in `Packages`; a path that starts
//! with `/` is cut at `/os/`, or made relative. Left out are productmd's rules for RHEL 3, 4 and 5, and for the
//! repositories of RHEL 6, which stand in none of its trees' files.

use std::collections::BTreeMap;

use super::ini::Ini;
use super::read::{MOST, disc, list, number, read_contents, seconds, uids};
use super::{TreeInfo, TreeInfoError, TreePaths, TreeProduct, TreeVariant, TreeVariantType, wrong};

/// Families by the start of their name, with the name and the short name that productmd gives them.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("Red Hat Enterprise Linux", "Red Hat Enterprise Linux", "RHEL"),
    ("Fedora", "Fedora", "Fedora"),
    ("CentOS", "CentOS", "CentOS"),
    ("EulerOS", "EulerOS", "EulerOS"),
    ("Kylin", "Kylin", "Kylin"),
    ("UnionTech OS", "UnionTech OS", "UOS"),
];

pub(super) fn read(ini: &Ini) -> Result<TreeInfo, TreeInfoError> {
    let arch = ini.need("general", "arch")?;
    let timestamp =
        if ini.get("general", "timestamp").is_some() { seconds(ini, "general", "timestamp")? } else { -1 };
    let mut info = TreeInfo::new(release(ini)?, arch, timestamp);
    info.platforms.extend(ini.get(arch, "platforms").into_iter().flat_map(list).map(str::to_owned));
    read_contents(ini, &mut info, relative)?;
    info.platforms.extend(info.images.keys().cloned());
    info.platforms.remove("");
    for uid in variant_uids(ini, &info)? {
        let mut variant = read_variant(ini, &info, &uid, TreeVariantType::Variant);
        if variant.kind == TreeVariantType::Variant {
            let places = [(format!("variant-{uid}"), "addons"), (format!("variant-{uid}"), "variants")];
            let addons = lookup(ini, &places).or_else(|| ini.get("general", "addons"));
            for addon in uids(&format!("variant-{uid}"), "addons", addons.unwrap_or_default())? {
                let prefixed = addon.starts_with(&format!("{uid}-"));
                let addon = if prefixed { addon.to_owned() } else { format!("{uid}-{addon}") };
                let mut addon = read_variant(ini, &info, &addon, TreeVariantType::Addon);
                addon.kind = TreeVariantType::Addon;
                variant.addons.insert(addon.uid.clone(), addon);
            }
        }
        info.variants.insert(uid, variant);
    }
    let has = |key: &str| ini.get("general", key).is_some();
    if has("discnum") || has("totaldiscs") {
        let current = if has("discnum") { number(ini, "general", "discnum")? } else { 1 };
        let total = if has("totaldiscs") { number(ini, "general", "totaldiscs")? } else { current };
        info.disc = disc(current, total);
    }
    Ok(info)
}

fn release(ini: &Ini) -> Result<TreeProduct, TreeInfoError> {
    let (family, version) = (ini.need("general", "family")?, ini.need("general", "version")?);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = version.split(['-', '_']).rfind(|part| part.split('.').all(digits));
    let known = FAMILIES.iter().find(|(start, ..)| family.starts_with(start));
    let (name, short) = known.map_or((family, ""), |(_, name, short)| (*name, *short));
    Ok(TreeProduct { name: name.into(), short: short.into(), version: number.unwrap_or(version).into() })
}

fn variant_uids(ini: &Ini, info: &TreeInfo) -> Result<Vec<String>, TreeInfoError> {
    let named = match (ini.get("general", "variant"), ini.need("general", "family")?) {
        (Some(variant), _) => variant,
        (None, "Red Hat Enterprise Linux Server") => "Server",
        (None, "Red Hat Enterprise Linux Client") => "Client",
        (None, "CentOS") => "CentOS",
        (None, _) => ini.need("general", "variant")?,
    };
    if !named.is_empty() {
        return Ok(vec![named.into()]);
    }
    let sections = ini.sections().filter_map(|section| section.strip_prefix("variant-"));
    let mut uids: Vec<String> = sections.filter(|uid| !uid.contains('-')).map(str::to_owned).collect();
    if uids.is_empty() {
        uids.push(info.release.short.clone());
    }
    if uids.len() > MOST {
        return Err(wrong("general", "variant", format!("the tree has more than {MOST} variants")));
    }
    if uids.iter().any(String::is_empty) {
        return Err(wrong("general", "variant", "the variant has no name, nor has the family a short one"));
    }
    Ok(uids)
}

fn lookup<'a>(ini: &'a Ini, places: &[(String, &str)]) -> Option<&'a str> {
    places.iter().find_map(|(section, key)| ini.get(section, key))
}

fn read_variant(ini: &Ini, info: &TreeInfo, uid: &str, otherwise: TreeVariantType) -> TreeVariant {
    let id = uid.rsplit('-').next().unwrap_or(uid);
    let sections =
        [format!("addon-{uid}"), format!("addon-{id}"), format!("variant-{uid}"), format!("variant-{id}")];
    let section = sections.iter().find(|section| ini.has(section));
    let kind = section.map(|section| {
        let named = ini.get(section, "type").and_then(TreeVariantType::find);
        named.unwrap_or_else(|| match section {
            section if section.contains("addon") => TreeVariantType::Addon,
            _ if id.contains("optional") => TreeVariantType::Optional,
            _ => TreeVariantType::Variant,
        })
    });
    let name = section.and_then(|section| ini.get(section, "name")).unwrap_or(id);
    let [addon_uid, addon_id, variant_uid, variant_id] = sections.clone();
    let ordered = [variant_uid, addon_uid, variant_id.clone(), addon_id.clone()];
    let all = |keys: &[&'static str], general: &[&'static str]| {
        let own = ordered.iter().flat_map(|section| keys.iter().map(|key| (section.clone(), *key)));
        own.chain(general.iter().map(|key| ("general".to_owned(), *key))).collect::<Vec<_>>()
    };
    let places = [(variant_id, "repository"), (addon_id, "repository"), ("general".into(), "repository")];
    let repository = or_here(lookup(ini, &places).unwrap_or("."));
    let repository = repository.strip_suffix("/repodata").unwrap_or(repository);
    let packages = all(&["packages", "packagedir"], &["packages", "packagedir", "packagedirs"]);
    let mut packages = or_here(lookup(ini, &packages).unwrap_or(repository));
    if info.release.short == "Fedora" && packages == "." {
        packages = "Packages";
    }
    let mut paths = TreePaths {
        identity: lookup(ini, &all(&["identity"], &["identity"])).map(str::to_owned),
        ..TreePaths::default()
    };
    let (packages, repository) = (Some(packages.to_owned()), Some(repository.to_owned()));
    if info.arch == "src" {
        (paths.source_packages, paths.source_repository) = (packages, repository);
    } else {
        (paths.packages, paths.repository) = (packages, repository);
    }
    TreeVariant {
        id: id.into(),
        uid: uid.into(),
        name: name.into(),
        kind: kind.unwrap_or(otherwise),
        paths,
        addons: BTreeMap::new(),
    }
}

/// A folder without slashes at its end; the tree's own where nothing is left.
fn or_here(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    if path.is_empty() { "." } else { path }
}

fn relative(path: &str) -> String {
    if !path.starts_with('/') {
        return path.into();
    }
    path.split_once("/os/").map_or_else(|| path.trim_start_matches('/'), |(_, below)| below).into()
}
