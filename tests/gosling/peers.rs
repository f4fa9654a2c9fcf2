//! What rpm, dnf and createrepo_c say of the compose.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::folder::Folder;
use super::world::{Place, Said, first, have, is_root, run, say, scratch, skip};

/// A home whose macros put the package database where Gosling has it. Debian's own put it into the home of
/// whoever asks, also below an installroot.
fn home() -> PathBuf {
    let home = scratch().join("home");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join(".rpmmacros"), "%_dbpath /var/lib/rpm\n").unwrap();
    home
}

/// dnf with nothing of the host's but itself.
fn dnf(cache: &Path) -> Command {
    let mut command = Command::new("dnf");
    // Debian's plug-in `local` fails below an installroot.
    command.args(["-y", "--disableplugin=local", "--releasever=1", "--forcearch=x86_64"]);
    command.args(["--setopt=reposdir=/nowhere", "--setopt=varsdir=/nowhere", "--setopt=plugins=1"]);
    command.arg(format!("--setopt=cachedir={}", cache.display()));
    command.arg(format!("--setopt=logdir={}", cache.display()));
    command.env("HOME", home()).env("LC_ALL", "C.UTF-8");
    command
}

/// The requirements of a repository's packages that nothing in it meets.
pub fn unresolved(repository: &Path) -> BTreeSet<String> {
    let cache = tempfile::tempdir_in(scratch()).unwrap();
    let mut command = dnf(cache.path());
    command.arg(format!("--repofrompath=it,file://{}", repository.display()));
    command.args(["--repo=it", "repoclosure", "--arch=x86_64", "--arch=i686", "--arch=noarch"]);
    let said = run(&mut command);
    let names: BTreeSet<_> = said
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.trim().to_owned())
        .collect();
    assert_eq!(said.code, Some(i32::from(!names.is_empty())), "{}", said.all());
    names
}

#[test]
fn every_signature_is_good() {
    if !have("every_signature_is_good", &["rpm", "rpmkeys"]) {
        return;
    }
    let place = &first().place;
    let scratch = tempfile::tempdir().unwrap();
    let database = format!("--dbpath={}", scratch.path().display());
    let packages: Vec<_> = Folder::read(&place.output()).ending(".rpm").collect();
    assert!(packages.len() > 390, "{}", packages.len());
    let check = || run(Command::new("rpmkeys").arg("-Kv").arg(&database).args(&packages).env("LC_ALL", "C"));
    let count = |said: &Said, text: &str| said.out.lines().filter(|line| line.trim() == text).count();

    // Without the key nothing is accepted.
    let said = check();
    assert_ne!(said.code, Some(0));
    let (binary, source) =
        (place.binary().join("RPM-GPG-KEY-Gosling"), place.source().join("RPM-GPG-KEY-Gosling"));
    assert_eq!(fs::read(&binary).unwrap(), fs::read(&source).unwrap());
    run(Command::new("rpm").arg("--import").arg(&database).arg(&binary)).good();
    let said = check().good();
    let signed =
        said.out.lines().filter(|line| line.contains("Signature, key ID ") && line.ends_with(": OK"));
    assert_eq!(signed.count(), packages.len());
    for digest in ["Header SHA256 digest: OK", "Payload SHA256 digest: OK"] {
        assert_eq!(count(&said, digest), packages.len(), "{digest}");
    }
    assert!(!said.out.contains("NOKEY") && !said.out.contains("BAD") && !said.out.contains("NOTFOUND"));
    let said =
        run(Command::new("rpmkeys").arg("-K").arg(&database).args(&packages).env("LC_ALL", "C")).good();
    let good = said.out.lines().filter(|line| line.ends_with(": digests signatures OK")).count();
    assert_eq!(good, packages.len(), "{}", said.out);
    say(format_args!("rpmkeys -K: {good} of {} packages: digests signatures OK", packages.len()));
}

/// Installs from a repository into a new root, with every check on.
pub fn install(repository: &Path, root: &Path, packages: &[&str], metadata_signed: bool) -> Said {
    let cache = tempfile::tempdir_in(scratch()).unwrap();
    let key = repository.join("RPM-GPG-KEY-Gosling");
    let mut command = dnf(cache.path());
    command.arg(format!("--installroot={}", root.display()));
    command.arg(format!("--repofrompath=it,file://{}", repository.display())).arg("--repo=it");
    command.arg(format!("--setopt=it.gpgkey=file://{}", key.display())).arg("--setopt=it.gpgcheck=1");
    command.arg(format!("--setopt=it.repo_gpgcheck={}", u8::from(metadata_signed)));
    command.args(["--setopt=gpgcheck=1", "--setopt=localpkg_gpgcheck=1", "install"]).args(packages);
    run(&mut command)
}

