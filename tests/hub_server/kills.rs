//! A hub that is killed at any moment of an import has all of it or nothing, and goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use gander::format::xmlrpc::{Arguments, Value};

use super::bench::{Bench, has_peers};
use super::world::{Serving, administrator, files, source_package};

#[test]
fn a_killed_import_leaves_all_or_nothing() {
    if !has_peers(&["rpmbuild"]) {
        return;
    }
    let bench = Bench::new();
    administrator(&bench, "hub");
    let sources: Vec<_> =
        (0..6).map(|number| source_package(&bench, "killed", "1", &number.to_string())).collect();
    let (mut whole, mut nothing) = (0, 0);
    let mut acknowledged = BTreeSet::new();
    for round in 0..24_u64 {
        let hub = Serving::start(&bench, "hub");
        let session = hub.login("kojiadmin", "honk").unwrap();
        std::thread::scope(|scope| {
            let importing = scope.spawn(|| {
                let mut said = Vec::new();
                for (number, source) in sources.iter().enumerate() {
                    match hub.try_import(&session, &format!("r{round}-{number}"), source) {
                        Some(true) => said.push(number.to_string()),
                        // There already.
                        Some(false) => {}
                        None => break,
                    }
                }
                said
            });
            std::thread::sleep(Duration::from_millis(3 * round));
            super::bench::run(std::process::Command::new("kill").arg("-9").arg(hub.pid().to_string()))
                .exits(0);
            acknowledged.extend(importing.join().unwrap());
        });
        drop(hub);

        let hub = Serving::start(&bench, "hub");
        let Value::Array(builds) = hub.call(None, "listBuilds", Arguments::none()).unwrap() else { panic!() };
        let releases: BTreeSet<String> = builds
            .iter()
            .filter_map(|build| match build.get("release") {
                Some(Value::Text(release)) => Some(release.clone()),
                _ => None,
            })
            .collect();
        assert!(acknowledged.is_subset(&releases), "{acknowledged:?} were imported, {releases:?} are there");
        let mut expected = Vec::new();
        for build in &builds {
            let Some(Value::Text(release)) = build.get("release") else { panic!("{build:?}") };
            let folder = bench.path("hub/topdir/packages/killed/1").join(release);
            expected.push(folder.join(format!("data/sigcache/src/killed-1-{release}.src.rpm.sig")));
            expected.push(folder.join(format!("src/killed-1-{release}.src.rpm")));
            let rpms = Arguments::of(format!("killed-1-{release}.src"));
            assert_ne!(
                hub.call(None, "getRPM", rpms.clone()).unwrap(),
                Value::Nil,
                "a build without its package"
            );
            let Value::Array(signatures) = hub.call(None, "queryRPMSigs", rpms).unwrap() else { panic!() };
            assert_eq!(signatures.len(), 1, "a package without its signature header");
        }
        expected.sort();
        assert_eq!(files(&bench.path("hub/topdir/packages")), expected, "round {round}");
        for folder in ["hub/topdir/.incoming", "hub/topdir/work", "hub/journal"] {
            assert_eq!(files(&bench.path(folder)), Vec::<PathBuf>::new(), "round {round}: {folder}");
        }
        whole += usize::from(!builds.is_empty());
        nothing += usize::from(builds.len() < sources.len());
        if builds.len() == sources.len() {
            // All are there: what an earlier round committed was never lost.
            break;
        }
    }
    println!("of the rounds, {whole} found packages and {nothing} found some missing");
    assert!(nothing > 0, "no kill came in time");
    let hub = Serving::start(&bench, "hub");
    let session = hub.login("kojiadmin", "honk").unwrap();
    for (number, source) in sources.iter().enumerate() {
        match hub.import(&session, &format!("last-{number}"), source) {
            Ok(_) => {}
            Err(fault) => assert!(fault.text.contains("already exists"), "{fault}"),
        }
    }
    let Value::Array(builds) = hub.call(None, "listBuilds", Arguments::none()).unwrap() else { panic!() };
    assert_eq!(builds.len(), sources.len());
}
