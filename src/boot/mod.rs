//! Boots media in QEMU and watches their serial console: a check, no step; nothing of it reaches an output.
//!
//! - The machine: a PC (i440FX) with one CPU of all features that QEMU emulates (so that distributions for
//!   x86-64-v2 and v3 run on it), a VGA card that nobody sees, one serial port, the medium as its CD, and nothing else:
//!   no network, no disk. Its firmware is SeaBIOS or OVMF; OVMF's variables are a copy that is lost.
//! - It is emulated, never virtualised: whether `/dev/kvm` works shows only when a guest hangs, and an emulated
//!   machine is the same everywhere.
//! - QEMU and the firmware come from an image of Debian packages that is pinned in [`LOCK`], and run in the jail that
//!   steps run in: no network, a read-only root, nothing of the host but the medium, read-only.
//! - A machine that wants to start anew (as after a kernel panic) ends.

mod console;
mod machine;

pub use console::{Search, Visible};
pub use machine::{BootError, Console, Firmware, Machine, Verdict, boot};

/// The lock of the packages that QEMU's image is made of (`recipes/images/boot.lock`).
pub const LOCK: &str = include_str!("../../recipes/images/boot.lock");

/// What a system prints on its serial console when it is up, unless another text is asked for.
pub const MARKER: &str = "GANDER-BOOT-OK";
