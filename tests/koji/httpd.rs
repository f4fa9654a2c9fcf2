//! The web server that hubs run behind, with Koji's usual way of asking for certificates: on the login path alone.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";

/// Says who showed a certificate, and which session a call is of.
const HUB: &str = r#"#!/bin/sh
user=$(tr -d '\n' | sed -n 's|.*<params><param><value><string>\([^<]*\)</string>.*|\1|p')
printf 'Content-Type: text/xml\r\nKoji-Version: 1.35.3\r\n\r\n'
text() { printf '<value><string>%s</string></value>' "$1"; }
member() { printf '<member><name>%s</name>%s</member>' "$1" "$2"; }
printf '<methodResponse><params><param>'
case $PATH_INFO in
/ssllogin)
  printf '<value><struct>'
  member session-id '<value><int>7</int></value>'
  member session-key "$(text "key of ${SSL_CLIENT_S_DN_CN:-$REMOTE_USER}${user:+ for $user} by $SSL_PROTOCOL")"
  member header-auth '<value><boolean>1</boolean></value>'
  printf '</struct></value>'
  ;;
*) text "$HTTP_KOJI_SESSION_KEY, certificate '$SSL_CLIENT_S_DN_CN'" ;;
esac
printf '</param></params></methodResponse>'
"#;

/// A host: its certificate with key, and the versions of TLS that it speaks (`SSLProtocol`).
pub struct Host<'h> {
    pub certificate: &'h [u8],
    pub protocol: &'h str,
}

/// Runs until it is dropped.
pub struct Httpd {
    child: Child,
    folder: tempfile::TempDir,
    ports: Vec<u16>,
}

impl Httpd {
    /// Starts it; none where it is not installed. `clients` are the authorities of client certificates, PEM.
    pub fn start(hosts: &[Host<'_>], clients: &[u8]) -> Option<Self> {
        Self::asking(hosts, clients, "SSLVerifyClient require\nSSLVerifyDepth 10", &[])
    }

    /// The same, which asks for tickets instead of certificates.
    #[cfg(feature = "gssapi")]
    pub fn with_tickets(hosts: &[Host<'_>], realm: &super::realm::Realm) -> Option<Self> {
        if !Path::new(MODULES).join("mod_auth_gssapi.so").exists() {
            return None;
        }
        let keytab = realm.path("http.keytab");
        let asks = format!(
            "AuthType GSSAPI\nAuthName Koji\nGssapiCredStore keytab:{}\nRequire valid-user",
            keytab.display()
        );
        let none = ("KRB5RCACHENAME", "none:".to_owned());
        let environment: Vec<_> = realm.environment("httpd-tickets").into_iter().chain([none]).collect();
        Self::asking(hosts, hosts[0].certificate, &asks, &environment)
    }

    /// The same, which asks for nothing.
    #[cfg(feature = "gssapi")]
    pub fn open(hosts: &[Host<'_>]) -> Option<Self> {
        Self::asking(hosts, hosts[0].certificate, "", &[])
    }

    fn asking(
        hosts: &[Host<'_>],
        clients: &[u8],
        asks: &str,
        environment: &[(&'static str, String)],
    ) -> Option<Self> {
        let modules = [
            "mpm_prefork",
            "authn_core",
            "authz_core",
            "authz_user",
            "auth_gssapi",
            "unixd",
            "ssl",
            "cgi",
            "alias",
            "env",
        ];
        if !Path::new(PROGRAM).exists() || !Path::new(MODULES).join("mod_ssl.so").exists() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // The server's children are somebody else.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(at("clients.pem"), clients).unwrap();
        fs::write(at("hub"), HUB).unwrap();
        fs::set_permissions(at("hub"), fs::Permissions::from_mode(0o755)).unwrap();
        let root = folder.path().display();
        let mut config = format!(
            "ServerRoot {root}\nServerName localhost\nPidFile {root}/pid\nErrorLog {root}/log\nMutex file:{root}\n\
             KeepAlive Off\nSSLSessionCache none\n"
        );
        for module in modules {
            // Some are built in.
            let path = format!("{MODULES}/mod_{module}.so");
            if Path::new(&path).exists() {
                writeln!(config, "LoadModule {module}_module {path}").unwrap();
            }
        }
        config += "<IfModule unixd_module>\nUser nobody\nGroup nogroup\n</IfModule>\n";
        writeln!(config, "<Directory {root}>\nRequire all granted\nOptions +ExecCGI\n</Directory>").unwrap();
        let mut ports = Vec::new();
        for (number, host) in hosts.iter().enumerate() {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            fs::write(at(&format!("{number}.pem")), host.certificate).unwrap();
            writeln!(
                config,
                "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nSSLEngine on\nSSLProtocol {}\n\
                 SSLCertificateFile {root}/{number}.pem\nSSLCertificateKeyFile {root}/{number}.pem\n\
                 SSLCACertificateFile {root}/clients.pem\nScriptAlias /kojihub {root}/hub\n\
                 SSLOptions +StdEnvVars\n<Location /kojihub/ssllogin>\n{asks}\n\
                 </Location>\n</VirtualHost>",
                host.protocol
            )
            .unwrap();
            ports.push(port);
        }
        fs::write(at("config"), config).unwrap();
        // One process, which ends when it is told to.
        let child = Command::new(PROGRAM)
            .args(["-X", "-f"])
            .arg(at("config"))
            .envs(environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let httpd = Self { child, folder, ports };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", httpd.ports[0])).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "httpd does not start: {}", httpd.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(httpd)
    }

    /// The address of a host's hub.
    pub fn hub(&self, host: usize) -> String {
        format!("https://localhost:{}/kojihub", self.ports[host])
    }

    /// A file beside its own.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
