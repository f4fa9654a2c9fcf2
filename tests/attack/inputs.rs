//! Inputs that are wrong: one clear message and the right exit code for each.

use std::fs;
use std::process::Command;

use super::base::{Base, base, is_root, skip};
use super::bench::{Bench, GOOSE, Ran, ran};
use super::mirror::{Answer, Mirror};
use super::snapshot::assert_snapshot;

const COMPOSE: [&str; 2] = ["compose", "goose.toml"];
const LOCKED: [&str; 3] = ["compose", "--locked", "goose.toml"];

/// A bench with the small recipe and a store that has the builder.
fn seeded(test: &str) -> Option<(&'static Base, Bench)> {
    let base = base(test)?;
    let bench = Bench::with_recipe(base);
    bench.seed(base);
    Some((base, bench))
}

#[track_caller]
fn assert_error(bench: &Bench, base: &Base, ran: &Ran, code: i32, name: &str) {
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    assert_snapshot(name, &bench.error(ran).replace(&base.fingerprint, "FINGERPRINT"));
}

/// Runs something that must fail, in a bench that was changed before.
#[track_caller]
fn assert_fails<'a>(
    name: &str,
    code: i32,
    arguments: impl IntoIterator<Item = &'a str>,
    change: impl FnOnce(&Bench),
) {
    let Some((base, bench)) = seeded(name) else { return };
    change(&bench);
    let ran = bench.run(arguments);
    assert_error(&bench, base, &ran, code, name);
    bench.assert_clean();
}

#[test]
fn misspelt_key() {
    assert_fails("misspelt-key", 2, COMPOSE, |bench| bench.edit("goose.toml", "on-unsigned", "on-unsined"));
}

#[test]
fn wrong_types() {
    assert_fails("wrong-types", 2, COMPOSE, |bench| {
        bench.edit("goose.toml", "name = \"Goose Linux\"", "name = 7");
        bench.edit("goose.toml", "arches = [\"x86_64\"]", "arches = \"x86_64\"");
        bench.edit("goose.toml", "groups = [\"core\"]", "groups = [1979-05-27]");
    });
}

#[test]
fn missing_recipe() {
    assert_fails("missing-recipe", 3, ["compose", "swan.toml"], |_| {});
}

#[test]
fn missing_group() {
    assert_fails("missing-group", 2, COMPOSE, |bench| {
        bench.edit("goose.toml", "[\"core\"]", "[\"cor\", \"standard\"]");
    });
}

#[test]
fn unresolvable_requirements() {
    assert_fails("unresolvable-requirements", 2, COMPOSE, |bench| {
        let more = "Requires: pond\nRequires: lake >= 2, /usr/bin/swim\nRequires(post): wings";
        bench.edit("specs/goose.spec", "Requires: pond", more);
    });
}

#[test]
fn macro_in_a_source() {
    assert_fails("macro-in-a-source", 2, COMPOSE, |bench| {
        bench.edit("specs/goose.spec", "Source0: ", "Source0: %{url}/");
    });
}

#[test]
fn missing_sources() {
    assert_fails("missing-sources", 2, COMPOSE, |bench| {
        bench.edit(
            "specs/goose.spec",
            "Source0: goose.txt",
            "Source0: goose.txt\nSource1: a.tar\nPatch3: b.patch",
        );
    });
}

#[test]
fn failing_spec() {
    assert_fails("failing-spec", 4, ["compose", "-j1", "goose.toml"], |bench| {
        bench.edit("specs/goose.spec", "%install", "%install\necho now it fails; ls /nowhere");
        bench.edit("goose.toml", "\"x86_64\", \"i686\"", "\"x86_64\"");
    });
}

#[test]
fn demonstration_key_elsewhere() {
    assert_fails("demonstration-key-elsewhere", 2, COMPOSE, |bench| {
        let recipe = fs::read_to_string(super::base::root().join("recipes/gosling.toml")).unwrap();
        let phrase = recipe.lines().find(|line| line.starts_with("demonstration = ")).unwrap();
        let text = fs::read_to_string(bench.path("goose.toml")).unwrap();
        let key = text.lines().find(|line| line.starts_with("key-file")).unwrap();
        bench.edit("goose.toml", key, phrase);
    });
}

