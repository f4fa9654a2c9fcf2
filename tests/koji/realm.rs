//! A realm of Kerberos of its own: a KDC on this machine, with a user and a web server.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REALM: &str = "GANDER.TEST";

/// Runs until it is dropped.
pub struct Realm {
    child: Child,
    folder: tempfile::TempDir,
}

/// A command of the MIT implementation; Debian has those for administrators where ordinary users do not look.
fn program(name: &str) -> Command {
    let place = ["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
    Command::new(place.iter().find(|path| path.exists()).unwrap_or(&place[0]))
}

impl Realm {
    /// Starts it; none where it is not installed.
    pub fn start() -> Option<Self> {
        let programs =
            ["/usr/sbin/krb5kdc", "/usr/sbin/kadmin.local", "/usr/sbin/kdb5_util", "/usr/bin/kinit"];
        if programs.iter().any(|path| !Path::new(path).exists()) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // The web server is somebody else.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = folder.path().display();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write(
            "krb5.conf",
            format!(
                "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\n\
                 dns_canonicalize_hostname = false\nudp_preference_limit = 1\n[realms]\n{REALM} = {{\nkdc = 127.0.0.1:{port}\n}}\n\
                 [domain_realm]\nlocalhost = {REALM}\n"
            ),
        );
        write(
            "kdc.conf",
            format!(
                "[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n[realms]\n{REALM} = {{\n\
                 database_name = {root}/principal\nkey_stash_file = {root}/stash\nacl_file = {root}/acl\n\
                 supported_enctypes = aes256-cts-hmac-sha1-96:normal\n}}\n[logging]\nkdc = FILE:{root}/log\n"
            ),
        );
        let start = || program("krb5kdc");
        let mut kdc = start();
        kdc.arg("-n").stdout(Stdio::null()).stderr(Stdio::null());
        let own = [("KRB5_CONFIG", "krb5.conf"), ("KRB5_KDC_PROFILE", "kdc.conf")];
        let own = own.map(|(name, file)| (name, folder.path().join(file)));
        let run = |command: &mut Command| {
            let done = command.envs(own.clone()).output().unwrap();
            assert!(done.status.success(), "{command:?}: {done:?}");
        };
        run(program("kdb5_util").args(["-r", REALM, "create", "-s", "-P", "honk"]));
        let mut orders = String::new();
        for (name, keytab) in
            [("HTTP/localhost", "http.keytab"), ("goose", "goose.keytab"), ("duck", "duck.keytab")]
        {
            writeln!(orders, "addprinc -randkey {name}\nktadd -k {root}/{keytab} {name}").unwrap();
        }
        for order in orders.lines() {
            run(program("kadmin.local").args(["-r", REALM, "-q", order]));
        }
        fs::set_permissions(folder.path().join("http.keytab"), fs::Permissions::from_mode(0o644)).unwrap();
        let child = kdc.envs(own.clone()).spawn().unwrap();
        let realm = Self { child, folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(realm.path("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(20), "the KDC does not start: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(realm)
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What has to be in the environment of whoever takes part, with the file for tickets.
    pub fn environment(&self, tickets: &str) -> [(&'static str, String); 2] {
        let path = |name: &str| self.path(name).display().to_string();
        [("KRB5_CONFIG", path("krb5.conf")), ("KRB5CCNAME", format!("FILE:{}", path(tickets)))]
    }

    /// Gets a ticket of a user into a file.
    pub fn log_in(&self, user: &str, tickets: &str) {
        let mut kinit = program("kinit");
        kinit.arg("-kt").arg(self.path(&format!("{user}.keytab"))).arg(user).envs(self.environment(tickets));
        let done = kinit.output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
