//! The scripts' functions on a folder that stands for the jail.

#![allow(clippy::disallowed_methods, reason = "the shell runs in tests without a jail")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use super::configuration;
use crate::format::kickstart::{Dialect, Kickstart, no_includes};

const WORLD: &str = include_str!("world.sh");
const COMMANDS: &str = include_str!("commands.sh");
const CONFIGURE: &str = include_str!("configure.sh");

/// Folders that stand for `/out`, `/in` and `/build`.
struct Jail(tempfile::TempDir);

impl Jail {
    fn new() -> Self {
        let jail = Self(tempfile::tempdir().unwrap());
        for folder in ["out/etc", "out/tmp", "in/configuration", "build"] {
            fs::create_dir_all(jail.at(folder)).unwrap();
        }
        jail
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn link(&self, target: &str, path: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Runs scripts one after the other, with a function `call` that says what it is to do: what they say, and
    /// whether they end well.
    fn run(&self, scripts: &[&str]) -> (bool, String) {
        let mut text = String::new();
        for script in scripts {
            text.push_str(script);
            text.push_str("\ncall() { echo \"called $*\"; }\n");
        }
        let top = self.0.path().to_string_lossy();
        let text = text.replace("/build/output", "/build/said").replace("/out", &format!("{top}/out"));
        let text = text.replace("/in/configuration", &format!("{top}/in/configuration"));
        let text = text.replace("/build/", &format!("{top}/build/"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &text]).env("SOURCE_DATE_EPOCH", "1793491200");
        let done = command.current_dir(self.at("build")).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    }

    /// Runs calls of the functions, which end well.
    fn calls(&self, calls: &str) -> String {
        let (good, said) = self.run(&[WORLD, COMMANDS, calls]);
        assert!(good, "{calls}: {said}");
        said
    }
}

#[test]
fn paths_are_found_as_the_root_finds_them() {
    let jail = Jail::new();
    jail.link("/data/etc", "out/absolute");
    jail.link("../../../../etc", "out/etc/up");
    jail.link("/absolute/deeper", "out/twice");
    jail.link("self", "out/self");
    let top = jail.at("out").to_string_lossy().into_owned();
    for (path, wanted) in [
        ("/etc/passwd", "/etc/passwd"),
        ("/absolute/passwd", "/data/etc/passwd"),
        ("/etc/up/passwd", "/etc/passwd"),
        ("/twice/x y", "/data/etc/deeper/x y"),
        ("/../../etc/./x", "/etc/x"),
        ("/", ""),
    ] {
        assert_eq!(jail.calls(&format!("inside '{path}'")), format!("{top}{wanted}\n"), "{path}");
    }
    let (good, said) = jail.run(&[WORLD, "file=$(inside /self/x)\necho still here"]);
    assert!(!good && said == "the links of /self/x lead in a circle\n", "{said}");
}

#[test]
fn what_belongs_to_no_image_goes_wherever_the_root_s_links_lead() {
    let jail = Jail::new();
    let id = "0123456789abcdef0123456789abcdef\n";
    jail.link("/data/ssh", "out/etc/ssh");
    jail.link("/data/log", "out/var/log");
    jail.link("/data/dbus", "out/var/lib/dbus");
    // To a folder that is there outside of the root only.
    let outside = jail.at("outside");
    jail.link(&outside.to_string_lossy(), "out/var/cache/dnf");
    jail.write("outside/kept", "kept");
    for (path, text) in [
        ("out/etc/machine-id", id),
        ("out/etc/passwd-", "old"),
        ("out/etc/shadow", "root:x:20758:\ngoose:x:99999:\nnone:x::\n"),
        ("out/data/ssh/ssh_host_ed25519_key", "secret"),
        ("out/data/ssh/sshd_config", "kept"),
        ("out/data/log/dnf.rpm.log", "x"),
        ("out/data/log/wtmp", "x"),
        ("out/data/log/journal/0123/system.journal", "x"),
        ("out/var/cache/yum/.hidden", "x"),
        ("out/var/lib/authselect/backups/2026-11-22-06-00-00.aBcDeF/nsswitch.conf", "x"),
        ("out/var/lib/dnf/history.sqlite-wal", "x"),
    ] {
        jail.write(path, text);
    }
    fs::create_dir_all(jail.at("out/data/dbus")).unwrap();
    let lent = "lend_identity\ncat /out/data/dbus/machine-id\nscrub\n";
    assert_eq!(jail.calls(lent), "67616e6465722773206e6f626f647921\n");
    for path in [
        "etc/passwd-",
        "data/ssh/ssh_host_ed25519_key",
        "data/log/dnf.rpm.log",
        "data/log/journal/0123",
        "data/dbus/machine-id",
        "var/cache/yum/.hidden",
        "var/lib/dnf/history.sqlite-wal",
        "var/lib/authselect/backups/2026-11-22-06-00-00.aBcDeF",
    ] {
        assert!(!jail.at("out").join(path).exists(), "{path} is still there");
    }
    for (path, text) in [
        ("outside/kept", "kept"),
        ("out/etc/machine-id", ""),
        ("out/etc/shadow", "root:x:20758:\ngoose:x:20758:\nnone:x::\n"),
        ("out/data/ssh/sshd_config", "kept"),
        ("out/data/log/wtmp", ""),
    ] {
        assert_eq!(jail.read(path), text, "{path}");
    }
    assert!(jail.at("out/data/dbus").is_dir(), "the folder was not lent");
}

#[test]
fn files_are_put_where_they_belong() {
    let jail = Jail::new();
    jail.write("out/etc/kept", "old");
    fs::set_permissions(jail.at("out/etc/kept"), fs::Permissions::from_mode(0o600)).unwrap();
    jail.write("outside", "outside");
    jail.link(&jail.at("outside").to_string_lossy(), "out/etc/linked");
    jail.calls("for name in kept linked new/deep; do echo text | put /etc/$name; done");
    for (name, mode) in [("kept", 0o600), ("linked", 0o644), ("new/deep", 0o644)] {
        let path = jail.at("out/etc").join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), "text\n", "{name}");
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777, mode, "{name}");
    }
    assert_eq!(jail.read("outside"), "outside");
    // As the log of a %post: all that is in the folder would be lost.
    let (good, said) = jail.run(&[WORLD, COMMANDS, "at k.ks:7\necho text | put /etc\necho still here"]);
    assert!(!good && said == "k.ks:7: /etc is to be a file, and the image has a folder there\n", "{said}");
    assert_eq!(jail.read("out/etc/kept"), "text\n");
}

