//! What this machine allows: which ids a step can have, and what forbids namespaces.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::RunError;
use super::ids::{self, Choice, Ids, Writer};
use super::supervise;

const SETGID: u32 = 6;
const SETUID: u32 = 7;

fn status_field(status: &str, name: &str) -> Option<String> {
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// The ids that this process gives to steps, and why they are not as many as they should be.
pub(super) fn ids(choice: Choice) -> Result<(Ids, Option<String>), RunError> {
    let range = match choice {
        Choice::Range => return range().map(|ids| (ids, None)),
        Choice::Single => None,
        Choice::Auto => Some(range()),
    };
    let why = match range {
        Some(Ok(ids)) => return Ok((ids, None)),
        Some(Err(RunError::NoIds { reason, cure })) if supervise::is_possible() => {
            Some(format!("{reason} ({cure})"))
        }
        Some(Err(error)) => return Err(error),
        None if supervise::is_possible() => None,
        None => {
            return Err(RunError::NoIds {
                reason: "gander cannot watch steps with one id on this kind of machine".into(),
                cure: "let it use a range of ids".into(),
            });
        }
    };
    Ok((single(), why))
}

/// One id: a high one for root, so that steps cannot reach what is root's; the own one for others.
fn single() -> Ids {
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let map = |kind: &str| {
        ids::parse_map(&fs::read_to_string(format!("/proc/self/{kind}_map")).unwrap_or_default())
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let high = |kind: &str| ids::holds(&map(kind), ids::ROOT_BASE, 1);
    match own.0 == 0 && has(&status, SETUID) && has(&status, SETGID) && high("uid") && high("gid") {
        true => Ids::single(ids::ROOT_BASE, ids::ROOT_BASE),
        false => Ids::single(own.0, own.1),
    }
}

/// Whether a status has an effective capability.
fn has(status: &str, bit: u32) -> bool {
    let effective = status_field(status, "CapEff");
    let bits = effective.and_then(|hex| u64::from_str_radix(&hex, 16).ok()).unwrap_or(0);
    bits >> bit & 1 == 1
}

/// The 65,536 ids that this process can give to steps.
fn range() -> Result<Ids, RunError> {
    let status = fs::read_to_string("/proc/self/status").map_err(|source| RunError::Host {
        doing: "read /proc/self/status; is /proc mounted".into(),
        source,
    })?;
    let own_map = |kind: &str| {
        ids::parse_map(&fs::read_to_string(format!("/proc/self/{kind}_map")).unwrap_or_default())
    };
    let (users, groups) = (own_map("uid"), own_map("gid"));
    if rustix::process::geteuid().is_root() && has(&status, SETUID) && has(&status, SETGID) {
        let high = |map: &[crate::store::Extent]| ids::holds(map, ids::ROOT_BASE, ids::COUNT);
        if high(&users) && high(&groups) {
            return Ok(Ids::root());
        }
        return match (ids::same(&users), ids::same(&groups)) {
            (Some(users), Some(groups)) => Ok(Ids { users, groups, writer: Writer::Direct }),
            _ => Err(RunError::NoIds {
                reason: "the user namespace that gander runs in has fewer".into(),
                cure:
                    "start the container with a range of 65536 ids (podman does with a line in /etc/subuid)"
                        .into(),
            }),
        };
    }
    helpers(&status)
}

/// The ids of an ordinary user, by newuidmap and newgidmap.
fn helpers(status: &str) -> Result<Ids, RunError> {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = ids::user_name(&passwd, user);
    let shown = name.map_or_else(|| user.to_string(), str::to_owned);
    if status_field(status, "NoNewPrivs").as_deref() == Some("1") {
        return Err(RunError::NoIds {
            reason: "newuidmap cannot work, since gander was started with 'no new privileges'".into(),
            cure: "start it without (NoNewPrivileges=no, --security-opt no-new-privileges=false), or as root"
                .into(),
        });
    }
    if !["newuidmap", "newgidmap"].iter().all(|tool| in_path(tool)) {
        return Err(RunError::NoIds {
            reason: "newuidmap and newgidmap are not installed".into(),
            cure: "install them (Debian: apt install uidmap; Fedora: dnf install shadow-utils), or run gander as root"
                .into(),
        });
    }
    let map = |file: &str, own: u32| {
        let text = fs::read_to_string(file).unwrap_or_default();
        ids::ordinary(own, &ids::subordinate(&text, name, user)).map_err(|missing| RunError::NoIds {
            reason: format!("{file} gives the user {shown} {} of 65535", ids::COUNT - 1 - missing),
            cure: format!(
                "let root add ids that no one else has (usermod --add-subuids 100000-165535 --add-subgids \
                 100000-165535 {shown}), or run gander as root"
            ),
        })
    };
    Ok(Ids { users: map("/etc/subuid", user)?, groups: map("/etc/subgid", group)?, writer: Writer::Helpers })
}

fn in_path(tool: &str) -> bool {
    program(tool).is_some()
}

/// Where a program of the host is. Ordinary users often lack the folders of the system's own programs.
#[allow(clippy::disallowed_methods, reason = "where the host's helpers lie reaches no output")]
pub(super) fn program(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).chain(usual);
    folders.find_map(|folder| Some(folder.join(tool)).filter(|file| file.is_file()))
}

/// Why the kernel refused a namespace, as far as its settings tell, each with its cure.
pub(super) fn forbidden(error: &io::Error) -> Vec<String> {
    let ordinary = !rustix::process::geteuid().is_root();
    let setting = |name: &str| {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok())
    };
    let mut reasons = Vec::new();
    for (name, bad, good, everybody) in [
        ("user.max_user_namespaces", 0, "15000", true),
        ("kernel.unprivileged_userns_clone", 0, "1", false),
        ("kernel.apparmor_restrict_unprivileged_userns", 1, "0", false),
    ] {
        if setting(name) == Some(bad) && (ordinary || everybody) {
            reasons.push(format!("the setting {name} is {bad} (sysctl -w {name}={good})"));
        }
    }
    for name in ["net", "mnt", "pid", "ipc", "uts", "cgroup"] {
        let name = format!("user.max_{name}_namespaces");
        if setting(&name) == Some(0) {
            reasons.push(format!("the setting {name} is 0 (sysctl -w {name}=15000)"));
        }
    }
    if reasons.is_empty() && error.raw_os_error() == Some(libc::ENOSPC) {
        reasons.push(
            "too many namespaces, or namespaces nested too deeply (see the settings user.max_*)".into(),
        );
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if reasons.is_empty() && status_field(&status, "Seccomp").as_deref() == Some("2") {
        reasons.push(
            "a seccomp filter is in force, as containers have (docker and podman: --security-opt \
             seccomp=unconfined, or --privileged)"
                .into(),
        );
    }
    if reasons.is_empty() && error.raw_os_error() == Some(libc::EPERM) {
        reasons.push("no setting known to gander forbids it; a chroot or a security module may".into());
    }
    if reasons.is_empty() {
        reasons.push("the kernel refused it".into());
    }
    reasons
}
