//! The numbers of the tags that are read here, as the crate `rpm` has them.

#![allow(missing_docs, reason = "the names are rpm's own")]

use ::rpm::{IndexSignatureTag, IndexTag};

// Signature header.
pub const SIG_DSA: u32 = IndexSignatureTag::RPMSIGTAG_DSA as u32;
pub const SIG_RSA: u32 = IndexSignatureTag::RPMSIGTAG_RSA as u32;
pub const SIG_SHA1: u32 = IndexSignatureTag::RPMSIGTAG_SHA1 as u32;
pub const SIG_LONGSIZE: u32 = IndexSignatureTag::RPMSIGTAG_LONGSIZE as u32;
pub const SIG_LONGARCHIVESIZE: u32 = IndexSignatureTag::RPMSIGTAG_LONGARCHIVESIZE as u32;
pub const SIG_SHA256: u32 = IndexSignatureTag::RPMSIGTAG_SHA256 as u32;
pub const SIG_FILESIGNATURES: u32 = IndexSignatureTag::RPMSIGTAG_FILESIGNATURES as u32;
pub const SIG_FILESIGNATURELENGTH: u32 = IndexSignatureTag::RPMSIGTAG_FILESIGNATURE_LENGTH as u32;
pub const SIG_VERITYSIGNATURES: u32 = IndexSignatureTag::RPMSIGTAG_VERITYSIGNATURES as u32;
pub const SIG_VERITYSIGNATUREALGO: u32 = IndexSignatureTag::RPMSIGTAG_VERITYSIGNATUREALGO as u32;
pub const SIG_OPENPGP: u32 = IndexSignatureTag::RPMSIGTAG_OPENPGP as u32;
pub const SIG_SHA3_256: u32 = IndexSignatureTag::RPMSIGTAG_SHA3_256 as u32;
pub const SIG_RESERVED: u32 = IndexSignatureTag::RPMSIGTAG_RESERVED as u32;
pub const SIG_SIZE: u32 = IndexSignatureTag::RPMSIGTAG_SIZE as u32;
pub const SIG_PGP: u32 = IndexSignatureTag::RPMSIGTAG_PGP as u32;
pub const SIG_MD5: u32 = IndexSignatureTag::RPMSIGTAG_MD5 as u32;
/// The crate has no name for it.
pub const SIG_PGP5: u32 = 1006;
pub const SIG_GPG: u32 = IndexSignatureTag::RPMSIGTAG_GPG as u32;
pub const SIG_PAYLOADSIZE: u32 = IndexSignatureTag::RPMSIGTAG_PAYLOADSIZE as u32;
pub const SIG_RESERVEDSPACE: u32 = IndexSignatureTag::RPMSIGTAG_RESERVEDSPACE as u32;

