//! A hub that answers for a lock: filled with what the embedded hub said about one tag at one event, it gives the answers
//! that the pair of tag and event has (`GANDER_ORACLE`/koji), at that event and now, and refuses changes.

use std::collections::BTreeSet;
use std::fs;

use gander::hub::{ChecksumType, Hub, PackageFilter, QueryOptions, Read, RpmKey, Stamp, TaggedFilter, Time};
use gander::koji::Snapshot;
use gander::koji::snapshot;
use serde_json::Value;

use super::hub::{answer, compare, sets, verdict};
use super::hub_setup::Setup;
use super::{Tally, folder};

/// What a snapshot does not have.
const LACKING: [&str; 3] = ["event", "extra", "build_config"];

/// All that a lock would keep of a tag at an event, with every build and signature.
fn taken(hub: &Read<'_>, tag: &str, event: i64) -> Snapshot {
    let row = hub.tag(&tag.into(), Some(event), true).unwrap().unwrap().row;
    let mut all = Snapshot::default();
    let moment = hub.last_event(None, true).unwrap().unwrap().ts.0;
    all.head = snapshot::Head { event, time: moment.micros(), tag: row.id, ..snapshot::Head::default() };
    let ancestors = hub.full_inheritance(row.id, Some(event)).unwrap();
    let mut tags = vec![row.id];
    for ancestor in ancestors {
        let link = ancestor.link;
        tags.push(link.parent_id);
        all.links.push(snapshot::Link {
            child: link.child_id,
            parent: link.parent_id,
            priority: link.priority,
            maxdepth: link.maxdepth,
            intransitive: link.intransitive,
            noconfig: link.noconfig,
            filter: link.pkg_filter,
            depth: ancestor.currdepth,
            nextdepth: ancestor.nextdepth,
            filters: ancestor.filter,
        });
    }
    for id in tags {
        let row = hub.tag(&id.into(), Some(event), true).unwrap().unwrap().row;
        all.tags.push(snapshot::Tag { id, name: row.name, arches: row.arches, locked: row.locked });
    }
    let listed =
        PackageFilter { tag: Some(row.id), inherited: true, event: Some(event), ..PackageFilter::default() };
    for entry in hub.packages(&listed).unwrap() {
        all.packages.push(snapshot::Package {
            tag: entry.tag_id,
            id: entry.package_id,
            name: entry.package_name,
            owner: entry.owner_id.unwrap(),
            owner_name: entry.owner_name.unwrap(),
            blocked: entry.blocked,
            extra_arches: entry.extra_arches,
        });
    }
    let filter = TaggedFilter { event: Some(event), inherit: true, ..TaggedFilter::default() };
    let (rpms, builds) = hub.tagged_rpms(row.id, &filter).unwrap();
    for build in builds {
        let row = build.row;
        all.taggings.push(snapshot::Tagging {
            tag: row.tag_id,
            build: row.build_id,
            event: row.create_event,
        });
        all.builds.push(snapshot::Build {
            id: row.build_id,
            package: row.package_id,
            name: row.name,
            epoch: row.epoch,
            version: row.version,
            release: row.release,
            state: row.state,
            draft: row.draft,
            volume: row.volume_id,
            volume_name: row.volume_name,
            owner: row.owner_id,
            owner_name: row.owner_name,
            task: row.task_id,
            event: row.creation_event_id,
            creation: row.creation_time.to_string(),
            start: row.start_time.map(|time| time.to_string()),
            completion: row.completion_time.map(|time| time.to_string()),
        });
    }
    for rpm in rpms {
        let row = rpm.row;
        let of = hub.signatures(Some(&RpmKey::Id(row.id)), None, &QueryOptions::default()).unwrap().rows();
        all.signatures.extend(of.into_iter().map(|found| snapshot::Signature {
            rpm: found.rpm_id,
            sigkey: found.sigkey,
            sighash: found.sighash,
        }));
        for (sigkey, sums) in hub.checksums(row.id, &ChecksumType::DEFAULT).unwrap() {
            let sum = |kind: &str| sums[kind].clone();
            if let Some(sha256) = sum("sha256") {
                all.checksums.push(snapshot::Checksum { rpm: row.id, sigkey, sha256, md5: sum("md5") });
            }
        }
        all.rpms.push(snapshot::Rpm {
            id: row.id,
            build: row.build_id,
            name: row.name,
            epoch: row.epoch,
            version: row.version,
            release: row.release,
            arch: row.arch,
            payloadhash: row.payloadhash,
            size: row.size,
            buildtime: row.buildtime,
            buildroot: row.buildroot_id,
            metadata_only: row.metadata_only,
            draft: row.draft,
        });
    }
    for repo in hub.external_repo_list(&tag.into(), Some(event)).unwrap() {
        all.externals.push(snapshot::External {
            tag: repo.tag_id,
            priority: repo.priority,
            id: repo.external_repo_id,
            name: repo.external_repo_name,
            url: repo.url,
            merge_mode: Some(repo.merge_mode),
            arches: repo.arches,
        });
    }
    let module = TaggedFilter { kind: Some("module".to_owned()), ..filter };
    for build in hub.tagged(row.id, &module).unwrap_or_default() {
        let extra = hub.build_types(&build.row.build_id.into(), true).unwrap().unwrap().0;
        let text = |name: &str| extra["module"][name].as_str().unwrap().to_owned();
        all.modules.push(snapshot::Module {
            build: build.row.build_id,
            name: text("name"),
            stream: text("stream"),
            version: text("version"),
            context: text("context"),
            content_tag: text("content_koji_tag"),
        });
    }
    all.sort();
    // As a lock keeps it.
    let kept = Snapshot::decode(&all.encode().unwrap()).unwrap();
    assert_eq!(kept, all);
    kept
}