#[test]
fn keys_of_users_stay_in_the_root() {
    let jail = Jail::new();
    let user = rustix::process::getuid().as_raw();
    let group = rustix::process::getgid().as_raw();
    jail.write("out/etc/passwd", &format!("goose:x:{user}:{group}::/home/goose:/bin/sh\n"));
    jail.write("out/srv/keys", "one\n");
    jail.link("/srv/keys", "out/home/goose/.ssh/authorized_keys");
    jail.calls("ssh_key goose 'two it'\\''s'");
    assert_eq!(jail.read("out/srv/keys"), "one\ntwo it's\n");
}

#[test]
fn services_go_by_the_names_that_systemctl_knows() {
    let jail = Jail::new();
    for unit in ["postgresql-9.6.service", "sshd.socket", "getty@.service"] {
        jail.write(&format!("out/usr/lib/systemd/system/{unit}"), "");
    }
    jail.write("out/etc/rc.d/init.d/old", "");
    jail.link("rc.d/init.d", "out/etc/init.d");
    let calls =
        "at k.ks:1\nenable postgresql-9.6 sshd.socket getty@tty1.1 old sshd\ndisable sshd postgresql-9.6";
    assert_eq!(
        jail.calls(calls),
        "called systemctl enable postgresql-9.6\ncalled systemctl enable sshd.socket\n\
         called systemctl enable getty@tty1.1\ncalled systemctl enable old\n\
         called systemctl disable postgresql-9.6\n\
         k.ks:1: there is no service sshd to enable: is the name right, or its package missing?\n"
    );
}

