//! What a step's rights are to the kernel.

use rustix::thread::CapabilitySet;

use crate::plan::Rights;

/// The folders of a root file system that is being made which the jail mounts on, each after what it lies in, and
/// the mode of each where it is made here. They stay in the output, empty.
pub(super) const PLACES: [(&str, u32); 7] = [
    ("dev", 0o755),
    ("proc", 0o555),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];

/// The capabilities that a step keeps in its user namespace.
pub(super) fn capabilities(rights: Rights) -> CapabilitySet {
    match rights {
        Rights::Plain => CapabilitySet::empty(),
        Rights::ReadAll => CapabilitySet::DAC_READ_SEARCH,
        // What rpm and the scripts of packages need: measured, no fewer will do.
        Rights::MakeRoot => {
            CapabilitySet::CHOWN
                | CapabilitySet::DAC_OVERRIDE
                | CapabilitySet::FOWNER
                | CapabilitySet::FSETID
                | CapabilitySet::SETUID
                | CapabilitySet::SETGID
                | CapabilitySet::SETFCAP
                | CapabilitySet::SYS_CHROOT
        }
    }
}
