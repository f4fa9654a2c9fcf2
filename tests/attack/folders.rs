//! Sources that are folders of packages: unsigned ones, signed ones, and ones that are not what they were.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::base::{Base, base, skip};
use super::bench::{Bench, names, ran, seen};
use super::snapshot::assert_snapshot;

const FOLDER: &str = r#"[release]
name = "Goose Linux"
short = "Goose"
version = "1"

[[source]]
dir = "rpms"
on-unsigned = "RULE"
keys = [KEYS]

[variant.Base]
arches = ["x86_64"]
packages = ["goose", "goose-devel"]
multilib = { profile = "pungi", methods = ["devel"] }
"#;

/// A bench whose folder of packages comes out of `gander build`.
fn unsigned(base: &Base, rule: &str, keys: &str) -> Bench {
    let bench = Bench::with_recipe(base);
    bench.seed(base);
    let built = bench.good([
        "build",
        "specs/goose.spec",
        "specs/pond.spec",
        "--source=sources/goose.txt",
        "--image=builder.lock",
        "--target=x86_64",
        "--target=i686",
        "--dist=.g1",
        "--source-date=2026-11-01T00:00:00Z",
        "--output=rpms",
    ]);
    assert_eq!(built.lines().count(), 7, "{built}");
    bench.write("goose.toml", FOLDER.replace("RULE", rule).replace("KEYS", keys));
    bench
}

fn with_key(bench: &Bench, base: &Base) {
    let text = fs::read_to_string(bench.path("goose.toml")).unwrap();
    bench.write("goose.toml", format!("{text}\n[sign]\nkey-file = \"{}\"\n", base.key.display()));
}

/// Packages below a folder.
fn packages(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = seen(folder).into_keys();
    files
        .filter(|path| path.extension().is_some_and(|end| end == "rpm"))
        .map(|path| folder.join(path))
        .collect()
}

/// Composes twice, the second time from an empty store, and compares.
fn compose_twice(bench: &Bench) {
    let first = bench.good(["compose", "goose.toml"]);
    bench.assert_clean();
    fs::remove_dir_all(bench.path("store")).unwrap();
    let again = bench.good(["compose", "goose.toml", "--output", "out2"]);
    assert_eq!(first, again.replace("out2", "out"));
    assert!(seen(&bench.path("out")) == seen(&bench.path("out2")), "the second compose differs");
    fs::remove_dir_all(bench.path("goose.lock")).unwrap();
    bench.good(["compose", "goose.toml", "--output", "out2"]);
    assert!(seen(&bench.path("out")) == seen(&bench.path("out2")), "the compose from a new lock differs");
}

/// What rpm says of packages, once it knows a certificate.
fn rpm_accepts(bench: &Bench, certificate: &Path, packages: &[std::path::PathBuf]) {
    if ran(Command::new("sh").args(["-c", "command -v rpmkeys"])).code != Some(0) {
        return skip("rpmkeys on signed packages", "rpmkeys is not installed");
    }
    let rpmkeys = |arguments: &[&std::ffi::OsStr]| {
        let mut command = Command::new("rpmkeys");
        ran(command.arg("--dbpath").arg(bench.path("rpmdb")).args(arguments))
    };
    let imported = rpmkeys(&["--import".as_ref(), certificate.as_ref()]);
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    for package in packages {
        let checked = rpmkeys(&["-K".as_ref(), package.as_ref()]);
        assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
        assert!(checked.stdout.contains("digests signatures OK"), "{}", checked.stdout);
    }
}

#[test]
fn allowed_unsigned() {
    let Some(base) = base("folders of unsigned packages") else { return };
    let bench = unsigned(base, "allow", "");
    compose_twice(&bench);
    let shipped = packages(&bench.path("out"));
    assert_eq!(shipped.len(), 7, "{shipped:?}");
    for package in shipped {
        let name = package.file_name().unwrap();
        let source = packages(&bench.path("rpms")).into_iter().find(|path| path.file_name() == Some(name));
        assert!(fs::read(&package).unwrap() == fs::read(source.unwrap()).unwrap(), "{name:?} was changed");
    }
}

