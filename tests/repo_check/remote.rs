//! Repositories at an address.

use std::fs;
use std::net::TcpListener;

use gander::format::repodata::Checksum;
use gander::sign::Signer as _;

use crate::bench::Bench;
use crate::findings::signer;
use crate::repository::{check, repomd, sound, write};
use crate::server::Server;

fn served(change: impl FnOnce(&Bench)) -> (Bench, Server) {
    let bench = Bench::new();
    write(&bench, "r", &sound());
    change(&bench);
    let server = Server::start(&bench.path(""), |_| {});
    (bench, server)
}

fn without_information(found: Vec<String>) -> Vec<String> {
    found.into_iter().filter(|line| !line.starts_with("information")).collect()
}

#[test]
fn sizes_are_asked_for_and_files_on_demand() {
    let (bench, server) = served(|_| {});
    let url = format!("{}/r/", server.url);
    let (code, found, document) = check(&bench, &[&url]);
    assert_eq!(
        (code, &found[..]),
        (0, &["information digests-not-checked packages".to_owned()][..]),
        "{document:#}"
    );
    assert_eq!(document["repositories"][0]["package-files"], "sizes");
    let (code, found, document) = check(&bench, &[&url, "--download"]);
    assert_eq!(
        (code, &found[..]),
        (0, &["information signatures-not-checked packages".to_owned()][..]),
        "{document:#}"
    );
    assert_eq!(document["repositories"][0]["package-files"], "content");
    bench.run(["repo", "diff", &url, "r"]).exits(0);
    // That signatures are asked for does not mean that packages are downloaded for them; it is said.
    let keys = bench.write("key.asc", signer("goose").certificate().armored());
    let keys = ["--unsigned-repomd", "--keys", keys.to_str().unwrap()];
    let (code, found, _) = check(&bench, &[&[&*url], &keys[..]].concat());
    assert_eq!(code, 0);
    assert!(found.contains(&"information signatures-not-checked packages".into()), "{found:?}");

    // What is larger is seen; what is only changed is seen when it is downloaded.
    let path = bench.path("r/Packages/goose-1-1.noarch.rpm");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(check(&bench, &[&url]).0, 0);
    let (code, found, _) = check(&bench, &[&url, "--download"]);
    assert_eq!(
        (code, without_information(found)),
        (1, vec!["error package-checksum goose-0:1-1.noarch".into()]),
        "the store has it from before, but the server has not"
    );
    bytes.push(0);
    fs::write(&path, &bytes).unwrap();
    let (code, found, _) = check(&bench, &[&url]);
    assert_eq!((code, without_information(found)), (1, vec!["error package-size goose-0:1-1.noarch".into()]));
    fs::remove_file(&path).unwrap();
    let text = bench.run(["repo", "check", &url]).exits(1).stdout;
    assert!(text.ends_with("\n\n      1 package-missing\n1 errors, 0 warnings, 1 remarks\n"), "{text}");
    for arguments in [&[&*url][..], &[&url, "--download"]] {
        let (code, found, _) = check(&bench, arguments);
        assert_eq!(
            (code, without_information(found)),
            (1, vec!["error package-missing goose-0:1-1.noarch".into()])
        );
    }
}

#[test]
fn damaged_metadata_and_servers_that_do_not_answer() {
    let (bench, server) = served(|_| {});
    let url = format!("{}/r", server.url);
    let mut files = fs::read_dir(bench.path("r/repodata")).unwrap().map(|entry| entry.unwrap().path());
    let other = files.find(|path| path.to_string_lossy().contains("-other")).unwrap();
    let bytes = fs::read(&other).unwrap();
    fs::remove_file(&other).unwrap();
    let (code, found, _) = check(&bench, &[&url]);
    let name = format!("repodata/{}", other.file_name().unwrap().to_string_lossy());
    assert_eq!((code, without_information(found)), (3, vec![format!("error metadata-missing {name}")]));
    fs::write(&other, &bytes[..bytes.len() - 1]).unwrap();
    let (code, found, _) = check(&bench, &[&url]);
    assert_eq!((code, without_information(found)), (3, vec![format!("error metadata-size {name}")]));
    fs::write(&other, &bytes).unwrap();
    assert_eq!(check(&bench, &[&url]).0, 0);
    // That the store has a list does not make up for a server that lost it or has another one.
    let mut changed = bytes.clone();
    changed[9] ^= 1;
    fs::write(&other, changed).unwrap();
    let (code, found, _) = check(&bench, &[&url]);
    assert_eq!((code, without_information(found)), (3, vec![format!("error metadata-checksum {name}")]));
    fs::remove_file(&other).unwrap();
    let (code, found, _) = check(&bench, &[&url]);
    assert_eq!((code, without_information(found)), (3, vec![format!("error metadata-missing {name}")]));
    fs::write(&other, bytes).unwrap();
    let long = Checksum::parse("sha512", &"0".repeat(128)).unwrap();
    repomd(&bench.path("r"), |repomd| repomd.data[2].checksum = long);
    let (code, found, _) = check(&bench, &[&url]);
    assert_eq!((code, without_information(found)), (3, vec![format!("error metadata-unverifiable {name}")]));

    let (code, found, _) = check(&bench, &[&format!("{}/none", server.url)]);
    assert_eq!(
        (code, without_information(found)),
        (3, vec!["error metadata-missing repodata/repomd.xml".into()])
    );
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bench.run(["repo", "check", &format!("http://{closed}/r")]).exits(4);
    bench.run(["--offline", "repo", "check", &url]).exits(3).says("the network is not used");
}
