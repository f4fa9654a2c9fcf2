//! What changed from one lock to another, a line each: `+` came, `-` went, `~` is another one.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ComposeError;
use super::koji::{chosen, stored};
use crate::base::Nevra;
use crate::lock::{Koji, Lock, MediaPackages, Package, Pin};
use crate::store::Store;

/// What changed.
pub(super) fn changes(store: &Store, old: Option<&Lock>, new: &Lock) -> Result<Vec<String>, ComposeError> {
    let mut lines = tag_changes(store, old, new)?;
    let empty = BTreeMap::new();
    let before = old.map_or(&empty, |old| &old.packages.0);
    for nevra in before.keys().chain(new.packages.0.keys()).collect::<BTreeSet<_>>() {
        lines.extend(package_changes(nevra, before.get(nevra), new.packages.0.get(nevra)));
    }
    lines.extend(media_changes(old, new));
    let builder = |lock: &Lock| lock.header.builder.as_ref().map(|builder| builder.image);
    if let (Some(old), Some(image)) = (old, builder(new))
        && builder(old) != Some(image)
    {
        lines.push(format!("~ builder image {image}"));
    }
    Ok(lines)
}

/// What changed in a package, and in which trees it is.
fn package_changes(nevra: &Nevra, before: Option<&Package>, now: Option<&Package>) -> Vec<String> {
    let trees = |package: Option<&Package>| -> BTreeSet<String> {
        package.iter().flat_map(|package| package.trees.keys()).map(ToString::to_string).collect()
    };
    let (old, new) = (trees(before), trees(now));
    let mut lines = Vec::new();
    for (sign, names) in [('+', new.difference(&old)), ('-', old.difference(&new))] {
        let names: Vec<_> = names.map(String::as_str).collect();
        if !names.is_empty() {
            lines.push(format!("{sign} {nevra} in {}", names.join(", ")));
        }
    }
    if let (Some(before), Some(now)) = (before, now)
        && before != now
    {
        let how = match () {
            () if before.content != now.content => "other content",
            () if before.unsigned != now.unsigned => "signed otherwise",
            () if before.keys != now.keys => "to be signed by another key",
            () if before.origins != now.origins => "comes from elsewhere",
            () if lines.is_empty() => "selected for other reasons",
            () => return lines,
        };
        lines.push(format!("~ {nevra}: {how}"));
    }
    lines
}

/// What changed in tags: their events, their pins, their builds.
fn tag_changes(store: &Store, old: Option<&Lock>, new: &Lock) -> Result<Vec<String>, ComposeError> {
    let mut lines = Vec::new();
    let find = |lock: &'_ Lock, id: &str| lock.header.koji.iter().find(|koji| koji.id == id).cloned();
    for now in &new.header.koji {
        let before = old.and_then(|old| Some((old, find(old, &now.id)?)));
        match &before {
            None => lines.push(format!("+ {}: tag {} at event {}", now.id, now.tag, now.event)),
            Some((_, before)) if (&before.tag, before.event) != (&now.tag, now.event) => lines.push(format!(
                "~ {}: tag {} at event {} instead of tag {} at event {}",
                now.id, now.tag, now.event, before.tag, before.event
            )),
            Some(_) => {}
        }
        let pins = before.as_ref().map(|(_, before)| before.pins.clone()).unwrap_or_default();
        lines.extend(pins.iter().filter(|pin| !now.pins.contains(pin)).map(|one| format!("- {}", pin(one))));
        lines.extend(now.pins.iter().filter(|pin| !pins.contains(pin)).map(|one| format!("+ {}", pin(one))));
        let was = match &before {
            Some((old, before)) => builds(store, old, before)?,
            None => BTreeMap::new(),
        };
        let is = builds(store, new, now)?;
        for name in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
            let none = BTreeSet::new();
            let (was, is) = (was.get(name).unwrap_or(&none), is.get(name).unwrap_or(&none));
            let gone: Vec<_> = was.difference(is).cloned().collect();
            let came: Vec<_> = is.difference(was).cloned().collect();
            match (gone.as_slice(), came.as_slice()) {
                ([gone], [came]) => lines.push(format!("~ build {came} instead of {gone}")),
                (gone, came) => {
                    lines.extend(gone.iter().map(|nvr| format!("- build {nvr}")));
                    lines.extend(came.iter().map(|nvr| format!("+ build {nvr}")));
                }
            }
        }
    }
    let gone = old.iter().flat_map(|old| &old.header.koji).filter(|koji| find(new, &koji.id).is_none());
    lines.extend(gone.map(|koji| format!("- {}: tag {} at event {}", koji.id, koji.tag, koji.event)));
    Ok(lines)
}

/// A pin, for people.
fn pin(pin: &Pin) -> String {
    let builds = if pin.builds.is_empty() { "no build".to_owned() } else { pin.builds.join(", ") };
    let event = pin.event.map(|event| format!(" to event {event}")).unwrap_or_default();
    let reason = pin.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {}{event}, {builds}{reason}", pin.kind.name(), pin.package)
}

/// The builds that a lock takes from a tag, by package. Where what the hub said is no longer in the store, none are known.
fn builds(
    store: &Store,
    lock: &Lock,
    koji: &Koji,
) -> Result<BTreeMap<String, BTreeSet<String>>, ComposeError> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if let Some(snapshot) = stored(store, lock, koji)? {
        for id in chosen(&snapshot, &koji.pins) {
            if let Some(build) = snapshot.build(id) {
                found.entry(build.name.clone()).or_default().insert(build.nvr());
            }
        }
    }
    Ok(found)
}

/// What changed in media: their kickstarts, what they are, and what they are made of.
fn media_changes(old: Option<&Lock>, new: &Lock) -> Vec<String> {
    let kickstarts = |lock: &Lock| -> BTreeMap<String, String> {
        let files = lock.header.kickstarts.iter();
        files.map(|file| (format!("kickstart {}", file.path), file.digest.to_string())).collect()
    };
    let media = |lock: &Lock| -> BTreeMap<String, String> {
        let media = lock.header.media.iter();
        media.map(|medium| (format!("medium {}", medium.name()), format!("{medium:?}"))).collect()
    };
    let mut lines = Vec::new();
    for parts in [&kickstarts as &dyn Fn(&Lock) -> BTreeMap<String, String>, &media] {
        let (before, now) = (old.map(parts).unwrap_or_default(), parts(new));
        for what in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            match (before.get(what), now.get(what)) {
                (None, _) => lines.push(format!("+ {what}")),
                (_, None) => lines.push(format!("- {what}")),
                (before, now) if before != now => lines.push(format!("~ {what}")),
                _ => {}
            }
        }
    }
    let nothing = MediaPackages::default();
    let (old, new, none) = (old.map_or(&nothing, |old| &old.media), &new.media, BTreeSet::new());
    for key in old.0.keys().chain(new.0.keys()).collect::<BTreeSet<_>>() {
        let (medium, part) = key;
        let (before, now) = (old.0.get(key).unwrap_or(&none), new.0.get(key).unwrap_or(&none));
        let line = |sign: char| move |nevra: &Nevra| format!("{sign} {nevra} in the {part} of {medium}");
        lines.extend(now.difference(before).map(line('+')));
        lines.extend(before.difference(now).map(line('-')));
    }
    lines
}
