//! A hub on a disk that is full: what does not fit is refused and leaves nothing, and the hub goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::format::xmlrpc::{Arguments, Value};

use super::bench::{Bench, has_peers, run};
use super::world::{Serving, administrator, files, large_source_package, source_package};

/// A hub on a disk of 16 MiB of its own, and where this is seen from here; none where no disk can be mounted.
fn world(bench: &Bench, test: &str) -> Option<(Serving, PathBuf)> {
    let can = run(Command::new("unshare").args(["--map-root-user", "--mount", "true"])).code == Some(0);
    if !can {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: no namespaces");
        eprintln!("SKIPPED {test}: no namespaces");
        return None;
    }
    administrator(bench, "made");
    fs::create_dir(bench.path("hub")).unwrap();
    let gander = bench.gander();
    let script = "mount -t tmpfs -o size=16m none hub && cp -r made/. hub && exec \"$0\" hub serve hub";
    let mut program = Command::new("unshare");
    program
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(gander.get_program())
        .current_dir(bench.path(""));
    let hub = Serving::spawn(&mut program);
    let seen = Path::new("/proc").join(hub.pid().to_string()).join("root");
    let seen = seen.join(bench.path("hub").strip_prefix("/").unwrap());
    Some((hub, seen))
}

/// Fills the disk but for so many bytes; the file goes with what is returned.
fn fill(hub: &Path, free: u64) -> Filler {
    let path = hub.join("filler");
    let mut file = File::create(&path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(free)).unwrap();
    Filler(path)
}

struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn releases(hub: &Serving) -> Vec<String> {
    let Value::Array(builds) = hub.call(None, "listBuilds", Arguments::none()).unwrap() else { panic!() };
    let release = |build: &Value| match build.get("release") {
        Some(Value::Text(release)) => release.clone(),
        _ => panic!("{build:?}"),
    };
    builds.iter().map(release).collect()
}

/// The files are those of the builds, and nothing is left of what was refused.
fn agrees(hub: &Serving, seen: &Path, what: &str) {
    let mut expected = Vec::new();
    for release in releases(hub) {
        let folder = seen.join("topdir/packages/full/1").join(&release);
        expected.push(folder.join(format!("data/sigcache/src/full-1-{release}.src.rpm.sig")));
        expected.push(folder.join(format!("src/full-1-{release}.src.rpm")));
        let rpm = hub.call(None, "getRPM", Arguments::of(format!("full-1-{release}.src"))).unwrap();
        assert_ne!(rpm, Value::Nil, "{what}: a build without its package");
    }
    expected.sort();
    assert_eq!(files(&seen.join("topdir/packages")), expected, "{what}");
    for folder in ["topdir/.incoming", "journal"] {
        assert_eq!(files(&seen.join(folder)), Vec::<PathBuf>::new(), "{what}: {folder}");
    }
}

#[test]
fn on_a_full_disk_nothing_is_half_imported() {
    let test = "on_a_full_disk_nothing_is_half_imported";
    if !has_peers(&["rpmbuild", "unshare"]) {
        return;
    }
    let bench = Bench::new();
    let Some((hub, seen)) = world(&bench, test) else { return };
    let session = hub.login("kojiadmin", "honk").unwrap();
    let (mut refused, mut taken) = (0, 0);
    // Every 4 KiB another step of the upload, the import or the commit is the one that fails.
    for step in 0..40_u64 {
        let source = source_package(&bench, "full", "1", &step.to_string());
        let target = format!(
            "/kojihub?filename=full-1-{step}.src.rpm&filepath=u{step}&fileverify=adler32&offset=0&overwrite=1"
        );
        let filler = fill(&seen, step * 4096);
        let (head, _) = hub.upload(&session, &target, &fs::read(&source).unwrap());
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let name = format!("full-1-{step}.src.rpm");
        let imported = hub.call(Some(&session), "importRPM", Arguments::of(format!("u{step}")).and(name));
        agrees(&hub, &seen, &format!("{step} pages free"));
        let is_there = releases(&hub).contains(&step.to_string());
        match imported {
            Ok(_) => {
                taken += 1;
                assert!(is_there, "{step} pages free: it said that it had the package");
            }
            Err(fault) => {
                refused += 1;
                assert!(!is_there, "{step} pages free: it said that it had not: {fault}");
                let says = ["No space left on device", "disk is full", "No such file", "disk I/O error"];
                // A piece that did not arrive is no file, or an empty one, which is no package.
                assert!(
                    says.iter().any(|say| fault.text.contains(say)) || fault.text.contains("package"),
                    "{fault}"
                );
            }
        }
        drop(filler);
    }
    println!("of 40 imports on a disk that was nearly full, {taken} were taken and {refused} refused");
    assert!(taken > 0 && refused > 0);
    let source = source_package(&bench, "full", "1", "last");
    hub.import(&session, "last", &source).unwrap();
    agrees(&hub, &seen, "with room again");
}

#[test]
fn what_is_too_large_for_the_disk_is_refused_with_the_reason() {
    let test = "what_is_too_large_for_the_disk_is_refused_with_the_reason";
    if !has_peers(&["rpmbuild", "unshare"]) {
        return;
    }
    let bench = Bench::new();
    let Some((hub, seen)) = world(&bench, test) else { return };
    let session = hub.login("kojiadmin", "honk").unwrap();
    // It can be uploaded; there is no room for a second copy.
    let large = large_source_package(&bench, "full", 10);
    let fault = hub.import(&session, "large", &large).unwrap_err();
    assert!(fault.text.contains("No space left on device"), "{fault}");
    agrees(&hub, &seen, "after the import");
    let fault = hub.import(&session, "again", &large).unwrap_err();
    assert!(fault.text.contains("No space left on device"), "the second upload: {fault}");
    let uploads = seen.join("topdir").join("work");
    assert_eq!(fs::metadata(uploads.join("again/full-1-1.src.rpm")).unwrap().len(), 0);
    fs::remove_dir_all(uploads).unwrap();
    let small = source_package(&bench, "full", "1", "2");
    hub.import(&session, "small", &small).unwrap();
    agrees(&hub, &seen, "with room again");
}
