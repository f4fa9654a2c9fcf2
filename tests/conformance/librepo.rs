//! Created repositories, downloaded and verified by librepo: what dnf, microdnf and PackageKit read repositories with.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gander::format::repodata::{Compression, Repomd};
use gander::repo::create;

use super::repodata::{options, there};
use super::sample;
use super::skip;

/// Downloads all metadata of a repository, which librepo compares with repomd.xml; prints their types.
const DOWNLOAD: &str = r#"
import sys, librepo
handle = librepo.Handle()
handle.repotype = librepo.LR_YUMREPO
handle.urls, handle.destdir, handle.checksum = ["file://" + sys.argv[1]], sys.argv[2], True
result = librepo.Result()
handle.perform(result)
print(" ".join(sorted(kind for kind, path in result.yum_repo.items() if path and kind in result.yum_repomd)))
"#;

fn download(repository: &Path) -> Output {
    let to = tempfile::tempdir().unwrap();
    // Debian's interpreter has the bindings.
    let python =
        Command::new("/usr/bin/python3").args(["-c", DOWNLOAD]).arg(repository).arg(to.path()).output();
    python.unwrap()
}

#[test]
fn librepo_takes_created_repositories() {
    if !there("/usr/bin/python3", &["-c", "import librepo"]) {
        return skip("librepo_takes_created_repositories", "librepo's Python bindings are not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path();
    for (name, version) in [("goose", "1"), ("swan", "2")] {
        fs::write(at.join(format!("{name}.rpm")), sample::installable(name, version)).unwrap();
    }
    fs::write(at.join("comps.xml"), "<comps><group><id>core</id></group></comps>").unwrap();
    fs::write(at.join("modules.yaml"), "---\ndocument: modulemd\n").unwrap();
    for compression in Compression::ALL {
        let options = create::Options {
            compression,
            further_compression: compression,
            comps: Some(at.join("comps.xml")),
            extras: vec![("modules".into(), at.join("modules.yaml"))],
            databases: true,
            ..options()
        };
        create::create(at, &options, None).unwrap();
        let taken = download(at);
        assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
        let kinds = "filelists filelists_db group modules other other_db primary primary_db";
        assert_eq!(String::from_utf8_lossy(&taken.stdout).trim(), kinds);
        // One flipped bit in any of the files, and it is refused.
        let repomd = Repomd::parse(&fs::read(at.join("repodata/repomd.xml")).unwrap()).unwrap();
        assert_eq!(repomd.data.len(), 8);
        for data in repomd.data {
            let path = data.location.below(at);
            let good = fs::read(&path).unwrap();
            let mut bad = good.clone();
            *bad.last_mut().unwrap() ^= 1;
            fs::write(&path, bad).unwrap();
            assert!(!download(at).status.success(), "{}", data.kind);
            fs::write(&path, good).unwrap();
        }
    }
}
