//! Profiles, as koji's own library reads them.

use std::fs;
use std::path::Path;
use std::process::Command;

use gander::koji::{Profile, ProfileError};

use super::skip;

/// Prints what koji's library makes of a profile, one option a line. It reads `/etc`, which is another folder here.
const SCRIPT: &str = r#"
import os, sys, koji
etc, home, name = sys.argv[1:]
os.environ["HOME"] = home
read = koji.read_config_files
koji.read_config_files = lambda files: read([f.replace("/etc", etc, 1) if f.startswith("/etc") else f for f in files])
try:
    config = koji.read_config(name)
except Exception as error:
    print("error", type(error).__name__)
    sys.exit()
for option in sys.stdin.read().split():
    value = config.get(option)
    print(option, repr(value) if value not in (None, "") else "None")
"#;

const OPTIONS: &str = "server topurl topdir authtype cert serverca no_ssl_verify principal keytab max_retries \
    retry_interval anon_retry offline_retry offline_retry_interval timeout auth_timeout";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn shown(profile: Result<Profile, ProfileError>) -> Vec<String> {
    let Ok(profile) = profile else { return vec!["error".into()] };
    let text = |text: Option<&str>| text.map_or("None".to_owned(), |text| format!("'{text}'"));
    let path = |path: Option<&std::path::PathBuf>| text(path.map(|path| path.to_str().unwrap()));
    let yes = |yes: bool| if yes { "True" } else { "False" }.to_owned();
    let retry = profile.retry;
    [
        ("server", text(Some(&profile.server))),
        ("topurl", text(profile.topurl.as_deref())),
        ("topdir", path(Some(&profile.topdir))),
        ("authtype", text(profile.authtype.as_deref())),
        ("cert", path(profile.cert.as_ref())),
        ("serverca", path(profile.serverca.as_ref())),
        ("no_ssl_verify", yes(profile.no_ssl_verify)),
        ("principal", text(profile.principal.as_deref())),
        ("keytab", path(profile.keytab.as_ref())),
        ("max_retries", retry.most.to_string()),
        ("retry_interval", retry.interval.as_secs().to_string()),
        ("anon_retry", yes(retry.anonymous)),
        ("offline_retry", yes(retry.offline)),
        ("offline_retry_interval", retry.offline_interval.as_secs().to_string()),
        ("timeout", profile.timeout.as_secs().to_string()),
        ("auth_timeout", profile.auth_timeout.as_secs().to_string()),
    ]
    .map(|(option, value)| format!("{option} {value}"))
    .to_vec()
}

/// Folders with what people write.
fn folders() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| write(root.path(), name, text);
    at("etc/koji.conf.d/20.conf", "[a]\nserver = http://twenty/\ntopurl=http://files/\n");
    at("etc/koji.conf.d/10.conf", "[a]\nserver = http://ten/\ntopdir: /ten\n[b]\nserver=http://b/\n");
    at("etc/koji.conf.d/30.other", "[a]\nserver = http://thirty/\n");
    at(
        "etc/koji.conf",
        "# a comment\n; one more\n[DEFAULT]\nTIMEOUT = 77\nbase = http://base\n[b]\nTopURL = %(base)s/files%%\n\
         anon_retry = off\nmax_retries = 7\n  \nretry_interval=5 \noffline_retry = Yes\nunknown = 5\n\
         [broken]\nmax_retries = many\n[loop]\nserver = %(topurl)s\ntopurl = %(server)s\n[percent]\nserver = 5%\n\
         [flag]\nanon_retry = perhaps\n[empty]\n[long]\nserver = http://first\n  second\n[auth]\nauthtype = ssl\n\
         cert = ~/own.crt\nserverca =\nno_ssl_verify = yes\nprincipal = goose\nkeytab = /k\nauth_timeout = 5\n\
         [colon]\nserver : http://a:b=c\n",
    );
    at("home/.koji/config.d/x.conf", "[a]\nserver = http://own/\n");
    at("home/.koji/config", "[home]\nserver = http://home/\ntopdir = /home\n[b]\nmax_retries = 8\n");
    at("home/.koji/serverca.crt", "");
    root
}

#[test]
fn files_count_in_their_order() {
    let root = folders();
    let (etc, home) = (root.path().join("etc"), root.path().join("home"));
    let a = Profile::read("a", &etc, Some(&home)).unwrap();
    assert_eq!((a.server.as_str(), a.topurl.as_deref()), ("http://own/", Some("http://files/")));
    assert_eq!((a.topdir.to_str(), a.timeout.as_secs()), (Some("/ten"), 77));
    assert_eq!(Profile::read("a", &etc, None).unwrap().server, "http://twenty/");
    let b = Profile::read("b", &etc, Some(&home)).unwrap();
    assert_eq!(b.topurl.as_deref(), Some("http://base/files%"));
    assert_eq!((b.retry.most, b.retry.anonymous, b.retry.offline), (8, false, true));
    let unknown = Profile::read("nope", &etc, Some(&home)).unwrap_err().to_string();
    assert!(unknown.contains("no profile 'nope'; known are: a, auth, b,"), "{unknown}");
    for name in ["broken", "loop", "percent", "flag"] {
        let error = Profile::read(name, &etc, Some(&home)).unwrap_err();
        assert!(matches!(error, ProfileError::Value { .. }), "{name}: {error}");
    }
    for (text, reason) in [
        ("[a]\nx = 1\nX = 2\n", "line 3: the option is in this section twice"),
        ("[a]\n[a]\n", "line 2: the section is in this file twice"),
        ("x = 1\n", "line 1: an option stands before"),
        ("[a]\nno option\n", "line 2: this is neither"),
    ] {
        write(root.path(), "etc/koji.conf", text);
        let error = Profile::read("a", &etc, None).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn profiles_are_read_as_by_koji() {
    let test = "profiles_are_read_as_by_koji";
    let Some(python) = std::env::var_os("GANDER_PEER_KOJI") else {
        skip(test, "GANDER_PEER_KOJI names no Python that has koji 1.36");
        return;
    };
    let root = folders();
    let (etc, home) = (root.path().join("etc"), root.path().join("home"));
    for name in [
        "a", "b", "home", "broken", "loop", "percent", "flag", "empty", "long", "auth", "colon", "nope",
        "DEFAULT",
    ] {
        let mut child = Command::new(&python)
            .args(["-c", SCRIPT])
            .args([&etc, &home])
            .arg(name)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), OPTIONS.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let koji = String::from_utf8(output.stdout).unwrap();
        let koji: Vec<String> = if koji.starts_with("error") {
            vec!["error".into()]
        } else {
            // Koji keeps the text of a flag that it does not know as one.
            koji.lines()
                .map(|line| line.replace("no_ssl_verify 'yes'", "no_ssl_verify True").replace("\\n", "\n"))
                .collect()
        };
        assert_eq!(shown(Profile::read(name, &etc, Some(&home))), koji, "{name}");
    }
}