// Main header.
pub const NAME: u32 = IndexTag::RPMTAG_NAME as u32;
pub const VERSION: u32 = IndexTag::RPMTAG_VERSION as u32;
pub const RELEASE: u32 = IndexTag::RPMTAG_RELEASE as u32;
pub const EPOCH: u32 = IndexTag::RPMTAG_EPOCH as u32;
pub const SUMMARY: u32 = IndexTag::RPMTAG_SUMMARY as u32;
pub const DESCRIPTION: u32 = IndexTag::RPMTAG_DESCRIPTION as u32;
pub const BUILDTIME: u32 = IndexTag::RPMTAG_BUILDTIME as u32;
pub const BUILDHOST: u32 = IndexTag::RPMTAG_BUILDHOST as u32;
pub const SIZE: u32 = IndexTag::RPMTAG_SIZE as u32;
pub const VENDOR: u32 = IndexTag::RPMTAG_VENDOR as u32;
pub const LICENSE: u32 = IndexTag::RPMTAG_LICENSE as u32;
pub const PACKAGER: u32 = IndexTag::RPMTAG_PACKAGER as u32;
pub const GROUP: u32 = IndexTag::RPMTAG_GROUP as u32;
pub const URL: u32 = IndexTag::RPMTAG_URL as u32;
pub const OS: u32 = IndexTag::RPMTAG_OS as u32;
pub const ARCH: u32 = IndexTag::RPMTAG_ARCH as u32;
pub const OLDFILENAMES: u32 = IndexTag::RPMTAG_OLDFILENAMES as u32;
pub const FILESIZES: u32 = IndexTag::RPMTAG_FILESIZES as u32;
pub const FILEMODES: u32 = IndexTag::RPMTAG_FILEMODES as u32;
pub const FILERDEVS: u32 = IndexTag::RPMTAG_FILERDEVS as u32;
pub const FILEMTIMES: u32 = IndexTag::RPMTAG_FILEMTIMES as u32;
pub const FILEDIGESTS: u32 = IndexTag::RPMTAG_FILEDIGESTS as u32;
pub const FILELINKTOS: u32 = IndexTag::RPMTAG_FILELINKTOS as u32;
pub const FILEFLAGS: u32 = IndexTag::RPMTAG_FILEFLAGS as u32;
pub const FILEUSERNAME: u32 = IndexTag::RPMTAG_FILEUSERNAME as u32;
pub const FILEGROUPNAME: u32 = IndexTag::RPMTAG_FILEGROUPNAME as u32;
pub const SOURCERPM: u32 = IndexTag::RPMTAG_SOURCERPM as u32;
pub const FILEVERIFYFLAGS: u32 = IndexTag::RPMTAG_FILEVERIFYFLAGS as u32;
pub const ARCHIVESIZE: u32 = IndexTag::RPMTAG_ARCHIVESIZE as u32;
pub const PROVIDENAME: u32 = IndexTag::RPMTAG_PROVIDENAME as u32;
pub const REQUIREFLAGS: u32 = IndexTag::RPMTAG_REQUIREFLAGS as u32;
pub const REQUIRENAME: u32 = IndexTag::RPMTAG_REQUIRENAME as u32;
pub const REQUIREVERSION: u32 = IndexTag::RPMTAG_REQUIREVERSION as u32;
pub const NOSOURCE: u32 = IndexTag::RPMTAG_NOSOURCE as u32;
pub const NOPATCH: u32 = IndexTag::RPMTAG_NOPATCH as u32;
pub const CONFLICTFLAGS: u32 = IndexTag::RPMTAG_CONFLICTFLAGS as u32;
pub const CONFLICTNAME: u32 = IndexTag::RPMTAG_CONFLICTNAME as u32;
pub const CONFLICTVERSION: u32 = IndexTag::RPMTAG_CONFLICTVERSION as u32;
pub const CHANGELOGTIME: u32 = IndexTag::RPMTAG_CHANGELOGTIME as u32;
pub const CHANGELOGNAME: u32 = IndexTag::RPMTAG_CHANGELOGNAME as u32;
pub const CHANGELOGTEXT: u32 = IndexTag::RPMTAG_CHANGELOGTEXT as u32;
pub const OBSOLETENAME: u32 = IndexTag::RPMTAG_OBSOLETENAME as u32;
pub const FILEDEVICES: u32 = IndexTag::RPMTAG_FILEDEVICES as u32;
pub const FILEINODES: u32 = IndexTag::RPMTAG_FILEINODES as u32;
pub const FILELANGS: u32 = IndexTag::RPMTAG_FILELANGS as u32;
pub const SOURCEPACKAGE: u32 = IndexTag::RPMTAG_SOURCEPACKAGE as u32;
pub const PROVIDEFLAGS: u32 = IndexTag::RPMTAG_PROVIDEFLAGS as u32;
pub const PROVIDEVERSION: u32 = IndexTag::RPMTAG_PROVIDEVERSION as u32;
pub const OBSOLETEFLAGS: u32 = IndexTag::RPMTAG_OBSOLETEFLAGS as u32;
pub const OBSOLETEVERSION: u32 = IndexTag::RPMTAG_OBSOLETEVERSION as u32;
pub const DIRINDEXES: u32 = IndexTag::RPMTAG_DIRINDEXES as u32;
pub const BASENAMES: u32 = IndexTag::RPMTAG_BASENAMES as u32;
pub const DIRNAMES: u32 = IndexTag::RPMTAG_DIRNAMES as u32;
pub const PAYLOADFORMAT: u32 = IndexTag::RPMTAG_PAYLOADFORMAT as u32;
pub const PAYLOADCOMPRESSOR: u32 = IndexTag::RPMTAG_PAYLOADCOMPRESSOR as u32;
pub const PAYLOADFLAGS: u32 = IndexTag::RPMTAG_PAYLOADFLAGS as u32;
pub const FILECOLORS: u32 = IndexTag::RPMTAG_FILECOLORS as u32;
pub const LONGFILESIZES: u32 = IndexTag::RPMTAG_LONGFILESIZES as u32;
pub const LONGSIZE: u32 = IndexTag::RPMTAG_LONGSIZE as u32;
pub const FILECAPS: u32 = IndexTag::RPMTAG_FILECAPS as u32;
pub const FILEDIGESTALGO: u32 = IndexTag::RPMTAG_FILEDIGESTALGO as u32;
pub const ORDERNAME: u32 = IndexTag::RPMTAG_ORDERNAME as u32;
pub const ORDERVERSION: u32 = IndexTag::RPMTAG_ORDERVERSION as u32;
pub const ORDERFLAGS: u32 = IndexTag::RPMTAG_ORDERFLAGS as u32;
pub const RECOMMENDNAME: u32 = IndexTag::RPMTAG_RECOMMENDNAME as u32;
pub const RECOMMENDVERSION: u32 = IndexTag::RPMTAG_RECOMMENDVERSION as u32;
pub const RECOMMENDFLAGS: u32 = IndexTag::RPMTAG_RECOMMENDFLAGS as u32;
pub const SUGGESTNAME: u32 = IndexTag::RPMTAG_SUGGESTNAME as u32;
pub const SUGGESTVERSION: u32 = IndexTag::RPMTAG_SUGGESTVERSION as u32;
pub const SUGGESTFLAGS: u32 = IndexTag::RPMTAG_SUGGESTFLAGS as u32;
pub const SUPPLEMENTNAME: u32 = IndexTag::RPMTAG_SUPPLEMENTNAME as u32;
pub const SUPPLEMENTVERSION: u32 = IndexTag::RPMTAG_SUPPLEMENTVERSION as u32;
pub const SUPPLEMENTFLAGS: u32 = IndexTag::RPMTAG_SUPPLEMENTFLAGS as u32;
pub const ENHANCENAME: u32 = IndexTag::RPMTAG_ENHANCENAME as u32;
pub const ENHANCEVERSION: u32 = IndexTag::RPMTAG_ENHANCEVERSION as u32;
pub const ENHANCEFLAGS: u32 = IndexTag::RPMTAG_ENHANCEFLAGS as u32;
pub const FILESIGNATURES: u32 = IndexTag::RPMTAG_FILESIGNATURES as u32;
pub const FILESIGNATURELENGTH: u32 = IndexTag::RPMTAG_FILESIGNATURELENGTH as u32;
pub const MODULARITYLABEL: u32 = IndexTag::RPMTAG_MODULARITYLABEL as u32;
pub const PAYLOADSIZE: u32 = IndexTag::RPMTAG_PAYLOADSIZE as u32;
pub const PAYLOADSIZEALT: u32 = IndexTag::RPMTAG_PAYLOADSIZEALT as u32;
pub const EXCLUDEARCH: u32 = IndexTag::RPMTAG_EXCLUDEARCH as u32;
pub const EXCLUSIVEARCH: u32 = IndexTag::RPMTAG_EXCLUSIVEARCH as u32;
pub const RPMFORMAT: u32 = IndexTag::RPMTAG_RPMFORMAT as u32;
pub const PAYLOADDIGEST: u32 = IndexTag::RPMTAG_PAYLOADSHA256 as u32;
pub const PAYLOADDIGESTALGO: u32 = IndexTag::RPMTAG_PAYLOADSHA256ALGO as u32;
pub const PAYLOADDIGESTALT: u32 = IndexTag::RPMTAG_PAYLOADSHA256ALT as u32;
pub const PAYLOADSHA512: u32 = IndexTag::RPMTAG_PAYLOAD_SHA512 as u32;
pub const PAYLOADSHA512ALT: u32 = IndexTag::RPMTAG_PAYLOAD_SHA512_ALT as u32;
pub const PAYLOADSHA3_256: u32 = IndexTag::RPMTAG_PAYLOAD_SHA3_256 as u32;
pub const PAYLOADSHA3_256ALT: u32 = IndexTag::RPMTAG_PAYLOAD_SHA3_256_ALT as u32;

