//! Steps that make root file systems, start from them and run in them.

use gander::base::Digest;
use gander::plan::{Executor, ResolvedInput, Rights};
use gander::runner::RunError;
use gander::store::EntryKind;

use super::{CAPABILITY, NET_RAW, World, action, makes_root, path, program, with_inputs};

/// A small root file system with everything that only its maker's rights allow.
const ROOT: &str = "set -e; cd /out; mkdir -m 755 bin etc home; for f in ping su mount; do echo $f > bin/$f; chmod 755 bin/$f; done; \
    chmod 4711 bin/su; chown 0:5 bin/mount; chmod 2755 bin/mount; ln bin/su bin/su-again; \
    echo root:x:0:0 > etc/passwd; echo secret > etc/shadow; chown 0:42 etc/shadow; chmod 0 etc/shadow; \
    mkdir -m 700 home/goose; echo hello > home/goose/hello; chmod 600 home/goose/hello; chown -R 1000:1000 home/goose; \
    mkdir home/mail; chown 8:12 home/mail; chmod 2775 home/mail; echo > home/mail/box; chown 65535:65534 home/mail/box; \
    mkdir -m 0 home/closed; chown 7:7 home/closed; \
    ln -s /etc/passwd home/link; chown -h 1000:12 home/link; \
    for d in dev proc sys run tmp var/tmp; do test -d $d; done; \
    test -e dev/null; test -e dev/shm; echo x > dev/null; test -e proc/self/status; ! echo x > sys/x; \
    for d in run tmp var/tmp; do echo gone > $d/x; done; chmod 700 tmp; \
    stat -c '%a %n' run var/tmp > etc/modes";

/// The root file system made by hand and then changed twice.
fn made_root(world: &World) -> [Digest; 3] {
    let first = world.run(&makes_root(program(ROOT))).unwrap();
    let mut second = makes_root(action("capability", Executor::Native(1), None));
    second.base = Some(first);
    let second = world.run(&second).unwrap();
    let enter = "set -e; cat /out/home/goose/hello /out/etc/shadow > /out/etc/read; rm /out/etc/modes; \
                 mkdir /build/root; cp -a /usr /bin /lib* /build/root; chroot /build/root bash -c 'id -u > /x'; \
                 setpriv --reuid 1000 --regid 1000 --clear-groups bash -c 'umask 077; id -u > /out/tmp/x; mkdir /out/home/goose/own'";
    let mut third = makes_root(program(enter));
    third.base = Some(second);
    [first, second, world.run(&third).unwrap()]
}

pub fn root_file_system(world: &World) {
    let [first, second, third] = made_root(world);
    for (name, tree) in [("root", first), ("with a capability", second), ("changed again", third)] {
        world.same_for_all(name, &tree);
    }
    let tree = world.store.tree(&third).unwrap();
    let seen = |name: &str| {
        let entry = tree.get(&path(name)).unwrap_or_else(|| panic!("{name} is missing"));
        (entry.uid, entry.gid, entry.mode)
    };
    for (name, expected) in [
        ("bin/ping", (0, 0, 0o755)),
        ("bin/su", (0, 0, 0o4711)),
        ("bin/su-again", (0, 0, 0o4711)),
        ("bin/mount", (0, 5, 0o2755)),
        ("etc/shadow", (0, 42, 0)),
        ("home/goose", (1000, 1000, 0o700)),
        ("home/goose/own", (1000, 1000, 0o700)),
        ("home/goose/hello", (1000, 1000, 0o600)),
        ("home/mail", (8, 12, 0o2775)),
        ("home/mail/box", (65535, 65534, 0o644)),
        ("home/closed", (7, 7, 0)),
        ("home/link", (1000, 12, 0o777)),
        ("dev", (0, 0, 0o755)),
        ("proc", (0, 0, 0o555)),
        ("run", (0, 0, 0o755)),
        ("sys", (0, 0, 0o555)),
        ("tmp", (0, 0, 0o1777)),
        ("var", (0, 0, 0o755)),
        ("var/tmp", (0, 0, 0o1777)),
    ] {
        assert_eq!(seen(name), expected, "{name}");
    }
    assert_eq!(tree.entries().len(), 25, "{:?}", tree.entries().keys());
    assert_eq!(tree.get(&path("bin/ping")).unwrap().xattrs[CAPABILITY], NET_RAW);
    assert!(
        matches!(&tree.get(&path("bin/su-again")).unwrap().kind, EntryKind::HardLink { to } if *to == path("bin/su"))
    );
    assert_eq!(world.output(&first, "etc/modes"), "755 run\n1777 var/tmp\n");
    // Whoever may read everything reads it as it is, and may do no more.
    let read = "set -e; cd /in/root; if echo x > home/goose/x || echo x > etc/motd; then exit 1; fi 2> /dev/null; \
                if chown 5:5 /out || chroot / bash -c :; then exit 1; fi 2> /dev/null; \
                tar --sort=name --xattrs --xattrs-include='*' --numeric-owner \
                --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -cf /out/root.tar .; \
                stat -c '%a %u %g %h %Y %n' . * */* */*/* > /out/list; cat etc/read > /out/read";
    let mut action = program(read);
    action.inputs.insert(path("root"), ResolvedInput::Tree(third));
    let error = world.run(&action).unwrap_err();
    assert!(matches!(error, RunError::Program(_)), "without the right: {error:?}");
    action.step.rights = Rights::ReadAll;
    let tree = world.run(&action).unwrap();
    world.same_for_all("read", &tree);
    assert_eq!(world.output(&tree, "read"), "hello\nsecret\n");
}

