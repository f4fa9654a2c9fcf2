//! Media: what boots, and the ISO around it. Offers steps and texts; [`crate::compose`] joins them.
//!
//! # From a root to a medium
//! ```text
//! root (a tree) ──▶ initrd    vmlinuz, initrd.img       dracut of that root, in that root
//!               ├─▶ squashfs  root.img                  LiveOS/squashfs.img or images/install.img
//!               └─▶ loader    medium/…, mbr.img, …      its boot loaders, with the menus
//! files and trees ─▶ treeinfo .treeinfo                 on media that hold a repository
//! all of it ───────▶ iso      NAME.iso, NAME.iso.manifest
//! ```
//! # A live image
//! ```text
//! images/pxeboot/vmlinuz, initrd.img     from initrd
//! LiveOS/squashfs.img                    from squashfs: the root itself, not an image inside of an image
//! EFI/, images/efiboot.img, …            from loader
//! ```
//! # A DVD
//! ```text
//! images/pxeboot/vmlinuz, initrd.img     of the installer stage
//! images/install.img                     the installer stage, a root of its own
//! EFI/, images/efiboot.img, …            from loader
//! Packages/, repodata/                   the repository
//! .treeinfo .discinfo media.repo RPM-GPG-KEY-*
//! ```
//! Whoever puts a medium together uses the paths in [`place`].
//!
//! # What decides
//! Everything is decided by what lies in the root (paths and names), nothing by a distribution's name. The shell
//! scripts say so at each place.

mod image;
mod menu;
mod texts;
mod treeinfo;

pub use image::{Compression, Initrd, Iso, Loader, Squashfs, initrd, iso, loader, squashfs};
pub use menu::{DEFAULT_TIMEOUT, Menu, MenuError, Menus, Stage, install_menu, live_menu};
pub use texts::{TextError, discinfo, media_repo};
pub use treeinfo::{KIND as TREEINFO, Medium, TreeInfoStepError, execute as execute_treeinfo, treeinfo};

/// Where things lie on a medium.
pub mod place {
    /// The kernel; `vmlinuz` of the step initrd.
    pub const KERNEL: &str = "images/pxeboot/vmlinuz";
    /// The initrd; `initrd.img` of the step initrd.
    pub const INITRD: &str = "images/pxeboot/initrd.img";
    /// The root of a live image; `root.img` of the step squashfs.
    pub const LIVE: &str = "LiveOS/squashfs.img";
    /// The installer stage; `root.img` of the step squashfs.
    pub const STAGE: &str = "images/install.img";
    /// The EFI system partition, among what the step loader makes.
    pub const EFIBOOT: &str = "images/efiboot.img";
    /// GRUB for BIOS, among what the step loader makes where it takes GRUB.
    pub const ELTORITO: &str = "images/eltorito.img";
}