#[test]
fn dnf_installs_what_runs() {
    let test = "dnf_installs_what_runs";
    if !have(test, &["dnf", "rpm", "chroot"]) {
        return;
    }
    if !is_root() {
        return skip(test, "only root installs into a root of its own");
    }
    let place = &first().place;
    let root = place.folder.join("installed");
    let said = install(&place.binary(), &root, &["bash", "zlib.i686"], true).good();
    assert!(said.all().contains("Complete!"), "{}", said.all());
    let said =
        run(Command::new("chroot").arg(&root).args(["/usr/bin/bash", "-c", "echo $BASH_VERSION by $0"]))
            .good();
    assert!(said.out.starts_with("5.") && said.out.ends_with(" by /usr/bin/bash\n"), "{}", said.out);
    say(format_args!("dnf installed a bash that runs: {}", said.out.trim()));

    let rpm = |arguments: &[&str]| {
        run(Command::new("rpm").arg("--root").arg(&root).arg("--dbpath=/var/lib/rpm").args(arguments))
            .good()
            .out
    };
    assert!(root.join("usr/lib/libz.so.1").exists());
    let installed =
        rpm(&["-qa", "--qf", "%{NAME}.%{ARCH} %|RSAHEADER?{signed}:{%|DSAHEADER?{signed}:{not}|}|\\n"]);
    assert!(installed.contains("zlib.i686 ") && installed.contains("glibc.i686 "), "{installed}");
    assert!(installed.contains("bash.x86_64 "), "{installed}");
    let unsigned: Vec<_> = installed
        .lines()
        .filter(|line| !line.ends_with(" signed") && !line.starts_with("gpg-pubkey"))
        .collect();
    assert_eq!(unsigned, [""; 0]);
    assert_eq!(rpm(&["-Va", "--nomtime"]), "");
    fs::remove_dir_all(root).unwrap();
}

/// A repository like another, with links to its packages and its metadata as files of its own.
fn like(repository: &Path, name: &str) -> PathBuf {
    let copy = scratch().join(name);
    fs::create_dir_all(copy.join("repodata")).unwrap();
    symlink(repository.join("RPM-GPG-KEY-Gosling"), copy.join("RPM-GPG-KEY-Gosling")).unwrap();
    for file in fs::read_dir(repository.join("repodata")).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, copy.join("repodata").join(file.file_name().unwrap())).unwrap();
    }
    for folder in fs::read_dir(repository.join("Packages")).unwrap().map(|entry| entry.unwrap().path()) {
        let to = copy.join("Packages").join(folder.file_name().unwrap());
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            symlink(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    copy
}

#[test]
fn dnf_refuses_what_was_tampered_with() {
    let test = "dnf_refuses_what_was_tampered_with";
    if !have(test, &["dnf", "createrepo_c", "rpmsign"]) {
        return;
    }
    if !is_root() {
        return skip(test, "only root installs into a root of its own");
    }
    let place = &first().place;
    let root = place.folder.join("refused");
    let refused = |repository: &Path, metadata_signed: bool, because: &[&str]| {
        let said = install(repository, &root, &["setup"], metadata_signed);
        assert_eq!(said.code, Some(1), "{}", said.all());
        let all = said.all();
        assert!(because.iter().any(|because| all.contains(because)), "not because of {because:?}:\n{all}");
        assert!(!root.join("etc/passwd").exists());
    };
    // The same way, with nothing wrong, it works: so it is what was tampered with that is refused.
    let repository = like(&place.binary(), "fine");
    install(&repository, &root, &["setup"], true).good();
    assert!(root.join("etc/passwd").exists());
    fs::remove_dir_all(&root).unwrap();

    let repository = like(&place.binary(), "metadata");
    let repomd = repository.join("repodata/repomd.xml");
    let text = fs::read_to_string(&repomd).unwrap();
    fs::write(&repomd, text.replacen("<revision>", "<revision>1", 1)).unwrap();
    assert_ne!(fs::read_to_string(&repomd).unwrap(), text);
    refused(&repository, true, &["GPG verification error", "Bad GPG signature"]);
    fs::write(&repomd, &text).unwrap();
    fs::remove_file(repository.join("repodata/repomd.xml.asc")).unwrap();
    refused(&repository, true, &["GPG verification error", "repomd.xml.asc"]);

    // A byte of the payload: the metadata know another sum.
    let repository = like(&place.binary(), "package");
    let name = "setup-";
    let shipped = fs::read_dir(place.binary().join("Packages/s")).unwrap();
    let shipped = shipped.map(|entry| entry.unwrap().path());
    let shipped =
        shipped.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name)).min().unwrap();
    let package = repository.join("Packages/s").join(shipped.file_name().unwrap());
    let mut bytes = fs::read(&shipped).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::remove_file(&package).unwrap();
    fs::write(&package, &bytes).unwrap();
    refused(&repository, true, &["checksum"]);
    // With metadata that know this sum, the package itself must tell.
    run(Command::new("createrepo_c").arg("-q").arg(&repository)).good();
    refused(&repository, false, &["GPG", "digest", "not correctly signed"]);

    // A package without a signature.
    fs::copy(&shipped, &package).unwrap();
    run(Command::new("rpmsign").arg("--delsign").arg(&package)).good();
    run(Command::new("createrepo_c").arg("-q").arg(&repository)).good();
    refused(&repository, false, &["is not signed"]);
}

