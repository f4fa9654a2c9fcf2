//! A set of packages becomes a root file system with its rpm database, and a kickstart configures it.
//!
//! Two steps, both by programs of the builder in a jail that may make a root (`Rights::MakeRoot`), so that owners,
//! modes, capabilities and what scriptlets do are real, and the same for root and for an ordinary user.
//!
//! # `install`
//! All packages in one transaction of rpm's, in the order of their file names, scriptlets included. rpm checks
//! digests only: signatures are verified before packages get here, and no key is imported, as keys are part of the
//! database. The database lies where the packages say (`/usr/lib/sysimage/rpm` if one of them owns that, else
//! `/var/lib/rpm`), is SQLite, and is read once by the root's own rpm, which must see every package. A set whose
//! rpm keeps a Berkeley DB (EL 8) is refused: it needs a builder with that rpm. The folders that the jail mounts
//! are `_netsharedpath`, so rpm leaves them alone.
//!
//! What rpm passes over with a warning ends the step, with the name of the package: a scriptlet that failed; a
//! user or group that is not there when its files are. A pipe, socket or device in a payload is refused before.
//! The kernel's scriptlets are told to make no initrd and no boot menu (`KERNEL_INSTALL_BYPASS`): a medium's are
//! made by other steps, and these would be of the machine that runs them.
//!
//! # `configure`
//! [`configuration()`] translates a kickstart into calls of shell functions, after which the `%post` scripts run.
//! What can be seen in the kickstart is refused there, at once and with its line; what depends on the packages
//! (no such service, time zone, keyboard map, program) in the step, all of it before the first `%post`. A `%post`
//! that fails ends the step, whether it says `--erroronfail` or not. See `docs/kickstart.md`.
//!
//! # What does not stay in a root
//! Both steps end with the same cleaning, so that the same packages and the same kickstart give the same tree, and
//! no two machines that start from it share a secret. Packaged files are left alone: `rpm -Va` finds nothing but
//! configuration changed.
//!
//! | what | what becomes of it | why |
//! |---|---|---|
//! | `/etc/machine-id` | empty, if it holds an id | every machine gets its own at the first start. Not `uninitialized`: systemd would take that for a first boot, apply its presets over what the kickstart said about services, and ask questions on the console |
//! | `/var/lib/dbus/machine-id` | gone, unless a link | the same id. While the steps run it holds a fixed one, from which systemd's tools take the name of whatever they make |
//! | `/etc/kernel/entry-token` | gone, if it holds that fixed id | the same |
//! | `/var/lib/systemd/{random-seed,credential.secret}`, `/var/lib/random-seed`, `random-seed` in `/boot/loader` and `/boot/efi/loader`, `/root/.rnd`, `/root/.gnupg/random_seed` | gone | random, and shared by all machines |
//! | `/etc/ssh/ssh_host_*`, `/etc/rndc.key`, `/var/lib/NetworkManager/secret_key` | gone | keys; made anew at the first start |
//! | `/etc/nvme/{hostid,hostnqn}`, `/etc/iscsi/initiatorname.iscsi` | gone | random names of one machine, made by scriptlets |
//! | `/etc/{passwd,shadow,group,gshadow,subuid,subgid}-`, `/etc/.pwd.lock` | gone | left by shadow's programs; which of them ran last decides what is in them |
//! | `/etc/shadow`: days later than the source date | the source date's day | shadow before 4.7 takes them from the clock |
//! | `/var/cache/ldconfig/aux-cache` | gone | holds inode numbers and times |
//! | `/var/cache/{dnf,libdnf5,yum,PackageKit}/*`, dnf's history, `/var/cache/man/index.db` | gone | caches and records of this run |
//! | `/var/lib/authselect/backups/*` | gone | what `authselect --force` replaced in this run, in folders with random names |
//! | `/var/log`, after the packages: files that no package has | gone | scriptlets write times there; `%ghost` files become empty, packaged ones stay. What a `%post` writes there stays |
//! | `/var/log/{dnf*,hawkey,yum}.log`, `anaconda`, `journal/*` | gone | records of this run |
//! | `/var/log/{lastlog,wtmp,btmp,faillog,tallylog}` | empty | records of this run; their owners and modes matter |
//! | NetworkManager's leases, times and networks, systemd's clock and timers' stamps, root's histories of shells | gone | of this run |
//! | `rpmdb.sqlite-shm`, `rpmdb.sqlite-wal`, `.rpm.lock` | gone | left by every program that read the database |
//! | pipes, sockets and devices | an error | a tree cannot hold them |
//!
//! `/tmp`, `/var/tmp` and `/run` are the jail's and empty afterwards. Python writes no compiled files while the
//! steps run. Times later than the source date become the source date when the tree is taken in.

mod configuration;
mod configure;
mod crypt;
mod directives;
mod install;
#[cfg(test)]
mod scripts_tests;

pub use configuration::{Configuration, ConfigurationError, configuration};
pub use configure::{CONFIGURE, Configure, configure};
pub use install::{INSTALL, Install, install};
