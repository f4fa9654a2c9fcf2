//! A hub that is killed at any moment of an import has all of it or nothing, and goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use gander::format::xmlrpc::{Arguments, Value};

use super::bench::{Bench, has_peers};
use super::world::{
    Serving, administrator, files, koji, koji_command, large_source_package, peers, source_package,
};

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

#[test]
fn an_upload_that_is_cut_off_leaves_nothing_and_is_done_again() {
    let test = "an_upload_that_is_cut_off_leaves_nothing_and_is_done_again";
    let Some((program, _)) = peers(test) else { return };
    if !has_peers(&["rpmbuild"]) {
        return;
    }
    let bench = Bench::new();
    administrator(&bench, "hub");
    let large = large_source_package(&bench, "killed", 48);
    let import = ["import", large.to_str().unwrap()];
    let size = std::fs::metadata(&large).unwrap().len();
    let hub = Serving::start(&bench, "hub");
    let mut client = koji_command(&bench, &program, hub.port, &import)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The command line sends pieces of 1 MiB.
    let begun = Instant::now();
    let mut arrived = 0;
    while arrived < 4 << 20 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{arrived} bytes of {size} arrived");
        std::thread::sleep(Duration::from_millis(1));
        let uploads = files(&bench.path("hub/topdir/work"));
        arrived = uploads.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum();
    }
    hub.kill();
    drop(client.kill());
    client.wait().unwrap();
    let arrived: u64 =
        files(&bench.path("hub/topdir/work")).iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    println!("killed with {arrived} bytes of {size}");
    assert!(arrived < size, "the kill came too late");

    let hub = Serving::start(&bench, "hub");
    assert_eq!(files(&bench.path("hub/topdir")), Vec::<PathBuf>::new(), "what was cut off is still there");
    assert_eq!(hub.call(None, "getBuild", Arguments::of("killed-1-1")).unwrap(), Value::Nil);
    koji(&bench, &program, hub.port, &import).exits(0);
    let kept = bench.path("hub/topdir/packages/killed/1/1/src/killed-1-1.src.rpm");
    assert_eq!(std::fs::read(kept).unwrap(), std::fs::read(&large).unwrap());
    assert_eq!(files(&bench.path("hub/topdir/work")), Vec::<PathBuf>::new());
}
