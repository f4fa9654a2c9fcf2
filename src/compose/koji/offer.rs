//! What a tag offers: the hub's answers, and the headers of the packages that count.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::known::{At, Known, Which};
use super::{Hub, Question, Tagged, files_url, header_path, known, primary_path, signed_path};
use crate::base::arch::TreeArch;
use crate::base::{Digest, Evr, Nevra, RelPath, chain};
use crate::compose::error::ComposeError;
use crate::compose::execute::Session;
use crate::compose::flow::Downloads;
use crate::compose::harvest::{Harvest, Harvested, Offered};
use crate::compose::inputs::RecipeFiles;
use crate::compose::signatures::{self, Accepted};
use crate::koji::snapshot::{Build, Rpm};
use crate::koji::{CopyError, Head, HeadOf, Place, SignedCopy, Snapshot};
use crate::lock::{Origin, Pin, PinKind};
use crate::recipe::{KojiSource, Noarch, Origin as Where, PinnedBuild};
use crate::repo::open::{Filter, url};
use crate::select::Candidate;

/// Problems that are told one by one.
const TOLD: usize = 50;
/// So many connections that fail are enough to see that the place cannot be reached.
const ENOUGH: usize = 16;

/// A tag that was asked about.
pub(in crate::compose) struct Opened<'d> {
    /// Its place among the recipe's sources.
    pub source: usize,
    /// The hub.
    pub hub: Box<dyn Hub + 'd>,
    /// Where its files are, as the lock says it.
    pub files: String,
    /// Where they are.
    pub url: String,
    /// What the hub said.
    pub snapshot: Snapshot,
    /// Builds that are not those of the event.
    pub pins: Vec<Pin>,
    /// What is known of the packages that count.
    pub known: BTreeMap<i64, Known>,
}

/// Asks the hubs of a recipe, and takes in what their tags offer.
pub(in crate::compose) fn offer<'d>(
    session: &Session<'_>,
    downloads: &'d dyn Downloads,
    files: &RecipeFiles,
    harvest: &mut Harvest,
) -> Result<Vec<Opened<'d>>, ComposeError> {
    let mut found = Vec::new();
    for (place, source) in files.recipe.sources.iter().enumerate() {
        let Where::Koji(koji) = &source.origin else { continue };
        let opened = session.timed("tag", || open(session, downloads, files, place, koji))?;
        found.push(add(session, downloads, files, koji, opened, harvest)?);
    }
    harvest.check_conflicts()?;
    Ok(found)
}

/// Asks a hub about its tag.
fn open<'d>(
    session: &Session<'_>,
    downloads: &'d dyn Downloads,
    files: &RecipeFiles,
    source: usize,
    koji: &KojiSource,
) -> Result<Opened<'d>, ComposeError> {
    let hub = downloads.hub(&koji.hub, &files.folder)?;
    let place = koji.files.as_ref().map(|url| url.as_str().to_owned());
    let place = place
        .or_else(|| matches!(koji.hub, crate::recipe::HubPlace::Embedded(_)).then(|| koji.hub.to_string()));
    let place = place.or_else(|| hub.files()).ok_or_else(|| ComposeError::NoFiles(koji.id.clone()))?;
    let builds = |pins: &[PinnedBuild]| pins.iter().map(|pin| pin.build.clone()).collect::<Vec<_>>();
    let Tagged { snapshot, drafts } = hub.tagged(&Question {
        tag: &koji.tag,
        event: koji.event,
        inherit: koji.inherit,
        latest: koji.latest,
        held: &builds(&koji.hold),
        forced: &builds(&koji.force),
    })?;
    notes(session, koji, &snapshot, drafts);
    let pin = |kind: PinKind| {
        move |pin: &PinnedBuild| Pin {
            package: pin.package.clone(),
            builds: vec![pin.build.clone()],
            kind,
            event: None,
            reason: Some(pin.reason.clone()),
        }
    };
    let mut pins: Vec<_> = koji.hold.iter().map(pin(PinKind::Hold)).collect();
    pins.extend(koji.force.iter().map(pin(PinKind::Force)));
    pins.sort();
    let url = files_url(&place, &files.folder)?;
    Ok(Opened { source, hub, files: place, url, snapshot, pins, known: BTreeMap::new() })
}

/// Says what a composer should know of a tag before believing that all is well.
fn notes(session: &Session<'_>, koji: &KojiSource, snapshot: &Snapshot, drafts: usize) {
    let id = &koji.id;
    let head = &snapshot.head;
    session.note(format!(
        "{id}: tag {} at event {} of {}: {} builds, {} RPMs",
        koji.tag,
        head.event,
        head.hub,
        snapshot.taggings.len(),
        snapshot.rpms.len()
    ));
    if drafts > 0 {
        session.note(format!("note: {drafts} draft builds of {id} were left out"));
    }
    for external in &snapshot.externals {
        session.note(format!(
            "warning: {id} has the external repository {}: its packages are not the hub's, and are left out",
            external.name
        ));
    }
    let mut blocked: Vec<_> =
        snapshot.packages.iter().filter(|entry| entry.blocked).map(|entry| entry.name.as_str()).collect();
    blocked.sort_unstable();
    blocked.dedup();
    if !blocked.is_empty() {
        session.note(format!("note: blocked in {id}: {}", blocked.join(", ")));
    }
    let gone: Vec<_> = snapshot.builds.iter().filter(|build| build.state != 1).map(Build::nvr).collect();
    if !gone.is_empty() {
        session.note(format!("warning: builds of {id} that are gone: {}", gone.join(", ")));
    }
}

