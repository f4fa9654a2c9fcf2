//! What hubs say of a recipe's tags, and which of it counts.
//!
//! Where the hub says what the lock has already, the lock's event stays: an update without news changes nothing.
//! Where only some packages are to move, what the lock has is the ground: builds of these packages are taken from
//! what the hub says now, and the lock takes note of them as pins.

use std::collections::{BTreeMap, BTreeSet};

use super::known::Known;
use super::{Hub, files_url, modulemd};
use crate::base::arch::TreeArch;
use crate::base::{Evr, Nevra};
use crate::compose::error::ComposeError;
use crate::compose::execute::Session;
use crate::compose::flow::Downloads;
use crate::compose::inputs::RecipeFiles;
use crate::compose::modules::of_tag;
use crate::koji::snapshot::{Build, Module, Rpm};
use crate::koji::{Question, Snapshot, TagState};
use crate::lock::{Koji, Lock, Pin, PinKind};
use crate::recipe::{HubPlace, KojiSource, ModuleChoice, Noarch, Origin as Where, PinnedBuild};
use crate::repo::open::Filter;
use crate::store::Store;

/// No snapshot is larger, compressed.
const LARGEST: u64 = 1 << 30;

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
    /// The RPMs that count.
    pub counted: BTreeSet<i64>,
    /// Builds that are not those of the event.
    pub pins: Vec<Pin>,
    /// Whether the lock has all of it already.
    pub unchanged: bool,
    /// What is known of the packages that count.
    pub(super) known: BTreeMap<i64, Known>,
}

/// Asks the hubs of a recipe's tags. With `only`, nothing but these packages moves from what the old lock has.
pub(in crate::compose) fn ask<'d>(
    session: &Session<'_>,
    downloads: &'d dyn Downloads,
    files: &RecipeFiles,
    old: Option<&Lock>,
    only: &[String],
) -> Result<Vec<Opened<'d>>, ComposeError> {
    let mut found = Vec::new();
    for (source, place) in files.recipe.sources.iter().enumerate() {
        let Where::Koji(koji) = &place.origin else { continue };
        let asking = Asking { session, downloads, files, koji, source, old, only };
        found.push(session.timed("tag", || asking.open())?);
    }
    let known = |name: &String| {
        let of = |tag: &Opened<'_>| {
            let content = tag.snapshot.content();
            tag.snapshot.builds.iter().any(|build| build.name == *name && !content.contains(&build.id))
        };
        found.iter().any(of) || found.iter().flat_map(|tag| &tag.pins).any(|pin| pin.package == *name)
    };
    let unknown: Vec<_> = only.iter().filter(|name| !known(name)).cloned().collect();
    if unknown.is_empty() { Ok(found) } else { Err(ComposeError::NoBuilds(unknown)) }
}

/// One tag while it is asked about.
struct Asking<'a, 'd> {
    session: &'a Session<'a>,
    downloads: &'d dyn Downloads,
    files: &'a RecipeFiles,
    koji: &'a KojiSource,
    source: usize,
    old: Option<&'a Lock>,
    only: &'a [String],
}

