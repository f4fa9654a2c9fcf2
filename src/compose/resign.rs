//! Signing a release again with other keys, with nothing else in it changed: after a key was compromised, or when another
//! one takes its place.
//!
//! The lock decides everything but who signs: packages, sources, events, trees and media stay as they are, and the recipe
//! may differ from that of the lock in its keys alone. Of what gander signed every signature is made again by the keys
//! that the recipe has now; of what came signed, those signatures are replaced that are by a key which is compromised.
//!
//! While it goes on, new signatures are added to the old lock, which stays what it is by that; so whoever was stopped
//! half way does not sign the same again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::error::ComposeError;
use super::execute::{Executed, Session};
use super::flow::{self, Downloads};
use super::folder::{self, lock_folder};
use super::harvest;
use super::inputs::RecipeFiles;
use super::lower::Lowered;
use super::signatures::{self, Accepted, Compromised};
use crate::base::Digest;
use crate::lock::{Key, Lock, Package, Packages, Signatures, Signed};
use crate::openpgp::Certificate;
use crate::recipe::Recipe;

/// So many signatures of packages are made before they are kept.
const BATCH: usize = 256;

/// Signs the release of a lock again with the keys that the recipe has now, shows what changed, a line each, and writes
/// the lock. What later stages have signed, [`compose`](super::compose()) makes.
pub fn resign(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    recipe: &Path,
    home: Option<&Path>,
    show: &mut dyn FnMut(&[String]),
) -> Result<(), ComposeError> {
    let files = RecipeFiles::read(recipe)?;
    let folder = lock_folder(recipe);
    let old = folder::read(&folder)?.ok_or_else(|| ComposeError::NoLock(folder.clone()))?;
    let lock = sign_again(session, downloads, &files, &old, home)?;
    show(&differences(&old, &lock)?);
    folder::write(&folder, &lock)
}

/// Signs the release of a recipe's lock again. The new lock is not written yet.
pub(super) fn sign_again(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    files: &RecipeFiles,
    old: &Lock,
    home: Option<&Path>,
) -> Result<Lock, ComposeError> {
    only_keys_differ(files, old)?;
    flow::stock(session, downloads, &files.folder, old)?;
    let signers = signatures::open(&files.recipe, old.header.source_date, home)?;
    let signer = signers.of_packages().ok_or(ComposeError::NoSigner)?.fingerprint();
    let before = signatures::certificates(old)?;
    let compromised = Compromised::of(&files.recipe, &before);

    let mut lock = old.clone();
    let mut keys = BTreeMap::new();
    signers.name(&mut lock.header, &mut keys);
    let mut lowered = flow::plan(session, &lock)?;
    let mut done = flow::run_unsigned(session, &lowered)?;
    keys.extend(packages(session, (&mut lock, &lowered, &done), &before, &compromised, &signer)?);
    header(files, old, keys, &mut lock);

    lowered = flow::plan(session, &lock)?;
    let mut kept = old.clone();
    for demands in lowered.demands.chunks(BATCH) {
        flow::sign_headers(session, &signers, demands, (&lowered, &done), &mut lock)?;
        kept.signatures.merge(&lock.signatures);
        folder::write(&lock_folder(&files.path), &kept)?;
    }
    lowered = flow::plan(session, &lock)?;
    done = flow::run_attached(session, &lock, &lowered, done)?;
    lock.signed = flow::signed(session, &lowered, &done)?;
    flow::check_pins(&lock, &lowered, &done)?;
    signatures::check(session.store, &lock, &lowered, &done)?;
    check_content(session, &lock, &lowered, &done)?;
    differences(old, &lock)?;
    Ok(lock)
}

/// The recipe of a lock may name other keys by now, and nothing else may have changed.
fn only_keys_differ(files: &RecipeFiles, old: &Lock) -> Result<(), ComposeError> {
    let lock = lock_folder(&files.path);
    let differs = |what: &str| ComposeError::NotOnlyKeys { lock: lock.clone(), what: what.into() };
    let digest = old.header.recipe_text;
    let text = old.objects.get(&digest).ok_or(ComposeError::NoObject { lock: lock.clone(), digest })?;
    let text = String::from_utf8_lossy(text);
    if let Some(part) = Recipe::parse(&text, "lock.toml")?.differs_besides_keys(&files.recipe) {
        return Err(differs(part));
    }
    match files.deep_digest(&text) == old.header.recipe {
        true => Ok(()),
        false => Err(differs("a file that the recipe names")),
    }
}

/// Says for each package who is to sign it now. Gives the certificates that are still needed for what came signed.
fn packages(
    session: &Session<'_>,
    (lock, lowered, done): (&mut Lock, &Lowered, &Executed),
    before: &[Certificate],
    compromised: &Compromised,
    signer: &str,
) -> Result<BTreeMap<String, Certificate>, ComposeError> {
    let accepted: Vec<_> = before.iter().filter(|known| !compromised.has(known)).cloned().collect();
    let accepted: Vec<_> = accepted.into_iter().map(Accepted::any).collect();
    let mut needed = BTreeMap::new();
    for (nevra, package) in &mut lock.packages.0 {
        if package.keys.is_empty() {
            let file = lowered.unsigned.get(nevra).and_then(|input| done.file(input));
            let file = file.unwrap_or(package.unsigned);
            let headers = harvest::headers(session.store, &file, &nevra.to_string())?;
            if !compromised.signed(&headers) {
                let by = signatures::signed_by(&headers, &accepted);
                needed.extend(by.map(|by| (by.fingerprint().to_string(), by.clone())));
                continue;
            }
            package.replaced = true;
        }
        package.keys = vec![signer.into()];
    }
    Ok(needed)
}

