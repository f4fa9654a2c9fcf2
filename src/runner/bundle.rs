//! What an OCI runtime is told of a step: the `config.json` of its bundle.
//!
//! It says what the embedded runner does itself (see the module documentation of `runner/`), in the runtime's
//! terms. No limits, no cgroups, no seccomp, no hooks. Two things differ, which no step's output may depend on: the
//! program is process 1 of its PID namespace, and its stdin, stdout and stderr are pipes of the runtime. So what it
//! says on stdout and what it says on stderr may come into the log in another order.

use std::path::{Path, PathBuf};

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Capability, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxIdMapping, LinuxIdMappingBuilder,
    LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Mount, MountBuilder, ProcessBuilder,
    RootBuilder, Spec, SpecBuilder, UserBuilder,
};
use rustix::thread::CapabilitySet;

use super::mounts::{SHM_SIZE, TMP_INODES, TMP_SIZE};
use super::request::{Cell, Work};
use super::rights;
use crate::store::Extent;

/// Where a bundle is and what the runtime sees of the surroundings.
pub(super) struct Bundle<'a> {
    /// The folder with what is mounted: `root`, `dev` and the binds by their number.
    pub place: &'a Path,
    /// Whether the root has a `/var/tmp`.
    pub var_tmp: bool,
    /// The user ids and the group ids of the namespace that the runtime runs in; a step gets the same.
    pub users: &'a [Extent],
    /// See `users`.
    pub groups: &'a [Extent],
}

/// The source of a bind in the place of a bundle.
pub(super) fn bind_source(place: &Path, number: usize) -> PathBuf {
    place.join(format!("bind-{number}"))
}

impl Bundle<'_> {
    /// The configuration of a step that is a program.
    pub fn config(&self, cell: &Cell) -> Result<Spec, OciSpecError> {
        let Work::Program { argv, environment, folder } = &cell.work else {
            return Err(OciSpecError::Other("a native step is no program".into()));
        };
        let capabilities: Vec<Capability> = CAPABILITIES
            .iter()
            .filter(|(bit, _)| rights::capabilities(cell.rights).contains(*bit))
            .map(|(_, capability)| *capability)
            .collect();
        let set = || capabilities.iter().copied().collect::<oci_spec::runtime::Capabilities>();
        let none = oci_spec::runtime::Capabilities::new;
        let capabilities = LinuxCapabilitiesBuilder::default()
            .bounding(set())
            .effective(set())
            .permitted(set())
            .inheritable(none())
            .ambient(none())
            .build()?;
        let process = ProcessBuilder::default()
            .terminal(false)
            .user(UserBuilder::default().uid(0_u32).gid(0_u32).umask(0o022_u32).build()?)
            .args(argv.clone())
            .env(environment.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
            .cwd(folder)
            .capabilities(capabilities)
            .no_new_privileges(true)
            .build()?;
        let mut process = process;
        process.set_rlimits(None);
        let mut linux = LinuxBuilder::default()
            .namespaces(namespaces()?)
            .uid_mappings(mappings(self.users)?)
            .gid_mappings(mappings(self.groups)?)
            .build()?;
        linux.set_resources(None).set_devices(None).set_seccomp(None);
        linux.set_masked_paths(None).set_readonly_paths(None);
        let mut spec = SpecBuilder::default()
            .version("1.0.2")
            .root(RootBuilder::default().path(self.place.join("root")).readonly(true).build()?)
            .process(process)
            .hostname("gander")
            .mounts(self.mounts(cell)?)
            .linux(linux)
            .build()?;
        spec.set_hooks(None).set_annotations(None);
        Ok(spec)
    }

    fn mounts(&self, cell: &Cell) -> Result<Vec<Mount>, OciSpecError> {
        let dev = self.place.join("dev");
        let mut mounts =
            vec![proc("/proc")?, devices("/dev", &dev)?, memory("/tmp", 0o1777, TMP_SIZE, "rw")?];
        if self.var_tmp {
            mounts.push(memory("/var/tmp", 0o1777, TMP_SIZE, "rw")?);
        }
        for (number, bind) in cell.binds.iter().enumerate() {
            let access = if bind.writable { "rw" } else { "ro" };
            let target = format!("/{}", bind.target);
            let source = bind_source(self.place, number);
            mounts.push(mount(&target, "bind", &source, &["rbind", access, "nosuid", "nodev"])?);
            if cell.makes_root() && target == "/out" {
                mounts.extend([
                    devices("/out/dev", &dev)?,
                    proc("/out/proc")?,
                    memory("/out/run", 0o755, TMP_SIZE, "rw")?,
                    memory("/out/sys", 0o555, SHM_SIZE, "ro")?,
                    memory("/out/tmp", 0o1777, TMP_SIZE, "rw")?,
                    memory("/out/var/tmp", 0o1777, TMP_SIZE, "rw")?,
                ]);
            }
        }
        Ok(mounts)
    }
}

/// The capabilities that any step may have.
const CAPABILITIES: [(CapabilitySet, Capability); 9] = [
    (CapabilitySet::CHOWN, Capability::Chown),
    (CapabilitySet::DAC_OVERRIDE, Capability::DacOverride),
    (CapabilitySet::DAC_READ_SEARCH, Capability::DacReadSearch),
    (CapabilitySet::FOWNER, Capability::Fowner),
    (CapabilitySet::FSETID, Capability::Fsetid),
    (CapabilitySet::SETFCAP, Capability::Setfcap),
    (CapabilitySet::SETGID, Capability::Setgid),
    (CapabilitySet::SETUID, Capability::Setuid),
    (CapabilitySet::SYS_CHROOT, Capability::SysChroot),
];