#[test]
fn commands_change_the_files_that_they_are_about() {
    let jail = Jail::new();
    for (path, text) in [
        ("etc/shadow", "root:x:1:\ngoose:$6$a:1:\n"),
        ("etc/selinux/config", "# SELINUX=\nSELINUX=enforcing\nSELINUX=enforcing\n"),
        ("etc/chrony.conf", "pool old iburst\nserver older\ndriftfile x\n"),
        (
            "usr/share/systemd/kbd-model-map",
            "# x\nde-nodeadkeys de pc105 nodeadkeys terminate:ctrl_alt_bksp\nus us pc105 - -\n",
        ),
        ("usr/share/X11/xkb/rules", ""),
        ("usr/share/zoneinfo/Europe/Berlin", ""),
    ] {
        jail.write(&format!("out/{path}"), text);
    }
    jail.link("../usr/share/zoneinfo/UTC", "out/etc/localtime");
    let said = jail.calls(
        "at k.ks:1\nlanguage de_DE.UTF-8\nkeyboard de-nodeadkeys '' '' ''\ntimezone Europe/Berlin LOCAL\n\
         time_servers 'server a iburst' 'pool b iburst nts'\nselinux permissive\n\
         password root '$6$\\1&'\nlock goose\nlock goose\npassword nobody x",
    );
    assert_eq!(said, "k.ks:1: the user nobody is not in the image's /etc/shadow\n");
    for (path, text) in [
        ("etc/locale.conf", "LANG=\"de_DE.UTF-8\"\n"),
        ("etc/vconsole.conf", "KEYMAP=\"de-nodeadkeys\"\n"),
        ("etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n"),
        (
            "etc/chrony.conf",
            "#pool old iburst\n#server older\ndriftfile x\nserver a iburst\npool b iburst nts\n",
        ),
        ("etc/selinux/config", "# SELINUX=\nSELINUX=permissive\nSELINUX=permissive\n"),
        ("etc/shadow", "root:$6$\\1&:20758:\ngoose:!$6$a:20758:\n"),
    ] {
        assert_eq!(jail.read(&format!("out/{path}")), text, "{path}");
    }
    let x11 = jail.read("out/etc/X11/xorg.conf.d/00-keyboard.conf");
    for option in ["\"XkbLayout\" \"de\"", "\"XkbVariant\" \"nodeadkeys\"", "\"XkbOptions\" \"terminate:"] {
        assert!(x11.contains(option), "{x11}");
    }
    assert_eq!(
        fs::read_link(jail.at("out/etc/localtime")).unwrap(),
        PathBuf::from("../usr/share/zoneinfo/Europe/Berlin")
    );
}

#[test]
fn an_image_is_not_left_enforcing() {
    for (config, good) in [
        (None, true),
        (Some("#SELINUX=enforcing\nSELINUX=permissive\n"), true),
        (Some("SELINUX=disabled\nSELINUXTYPE=targeted\n"), true),
        (Some("SELINUX=enforcing\n"), false),
        (Some("SELINUX= Enforcing # as before\n"), false),
        (Some("SELINUX=enforcing\nSELINUX=permissive\n"), false),
    ] {
        let jail = Jail::new();
        jail.write("in/configuration/commands", "end_of_commands\n");
        if let Some(config) = config {
            jail.write("out/etc/selinux/config", config);
        }
        let (done, said) = jail.run(&[WORLD, COMMANDS, CONFIGURE]);
        assert_eq!(done, good, "{config:?}: {said}");
        assert_eq!(said.contains("SELinux would be enforcing"), !good, "{said}");
    }
}

#[test]
fn every_call_is_of_a_function() {
    let text = "lang C\nkeyboard us\ntimezone --utc UTC --ntpservers=a\nselinux --disabled\n\
                auth --enableldap\nnetwork --hostname=a\ngroup --name=a\nuser --name=b --password=c\n\
                rootpw --lock a\nsshkey --username=b key\nfirewall --enabled\n\
                services --enabled=a --disabled=b\nrepo --name=a --baseurl=b --install\nfirstboot --enable\n\
                skipx\nxconfig --defaultdesktop=a\n%post\nx\n%end\n";
    let parsed = Kickstart::parse("k.ks", text.as_bytes(), Dialect::Rhel8, &mut no_includes).unwrap();
    let made = configuration(&parsed).unwrap();
    let (_, commands) = made.files.iter().find(|(path, _)| path.as_str() == "commands").unwrap();
    let commands = String::from_utf8(commands.clone()).unwrap();
    let called: BTreeSet<_> = commands.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert!(called.len() > 18, "{called:?}");
    for function in called {
        assert!(COMMANDS.contains(&format!("\n{function}() {{\n")), "{function} is no function");
    }
}