pub fn base_of_a_plain_step(world: &World) {
    let [first, ..] = made_root(world);
    let scripts = [
        "chown 5:6 /out/etc/passwd",
        "echo x > /out/home/goose/x",
        "cat /out/etc/shadow",
        "ls /out/home/goose",
        "chroot / bash -c :",
        "chmod 777 /out/home/mail",
        "test -e /out/proc/self",
        "test -e /out/dev/null",
    ];
    for script in scripts {
        let mut action = program(script);
        action.base = Some(first);
        let error = world.run(&action).unwrap_err();
        assert!(matches!(error, RunError::Program(_)), "{script}: {error:?}");
    }
    // It is for want of rights that they fail.
    let mut action = makes_root(program(&scripts.join(" && ")));
    action.base = Some(first);
    world.run(&action).unwrap();
    // What is its own it may change, and nothing else changes by that.
    let mut action =
        program("echo changed > /out/etc/passwd; touch -d @5 /out/etc/passwd; touch -d @6 /out/etc");
    action.base = Some(first);
    let changed = world.run(&action).unwrap();
    world.same_for_all("changed by a plain step", &changed);
    let before = world.store.tree(&first).unwrap();
    let after = world.store.tree(&changed).unwrap();
    let mut differ: Vec<_> = Vec::new();
    for (path, entry) in before.entries() {
        if after.get(path) != Some(entry) {
            differ.push(path.as_str());
        }
    }
    assert_eq!(differ, ["etc", "etc/passwd"]);
}

pub fn tree_as_root(world: &World) {
    let script = "set -e; cp -a /usr /bin /lib* /out; mkdir /out/etc; echo goose > /out/etc/secret; chown 5:6 /out/etc/secret; \
                  chmod 640 /out/etc/secret; mkdir /out/own; chown 9:9 /out/own";
    let root = world.run(&makes_root(program(script))).unwrap();
    let look = "set -e; ls / > /out/list; stat -c '%a %u %g %n' /etc/secret /own /tmp > /out/stat; \
                if cat /etc/secret || echo x > /x; then exit 1; fi 2> /dev/null; echo x > /tmp/x; echo x > /build/x";
    let mut action = program(look);
    action.root = Some(ResolvedInput::Tree(root));
    let tree = world.run(&action).unwrap();
    assert_eq!(world.output(&tree, "stat"), "640 5 6 /etc/secret\n755 9 9 /own\n1777 0 0 /tmp\n");
    let list = world.output(&tree, "list");
    assert!(["build", "in", "out", "proc", "own"].iter().all(|name| list.contains(name)), "{list}");
}

pub fn mount_points_that_mislead(world: &World) {
    for (script, name) in [
        ("rm -r /out/*; ln -s /build /out/tmp", "'tmp' in /out"),
        ("rm -r /out/*; ln -s ../build /out/var", "'/out/var/tmp'"),
        ("rm -r /out/*; echo > /out/proc", "'proc' in /out"),
    ] {
        // A plain step makes what misleads, since nothing is mounted there for it.
        let base = world.run(&program(script)).unwrap();
        let mut action = makes_root(program("echo x > /out/tmp/x; echo x > /out/var/tmp/x"));
        action.base = Some(base);
        let error = world.run(&action).unwrap_err();
        assert!(matches!(error, RunError::Setup { .. }) && error.to_string().contains(name), "{error}");
    }
}

/// Whoever owns the store, inputs belong to user 0 in the jail.
pub fn owners_of_inputs(world: &World) {
    let script = "set -e; tar --sort=name --numeric-owner --format=gnu -cf /out/inputs.tar -C /in .; cp -a /in /out/copy";
    let mut action = with_inputs(world, makes_root(program(script)));
    let file = *action.inputs.values().next().unwrap();
    action.inputs.insert(path("a/b/again"), file);
    let other = world.store.put_bytes(b"other").unwrap();
    action.inputs.insert(path("c"), ResolvedInput::File(other));
    let tree = world.run(&action).unwrap();
    world.same_for_all("inputs", &tree);
    for (path, entry) in world.store.tree(&tree).unwrap().entries() {
        assert_eq!((entry.uid, entry.gid), (0, 0), "{path}");
    }
}