/// The builds of a snapshot that are taken, by id.
pub(in crate::compose) fn chosen(snapshot: &Snapshot, pins: &[Pin]) -> BTreeSet<i64> {
    let pins: BTreeMap<&str, &Pin> = pins.iter().map(|pin| (pin.package.as_str(), pin)).collect();
    let tagged: BTreeSet<i64> = snapshot.taggings.iter().map(|tagging| tagging.build).collect();
    let counts = |build: &&Build| match pins.get(build.name.as_str()) {
        Some(pin) => pin.builds.contains(&build.nvr()),
        None => tagged.contains(&build.id),
    };
    let builds = snapshot.builds.iter().filter(|build| build.state == 1 && !build.draft);
    builds.filter(counts).map(|build| build.id).collect()
}

/// The arches of packages that the recipe's trees can hold.
fn useful(files: &RecipeFiles) -> BTreeSet<&'static str> {
    let arches = files.recipe.variants.values().flat_map(|variant| &variant.arches);
    let of = |arch: &&'static TreeArch| arch.native.iter().chain(arch.multilib).copied();
    arches.flat_map(of).chain(["noarch", "src", "nosrc"]).collect()
}

/// The packages that count, with their builds.
fn counted<'s>(
    koji: &KojiSource,
    files: &RecipeFiles,
    snapshot: &'s Snapshot,
    pins: &[Pin],
    session: &Session<'_>,
) -> Result<Vec<(&'s Build, &'s Rpm, Nevra)>, ComposeError> {
    let (chosen, useful) = (chosen(snapshot, pins), useful(files));
    let named = |list: &[String], name: &str| list.is_empty() || list.iter().any(|known| known == name);
    let mut found = Vec::new();
    let mut strange = Vec::new();
    for rpm in snapshot.rpms.iter().filter(|rpm| chosen.contains(&rpm.build)) {
        let Some(build) = snapshot.build(rpm.build) else { continue };
        let counts = named(&koji.volumes, &build.volume_name)
            && named(&koji.arches, &rpm.arch)
            && useful.contains(rpm.arch.as_str())
            && !rpm.metadata_only
            && !rpm.draft;
        if !counts {
            continue;
        }
        match nevra(build, rpm) {
            Some(nevra) => found.push((build, rpm, nevra)),
            None => {
                strange.push(format!("{} of {}", rpm.file_name().escape_debug(), build.nvr().escape_debug()))
            }
        }
    }
    if !strange.is_empty() {
        return Err(ComposeError::StrangeNames(strange));
    }
    let filter = Filter { include: &koji.includepkgs, exclude: &koji.excludepkgs };
    let (counts, idle) = filter.apply(found.iter().map(|(.., nevra)| nevra));
    for pattern in idle {
        session.note(format!("warning: '{pattern}' means no package of {}", koji.id));
    }
    let mut counts = counts.into_iter();
    found.retain(|_| counts.next().unwrap_or(false));
    Ok(found)
}

/// The name of a package, if all that its path is made of is harmless.
fn nevra(build: &Build, rpm: &Rpm) -> Option<Nevra> {
    let evr = |version: &str, release: &str, epoch: Option<i64>| {
        let epoch = u32::try_from(epoch.unwrap_or(0)).ok()?;
        Some(Evr { epoch, version: version.into(), release: release.into() })
    };
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text.chars().all(|char| char.is_ascii_alphanumeric() || "._+-".contains(char))
    };
    // A draft's release has a comma, but drafts do not come this far.
    Nevra::new(&build.name, evr(&build.version, &build.release, None)?, "src").ok()?;
    plain(&build.volume_name).then_some(())?;
    Nevra::new(&rpm.name, evr(&rpm.version, &rpm.release, rpm.epoch)?, &rpm.arch).ok()
}

/// Reads the headers that are not known yet, and takes in the packages.
fn add<'d>(
    session: &Session<'_>,
    downloads: &'d dyn Downloads,
    files: &RecipeFiles,
    koji: &KojiSource,
    mut opened: Opened<'d>,
    harvest: &mut Harvest,
) -> Result<Opened<'d>, ComposeError> {
    let accepted = signatures::accepted(files, opened.source)?;
    let ids: Vec<_> = {
        let counted = counted(koji, files, &opened.snapshot, &opened.pins, session)?;
        counted.iter().map(|(_, rpm, _)| rpm.id).collect()
    };
    opened.snapshot.signatures = session.timed("tag", || opened.hub.signatures(&ids))?;
    opened.snapshot.sort();
    let ids: BTreeSet<_> = ids.into_iter().collect();
    let mut wanted = Vec::new();
    for rpm in opened.snapshot.rpms.iter().filter(|rpm| ids.contains(&rpm.id)) {
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
    take(koji, &opened, harvest)?;
    Ok(opened)
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
/// native arches, `noarch` among them. Its source's is read as mash does: against all arches of the tree, and an
/// exclusive `noarch` says nothing.
fn not_for(known: &Known, rule: Noarch) -> Vec<String> {
    let belongs = |tree: &&TreeArch| {
        let holds = |arch: &String| match rule {
            Noarch::Header => tree.is_native(arch),
            Noarch::Source => tree.rank(arch).is_some(),
        };
        let exclusive = |arch: &String| holds(arch) && (rule == Noarch::Header || arch != "noarch");
        !known.excluded.iter().any(holds)
            && (known.exclusive.is_empty() || known.exclusive.iter().any(exclusive))
    };
    let trees = TreeArch::names().filter_map(TreeArch::find);
    trees.filter(|tree| !belongs(tree)).map(|tree| tree.name.to_owned()).collect()
}

/// Takes in what is known of the packages that count.
fn take(koji: &KojiSource, opened: &Opened<'_>, harvest: &mut Harvest) -> Result<(), ComposeError> {
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
            candidate
        });
    }
    Ok(())
}