// Scriptlets: the body, its interpreter, its flags.
pub const PREIN: [u32; 3] =
    [IndexTag::RPMTAG_PREIN as u32, IndexTag::RPMTAG_PREINPROG as u32, IndexTag::RPMTAG_PREINFLAGS as u32];
pub const POSTIN: [u32; 3] =
    [IndexTag::RPMTAG_POSTIN as u32, IndexTag::RPMTAG_POSTINPROG as u32, IndexTag::RPMTAG_POSTINFLAGS as u32];
pub const PREUN: [u32; 3] =
    [IndexTag::RPMTAG_PREUN as u32, IndexTag::RPMTAG_PREUNPROG as u32, IndexTag::RPMTAG_PREUNFLAGS as u32];
pub const POSTUN: [u32; 3] =
    [IndexTag::RPMTAG_POSTUN as u32, IndexTag::RPMTAG_POSTUNPROG as u32, IndexTag::RPMTAG_POSTUNFLAGS as u32];
pub const VERIFYSCRIPT: [u32; 3] = [
    IndexTag::RPMTAG_VERIFYSCRIPT as u32,
    IndexTag::RPMTAG_VERIFYSCRIPTPROG as u32,
    IndexTag::RPMTAG_VERIFYSCRIPTFLAGS as u32,
];
pub const PRETRANS: [u32; 3] = [
    IndexTag::RPMTAG_PRETRANS as u32,
    IndexTag::RPMTAG_PRETRANSPROG as u32,
    IndexTag::RPMTAG_PRETRANSFLAGS as u32,
];
pub const POSTTRANS: [u32; 3] = [
    IndexTag::RPMTAG_POSTTRANS as u32,
    IndexTag::RPMTAG_POSTTRANSPROG as u32,
    IndexTag::RPMTAG_POSTTRANSFLAGS as u32,
];
pub const PREUNTRANS: [u32; 3] = [
    IndexTag::RPMTAG_PREUNTRANS as u32,
    IndexTag::RPMTAG_PREUNTRANSPROG as u32,
    IndexTag::RPMTAG_PREUNTRANSFLAGS as u32,
];
pub const POSTUNTRANS: [u32; 3] = [
    IndexTag::RPMTAG_POSTUNTRANS as u32,
    IndexTag::RPMTAG_POSTUNTRANSPROG as u32,
    IndexTag::RPMTAG_POSTUNTRANSFLAGS as u32,
];