#[test]
fn signed_here() {
    let Some(base) = base("folders of packages signed here") else { return };
    let bench = unsigned(base, "sign", "");
    with_key(&bench, base);
    compose_twice(&bench);
    let shipped = packages(&bench.path("out"));
    assert_eq!(shipped.len(), 7, "{shipped:?}");
    rpm_accepts(&bench, &bench.write("key.asc", &base.certificate), &shipped);

    // Those are now signed packages from elsewhere: accepted by their key, shipped as they are, without any key.
    let other = Bench::new();
    for package in &shipped {
        let name = package.file_name().unwrap().to_str().unwrap();
        other.write(&format!("rpms/{name}"), fs::read(package).unwrap());
    }
    let keys = format!("\"{}\"", base.fingerprint);
    other.write("goose.toml", FOLDER.replace("RULE", "error").replace("KEYS", &keys));
    let ran = other.run(["compose", "goose.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_snapshot("no-certificate", &other.error(&ran).replace(&base.fingerprint, "FINGERPRINT"));
    other.write("keys/goose.asc", &base.certificate);
    compose_twice(&other);
    for package in packages(&other.path("out")) {
        let name = package.file_name().unwrap().to_str().unwrap();
        assert!(
            fs::read(&package).unwrap() == fs::read(other.path(&format!("rpms/{name}"))).unwrap(),
            "{name}"
        );
    }

    // An unsigned one among them.
    for package in packages(&bench.path("rpms")) {
        let name = package.file_name().unwrap().to_str().unwrap();
        if name.starts_with("pond") || name.starts_with("goose-devel") {
            other.write(&format!("rpms/{name}"), fs::read(&package).unwrap());
        }
    }
    fs::remove_dir_all(other.path("goose.lock")).unwrap();
    let ran = other.run(["compose", "goose.toml"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_snapshot("unsigned-packages", &other.error(&ran));
    other.assert_clean();
}

#[test]
fn changed_since_the_lock() {
    let Some(base) = base("folders that changed") else { return };
    let bench = unsigned(base, "allow", "");
    bench.good(["lock", "goose.toml"]);
    fs::remove_dir_all(bench.path("store")).unwrap();
    let noarch =
        packages(&bench.path("rpms")).into_iter().find(|path| path.ends_with("pond-2-1.g1.noarch.rpm"));
    let source = packages(&bench.path("rpms")).into_iter().find(|path| path.ends_with("pond-2-1.g1.src.rpm"));
    let (noarch, source) = (noarch.unwrap(), source.unwrap());
    let (whole, source_whole) = (fs::read(&noarch).unwrap(), fs::read(&source).unwrap());
    let mut flipped = whole.clone();
    flipped[whole.len() - 50] ^= 1;
    let compose = |name: &str| {
        let ran = bench.run(["compose", "--locked", "goose.toml"]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert_snapshot(name, &bench.error(&ran));
    };
    fs::write(&noarch, &flipped).unwrap();
    fs::write(&source, &source_whole[..1000]).unwrap();
    compose("packages-with-a-wrong-digest");
    fs::write(&source, &source_whole).unwrap();
    fs::remove_file(&noarch).unwrap();
    compose("packages-gone");

    // Without a lock the files themselves tell.
    fs::rename(bench.path("goose.lock"), bench.path("kept.lock")).unwrap();
    for (name, bytes) in [("flipped", &flipped[..]), ("truncated", &whole[..whole.len() - 1])] {
        fs::write(&noarch, bytes).unwrap();
        let ran = bench.run(["compose", "goose.toml"]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let error = bench.error(&ran);
        let digits =
            |char: char| char.is_ascii_digit() || char.is_ascii_lowercase() && char.is_ascii_hexdigit();
        let word = |word: &str| {
            if word.len() == 64 && word.chars().all(digits) { "DIGEST" } else { word }.to_owned()
        };
        let lines = error.lines().map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n");
        assert_snapshot(&format!("package-{name}"), &lines.collect::<String>());
    }
    fs::write(&noarch, &whole).unwrap();
    fs::rename(bench.path("kept.lock"), bench.path("goose.lock")).unwrap();
    bench.good(["compose", "--locked", "goose.toml"]);
    bench.assert_clean();
    // One more in the folder is a change of the recipe.
    bench.write("rpms/more.rpm", &whole);
    assert_eq!(bench.run(["compose", "goose.toml"]).code, Some(2));
}

#[test]
fn genuine_packages() {
    let Some(data) = std::env::var_os("GANDER_REALDATA") else {
        return skip("genuine packages", "GANDER_REALDATA is not set");
    };
    let folder = Path::new(&data).join("rpms");
    let bench = Bench::new();
    let mut count = 0;
    for name in names(&folder).into_iter().filter(|name| name.ends_with(".rpm")) {
        let bytes = fs::read(folder.join(&name)).unwrap();
        if bytes.len() < 1 << 20 {
            bench.write(&format!("rpms/{name}"), bytes);
            count += 1;
        }
    }
    // Several test packages there have one name: both places are named.
    let recipe = FOLDER.replace("RULE", "allow").replace("KEYS", "");
    bench.write("goose.toml", recipe.replace("\"goose\", \"goose-devel\"", "\"empty*\", \"capstest\""));
    let text = fs::read_to_string(bench.path("goose.toml")).unwrap();
    bench.write("goose.toml", text + "sources = false\n");
    let ran = bench.run(["compose", "goose.toml"]);
    println!("{count} packages\n{}{}", ran.stdout, ran.stderr);
    assert!(matches!(ran.code, Some(0 | 2 | 3)), "{}", ran.stderr);
    let conflicts: Vec<_> = ran.stderr.lines().filter(|line| line.contains(" and dir:rpms/")).collect();
    assert!(ran.code != Some(3) || !conflicts.is_empty(), "{}", ran.stderr);
    for line in conflicts {
        let other = line.rsplit_once(" and dir:").unwrap().1;
        fs::remove_file(bench.path(other)).unwrap();
    }
    let ran = bench.run(["compose", "goose.toml"]);
    println!("{}{}", ran.stdout, ran.stderr);
    assert!(matches!(ran.code, Some(0 | 2)), "{}", ran.stderr);
    bench.assert_clean();
}