fn namespaces() -> Result<Vec<LinuxNamespace>, OciSpecError> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, User, Uts};
    let new = |kind| LinuxNamespaceBuilder::default().typ(kind).build();
    let mut namespaces =
        [Cgroup, Ipc, Mount, Pid, User, Uts].map(new).into_iter().collect::<Result<Vec<_>, _>>()?;
    // In a network namespace that it makes itself a runtime brings the loopback device up. The one it is in has
    // none that is up.
    let path = "/proc/self/ns/net";
    namespaces.push(LinuxNamespaceBuilder::default().typ(Network).path(path).build()?);
    Ok(namespaces)
}

/// The ids of the runtime's own namespace, unchanged: a line for each extent, as the kernel wants it.
fn mappings(extents: &[Extent]) -> Result<Vec<LinuxIdMapping>, OciSpecError> {
    let line = |extent: &Extent| {
        let line = LinuxIdMappingBuilder::default().container_id(extent.inside).host_id(extent.inside);
        line.size(extent.count).build()
    };
    extents.iter().map(line).collect()
}

fn mount(target: &str, kind: &str, source: &Path, options: &[&str]) -> Result<Mount, OciSpecError> {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    MountBuilder::default().destination(target).typ(kind).source(source).options(options).build()
}

fn proc(target: &str) -> Result<Mount, OciSpecError> {
    mount(target, "proc", Path::new("proc"), &["nosuid", "nodev", "noexec"])
}

fn devices(target: &str, source: &Path) -> Result<Mount, OciSpecError> {
    mount(target, "bind", source, &["rbind", "ro", "nosuid", "noexec"])
}

fn memory(target: &str, mode: u32, size: &str, access: &str) -> Result<Mount, OciSpecError> {
    let (mode, size) = (format!("mode={mode:04o}"), format!("size={size}"));
    let inodes = format!("nr_inodes={TMP_INODES}");
    mount(target, "tmpfs", Path::new("tmpfs"), &["nosuid", "nodev", access, &mode, &size, &inodes])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::request::Bind;
    use super::*;
    use crate::base::RelPath;
    use crate::plan::Rights;

    fn config(rights: Rights) -> serde_json::Value {
        let bind = |target: &str, writable| Bind {
            source: "/host".into(),
            target: RelPath::new(target).unwrap(),
            writable,
        };
        let cell = Cell {
            root: Some("/host/root".into()),
            binds: vec![bind("in", false), bind("out", true)],
            cpu: Some(0),
            rights,
            owners: None,
            bits32: false,
            runtime: Some("/usr/sbin/runc".into()),
            work: Work::Program {
                argv: vec!["/bin/sh".into()],
                environment: BTreeMap::from([("A".into(), "b".into())]),
                folder: "/build".into(),
            },
        };
        let users = [
            Extent { inside: 0, outside: 1001, count: 1 },
            Extent { inside: 1, outside: 100_000, count: 65_535 },
        ];
        let bundle = Bundle { place: Path::new("/mnt"), var_tmp: true, users: &users, groups: &users };
        serde_json::to_value(bundle.config(&cell).unwrap()).unwrap()
    }

    #[test]
    fn a_bundle_says_what_the_embedded_runner_does() {
        let plain = config(Rights::Plain);
        let linux = &plain["linux"];
        for absent in ["resources", "devices", "seccomp", "maskedPaths", "readonlyPaths", "cgroupsPath"] {
            assert!(linux[absent].is_null(), "{absent}: {linux}");
        }
        let process = &plain["process"];
        assert!(process["rlimits"].is_null());
        assert_eq!(process["noNewPrivileges"], true);
        assert_eq!(process["env"], serde_json::json!(["A=b"]));
        for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            assert_eq!(process["capabilities"][set], serde_json::json!([]), "{set}");
        }
        assert_eq!(plain["root"], serde_json::json!({"path": "/mnt/root", "readonly": true}));
        assert_eq!(
            linux["uidMappings"][1],
            serde_json::json!({"hostID": 1, "containerID": 1, "size": 65535})
        );
        let mounts = |spec: &serde_json::Value| -> Vec<String> {
            let mounts = spec["mounts"].as_array().unwrap();
            mounts.iter().map(|mount| mount["destination"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(mounts(&plain), ["/proc", "/dev", "/tmp", "/var/tmp", "/in", "/out"]);
        assert_eq!(plain["mounts"][4]["options"], serde_json::json!(["rbind", "ro", "nosuid", "nodev"]));
        let root = config(Rights::MakeRoot);
        assert_eq!(root["process"]["capabilities"]["bounding"].as_array().unwrap().len(), 8);
        let places = rights::PLACES.iter().map(|(name, _)| format!("/out/{name}"));
        let places: Vec<_> = places.filter(|name| name != "/out/var").collect();
        assert_eq!(mounts(&root)[6..], places);
        let read = config(Rights::ReadAll);
        assert_eq!(read["process"]["capabilities"]["bounding"], serde_json::json!(["CAP_DAC_READ_SEARCH"]));
    }
}