// Triggers: scripts, interpreters, flags, and of the conditions name, version, flags and script.
pub const TRIGGER: [u32; 7] = [
    IndexTag::RPMTAG_TRIGGERSCRIPTS as u32,
    IndexTag::RPMTAG_TRIGGERSCRIPTPROG as u32,
    IndexTag::RPMTAG_TRIGGERSCRIPTFLAGS as u32,
    IndexTag::RPMTAG_TRIGGERNAME as u32,
    IndexTag::RPMTAG_TRIGGERVERSION as u32,
    IndexTag::RPMTAG_TRIGGERFLAGS as u32,
    IndexTag::RPMTAG_TRIGGERINDEX as u32,
];
pub const FILETRIGGER: [u32; 7] = [
    IndexTag::RPMTAG_FILETRIGGERSCRIPTS as u32,
    IndexTag::RPMTAG_FILETRIGGERSCRIPTPROG as u32,
    IndexTag::RPMTAG_FILETRIGGERSCRIPTFLAGS as u32,
    IndexTag::RPMTAG_FILETRIGGERNAME as u32,
    IndexTag::RPMTAG_FILETRIGGERVERSION as u32,
    IndexTag::RPMTAG_FILETRIGGERFLAGS as u32,
    IndexTag::RPMTAG_FILETRIGGERINDEX as u32,
];
pub const TRANSFILETRIGGER: [u32; 7] = [
    IndexTag::RPMTAG_TRANSFILETRIGGERSCRIPTS as u32,
    IndexTag::RPMTAG_TRANSFILETRIGGERSCRIPTPROG as u32,
    IndexTag::RPMTAG_TRANSFILETRIGGERSCRIPTFLAGS as u32,
    IndexTag::RPMTAG_TRANSFILETRIGGERNAME as u32,
    IndexTag::RPMTAG_TRANSFILETRIGGERVERSION as u32,
    IndexTag::RPMTAG_TRANSFILETRIGGERFLAGS as u32,
    IndexTag::RPMTAG_TRANSFILETRIGGERINDEX as u32,
];
pub const FILETRIGGERPRIORITIES: u32 = IndexTag::RPMTAG_FILETRIGGERPRIORITIES as u32;
pub const TRANSFILETRIGGERPRIORITIES: u32 = IndexTag::RPMTAG_TRANSFILETRIGGERPRIORITIES as u32;