#[test]
fn dnf_lists_both_trees() {
    if !have("dnf_lists_both_trees", &["dnf"]) {
        return;
    }
    let place = &first().place;
    for repository in [place.binary(), place.source()] {
        let cache = tempfile::tempdir_in(scratch()).unwrap();
        let mut command = dnf(cache.path());
        command.arg(format!("--repofrompath=it,file://{}", repository.display())).arg("--repo=it");
        command.arg("--setopt=it.repo_gpgcheck=1");
        command.arg(format!("--setopt=it.gpgkey=file://{}/RPM-GPG-KEY-Gosling", repository.display()));
        let said = run(command.args(["repoquery", "-q", "--qf", "%{location}"])).good();
        let listed: BTreeSet<_> =
            said.out.lines().filter(|line| !line.is_empty()).map(|line| repository.join(line)).collect();
        assert_eq!(listed, Place::packages(&repository), "{}", said.all());
    }
}

#[test]
fn nothing_is_unresolved() {
    if have("nothing_is_unresolved", &["dnf"]) {
        assert_eq!(unresolved(&first().place.binary()), BTreeSet::new());
    }
}

#[test]
fn createrepo_reads_the_metadata() {
    let test = "createrepo_reads_the_metadata";
    // Those of 1.2 lie beside the interpreter; Debian 12's know no Zstandard.
    let Some(python) = std::env::var_os("GANDER_PEER_PYTHON").map(PathBuf::from) else {
        return skip(test, "no createrepo_c 1.2: GANDER_PEER_PYTHON is not set");
    };
    let [create, merge] = ["createrepo_c", "mergerepo_c"].map(|name| python.with_file_name(name));
    if !have(test, &[create.to_str().unwrap(), merge.to_str().unwrap(), "rpm"]) {
        return;
    }
    let place = &first().place;
    for (repository, archs) in [(place.binary(), "x86_64,i686,noarch"), (place.source(), "src")] {
        let packages = Place::packages(&repository);
        // Its parser keeps what it knows of packages that did not change; it says so of each that it reads.
        let copy = like(&repository, &format!("read-{}", &archs[..3]));
        let mut update = Command::new(&create);
        update.args(["-v", "--update", "--skip-stat", "--workers=1"]).arg(&copy);
        let said = run(update.env("LC_ALL", "C")).good();
        let all = said.all();
        let reused = all.lines().filter(|line| line.contains("CACHE HIT")).count();
        assert_eq!(reused, packages.len(), "{archs}: {all}");

        let merged = scratch().join(format!("merged-{}", &archs[..3]));
        let mut merge = Command::new(&merge);
        merge.arg("--all").args(["--archlist", archs, "--compress-type=gz", "--omit-baseurl"]);
        merge.arg("--repo").arg(format!("file://{}", repository.display())).arg("--outputdir").arg(&merged);
        run(&mut merge).good();
        let primary = Folder::read(&merged).ending("primary.xml.gz").next().unwrap();
        let text =
            std::io::read_to_string(flate2::read::GzDecoder::new(fs::File::open(primary).unwrap())).unwrap();
        let places: BTreeSet<PathBuf> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("<location href=\"")?.split('"').next())
            .map(|place| repository.join(place))
            .collect();
        assert_eq!(places, packages, "{archs}");
    }
}