/// Writes the recipe and the keys into the new lock, and drops what only the old one needed.
fn header(files: &RecipeFiles, old: &Lock, keys: BTreeMap<String, Certificate>, lock: &mut Lock) {
    let was = |lock: &Lock| -> BTreeSet<Digest> { lock.header.objects().collect() };
    let text = files.text.as_bytes().to_vec();
    lock.header.recipe = files.digest;
    lock.header.recipe_text = Digest::of(&text);
    lock.objects.insert(Digest::of(&text), text);
    lock.header.keys.clear();
    for (fingerprint, certificate) in keys {
        let armored = certificate.armored().into_bytes();
        lock.header.keys.push(Key { fingerprint, certificate: Digest::of(&armored) });
        lock.objects.insert(Digest::of(&armored), armored);
    }
    let now = was(lock);
    for digest in was(old).difference(&now) {
        lock.objects.remove(digest);
    }
}

/// Reads every package that was signed again as it is shipped: behind the signature header it has to be what it was.
fn check_content(
    session: &Session<'_>,
    lock: &Lock,
    lowered: &Lowered,
    done: &Executed,
) -> Result<(), ComposeError> {
    for (nevra, package) in lock.packages.0.iter().filter(|(_, package)| !package.keys.is_empty()) {
        let Some(shipped) = lowered.shipped.get(nevra).and_then(|input| done.file(input)) else { continue };
        let (_, identity) = harvest::read(session.store, &shipped, &nevra.to_string())?;
        let (found, wanted) = (identity.content, package.content);
        if found != wanted {
            return Err(ComposeError::WrongDigest { what: nevra.to_string(), found, wanted });
        }
    }
    Ok(())
}

/// What differs between a lock and the one of the same release signed again, a line each class; an error where anything
/// differs that is neither a signature nor a key.
pub(super) fn differences(old: &Lock, new: &Lock) -> Result<Vec<String>, ComposeError> {
    if let Some(what) = other_difference(old, new) {
        return Err(ComposeError::NotOnlyKeys { lock: "lock.toml".into(), what: what.into() });
    }
    let mut lines = Vec::new();
    let names = |lock: &Lock| lock.header.metadata_keys().collect::<Vec<_>>().join(" and ");
    let none = |text: String| if text.is_empty() { "nobody".to_owned() } else { text };
    if names(old) != names(new) {
        lines.push(format!("~ metadata: signed by {} instead of {}", none(names(new)), none(names(old))));
    }
    let fingerprints = |lock: &Lock| -> BTreeSet<String> {
        lock.header.keys.iter().map(|key| key.fingerprint.clone()).collect()
    };
    let (was, is) = (fingerprints(old), fingerprints(new));
    lines.extend(was.difference(&is).map(|key| format!("- key {key}")));
    lines.extend(is.difference(&was).map(|key| format!("+ key {key}")));
    let mut by: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (before, now) in old.packages.0.values().zip(new.packages.0.values()) {
        if (&before.keys, before.replaced) != (&now.keys, now.replaced) {
            let upstream = || "the one that they came with".to_owned();
            let was = if before.keys.is_empty() { upstream() } else { before.keys.join(" and ") };
            *by.entry((now.keys.join(" and "), was)).or_default() += 1;
        }
    }
    lines.extend(
        by.iter().map(|((is, was), count)| format!("~ {count} packages: signed by {is} instead of {was}")),
    );
    let files = |lock: &Lock| lock.signed.0.clone();
    let (was, is) = (files(old), files(new));
    let other = is.iter().filter(|(nevra, file)| was.get(*nevra).is_some_and(|was| was != *file)).count();
    if other > 0 {
        lines.push(format!("~ {other} package files: other signature headers, the rest of them as it was"));
    }
    let made = new.signatures.more_than(&old.signatures);
    lines.extend(made.iter().map(|((kind, by), count)| format!("+ {count} {kind} signatures by {by}")));
    Ok(lines)
}

/// The first part of two locks that differs though it has nothing to do with signatures.
fn other_difference(old: &Lock, new: &Lock) -> Option<&'static str> {
    let bare = |lock: &Lock| {
        let mut header = lock.header.clone();
        (header.recipe, header.recipe_text, header.packages) =
            (Digest::of(""), Digest::of(""), Digest::of(""));
        header.metadata_key = None;
        header.further_metadata_keys.clear();
        header.keys.clear();
        header
    };
    let packages = |lock: &Lock| -> Packages {
        let unsigned = |package: &Package| Package { keys: Vec::new(), replaced: false, ..package.clone() };
        Packages(lock.packages.0.iter().map(|(nevra, package)| (nevra.clone(), unsigned(package))).collect())
    };
    let named = |signed: &Signed| -> Vec<_> { signed.0.keys().cloned().collect() };
    let gone = |old: &Signatures, new: &Signatures| !old.more_than(new).is_empty();
    match () {
        () if bare(old) != bare(new) => Some("the header"),
        () if packages(old) != packages(new) => Some("a package"),
        () if old.media != new.media => Some("what media are made of"),
        () if named(&old.signed) != named(&new.signed) => Some("the list of shipped packages"),
        () if gone(&old.signatures, &new.signatures) => {
            Some("the table, which lacks a signature that it had,")
        }
        () => None,
    }
}
