//! Types and formats of images, as productmd 1.51 knows them.

/// What an image is: `dvd`, `live`, `qcow2`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageType(&'static str);

/// How an image is written, which is the end of its name: `iso`, `raw.xz`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageFormat(&'static str);

/// Types with the formats that they come in; an empty list says nothing about formats.
const TYPES: &[(&str, &[&str])] = &[
    ("appx", &["appx"]),
    ("boot", &["iso"]),
    ("bootable-container", &["ociarchive"]),
    ("cd", &["iso"]),
    ("container", &["tar.xz", "oci", "ociarchive"]),
    ("docker", &["tar.gz", "tar.xz"]),
    ("dvd", &["iso"]),
    ("dvd-debuginfo", &["iso"]),
    ("dvd-ostree", &["iso"]),
    ("dvd-ostree-osbuild", &["iso"]),
    ("ec2", &[]),
    ("fex", &["erofs.xz", "erofs.gz", "erofs", "squashfs.xz", "squashfs.gz", "squashfs"]),
    ("kvm", &[]),
    ("live", &[]),
    ("live-osbuild", &["iso"]),
    ("liveimg-squashfs", &["liveimg.squashfs"]),
    ("netinst", &["iso"]),
    ("ociarchive", &["ociarchive"]),
    ("p2v", &[]),
    ("qcow", &["qcow"]),
    ("qcow2", &["qcow2"]),
    ("raw", &["raw"]),
    ("raw-xz", &["raw.xz"]),
    ("rescue", &[]),
    ("rhevm-ova", &["rhevm.ova"]),
    ("tar-gz", &["tar.gz"]),
    ("vagrant-hyperv", &["vagrant-hyperv.box"]),
    ("vagrant-libvirt", &["vagrant-libvirt.box"]),
    ("vagrant-virtualbox", &["vagrant-virtualbox.box"]),
    ("vagrant-vmware-fusion", &["vagrant-vmware-fusion.box"]),
    ("vdi", &["vdi"]),
    ("vhd-compressed", &["vhd.gz", "vhd.xz", "vhdfixed.xz"]),
    ("vmdk", &["vmdk"]),
    ("vpc", &["vhd"]),
    ("vsphere-ova", &["vsphere.ova"]),
    ("wsl2", &["tar", "tar.gz", "wsl"]),
];

impl ImageType {
    /// A bootable medium without packages.
    pub const BOOT: Self = Self("boot");
    /// An installation medium with packages.
    pub const DVD: Self = Self("dvd");
    /// A system that runs from its medium.
    pub const LIVE: Self = Self("live");

    /// Finds a type by its name.
    pub fn find(name: &str) -> Option<Self> {
        TYPES.iter().find(|(known, _)| *known == name).map(|(known, _)| Self(known))
    }

    /// Its name in the files.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The formats that images of this type come in; empty where productmd does not say.
    pub fn formats(self) -> &'static [&'static str] {
        TYPES.iter().find(|(known, _)| *known == self.0).map_or(&[], |(_, formats)| formats)
    }
}

impl ImageFormat {
    /// An ISO 9660 image.
    pub const ISO: Self = Self("iso");

    /// Finds a format by its name.
    pub fn find(name: &str) -> Option<Self> {
        TYPES.iter().flat_map(|(_, formats)| *formats).find(|known| **known == name).map(|known| Self(known))
    }

    /// Its name in the files.
    pub const fn name(self) -> &'static str {
        self.0
    }
}