fn replayed(hub: &Read<'_>, pair: &Value) -> Vec<String> {
    let tag = pair["tag"].as_str().unwrap();
    let last = hub.last_event(None, true).unwrap().unwrap().id;
    let event = pair["event"].as_i64().unwrap_or(last);
    let snapshot = taken(hub, tag, event);
    let frozen = Hub::replay(&snapshot).unwrap();
    let stamp = Stamp::new(Time::from_micros(0), 1);
    assert_eq!(frozen.write().map(|mut write| write.skip_event(&stamp).is_ok()).unwrap_err().code, 1004);
    let frozen = frozen.read().unwrap();
    let mut wrong = Vec::new();
    for (member, wanted) in pair.as_object().unwrap() {
        if LACKING.contains(&member.as_str()) {
            continue;
        }
        for event in [Some(event), None] {
            match answer(&frozen, tag, event, member) {
                Ok(ours) => compare(&mut wrong, member, &ours, wanted),
                Err(fault) => wrong.push(format!("{member}: {fault}")),
            }
        }
    }
    assert_eq!(frozen.last_event(None, true).unwrap().unwrap().id, event);
    let ids: BTreeSet<i64> = snapshot.rpms.iter().map(|rpm| rpm.id).collect();
    for id in ids {
        let rows = [hub, &frozen].map(|hub| {
            let rpm = RpmKey::Id(id);
            let row = hub.rpm(&rpm, true).unwrap();
            let mut signatures = hub.signatures(Some(&rpm), None, &QueryOptions::default()).unwrap().rows();
            signatures.sort_by(|a, b| a.sigkey.cmp(&b.sigkey));
            (row, signatures, hub.checksums(id, &ChecksumType::DEFAULT).unwrap())
        });
        if rows[0] != rows[1] {
            wrong.push(format!("rpm {id}: {:?} instead of {:?}", rows[1], rows[0]));
        }
    }
    for build in &snapshot.builds {
        let rows = [hub, &frozen].map(|hub| {
            let mut build = hub.build(&build.id.into(), true).unwrap().unwrap();
            (build.row.extra, build.row.source, build.cg_id, build.cg_name) = (None, None, None, None);
            build
        });
        if rows[0] != rows[1] {
            wrong.push(format!("build {}: {:?} instead of {:?}", build.id, rows[1], rows[0]));
        }
    }
    let external = [hub, &frozen].map(|hub| hub.external_repo_list(&tag.into(), Some(event)).unwrap());
    if external[0] != external[1] {
        wrong.push(format!("external repositories: {:?} instead of {:?}", external[1], external[0]));
    }
    wrong
}

#[test]
fn a_hub_for_a_lock_answers_as_the_one_that_was_locked() {
    let Some(oracle) = folder("GANDER_ORACLE", "a_hub_for_a_lock_answers_as_the_one_that_was_locked") else {
        return;
    };
    let mut tally = Tally::new("pairs of tag and event, replayed");
    for (name, setup, expected) in sets(&oracle) {
        let expected: Value = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
        let hub = Hub::memory().unwrap();
        Setup::read(&setup).rest(&hub);
        let hub = hub.read().unwrap();
        for pair in expected["pairs"].as_array().unwrap().iter().filter(|pair| pair.get("fault").is_none()) {
            let name = format!("{name} {}@{}", pair["tag"], pair["event"]);
            tally.case(&name, verdict(replayed(&hub, pair)));
        }
    }
    tally.finish();
}

#[test]
fn what_contradicts_itself_is_refused() {
    let tag = snapshot::Tag { id: 1, name: "t".to_owned(), ..snapshot::Tag::default() };
    let head = snapshot::Head { event: 5, tag: 1, ..snapshot::Head::default() };
    let good = Snapshot { head, tags: vec![tag.clone()], ..Snapshot::default() };
    assert!(Hub::replay(&good).is_ok());
    let link = |parent, filter: &str| snapshot::Link {
        child: 1,
        parent,
        filter: filter.to_owned(),
        ..Default::default()
    };
    let tagging = |build, event| snapshot::Tagging { tag: 1, build, event };
    let rpm = |name: &str| snapshot::Rpm { id: 1, build: 7, name: name.to_owned(), ..Default::default() };
    for bad in [
        Snapshot { tags: vec![tag.clone(), snapshot::Tag { id: 2, ..tag }], ..good.clone() },
        Snapshot { links: vec![link(9, "")], ..good.clone() },
        Snapshot { links: vec![link(1, "(")], ..good.clone() },
        Snapshot { taggings: vec![tagging(7, 3)], ..good.clone() },
        Snapshot { taggings: vec![tagging(7, 6)], ..good.clone() },
        Snapshot { rpms: vec![rpm("a")], ..good.clone() },
        Snapshot { rpms: vec![rpm("../a")], ..good.clone() },
        Snapshot {
            builds: vec![snapshot::Build { id: 7, name: "a/b".to_owned(), ..Default::default() }],
            ..good.clone()
        },
        Snapshot {
            builds: vec![snapshot::Build { id: 7, creation: "never".to_owned(), ..Default::default() }],
            ..good.clone()
        },
    ] {
        assert!(Hub::replay(&bad).is_err(), "{bad:?}");
    }
}