#[test]
fn missing_key_file() {
    assert_fails("missing-key-file", 3, COMPOSE, |bench| {
        let text = fs::read_to_string(bench.path("goose.toml")).unwrap();
        let key = text.lines().find(|line| line.starts_with("key-file")).unwrap();
        bench.edit("goose.toml", key, "key-file = \"/nowhere/key\"");
    });
}

#[test]
fn expired_key() {
    assert_fails("expired-key", 3, COMPOSE, |bench| {
        let file = bench.path("key");
        let expires = "--expires=2099-01-01";
        bench.good(["key", "new", "--user-id", "A <a@example.org>", expires, "-o", file.to_str().unwrap()]);
        bench.edit("goose.toml", "2026-11-01T", "2100-01-01T");
        let text = fs::read_to_string(bench.path("goose.toml")).unwrap();
        let key = text.lines().find(|line| line.starts_with("key-file")).unwrap();
        bench.edit("goose.toml", key, &format!("key-file = \"{}\"", file.display()));
    });
}

#[test]
fn no_lock() {
    assert_fails("no-lock", 3, LOCKED, |_| {});
    assert_fails("no-lock-to-plan", 3, ["plan", "goose.toml"], |_| {});
}

#[test]
fn stale_lock() {
    let Some((base, bench)) = seeded("stale lock") else { return };
    bench.good(COMPOSE);
    bench.edit("comps.xml", "Core", "The core");
    let locked = bench.run(LOCKED);
    assert_error(&bench, base, &locked, 2, "stale-lock");
    let with_key = bench.run(COMPOSE);
    assert_error(&bench, base, &with_key, 2, "stale-lock");
    bench.assert_clean();
}

#[test]
fn missing_signatures() {
    let Some((base, bench)) = seeded("missing signatures") else { return };
    bench.good(COMPOSE);
    let whole = fs::read_to_string(bench.path("goose.lock/signatures")).unwrap();
    let without = |kind: &str| {
        let kept = whole.lines().filter(|line| !line.starts_with(kind));
        bench.write("goose.lock/signatures", kept.map(|line| format!("{line}\n")).collect::<String>());
    };
    without("rpm-header");
    let locked = bench.run(LOCKED);
    assert_error(&bench, base, &locked, 3, "missing-signatures");
    without("detached");
    let locked = bench.run(LOCKED);
    assert_error(&bench, base, &locked, 3, "missing-signatures-of-metadata");
    // With the key the very same lock comes back.
    bench.good(COMPOSE);
    assert!(fs::read_to_string(bench.path("goose.lock/signatures")).unwrap() == whole);
    bench.good(LOCKED);
}