impl<'d> Asking<'_, 'd> {
    fn open(&self) -> Result<Opened<'d>, ComposeError> {
        let koji = self.koji;
        let hub = self.downloads.hub(&koji.hub, &self.files.folder)?;
        let files = match (&koji.files, &koji.hub) {
            (Some(url), _) => url.to_string(),
            (None, HubPlace::Embedded(_)) => koji.hub.to_string(),
            (None, _) => hub.files().ok_or_else(|| ComposeError::NoFiles(koji.id.clone()))?,
        };
        let modules = of_tag(&self.files.recipe, koji);
        let failed = |source| ComposeError::Hub { id: koji.id.clone(), source };
        let builds = |pins: &[PinnedBuild]| pins.iter().map(|pin| pin.build.clone()).collect::<Vec<_>>();
        let TagState { mut snapshot, drafts, deleted } = hub
            .tagged(&Question {
                tag: &koji.tag,
                event: koji.event,
                inherit: koji.inherit,
                latest: koji.latest,
                held: &builds(&koji.hold),
                forced: &builds(&koji.force),
                modules: &modules,
            })
            .map_err(failed)?;
        let mut pins = recipe_pins(koji);
        let before = self.before(&hub.name())?;
        let asked: BTreeSet<i64> = match (&before, self.only) {
            (_, []) => snapshot.rpms.iter().map(|rpm| rpm.id).collect(),
            (Some((pinned, old)), only) => {
                let new = std::mem::replace(&mut snapshot, old.clone());
                let (all, came) = moved(&mut snapshot, &new, pinned, pins, only);
                pins = all;
                came
            }
            (None, _) => return Err(ComposeError::NotMovable(koji.id.clone())),
        };
        let url = files_url(&files, &self.files.folder)?;
        modulemd::fetch(
            self.session,
            self.downloads,
            self.files,
            &url,
            &mut snapshot,
            before.as_ref().map(|(_, old)| old),
        )?;
        self.notes(&snapshot, &drafts, &deleted);
        let counted = self.counted(&snapshot, &pins)?;
        // What was asked for the lock and does not move is not asked again.
        let ids: Vec<_> = counted.iter().filter(|id| asked.contains(id)).copied().collect();
        snapshot
            .signatures
            .retain(|signature| !asked.contains(&signature.rpm) && counted.contains(&signature.rpm));
        snapshot.signatures.extend(hub.signatures(&ids).map_err(failed)?);
        snapshot.sort();
        let unchanged = before.as_ref().is_some_and(|(pinned, old)| {
            pinned.pins == pins && pinned.files == files && same(old, &snapshot)
        });
        if let (true, Some((_, old))) = (unchanged, before) {
            snapshot = old;
        }
        let (source, known) = (self.source, BTreeMap::new());
        Ok(Opened { source, hub, files, url, snapshot, counted, pins, unchanged, known })
    }

    /// What the old lock has of the same tag, asked in the same way.
    fn before(&self, hub: &str) -> Result<Option<(&Koji, Snapshot)>, ComposeError> {
        let koji = self.koji;
        let Some(old) = self.old else { return Ok(None) };
        let like = |known: &&Koji| {
            known.id == koji.id
                && known.hub == hub
                && known.tag == koji.tag
                && (known.inherit, known.latest) == (koji.inherit, koji.latest)
                && (&known.volumes, &known.arches) == (&koji.volumes, &koji.arches)
                && (&known.includepkgs, &known.excludepkgs) == (&koji.includepkgs, &koji.excludepkgs)
                && known.noarch.as_deref().unwrap_or(Noarch::Header.name()) == koji.noarch.name()
                && known.modules == names(&of_tag(&self.files.recipe, koji))
                && koji.event.is_none_or(|event| event == known.event || !self.only.is_empty())
        };
        let Some(pinned) = old.header.koji.iter().find(like) else { return Ok(None) };
        Ok(stored(self.session.store, old, pinned)?.map(|snapshot| (pinned, snapshot)))
    }

    /// Says what a composer should know of a tag before believing that all is well.
    fn notes(&self, snapshot: &Snapshot, drafts: &[String], deleted: &[String]) {
        let (id, head) = (&self.koji.id, &snapshot.head);
        let note = |text: String| self.session.note(text);
        note(format!(
            "{id}: tag {} at event {} of {}: {} builds, {} RPMs",
            self.koji.tag,
            head.event,
            head.hub,
            snapshot.builds.len(),
            snapshot.rpms.len()
        ));
        if !drafts.is_empty() {
            note(format!("note: draft builds of {id}, left out: {}", drafts.join(", ")));
        }
        for external in &snapshot.externals {
            note(format!(
                "warning: {id} has the external repository {}: its packages are not the hub's, and are left out",
                external.name
            ));
        }
        let blocked = snapshot.packages.iter().filter(|entry| entry.blocked).map(|entry| entry.name.as_str());
        let blocked: BTreeSet<_> = blocked.collect();
        if !blocked.is_empty() {
            note(format!("note: blocked in {id}: {}", blocked.into_iter().collect::<Vec<_>>().join(", ")));
        }
        if !snapshot.modules.is_empty() {
            let modules: BTreeSet<_> = snapshot.modules.iter().map(Module::nsvc).collect();
            let modules = modules.into_iter().collect::<Vec<_>>().join(", ");
            note(match of_tag(&self.files.recipe, self.koji).is_empty() {
                true => format!(
                    "warning: {id} has modules, none of which 'modules' names, so their packages are left out: {modules}"
                ),
                false => format!("{id}: builds of modules: {modules}"),
            });
        }
        if !deleted.is_empty() {
            note(format!(
                "warning: builds of {id} deleted since event {}: {}",
                head.event,
                deleted.join(", ")
            ));
        }
    }

    /// The RPMs that count.
    fn counted(&self, snapshot: &Snapshot, pins: &[Pin]) -> Result<BTreeSet<i64>, ComposeError> {
        let koji = self.koji;
        let (chosen, useful) = (chosen(snapshot, pins), useful(self.files));
        let named = |list: &[String], name: &str| list.is_empty() || list.iter().any(|known| known == name);
        let (mut found, mut strange) = (Vec::new(), Vec::new());
        for rpm in snapshot.rpms.iter().filter(|rpm| chosen.contains(&rpm.build)) {
            let Some(build) = snapshot.build(rpm.build) else { continue };
            let counts = named(&koji.volumes, &build.volume_name)
                && named(&koji.arches, &rpm.arch)
                && useful.contains(rpm.arch.as_str())
                && !rpm.metadata_only
                && !rpm.draft;
            match nevra(build, rpm) {
                _ if !counts => {}
                Some(nevra) => found.push((rpm.id, nevra)),
                None => {
                    let names = (rpm.file_name(), build.nvr());
                    strange.push(format!("{} of {}", names.0.escape_debug(), names.1.escape_debug()));
                }
            }
        }
        if !strange.is_empty() {
            return Err(ComposeError::StrangeNames(strange));
        }
        let filter = Filter { include: &koji.includepkgs, exclude: &koji.excludepkgs };
        let (counts, idle) = filter.apply(found.iter().map(|(_, nevra)| nevra));
        for pattern in idle {
            self.session.note(format!("warning: '{pattern}' means no package of {}", koji.id));
        }
        Ok(found.iter().zip(counts).filter(|(_, counts)| *counts).map(|((id, _), _)| *id).collect())
    }
}

