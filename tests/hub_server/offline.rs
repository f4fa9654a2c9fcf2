//! `gander hub user` and `gander hub import`: a hub is filled without a server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use gander::format::xmlrpc::{Arguments, Value};

use super::bench::{Bench, has_peers, run};
use super::world::{Serving, files, source_package};

/// A source package with what is built of it.
fn build(bench: &Bench, name: &str, release: &str) -> Vec<PathBuf> {
    let source = source_package(bench, name, "1", release);
    let folder = bench.path("binaries");
    let spec = bench.write(
        &format!("{name}-{release}.spec"),
        format!(
            "Name: {name}\nVersion: 1\nRelease: {release}\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n%files\n"
        ),
    );
    let define = |name: &str| format!("{name} {}", folder.display());
    run(std::process::Command::new("rpmbuild")
        .args(["-bb", "--define", &define("_topdir"), "--define", &define("_rpmdir")])
        .arg(spec))
    .exits(0);
    vec![source, folder.join(format!("noarch/{name}-1-{release}.noarch.rpm"))]
}

fn text(value: &Value, member: &str) -> String {
    match value.get(member) {
        Some(Value::Text(text)) => text.clone(),
        other => panic!("{member}: {other:?}"),
    }
}

#[test]
fn an_import_makes_builds_and_tags_them() {
    if !has_peers(&["rpmbuild"]) {
        return;
    }
    let bench = Bench::new();
    let mut packages = build(&bench, "goose", "1");
    packages.extend(build(&bench, "duck", "2"));
    // Binaries first: the order of the command line means nothing.
    packages.reverse();
    let import = |folder: &str, tag: &str, packages: &[PathBuf]| {
        let mut command = bench.gander();
        command
            .args(["hub", "import", folder, "--tag", tag, "--time", "2026-01-02T00:00:00Z"])
            .args(packages);
        run(&mut command)
    };
    let done =
        import("hub", "geese", &packages).exits(0).says("imported 4 of 4 packages, tagged 2 of 2 builds");
    let again =
        import("hub", "geese", &packages).exits(0).says("imported 0 of 4 packages, tagged 0 of 2 builds");
    assert_eq!(done.stdout, again.stdout, "what is there already makes no events");
    import("twin", "geese", &packages).exits(0);
    import("hub", "nothing", &[PathBuf::from("missing.rpm")]).exits(3).says("'missing.rpm' cannot be read");
    import("other", "geese", &packages[..1]).exits(3).says("No such build");

    let tagged = |folder: &str| {
        let hub = Serving::start(&bench, folder);
        let tagged = hub.call(None, "listTaggedRPMS", Arguments::of("geese")).unwrap();
        assert_eq!(hub.end(), Some(0));
        tagged
    };
    let (hub, twin) = (tagged("hub"), tagged("twin"));
    assert_eq!(hub, twin, "the same import gives the same hub");
    let Value::Array(parts) = &hub else { panic!("{hub:?}") };
    let [Value::Array(rpms), Value::Array(builds)] = parts.as_slice() else { panic!("{hub:?}") };
    assert_eq!(rpms.len(), 4);
    let nvrs: Vec<_> = builds.iter().map(|build| text(build, "nvr")).collect();
    // The last tagged is the first listed.
    assert_eq!(nvrs, ["goose-1-1", "duck-1-2"]);
    assert!(text(&builds[0], "completion_time").starts_with("2026-01-02 00:00:00"));
    let names = |folder: &str| -> Vec<_> {
        let folder = bench.path(folder).join("topdir");
        files(&folder).into_iter().map(|path| path.strip_prefix(&folder).unwrap().to_owned()).collect()
    };
    assert_eq!(names("hub"), names("twin"));
    assert_eq!(names("hub").len(), 8, "four packages and their signature headers");

    // Another package of the same name is none of this hub's.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let other = build(&bench, "goose", "1").pop().unwrap();
    import("hub", "geese", &[other]).exits(3).says("the hub has another goose-1-1.noarch");
}

#[test]
fn users_are_made_with_a_password_that_stands_nowhere() {
    let bench = Bench::new();
    let password = bench.write("password", "honk honk\nmore\n");
    let password = password.to_str().unwrap();
    let user = |arguments: &[&str]| bench.run([&["hub", "user", "hub", "goose"], arguments].concat());
    user(&["--grant", "tag", "--grant", "sign", "--password-file", password])
        .exits(0)
        .says("made user goose");
    user(&["--grant", "tag"]).exits(0).says("changed user goose");
    user(&["--grant", "nonsense"]).exits(3);
    let empty = bench.write("empty", "\n");
    user(&["--password-file", empty.to_str().unwrap()]).exits(2).says("1 to 1024 bytes");
    let hub = Serving::start(&bench, "hub");
    let session = hub.login("goose", "honk honk").unwrap();
    let permissions = hub.call(Some(&session), "getPerms", Arguments::none()).unwrap();
    assert_eq!(permissions, Value::Array(vec!["sign".into(), "tag".into()]));
    // Two servers of one hub would know nothing of each other.
    bench.run(["hub", "serve", "hub"]).exits(4).says("another gander serves the hub");
    assert_eq!(hub.end(), Some(0));
    for path in files(&bench.path("hub")) {
        let content = std::fs::read(&path).unwrap();
        assert!(!content.windows(9).any(|window| window == b"honk honk"), "{}", path.display());
    }
    let mode = std::fs::metadata(bench.path("hub/hub.sqlite")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
