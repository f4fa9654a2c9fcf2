//! Which of several mirrors is taken, and what is told of the others.

use std::fs;

use gander::recipe::Addresses;

use super::server::{Act, Server};
use super::world::*;

#[test]
fn a_folder_of_this_machine_is_a_repository() {
    let world = World::new();
    let folder = world.repository("a b", "1");
    let opened = world.at(&[&format!("file://{}/", folder.display()).replace(' ', "%20")]).unwrap();
    assert_eq!(version(&opened), "1");
    assert_eq!(opened.repomd, fs::read(folder.join("repodata/repomd.xml")).unwrap());
    let files: Vec<_> = opened.packages.get(0).unwrap().files().map(|file| file.path()).collect();
    assert_eq!(files, ["/usr/share/goose"], "from filelists");
    // The lists and what was made of them, and nothing else.
    assert_eq!(world.objects(), OPENED);
}

/// What createrepo_c makes is opened as what gander makes.
#[test]
fn repositories_of_createrepo_are_opened() {
    use gander::base::Digest;
    use gander::select::Candidate;
    if !super::bench::has_peers(&["createrepo_c"]) {
        return;
    }
    let world = World::new();
    let folder = world.repository("a", "1");
    let url = format!("file://{}", folder.display());
    let candidates = |opened: &gander::repo::open::Opened| -> Vec<_> {
        let key = Digest::of("");
        opened.packages.iter().map(|entry| (Candidate::from_entry(entry, key), *entry.checksum())).collect()
    };
    let ours = candidates(&world.at(&[&url]).unwrap());
    for compression in ["gz", "xz", "bz2"] {
        fs::remove_dir_all(folder.join("repodata")).unwrap();
        let mut command = std::process::Command::new("createrepo_c");
        command.args(["--quiet", "--general-compress-type", compression]).arg(&folder);
        super::bench::run(&mut command).exits(0);
        let mut theirs = candidates(&world.at(&[&url]).unwrap());
        theirs.sort_by(|left, right| left.0.nevra.cmp(&right.0.nevra));
        assert_eq!(theirs, ours, "{compression}");
    }
}

#[test]
fn lists_that_the_store_has_are_not_asked_for() {
    let world = World::new();
    let server = Server::honest(&world.repository("a", "1"));
    world.at(&[&server.url]).unwrap();
    assert_eq!(server.asked().len(), 3);
    world.at(&[&server.url]).unwrap();
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn mirrors_are_tried_in_order_and_the_refused_ones_are_told() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let (gone, busy) = (
        Server::start(&folder, |_| Act::Status("404 Not Found")),
        Server::start(&folder, |_| Act::Status("503 Busy")),
    );
    let (good, unused) = (Server::honest(&folder), Server::honest(&folder));
    let opened = world.at(&[&gone.url, &busy.url, "http://127.0.0.1:1/x", &good.url, &unused.url]).unwrap();
    assert_eq!(opened.mirrors, [good.url.clone(), unused.url.clone()]);
    let refused: Vec<_> = opened.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused[0].contains("status 404") && refused[1].contains("status 503"), "{refused:?}");
    assert!(unused.asked().is_empty());
    // One that is only busy is asked again once all were asked.
    assert_eq!(busy.asked().len(), 1);

    let error = world.at(&[&gone.url, &busy.url]).unwrap_err();
    assert!(error.is_surroundings());
    assert_eq!((gone.asked().len(), busy.asked().len()), (2, 4));
    let text = error.to_string();
    assert!(text.contains("status 404") && text.contains("status 503"), "{text}");
    assert!(!world.at(&[&gone.url]).unwrap_err().is_surroundings());
}