/// What a lock keeps of what a hub said; none where the store no longer has it.
pub(in crate::compose) fn stored(
    store: &Store,
    lock: &Lock,
    pinned: &Koji,
) -> Result<Option<Snapshot>, ComposeError> {
    let encoded = match (pinned.snapshot_object, pinned.snapshot_stored) {
        (Some(digest), _) => lock.objects.get(&digest).cloned(),
        (None, Some(digest)) if store.has(&digest) => Some(store.read_object(&digest, LARGEST)?),
        (None, _) => None,
    };
    Ok(encoded.map(|encoded| Snapshot::decode(&encoded)).transpose()?)
}

/// The pins that a recipe asks for.
fn recipe_pins(koji: &KojiSource) -> Vec<Pin> {
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
    pins
}

/// What a source says of modules, as a lock has it.
pub(super) fn names(choices: &[ModuleChoice]) -> Vec<String> {
    choices.iter().map(ToString::to_string).collect()
}

/// Whether two snapshots are of one state: events pass that change nothing in a tag, and which RPMs were selected is not
/// the hub's doing.
fn same(left: &Snapshot, right: &Snapshot) -> bool {
    let mut right = right.clone();
    right.head.event = left.head.event;
    right.head.time = left.head.time;
    right.checksums.clone_from(&left.checksums);
    *left == right
}

