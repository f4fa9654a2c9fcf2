//! Databases of repositories against createrepo_c's: tables, indexes, and what they say of each package.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use gander::repo::create;
use serde_json::Value;

use super::repodata::{genuine, newer, options, python};
use super::{Tally, folder, skip};

/// Prints one line of JSON: the schema without its layout, and all rows of each package by its identity.
const DUMP: &str = r#"
import bz2, collections, glob, json, re, sqlite3, sys, tempfile
schema, packages = {}, collections.defaultdict(dict)
checksums = {}
for kind in ("primary", "filelists", "other"):
    (path,) = glob.glob(sys.argv[1] + "/repodata/*-%s.sqlite.bz2" % kind)
    (listed,) = glob.glob(sys.argv[1] + "/repodata/*-%s.xml.*" % kind)
    with tempfile.NamedTemporaryFile() as file:
        file.write(bz2.open(path).read())
        file.flush()
        db = sqlite3.connect(file.name)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        plain = lambda text: re.sub(r"\s+", "", text).lower()
        schema[kind] = sorted(plain(sql) for (sql,) in db.execute("SELECT sql FROM sqlite_master"))
        ((version, checksum),) = db.execute("SELECT * FROM db_info")
        checksums[kind] = [version, listed.split("/")[-1].startswith(checksum)]
        ids = dict(db.execute("SELECT pkgKey, pkgId FROM packages"))
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [row[1] for row in db.execute("PRAGMA table_info(%s)" % table)]
            # createrepo_c tells the time of the file, gander that of the build.
            columns = [column for column in columns if column not in ("pkgKey", "time_file")]
            if table == "db_info":
                continue
            for row in db.execute("SELECT pkgKey, %s FROM %s ORDER BY rowid" % (", ".join(columns), table)):
                packages[ids[row[0]]].setdefault(kind + "." + table, []).append(row[1:])
for tables in packages.values():
    # In the order of a table of hashes there.
    tables.get("filelists.filelist", []).sort()
print(json.dumps([schema, checksums, packages]))
"#;

fn dump(repository: &Path) -> (Value, Value, BTreeMap<String, Value>) {
    let output = Command::new(python()).arg("-c").arg(DUMP).arg(repository).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn databases_are_createrepo_cs() {
    let test = "databases_are_createrepo_cs";
    let Some(real) = folder("GANDER_REALDATA", test) else { return };
    let Some(peer) = newer() else { return skip(test, "createrepo_c 1.2 is not installed") };
    let scratch = tempfile::tempdir().unwrap();
    let [packages, theirs] = ["packages", "theirs"].map(|name| scratch.path().join(name));
    genuine(&real, &packages);
    fs::create_dir(&theirs).unwrap();
    let options = || create::Options { databases: true, ..options() };
    create::create(&packages, &options(), None).unwrap();
    let first = fs::read(packages.join("repodata/repomd.xml")).unwrap();
    create::create(&packages, &options(), None).unwrap();
    assert_eq!(fs::read(packages.join("repodata/repomd.xml")).unwrap(), first, "other bytes the second time");
    let outputdir = theirs.to_str().unwrap();
    let made = Command::new(&peer)
        .args(["--quiet", "--database", "--outputdir", outputdir])
        .arg(&packages)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&made.stderr));
    let (ours, theirs) = (dump(&packages), dump(&theirs));
    assert_eq!(ours.0, theirs.0);
    assert_eq!(ours.1, theirs.1);
    assert_eq!(ours.1["other"], serde_json::json!([10, true]));
    let mut tally = Tally::new("packages in databases");
    for (id, theirs) in &theirs.2 {
        let tables = theirs.as_object().unwrap();
        assert!(tables.contains_key("primary.packages"));
        let ours = ours.2[id].as_object().unwrap();
        let differing: Vec<_> = tables
            .keys()
            .chain(ours.keys())
            .filter(|table| ours.get(*table) != tables.get(*table))
            .map(|table| format!("{table}: {:?} instead of {:?}", ours.get(table), tables.get(table)))
            .collect();
        tally.case(id, (!differing.is_empty()).then(|| differing.join("\n    ")));
    }
    tally.finish();
    // The comparison finds what differs.
    let rendering = create::Rendering { changelogs: 0, ..options().rendering };
    create::create(&packages, &create::Options { rendering, ..options() }, None).unwrap();
    let without = dump(&packages).2;
    let logged = theirs.2.iter().filter(|(_, tables)| tables.get("other.changelog").is_some());
    let missed = logged.filter(|(id, _)| without[*id].get("other.changelog").is_some()).count();
    assert_eq!(missed, 0);
}
