//! What a tag offers: the headers of the packages that count.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::ask::{Opened, nevra};
use super::known::{At, Known, Which};
use super::{header_path, known, modulemd, primary_path, signed_path};
use crate::base::arch::TreeArch;
use crate::base::{Digest, Nevra, RelPath, chain};
use crate::compose::error::ComposeError;
use crate::compose::execute::Session;
use crate::compose::flow::Downloads;
use crate::compose::harvest::{Harvest, Harvested, Offered, Seen};
use crate::compose::inputs::RecipeFiles;
use crate::compose::signatures::{self, Accepted};
use crate::koji::{CopyError, Head, HeadOf, Place, SignedCopy};
use crate::lock::Origin;
use crate::recipe::{KojiSource, Noarch, Origin as Where};
use crate::repo::open::url;
use crate::select::{Candidate, Visible};

/// Problems that are told one by one.
const TOLD: usize = 50;
/// So many connections that fail are enough to see that the place cannot be reached.
const ENOUGH: usize = 16;

/// Takes in what tags offer.
pub(in crate::compose) fn offer(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    opened: &mut [Opened<'_>],
    visible: &Visible<'_>,
    harvest: &mut Harvest,
) -> Result<(), ComposeError> {
    for tag in opened {
        if let Some(Where::Koji(koji)) = files.recipe.sources.get(tag.source).map(|source| &source.origin) {
            modulemd::hide(tag, visible);
            add(session, downloads, files, koji, tag, visible, harvest)?;
        }
    }
    harvest.check_conflicts()
}

/// Reads the headers that are not known yet, and takes in the packages.
fn add(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    koji: &KojiSource,
    opened: &mut Opened<'_>,
    visible: &Visible<'_>,
    harvest: &mut Harvest,
) -> Result<(), ComposeError> {
    let accepted = signatures::accepted(files, opened.source)?;
    let mut wanted = Vec::new();
    for rpm in opened.snapshot.rpms.iter().filter(|rpm| opened.counted.contains(&rpm.id)) {
        let Some(build) = opened.snapshot.build(rpm.build) else { continue };
        let Some(nevra) = nevra(build, rpm) else { continue };
        let signed = accepted.iter().find_map(|key| {
            let signatures = opened.snapshot.signatures_of(rpm.id).iter();
            signatures
                .into_iter()
                .find(|signature| !signature.sigkey.is_empty() && key.sigkeys.contains(&signature.sigkey))
        });
        let which = Which {
            name: nevra.to_string(),
            payloadhash: rpm.payloadhash.clone(),
            size: rpm.size,
            sighash: signed.map(|signature| signature.sighash.clone()).unwrap_or_default(),
        };
        let signed = signed.map(|signature| SignedCopy {
            url: url(&opened.url, &signed_path(build, rpm, &signature.sigkey)),
            header: url(&opened.url, &header_path(build, rpm, &signature.sigkey)),
            sighash: signature.sighash.clone(),
        });
        let primary = url(&opened.url, &primary_path(build, rpm));
        let head = HeadOf { nevra, payloadhash: rpm.payloadhash.clone(), primary, signed };
        wanted.push((rpm.id, which, head));
    }
    let fingerprints: Vec<_> = accepted.iter().map(Accepted::identity).collect();
    let key = known::key(&opened.snapshot.head.hub, opened.snapshot.head.tag, &fingerprints);
    let mut before = known::find(session.store, &key);
    let had = before.len();
    let mut unread = Vec::new();
    for (id, which, head) in wanted {
        let usable = |known: &Known| match known.at {
            At::Apart(digest) => session.store.has(&digest),
            At::Signed | At::Primary => true,
        };
        match before.remove(&which).filter(usable) {
            Some(known) => drop(opened.known.insert(id, known)),
            None => unread.push((id, which, head)),
        }
    }
    let changed = !unread.is_empty() || opened.known.len() != had;
    if !unread.is_empty() {
        session.note(format!("reading the headers of {} packages of {}", unread.len(), koji.id));
    }
    session.timed("headers", || read(session, downloads, &accepted, unread, &mut opened.known))?;
    if changed {
        known::keep(session.store, &key, opened.known.values()).ok();
    }
    take(koji, opened, visible, harvest)
}

/// Reads headers and takes out of them what is needed; all that are wrong are told.
fn read(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    accepted: &[Accepted],
    unread: Vec<(i64, Which, HeadOf)>,
    known: &mut BTreeMap<i64, Known>,
) -> Result<(), ComposeError> {
    if unread.is_empty() {
        return Ok(());
    }
    let heads = unread.iter().map(|(.., head)| head.clone()).collect();
    let (mut wrong, mut unreachable) = (BTreeMap::new(), 0);
    let mut failed = None;
    downloads.heads(heads, &mut |place, head: Result<Head, CopyError>| {
        let Some((id, which, wanted)) = unread.get(place) else { return ControlFlow::Continue(()) };
        match head {
            Ok(head) => match learn(session, accepted, which, &wanted.nevra, head) {
                Ok(found) => drop(known.insert(*id, found)),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            },
            Err(error) => {
                unreachable += usize::from(error.is_surroundings());
                wrong.insert(wanted.nevra.clone(), chain(&error));
            }
        }
        if unreachable >= ENOUGH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(TOLD);
    let mut lines: Vec<_> = wrong.iter().take(TOLD).map(|(nevra, why)| format!("{nevra}: {why}")).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Err(ComposeError::Headers { count: wrong.len(), packages: lines, unreachable: unreachable > 0 })
}

/// What is needed of a package's headers.
fn learn(
    session: &Session<'_>,
    accepted: &[Accepted],
    which: &Which,
    nevra: &Nevra,
    head: Head,
) -> Result<Known, ComposeError> {
    let Head { headers, place } = head;
    let broken = |source: crate::rpm::PackageError| ComposeError::package(nevra, source.into());
    let package = headers.package().map_err(broken)?;
    let mut candidate = Candidate::from_package(&package, Digest::of(headers.main.bytes()));
    // A hub has one arch for all source packages.
    candidate.nevra = nevra.clone();
    let arches = |tag| -> Result<Vec<String>, ComposeError> {
        let texts = headers.main.texts(tag).map_err(|source| broken(source.into()))?;
        Ok(texts.iter().map(|text| text.into_owned()).collect())
    };
    let at = match place {
        Place::Signed => At::Signed,
        Place::Primary => At::Primary,
        Place::Apart(header) => At::Apart(session.store.put_bytes(&header)?),
    };
    let (exclusive, excluded) =
        (arches(crate::rpm::tags::EXCLUSIVEARCH)?, arches(crate::rpm::tags::EXCLUDEARCH)?);
    let signed = signatures::signed_by(&headers, accepted).map(|key| key.fingerprint().to_string());
    let signers = match signed {
        Some(_) => Vec::new(),
        None => signatures::signers(&headers),
    };
    Ok(Known { which: which.clone(), candidate, exclusive, excluded, at, signed, signers })
}

/// The trees that a `noarch` package does not belong to. Its own header is read as Pungi (4.3.6) reads it: against the
/// native arches, `noarch` among them. Its source's is read as mash does: against mash's native arches, and an exclusive
/// `noarch` says nothing.
fn not_for(known: &Known, rule: Noarch) -> Vec<String> {
    let belongs = |tree: &&'static TreeArch| {
        let holds = |arch: &String| match rule {
            Noarch::Header => tree.is_native(arch),
            Noarch::Source => tree.of_mash().is_native(arch),
        };
        let exclusive = |arch: &String| holds(arch) && (rule == Noarch::Header || arch != "noarch");
        !known.excluded.iter().any(holds)
            && (known.exclusive.is_empty() || known.exclusive.iter().any(exclusive))
    };
    let trees = TreeArch::names().filter_map(TreeArch::find);
    trees.filter(|tree| !belongs(tree)).map(|tree| tree.name.to_owned()).collect()
}

/// Takes in what is known of the packages that count.
fn take(
    koji: &KojiSource,
    opened: &Opened<'_>,
    visible: &Visible<'_>,
    harvest: &mut Harvest,
) -> Result<(), ComposeError> {
    let snapshot = &opened.snapshot;
    let mut sources: BTreeMap<i64, &Known> = BTreeMap::new();
    for rpm in snapshot.rpms.iter().filter(|rpm| matches!(rpm.arch.as_str(), "src" | "nosrc")) {
        if let Some(known) = opened.known.get(&rpm.id) {
            sources.insert(rpm.build, known);
        }
    }
    for rpm in &snapshot.rpms {
        let (Some(known), Some(build)) = (opened.known.get(&rpm.id), snapshot.build(rpm.build)) else {
            continue;
        };
        let path = RelPath::new(primary_path(build, rpm))?;
        let nevra = known.candidate.nevra.clone();
        if !visible.shows(&nevra, known.candidate.provides.iter().map(|provided| &provided.name)) {
            continue;
        }
        let harvested = Harvested {
            offered: Offered::Tagged { rpm: rpm.id, content: rpm.payloadhash.clone() },
            origin: Origin::Koji { source: koji.id.clone(), path },
            more: Vec::new(),
            source: opened.source,
            build_time: rpm.buildtime,
        };
        harvest.add(&nevra, harvested, || {
            let mut candidate = known.candidate.clone();
            if rpm.arch == "noarch" {
                let of = match koji.noarch {
                    Noarch::Header => known,
                    // A build without its source package says nothing but in its own headers.
                    Noarch::Source => sources.get(&rpm.build).copied().unwrap_or(known),
                };
                candidate.not_for = not_for(of, koji.noarch);
            }
            Seen::Candidate(candidate.into())
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noarch_packages_belong_where_their_headers_say() {
        let known = |exclusive: &[&str], excluded: &[&str]| {
            let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
            let which =
                Which { name: String::new(), payloadhash: String::new(), size: 0, sighash: String::new() };
            let candidate = Candidate::new("a-0:1-1.noarch".parse().unwrap(), Digest::of(""));
            let (exclusive, excluded) = (words(exclusive), words(excluded));
            Known {
                which,
                candidate,
                exclusive,
                excluded,
                at: At::Primary,
                signed: None,
                signers: Vec::new(),
            }
        };
        let belongs = |known: &Known, rule, tree: &str| !not_for(known, rule).iter().any(|name| name == tree);
        for (exclusive, excluded, rule, tree, expected) in [
            (&[][..], &[][..], Noarch::Header, "x86_64", true),
            (&["x86_64"], &[], Noarch::Header, "x86_64", true),
            (&["x86_64"], &[], Noarch::Header, "aarch64", false),
            (&[], &["aarch64"], Noarch::Header, "aarch64", false),
            (&[], &["aarch64"], Noarch::Header, "x86_64", true),
            // What is compatible by mash's table counts for mash alone; the secondary arch is not.
            (&["ia32e"], &[], Noarch::Header, "x86_64", false),
            (&["ia32e"], &[], Noarch::Source, "x86_64", true),
            (&["i686"], &[], Noarch::Header, "x86_64", false),
            (&["i686"], &[], Noarch::Source, "x86_64", false),
            (&[], &["i686"], Noarch::Header, "x86_64", true),
            (&[], &["i686"], Noarch::Source, "x86_64", true),
            // An exclusive noarch is any arch to Pungi and none to mash; an excluded one is all to both.
            (&["ppc64le", "noarch"], &[], Noarch::Header, "x86_64", true),
            (&["ppc64le", "noarch"], &[], Noarch::Source, "x86_64", false),
            (&[], &["noarch"], Noarch::Header, "x86_64", false),
            (&[], &["noarch"], Noarch::Source, "x86_64", false),
        ] {
            let found = belongs(&known(exclusive, excluded), rule, tree);
            assert_eq!(found, expected, "{exclusive:?} {excluded:?} {rule:?} {tree}");
        }
    }
}
