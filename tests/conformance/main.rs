//! Conformance: gander against what other programs made or said.
//!
//! The data lies outside of this repository: `GANDER_ORACLE` and `GANDER_REALDATA` name its folders.
//! Every case that is found there is taken, and for each data set is printed how many were compared
//! and how many agreed. Without the folders nothing is tested, loudly; with `CI=true` that is a failure.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment and start the peers")]

mod appstream;
mod closure;
mod comps;
mod databases;
mod file_conflicts;
mod gather;
mod hub;
mod hub_arguments;
mod hub_replay;
mod hub_transcripts;
mod imports;
mod kickstart;
mod koji;
mod koji_tag;
mod librepo;
mod librpm;
mod mash;
mod modules;
mod multilib;
mod multilib_genuine;
mod own_keys;
mod records;
mod repodata;
mod repodata_read;
mod rich;
mod rpms;
mod rpmkeys;
mod rpmsign;
mod signature_pairs;
mod signature_words;
mod sigul;
mod variant_modules;

#[path = "../hub_setup/mod.rs"]
mod hub_setup;
#[path = "../mutant/mod.rs"]
mod mutant;
#[path = "../sample/mod.rs"]
mod sample;

use std::path::PathBuf;

/// The folder that a variable names; none (said loudly) where it is not set.
fn folder(variable: &str, test: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => Some(path.into()),
        None => {
            skip(test, &format!("{variable} is not set"));
            None
        }
    }
}

/// Skips a test: loudly, and not at all with `CI=true`.
fn skip(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

/// Counts the cases of one data set and says what came of them.
struct Tally {
    name: &'static str,
    compared: usize,
    failed: Vec<String>,
}

impl Tally {
    fn new(name: &'static str) -> Self {
        Self { name, compared: 0, failed: Vec::new() }
    }

    /// Records a case: what is wrong with it, or nothing.
    fn case(&mut self, name: &str, wrong: Option<String>) {
        self.compared += 1;
        self.failed.extend(wrong.map(|wrong| format!("{name}: {wrong}")));
    }

    /// Prints the figures; fails where a case disagreed or none was found.
    fn finish(self) {
        let agreed = self.compared - self.failed.len();
        println!("{}: {} compared, {agreed} agreed", self.name, self.compared);
        assert!(self.compared > 0, "{}: no case found", self.name);
        assert!(self.failed.is_empty(), "{}:\n{}", self.name, self.failed.join("\n"));
    }
}
