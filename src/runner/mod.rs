//! One step in its jail.
//!
//! # What a step sees
//! - A file system: its image's root, read-only, with a fresh `/proc`, a `/dev` of null, zero, full, random,
//!   urandom, fd, stdin, stdout, stderr and shm, and an empty `/tmp` (and `/var/tmp`, where the image has one) in
//!   memory of at most 512 MiB. A native step sees nothing of an image or the host: its root is empty.
//!   An image or a tree that is its root may have any owners, modes and file capabilities; set-id files and file
//!   capabilities have no effect.
//! - `/in`, read-only, with its inputs under their names. A file there belongs to user and group 0, whoever runs
//!   gander, so that a tool that copies owners writes the same for all; a tree has the owners, modes, times and
//!   capabilities that it was taken in with.
//! - `/build`, where it starts: empty scratch space on disk.
//! - `/out`: what is in it at the end is the step's output. At the start it is empty, or holds the step's base.
//! - User and group ids 0 to 65,535 (see [`ids`]). It is user 0, with the capabilities of its
//!   [`crate::plan::Rights`], and can gain none.
//! - If it makes a root file system: in `/out` the same `/proc` and `/dev`, an empty read-only `sys`, and `run`, `tmp`
//!   and `var/tmp` in memory. The folders below them are made beforehand where they are not there (0555 `proc` and
//!   `sys`, 0755 `dev`, `run` and `var`, 1777 the others) and are what the output has; a symbolic link in such a
//!   place is an error. A native step gets the capabilities, but no mounts.
//! - No network (not even a loopback device that is up), the host name `gander`, no process but its own.
//! - One CPU, addresses that are not randomised, umask 022, no core files, stdin `/dev/null`. Nothing of whoever
//!   started gander: no open files but the log, no keys (a session keyring of its own), no signals ignored or blocked.
//! - As a program, exactly this environment: `HOME=/build`, `LC_ALL=C.UTF-8`,
//!   `PATH=/usr/sbin:/usr/bin:/sbin:/bin`, `SOURCE_DATE_EPOCH`, `TMPDIR=/tmp`, `TZ=UTC`.
//!
//! What it sees besides and no namespace can hide: the clock, the kernel's version, the CPU's features,
//! `/proc/cpuinfo`, `/proc/meminfo` and what else `/proc` tells of the machine, the limits of resources that gander was
//! started with (`ulimit`), and in `/proc/self/mountinfo` and `/proc/self/fd` where the host keeps what is mounted and
//! the log.
//!
//! # How it ends
//! When its process ends, every other process that it started is killed. So they are when the deadline passes, and
//! when gander itself dies of whatever cause.
//!
//! # Backends
//! The embedded runner makes all of this itself and is what native steps always use, since they are gander's own
//! code. Programs can be given to `runc` instead ([`Backend::Runc`]): it gets a bundle made from the same
//! `request::Cell` (`bundle.rs`, `runtime.rs`), and the outputs are the same. People's commands ([`Command`]) always
//! have the embedded one. One that has their terminal may not type on it (`TIOCSTI`): what it typed, their shell would
//! carry out when it has ended.

mod bundle;
mod confine;
mod cpus;
mod descriptors;
mod error;
mod folders;
mod gnupg;
mod host;
pub mod ids;
mod jail;
mod mounts;
mod probe;
mod request;
mod rights;
mod roots;
mod run;
mod runtime;
mod stage;
mod start;
mod supervise;
mod sys;
mod within;

pub use confine::{ConfineError, confine, hide_memory, leave_no_core};
pub use descriptors::{receive as take_over, send as hand_over};
pub use error::{Cause, Ended, ProgramFailure, RunError, quote};
pub use folders::LayOut;
pub use gnupg::GnupgHome;
pub use ids::Choice;
pub use jail::{Native, enter};
pub use run::{Backend, Command, Next, Outcome, Root, RunOptions, Runner, Watched};
pub use start::{activated, start};