#[test]
fn the_metalink_tells_stale_mirrors_from_current_ones() {
    let world = World::new();
    let (old, new) = (world.repository("old", "1"), world.repository("new", "2"));
    let (stale, fresh) = (Server::honest(&old), Server::honest(&new));
    let both = [stale.url.as_str(), fresh.url.as_str()];
    let opened = world.by_metalink(&metalink(&new, &[], &both)).unwrap();
    assert_eq!((version(&opened), opened.mirrors.as_slice()), ("2".into(), std::slice::from_ref(&fresh.url)));
    assert!(opened.refused[0].to_string().contains("the mirror is stale"));

    // An alternate is taken only where no mirror has the current one; the newest of them.
    let opened = world.by_metalink(&metalink(&new, &[(7, &old)], &both)).unwrap();
    assert_eq!((version(&opened), opened.mirrors.len(), opened.older), ("2".into(), 2, false));
    let older = world.repository("older", "0");
    let oldest = Server::honest(&older);
    let opened =
        world.by_metalink(&metalink(&new, &[(7, &old), (6, &older)], &[&oldest.url, &stale.url])).unwrap();
    assert_eq!((version(&opened), opened.mirrors[0].as_str()), ("1".into(), stale.url.as_str()));
    assert!(opened.older);

    let error = world.by_metalink(&metalink(&new, &[], &[&stale.url, &oldest.url])).unwrap_err();
    assert!(!error.is_surroundings());
    assert_eq!(error.to_string().matches("the mirror is stale").count(), 2, "{error}");
}

/// An alternate that its mirror has deleted: dnf 4.14 gives up there, though another mirror is good.
#[test]
fn a_torn_mirror_with_an_alternate_is_survived() {
    let world = World::new();
    let (old, new) = (world.repository("old", "1"), world.repository("new", "2"));
    let torn = Server::start(&old, |path| match path.ends_with("repomd.xml") {
        true => Act::Serve,
        false => Act::Status("404 Not Found"),
    });
    let fresh = Server::honest(&new);
    let opened = world.by_metalink(&metalink(&new, &[(7, &old)], &[&torn.url, &fresh.url])).unwrap();
    assert_eq!(version(&opened), "2");
    let error = world.by_metalink(&metalink(&new, &[(7, &old)], &[&torn.url])).unwrap_err();
    assert!(error.to_string().contains("status 404") && !error.is_surroundings(), "{error}");
}

/// Lists come from any mirror that has them; without a metalink the next mirror's own state is tried as well.
#[test]
fn torn_and_half_synced_mirrors_are_survived() {
    let world = World::new();
    let (old, new) = (world.repository("old", "1"), world.repository("new", "2"));
    let half = |folder, list: &'static str| {
        Server::start(folder, move |path| match path.contains(list) {
            true => Act::Status("404 Not Found"),
            false => Act::Serve,
        })
    };
    let (without_primary, without_filelists) = (half(&new, "primary"), half(&new, "filelists"));
    let opened = world.at(&[&without_primary.url, &without_filelists.url]).unwrap();
    assert_eq!(version(&opened), "2");
    let world = world.with_new_store();
    let other = Server::honest(&old);
    assert_eq!(version(&world.at(&[&without_primary.url, &other.url]).unwrap()), "1");
    let error = world.at(&[&without_primary.url]).unwrap_err();
    assert!(!error.is_surroundings() && error.to_string().contains("primary of goose"), "{error}");
}

#[test]
fn lists_of_mirrors_are_read() {
    let world = World::new();
    let folder = world.repository("a", "1");
    let good = Server::honest(&folder);
    let list = format!("# mirrors\n\nrsync://x/y\nfile://{}\n{}/\n", folder.display(), good.url);
    write(&world.path("www/list"), &list);
    let lists = Server::honest(&world.path("www"));
    let opened =
        world.open(Addresses::MirrorList(format!("{}/list", lists.url).parse().unwrap()), None).unwrap();
    // Over the network, files of this machine do not count.
    assert_eq!(opened.mirrors, [good.url.as_str()]);
    for (path, text, expected) in [
        ("empty", "# none\n", "names none by http or https"),
        ("wild", "\u{fffd}\n", "names none"),
        ("none", "", "names none by http or https"),
        (
            "wrong",
            "# repo = x error: invalid repo\n# known: a, b\n",
            "it says '# repo = x error: invalid repo\\n",
        ),
    ] {
        write(&world.path("www").join(path), text);
        let url = format!("{}/{path}", lists.url).parse().unwrap();
        let error = world.open(Addresses::MirrorList(url), None).unwrap_err();
        assert!(error.to_string().contains(expected) && !error.is_surroundings(), "{error}");
    }
    let gone = format!("{}/gone", lists.url).parse().unwrap();
    assert!(!world.open(Addresses::Metalink(gone), None).unwrap_err().is_surroundings());
    let down = "http://127.0.0.1:1/list".parse().unwrap();
    assert!(world.open(Addresses::MirrorList(down), None).unwrap_err().is_surroundings());
}
