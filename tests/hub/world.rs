//! A small hub with a user who may do everything, and short words for what tests do with it.

use gander::format::xmlrpc::Fault;
use gander::hub::{
    BuildKey, Hub, LinkChange, NewBuild, NewRpm, NewTag, PackageFilter, PackageUpdate, Stamp, TagConfig,
    TaggedFilter, Time, Write,
};

pub const ADMIN: i64 = 1;
pub const PACKAGER: i64 = 2;

pub fn stamp() -> Stamp {
    Stamp::new(Time::from_seconds(1_700_000_000.0).unwrap(), ADMIN)
}

pub fn populate(hub: &Hub) {
    let mut write = hub.write().unwrap();
    assert_eq!(write.create_user(None, "admin", 0, 0).unwrap(), ADMIN);
    assert_eq!(write.create_user(None, "packager", 0, 0).unwrap(), PACKAGER);
    write.grant_permission(&stamp(), &ADMIN.into(), &"admin".into(), false).unwrap();
    write.commit().unwrap();
}

pub struct World {
    pub hub: Hub,
}

/// A link of a priority, without options.
pub fn link(priority: i64) -> LinkChange {
    LinkChange { priority, ..LinkChange::plain(0) }
}

impl World {
    pub fn new() -> Self {
        let hub = Hub::memory().unwrap();
        populate(&hub);
        Self { hub }
    }

    /// Makes one change.
    pub fn try_change<T>(&self, act: impl FnOnce(&mut Write<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut write = self.hub.write()?;
        let done = act(&mut write);
        write.commit()?;
        done
    }

    pub fn change<T>(&self, act: impl FnOnce(&mut Write<'_>) -> Result<T, Fault>) -> T {
        self.try_change(act).unwrap()
    }

    /// The last event.
    pub fn event(&self) -> i64 {
        self.hub.read().unwrap().last_event(None, true).unwrap().unwrap().id
    }

    pub fn tag(&self, name: &str) -> i64 {
        let config = TagConfig { arches: Some("x86_64".to_owned()), ..TagConfig::default() };
        self.change(|write| write.create_tag(&stamp(), name, &NewTag { config, ..NewTag::default() }))
    }

    /// Tags with packages in the list of the last one, which the others inherit.
    pub fn tags(&self, names: &[&str], packages: &[&str]) {
        for name in names {
            self.tag(name);
        }
        for package in packages {
            self.list(names.last().unwrap(), package);
        }
    }

    pub fn list(&self, tag: &str, package: &str) {
        let update = PackageUpdate { owner: Some(ADMIN.into()), ..PackageUpdate::default() };
        self.change(|write| write.add_package(&stamp(), &tag.into(), &package.into(), &update));
    }

    pub fn inherit(&self, tag: &str, parent: &str, change: LinkChange) {
        let parent_id = self.hub.read().unwrap().tag_id(&parent.into()).unwrap();
        let change = LinkChange { parent_id, ..change };
        self.change(|write| write.set_inheritance(&stamp(), &tag.into(), &[change], false));
    }

    /// A build with a source and a noarch RPM.
    pub fn build(&self, nvr: &str) -> i64 {
        let [release, version, name] = [0, 1, 2].map(|part| nvr.rsplitn(3, '-').nth(part).unwrap());
        self.change(|write| {
            let new = NewBuild::new(name, version, release, None, ADMIN, stamp().time);
            let id = write.create_build(&stamp(), &new)?;
            for arch in ["src", "noarch"] {
                let rpm = write.import_rpm(&stamp(), &rpm(id, [name, version, release, arch]))?;
                write.add_signature(&stamp(), rpm, "", "0123456789abcdef0123456789abcdef")?;
            }
            Ok(id)
        })
    }

    pub fn put(&self, tag: &str, nvr: &str) {
        self.change(|write| write.tag_build(&stamp(), &tag.into(), &nvr.into(), false));
    }

    /// Makes builds and tags them, in this order.
    pub fn put_new(&self, tag: &str, nvrs: &[&str]) {
        for nvr in nvrs {
            self.build(nvr);
            self.put(tag, nvr);
        }
    }

    /// What builds a tag has, each as `build@tag`.
    pub fn tagged(&self, tag: &str, filter: TaggedFilter) -> Vec<String> {
        let read = self.hub.read().unwrap();
        let tag = read.tag_id(&tag.into()).unwrap();
        let all = read.tagged(tag, &filter).unwrap();
        all.iter().map(|build| format!("{}@{}", build.row.nvr, build.row.tag_name)).collect()
    }

    pub fn latest(&self, tag: &str) -> Vec<String> {
        self.tagged(tag, TaggedFilter::latest())
    }

    pub fn all(&self, tag: &str) -> Vec<String> {
        self.tagged(tag, TaggedFilter { inherit: true, ..TaggedFilter::default() })
    }

    pub fn latest_at(&self, tag: &str, event: i64) -> Vec<String> {
        self.tagged(tag, TaggedFilter { event: Some(event), ..TaggedFilter::latest() })
    }

    /// The packages that count in a tag: name, and `!` before it where it is blocked.
    pub fn packages(&self, tag: &str) -> Vec<String> {
        let read = self.hub.read().unwrap();
        let tag = Some(read.tag_id(&tag.into()).unwrap());
        let all = read.packages(&PackageFilter { tag, inherited: true, ..PackageFilter::default() }).unwrap();
        let name = |blocked: bool, name: &str| format!("{}{name}", if blocked { "!" } else { "" });
        let mut all: Vec<_> = all.iter().map(|entry| name(entry.blocked, &entry.package_name)).collect();
        all.sort();
        all
    }

    /// What a tag inherits, in order.
    pub fn ancestors(&self, tag: &str) -> Vec<String> {
        let read = self.hub.read().unwrap();
        let tag = read.tag_id(&tag.into()).unwrap();
        read.full_inheritance(tag, None).unwrap().into_iter().map(|row| row.link.name).collect()
    }

    pub fn nvr(&self, build: impl Into<BuildKey>) -> String {
        self.hub.read().unwrap().build(&build.into(), true).unwrap().unwrap().row.nvr
    }
}

pub fn rpm(build_id: i64, [name, version, release, arch]: [&str; 4]) -> NewRpm {
    NewRpm {
        id: None,
        build_id,
        name: name.to_owned(),
        version: version.to_owned(),
        release: release.to_owned(),
        epoch: None,
        arch: arch.to_owned(),
        payloadhash: "00112233445566778899aabbccddeeff".to_owned(),
        size: 6_000,
        buildtime: 1_704_067_200,
        buildroot_id: None,
        metadata_only: false,
        extra: None,
    }
}
