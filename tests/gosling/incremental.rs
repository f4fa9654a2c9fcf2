//! Nothing is done twice.

use std::fs;
use std::time::Instant;

use super::folder::Folder;
use super::world::{Order, Place, copy, first, run, say};

#[test]
fn nothing_changed_runs_nothing() {
    let place = &first().place;
    let before = Folder::read(&place.output());
    let began = Instant::now();
    let said = run(place.gander(None).arg("--offline").args(place.compose())).good();
    say(format_args!("nothing changed: {:.2} s", began.elapsed().as_secs_f64()));
    assert_eq!(said.steps(), [""; 0]);
    assert!(said.err.contains(" 0 run; ") && said.err.contains("unchanged"), "{}", said.err);
    before.assert_same(&Folder::read(&place.output()));
}

/// Resolves and composes after a change; gives the steps that ran.
fn after(place: &Place, store: &Place) -> Vec<String> {
    let mut command = store.gander(None);
    let mut steps = run(command.args(["--offline", "lock", "--update"]).arg(place.recipe())).good().steps();
    let said = run(store.gander(None).arg("--offline").args(place.compose())).good();
    steps.extend(said.steps());
    steps.sort();
    steps
}

/// The steps of both media, which have the package in their systems, and others.
fn with_media(others: &[&str]) -> Vec<String> {
    let media = ["dvd", "live"].into_iter().flat_map(|kind| {
        let kinds = ["configure", "initrd", "install", "iso", "loader", "squashfs"].into_iter();
        kinds.map(move |step| format!("{step} {kind} of BaseOS/x86_64"))
    });
    let more = ["attach CHECKSUM", "treeinfo BaseOS/x86_64", "treeinfo dvd of BaseOS/x86_64"];
    let mut steps: Vec<_> = media.chain(more.iter().chain(others).map(ToString::to_string)).collect();
    steps.sort();
    steps
}

fn edit(place: &Place, spec: &str, from: &str, to: &str) {
    let path = place.folder.join("recipes/gosling/specs").join(spec);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_changed_spec_runs_what_it_feeds() {
    let first = first();
    let place = Place::new("changed", Order::Forward);
    copy(&first.place.lock(), &place.lock(), Order::Forward);
    let untouched = Folder::contents(&first.place.lock());
    let said = run(first.place.gander(None).arg("--offline").args(place.compose())).good();
    assert_eq!(said.steps(), [""; 0], "another folder is no change");

    edit(&place, "hostname.spec", "Summary: ", "Summary: Changed. ");
    let steps = after(&place, &first.place);
    say(format_args!("a changed summary ran: {steps:#?}"));
    assert_eq!(
        steps,
        with_media(&[
            "attach hostname-3.23+nmu1-1.gos1.src.rpm",
            "attach hostname-3.23+nmu1-1.gos1.x86_64.rpm",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "repodata BaseOS/source",
            "repodata BaseOS/x86_64",
            "rpmbuild hostname.spec for x86_64",
        ])
    );

    // A comment reaches the source package, and through its digest the packages made beside it; the build for
    // i686 makes what it made before, so that nothing follows from it.
    edit(&place, "zlib.spec", "\nName: zlib\n", "\n# A comment.\nName: zlib\n");
    let steps = after(&place, &first.place);
    say(format_args!("a comment ran: {steps:#?}"));
    assert_eq!(
        steps,
        with_media(&[
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach repomd.xml.asc",
            "attach zlib-1.2.13.dfsg-1.gos1.src.rpm",
            "attach zlib-1.2.13.dfsg-1.gos1.x86_64.rpm",
            "attach zlib-devel-1.2.13.dfsg-1.gos1.x86_64.rpm",
            "repodata BaseOS/source",
            "repodata BaseOS/x86_64",
            "repodata Devel/x86_64",
            "rpmbuild zlib.spec for i686",
            "rpmbuild zlib.spec for x86_64",
        ])
    );
    untouched.assert_same(&Folder::contents(&first.place.lock()));

    // And back: every step was run before. Those that look up signatures of what changed back run again, since the
    // lock's table of them, which only grows, is one of their inputs: two trees of BaseOS and one of Devel. The three
    // others were looked up in this table before.
    let specs = place.folder.join("recipes/gosling/specs");
    for spec in ["hostname.spec", "zlib.spec"] {
        fs::copy(super::world::package_root().join("recipes/gosling/specs").join(spec), specs.join(spec))
            .unwrap();
    }
    let mut again = vec!["attach CHECKSUM"];
    again.extend(["attach repomd.xml.asc"; 3]);
    assert_eq!(after(&place, &first.place), again);
    let wanted = Folder::read(&first.place.output());
    wanted.assert_same(&Folder::read(&place.output()));

    // What became of the output is put right, also where only the bytes tell.
    let file = place.source().join("repodata/repomd.xml.asc");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    assert_eq!(after(&place, &first.place), [""; 0]);
    wanted.assert_same(&Folder::read(&place.output()));
}