#[test]
fn false_signature() {
    let Some((base, bench)) = seeded("false signature") else { return };
    bench.good(COMPOSE);
    let whole = fs::read_to_string(bench.path("goose.lock/signatures")).unwrap();
    // Two packages exchange their signatures.
    let mut lines: Vec<Vec<&str>> = whole.lines().map(|line| line.split('\t').collect()).collect();
    let packages: Vec<_> = (0..lines.len()).filter(|line| lines[*line][0] == "rpm-header").collect();
    let (first, second) = (packages[0], packages[1]);
    let packet = lines[first][3];
    lines[first][3] = lines[second][3];
    lines[second][3] = packet;
    let text: String = lines.iter().map(|line| line.join("\t") + "\n").collect();
    bench.write("goose.lock/signatures", text);
    let ran = bench.run(LOCKED);
    assert!(matches!(ran.code, Some(1 | 3)), "{:?} {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("goose"), "{}", ran.stderr);
    let _base = base;
}

#[test]
fn torn_locks() {
    let Some((base, bench)) = seeded("torn locks") else { return };
    bench.good(COMPOSE);
    let object = super::bench::names(&bench.path("goose.lock/objects")).remove(0);
    for name in ["lock.toml", "packages", "signatures", "signed", &format!("objects/{object}")] {
        let path = format!("goose.lock/{name}");
        let whole = fs::read(bench.path(&path)).unwrap();
        let label = name.split('/').next().unwrap();
        for (how, bytes) in
            [("cut", &whole[..whole.len() / 2]), ("binary", &b"\xff\0\x1b[31m"[..]), ("empty", b"")]
        {
            bench.write(&path, bytes);
            let ran = bench.run(LOCKED);
            assert_eq!(ran.code, Some(3), "{name} {how}: {}", ran.stderr);
            assert!(
                ran.stderr.contains("goose.lock") && !ran.stderr.contains('\x1b'),
                "{name} {how}: {}",
                ran.stderr
            );
        }
        fs::remove_file(bench.path(&path)).unwrap();
        let ran = bench.run(LOCKED);
        let error = bench.error(&ran).replace(&object, "OBJECT");
        assert_eq!(ran.code, Some(3), "{error}");
        assert_snapshot(&format!("lock-without-{label}"), &error);
        bench.write(&path, whole);
    }
    bench.good(LOCKED);
    bench.assert_clean();
    let _base = base;
}

#[test]
fn occupied_output() {
    assert_fails("occupied-output", 2, COMPOSE, |bench| drop(bench.write("out/precious", "")));
    assert_fails("occupied-output", 2, COMPOSE, |bench| drop(bench.write("out", "a file")));
}

#[test]
fn offline() {
    let Some(base) = base("offline") else { return };
    let bench = Bench::with_recipe(base);
    let ran = bench.run(["--offline", "compose", "goose.toml"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(lines.iter().any(|line| line.contains("125 files are not in the store")), "{}", ran.stderr);
    assert!(lines.iter().any(|line| line.contains("dash_0.5.12-2_amd64.deb")), "{}", ran.stderr);
    assert!(
        lines.iter().any(|line| line.starts_with("hint:") && line.contains("--offline")),
        "{}",
        ran.stderr
    );
    // The very same with a mirror that must not be asked.
    let mirror = Mirror::start(|_, _| panic!("asked"));
    let again = bench.run(["--offline", &mirror.option(), "image", "build", "builder.lock"]);
    assert_eq!(again.code, Some(3), "{}", again.stderr);
}

#[test]
fn no_mirror() {
    if !is_root() {
        return skip("no mirror", "only root can hide the host's apt sources");
    }
    let Some(base) = base("no mirror") else { return };
    let bench = Bench::with_recipe(base);
    let gander = env!("CARGO_BIN_EXE_gander");
    let script = format!("mount -t tmpfs none /etc/apt && exec {gander} --store store compose goose.toml");
    let mut command = Command::new("unshare");
    let ran = ran(command.args(["-m", "sh", "-c", &script]).current_dir(bench.path("")));
    assert_error(&bench, base, &ran, 4, "no-mirror");
}

#[test]
fn gone_from_the_pool() {
    let Some(base) = base("gone from the pool") else { return };
    let bench = Bench::with_recipe(base);
    let mirror = Mirror::start(move |path, _| match base.deb(path) {
        Some(bytes) if !path.contains("/dash_") && !path.contains("/xz-utils_") => Answer::Bytes(bytes),
        _ => Answer::Missing,
    });
    let ran = bench.run([&*mirror.option(), "compose", "goose.toml"]);
    assert_error(&bench, base, &ran, 3, "gone-from-the-pool");
    bench.assert_clean();
}

#[test]
fn another_file_in_the_pool() {
    let Some(base) = base("another file in the pool") else { return };
    let bench = Bench::with_recipe(base);
    let mirror = Mirror::start(move |path, _| match base.deb(path) {
        Some(mut bytes) if path.contains("/dash_") => {
            bytes[1000] ^= 1;
            Answer::Bytes(bytes)
        }
        Some(bytes) => Answer::Bytes(bytes),
        _ => Answer::Missing,
    });
    let ran = bench.run([&*mirror.option(), "compose", "goose.toml"]);
    assert_error(&bench, base, &ran, 3, "another-file-in-the-pool");
    bench.assert_clean();
}

#[test]
fn forbidden_namespaces() {
    if !is_root() {
        return skip("forbidden namespaces", "only root can write the map of a whole user namespace");
    }
    let Some((base, bench)) = seeded("forbidden namespaces") else { return };
    // A user namespace with all ids, in which no further ones may be made. Its shell has rights in it only after
    // it was started anew as root.
    let inside = format!(
        "until [ \"$(id -u)\" = 0 ]; do sleep 0.01; done; \
         exec sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec {} --store store compose goose.toml'",
        env!("CARGO_BIN_EXE_gander")
    );
    let script = "unshare -U sh -c \"$1\" & pid=$!; \
                  while [ \"$(readlink /proc/$pid/ns/user)\" = \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.01; done; \
                  echo '0 0 4294967295' > /proc/$pid/gid_map && echo '0 0 4294967295' > /proc/$pid/uid_map; wait $pid";
    let mut command = Command::new("sh");
    let ran = ran(command.args(["-c", script, "sh", &inside]).current_dir(bench.path("")));
    assert_error(&bench, base, &ran, 4, "forbidden-namespaces");
}

#[test]
fn tampered_release_file() {
    let Some(base) = base("tampered release file") else { return };
    let lists = "/var/lib/apt/lists";
    let name =
        super::bench::names(lists.as_ref()).into_iter().find(|name| name.ends_with("_bookworm_InRelease"));
    let Some(genuine) = name.map(|name| fs::read(format!("{lists}/{name}")).unwrap()) else {
        return skip("tampered release file", "apt has no release file of bookworm (apt-get update)");
    };
    let bench = Bench::with_recipe(base);
    bench.write(
        "list.toml",
        "suite = \"bookworm\"\ncomponents = [\"main\"]\narches = [\"amd64\"]\npackages = [\"dash\"]\n",
    );
    let text = String::from_utf8(genuine).unwrap();
    let digit = text.find("main/binary-amd64/Packages.xz").unwrap() - 30;
    let mut changed = text.clone().into_bytes();
    changed[digit] = if changed[digit] == b'1' { b'2' } else { b'1' };
    let unsigned = text.split("-----BEGIN PGP SIGNATURE").next().unwrap().as_bytes().to_vec();
    for (name, bytes) in [("changed", changed), ("unsigned", unsigned), ("empty", Vec::new())] {
        let mirror = Mirror::start(move |path, _| match path {
            "dists/bookworm/InRelease" => Answer::Bytes(bytes.clone()),
            _ => Answer::Missing,
        });
        let ran = bench.run([&*mirror.option(), "image", "lock", "list.toml"]);
        assert_error(&bench, base, &ran, 3, &format!("release-file-{name}"));
        assert!(!bench.path("list.lock").exists());
    }
}

#[test]
fn hostile_recipes() {
    let bench = Bench::new();
    let deep = |open: &str, close: &str| format!("x = {}{}\n", open.repeat(100_000), close.repeat(100_000));
    for (name, text) in [
        ("empty", Vec::new()),
        ("binary", (0..=255).cycle().take(100_000).collect()),
        ("nul", b"[release]\nname = \"a\0b\"\n".to_vec()),
        ("escape", b"[release]\n\"\\u001b[31m\" = 1\n".to_vec()),
        ("deep arrays", deep("[", "]").into_bytes()),
        ("deep tables", deep("{a=", "}").into_bytes()),
        ("deep keys", format!("{}b = 1\n", "a.".repeat(100_000)).into_bytes()),
        ("long key", format!("{} = 1\n", "a".repeat(1_000_000)).into_bytes()),
        ("many keys", (0..50_000).map(|number| format!("k{number} = 1\n")).collect::<String>().into_bytes()),
        ("huge number", b"x = 99999999999999999999999999999\n".to_vec()),
        ("huge", vec![b'#'; 65 << 20]),
        ("leaving", GOOSE.as_bytes().to_vec()),
    ] {
        bench.write("goose.toml", text);
        let ran = bench.run(COMPOSE);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr.chars().take(2000).collect::<String>());
        assert!(ran.stderr.len() < 40_000, "{name}: {} bytes of messages", ran.stderr.len());
        assert!(ran.stderr.contains("goose.toml") && !ran.stderr.contains('\x1b'), "{name}: {}", ran.stderr);
    }
}

#[test]
fn paths_that_leave_the_recipe() {
    assert_fails("paths-that-leave", 2, COMPOSE, |bench| {
        bench.edit("goose.toml", "specs = \"specs\"", "specs = \"../specs\"");
        bench.edit("goose.toml", "comps = \"comps.xml\"", "comps = \"/etc/passwd\"");
    });
}

#[test]
fn media_of_another_arch() {
    assert_fails("media-of-another-arch", 2, COMPOSE, |bench| {
        bench.edit("goose.toml", "arches = [\"x86_64\"]", "arches = [\"aarch64\", \"x86_64\"]");
        let medium = "[[media]]\nname = \"live\"\nkind = \"live\"\nvariant = \"Base\"\nkickstart = \"live.ks\"\n\n[sign]";
        bench.edit("goose.toml", "[sign]", medium);
        drop(bench.write("kickstarts/live.ks", "%packages\n%end\n"));
    });
}