/// Moves packages of an old snapshot to what they are in a new one; the pins that say so, and the RPMs that came.
fn moved(
    old: &mut Snapshot,
    new: &Snapshot,
    pinned: &Koji,
    recipe: Vec<Pin>,
    only: &[String],
) -> (Vec<Pin>, BTreeSet<i64>) {
    let mut pins: BTreeMap<String, Pin> =
        pinned.pins.iter().map(|pin| (pin.package.clone(), pin.clone())).collect();
    let (mut now, then) = (BTreeMap::<&str, Vec<String>>::new(), chosen(old, &[]));
    let stays = old.content();
    let (current, content) = (chosen(new, &recipe), new.content());
    let mut came = BTreeSet::new();
    let moves = |build: &&Build| {
        current.contains(&build.id) && only.contains(&build.name) && !content.contains(&build.id)
    };
    for build in new.builds.iter().filter(moves) {
        now.entry(&build.name).or_default().push(build.nvr());
        if old.build(build.id).is_none() {
            old.builds.push(build.clone());
        }
        old.rpms.retain(|rpm| rpm.build != build.id);
        let rpms = new.rpms.iter().filter(|rpm| rpm.build == build.id);
        came.extend(rpms.clone().map(|rpm| rpm.id));
        old.rpms.extend(rpms.cloned());
        old.builds.sort_unstable();
    }
    old.checksums.retain(|checksum| !came.contains(&checksum.rpm));
    for name in only {
        let mut before: Vec<_> = old
            .builds
            .iter()
            .filter(|build| build.name == *name && then.contains(&build.id) && !stays.contains(&build.id))
            .map(Build::nvr)
            .collect();
        let mut after = now.remove(name.as_str()).unwrap_or_default();
        before.sort();
        after.sort();
        let demanded = recipe.iter().find(|pin| pin.package == *name).cloned();
        match demanded {
            Some(pin) => drop(pins.insert(name.clone(), pin)),
            None if before == after => drop(pins.remove(name)),
            None => {
                let (package, kind, event) = (name.clone(), PinKind::Moved, Some(new.head.event));
                pins.insert(name.clone(), Pin { package, builds: after, kind, event, reason: None });
            }
        }
    }
    let mut pins: Vec<_> = pins.into_values().collect();
    pins.sort();
    (pins, came)
}

/// The builds of a snapshot that are taken, by id. Those of content tags are what their modules are, whatever is held or
/// forced in the tag itself.
pub(in crate::compose) fn chosen(snapshot: &Snapshot, pins: &[Pin]) -> BTreeSet<i64> {
    let pins: BTreeMap<&str, &Pin> = pins.iter().map(|pin| (pin.package.as_str(), pin)).collect();
    let tagged: BTreeSet<i64> = snapshot.taggings.iter().map(|tagging| tagging.build).collect();
    let content = snapshot.content();
    let counts = |build: &&Build| match pins.get(build.name.as_str()) {
        Some(_) if content.contains(&build.id) => true,
        Some(pin) => pin.builds.contains(&build.nvr()),
        None => tagged.contains(&build.id),
    };
    let builds = snapshot.builds.iter().filter(|build| build.state == 1 && !build.draft);
    builds.filter(counts).map(|build| build.id).collect()
}

/// The arches of packages that the recipe's trees can hold.
fn useful(files: &RecipeFiles) -> BTreeSet<&'static str> {
    let arches = files.recipe.variants.values().flat_map(|variant| &variant.arches);
    let of = |arch: &&'static TreeArch| {
        arch.native.iter().chain(arch.multilib).chain(arch.of_mash().native).copied()
    };
    arches.flat_map(of).chain(["noarch", "src", "nosrc"]).collect()
}

/// The name of a package, if all that its path is made of is harmless.
pub(super) fn nevra(build: &Build, rpm: &Rpm) -> Option<Nevra> {
    let evr = |version: &str, release: &str, epoch: Option<i64>| {
        let epoch = u32::try_from(epoch.unwrap_or(0)).ok()?;
        Some(Evr { epoch, version: version.into(), release: release.into() })
    };
    let plain = |text: &str| {
        !text.starts_with('.')
            && text.chars().all(|char| char.is_ascii_alphanumeric() || "._+-".contains(char))
    };
    // A draft's release has a comma, but drafts do not come this far.
    Nevra::new(&build.name, evr(&build.version, &build.release, None)?, "src").ok()?;
    plain(&build.volume_name).then_some(())?;
    Nevra::new(&rpm.name, evr(&rpm.version, &rpm.release, rpm.epoch)?, &rpm.arch).ok()
}
