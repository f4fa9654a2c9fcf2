//! What can go wrong in the flow.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::digest::DigestError;
use crate::base::relpath::RelPathError;
use crate::base::{Digest, Nevra, RelPath, SourceDate};
use crate::build::SpecError;
use crate::debian::{LockError as DebianLockError, MirrorError, PackagesError};
use crate::fetch::FetchError;
use crate::format::checksum::ChecksumError;
use crate::format::comps::CompsError;
use crate::format::iso9660::IsoError;
use crate::format::kickstart::KickstartError;
use crate::format::productmd::MetadataError;
use crate::format::volume_id::VolumeIdError;
use crate::koji::{SnapshotError, TagError};
use crate::lock::LockError;
use crate::media::{MenuError, TextError, TreeInfoStepError};
use crate::oci::{AssembleError, ImageError, ReferenceError, RegistryError};
use crate::openpgp::{KeyringError, VerifyError};
use crate::plan::PlanError;
use crate::recipe::RecipeError;
use crate::repo::RepoError;
use crate::repo::open::OpenError;
use crate::root::ConfigurationError;
use crate::rpm::IdentityError;
use crate::rpm::edit::EditError;
use crate::runner::RunError;
use crate::select::{SelectError, StreamsError, UniverseError, VariantError};
use crate::sign::{KeyError, SignError};
use crate::sigul::client::RemoteError;
use crate::store::{StoreError, TreeError};

/// Why a release could not be resolved or composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A file of the recipe or lock cannot be read or written. A retry may help.
    #[error("'{path}' cannot be {doing}")]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file's text or name is not UTF-8. Retrying cannot help.
    #[error("'{0}' is not UTF-8 text, or its name is not")]
    NotText(PathBuf),
    /// A key may no longer sign, nor prove anything. Retrying cannot help.
    #[error("the key {0} is among the compromised ones of the recipe")]
    Compromised(String),
    /// A key would sign twice. Retrying cannot help.
    #[error("[sign] names the key {0} twice")]
    SameKey(String),
    /// What was signed by compromised keys cannot be signed again: more than keys changed since the lock was made.
    /// Retrying cannot help.
    #[error("not only the keys changed since the lock '{lock}' was made: {what} differs")]
    NotOnlyKeys {
        /// The lock.
        lock: PathBuf,
        /// What else.
        what: String,
    },
    /// Nothing in the recipe signs. Retrying cannot help.
    #[error("the recipe names no key to sign with again")]
    NoSigner,
    /// A file of the recipe is larger than any such file may be. Retrying cannot help.
    #[error("'{0}' is larger than 64 MiB, which no file of a recipe may be")]
    TooLarge(PathBuf),
    /// The recipe is wrong. Retrying cannot help.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A folder of specs has none. Retrying cannot help.
    #[error("the folder '{0}' holds no spec file")]
    NoSpecs(PathBuf),
    /// A spec cannot be planned. Retrying cannot help.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Specs name sources that nothing offers. Retrying cannot help.
    #[error("these sources of specs are neither in the recipe's folder of sources nor in its Debian lock:{}", lines(.0))]
    Sources(Vec<String>),
    /// A Debian lock is malformed. Retrying cannot help.
    #[error("the Debian lock '{path}' cannot be used")]
    DebianLock {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: DebianLockError,
    },
    /// A comps file is malformed. Retrying cannot help.
    #[error("the comps file '{path}' cannot be used")]
    Comps {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CompsError,
    },
    /// A kickstart is malformed. Retrying cannot help.
    #[error(transparent)]
    Kickstart(#[from] KickstartError),
    /// A kickstart asks for what cannot be done. Retrying cannot help.
    #[error("kickstarts ask for what gander cannot do:{}", lines(.0))]
    Unsupported(Vec<String>),
    /// A kickstart cannot be carried out. Retrying cannot help.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A medium has no boot menu. Retrying cannot help.
    #[error(transparent)]
    Menu(#[from] MenuError),
    /// A medium cannot say what it is. Retrying cannot help.
    #[error(transparent)]
    MediumText(#[from] TextError),
    /// An install tree cannot be described. Retrying cannot help.
    #[error(transparent)]
    TreeInfo(#[from] TreeInfoStepError),
    /// A medium has no volume id. Retrying cannot help.
    #[error("the medium {medium} has no volume id")]
    VolumeId {
        /// The medium.
        medium: String,
        /// Why.
        #[source]
        source: VolumeIdError,
    },
    /// A medium is for another arch than the builder's. Retrying cannot help.
    #[error(
        "the medium {medium} cannot be made in a builder of {platform}: its packages run programs when they are installed"
    )]
    OtherArch {
        /// The medium.
        medium: String,
        /// The builder's arch.
        platform: String,
    },
    /// A medium lacks what it cannot start without. Retrying cannot help.
    #[error("the medium {medium} cannot start: {lacks}")]
    CannotStart {
        /// The medium.
        medium: String,
        /// What it lacks, as a sentence.
        lacks: String,
    },
    /// A medium that was made is no image. Retrying cannot help.
    #[error("the medium '{path}' cannot be described")]
    Medium {
        /// Its path in the compose.
        path: RelPath,
        /// Why.
        #[source]
        source: IsoError,
    },
    /// A medium cannot be listed with its checksum. Retrying cannot help.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// The lock is malformed. Retrying cannot help.
    #[error("the lock '{path}' cannot be used")]
    Lock {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: LockError,
    },
    /// There is no lock where one is demanded. Retrying cannot help.
    #[error("there is no lock '{0}'")]
    NoLock(PathBuf),
    /// A lock names an object that it does not have. Retrying cannot help.
    #[error("the lock '{lock}' lacks its object {digest}")]
    NoObject {
        /// The lock.
        lock: PathBuf,
        /// The object.
        digest: Digest,
    },
    /// What a lock's packages were selected from is not at hand. Retrying cannot help unless the store gets it back.
    #[error("the universe that the lock's packages were selected from is not in the store: {0}")]
    NoUniverse(Digest),
    /// The recipe or a file of it changed since the lock was made. Retrying cannot help.
    #[error("the lock '{0}' is stale: the recipe or a file that it refers to has changed since")]
    Stale(PathBuf),
    /// The recipe states no source date and builds packages, which need one. Retrying cannot help.
    #[error("the recipe builds packages, so it must state 'release.source-date'")]
    SourceDate,
    /// The recipe states no source date and no package has a build time that could be one. Retrying cannot
    /// help.
    #[error(
        "no package of the recipe's sources has a usable build time, so it must state 'release.source-date'"
    )]
    NoDate,
    /// The recipe builds packages, but names no builder. Retrying cannot help.
    #[error("the recipe builds packages, so it must name 'builder.image'")]
    NoBuilder,
    /// Downloads failed.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// Files could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A repository cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A repository names its packages by a checksum that the store does not know. Retrying cannot help.
    #[error("the repository '{repository}' names {package} by its {kind}; only SHA-256 is read")]
    WeakChecksum {
        /// The repository.
        repository: String,
        /// The package.
        package: String,
        /// The checksum's name.
        kind: &'static str,
    },
    /// Packages lie outside of the repository that lists them. Retrying cannot help.
    #[error("the metadata say that these packages lie outside of their repository (xml:base):{}", lines(.0))]
    Outside(Vec<String>),
    /// Packages that were to be moved alone are in no tag. Retrying cannot help.
    #[error("no tag of the recipe has builds of these packages:{}", lines(.0))]
    NoBuilds(Vec<String>),
    /// There is nothing that packages could move from. Retrying cannot help.
    #[error(
        "packages of '{0}' cannot move alone: the lock has no state of that tag, asked in that way, to move them from"
    )]
    NotMovable(String),
    /// Packages of a repository would move as well. Retrying cannot help.
    #[error(
        "packages cannot move alone: the lock has no state of the repository '{0}', opened in that way, that it could \
         stay in"
    )]
    AllMove(String),
    /// It is not known where a hub's files are. Retrying cannot help.
    #[error("the configuration of the hub of '{0}' does not say where its files are (topurl)")]
    NoFiles(String),
    /// A hub gives names that no package has. Retrying cannot help.
    #[error("the hub names packages in a way that no file can be named:{}", lines(.0))]
    StrangeNames(Vec<String>),
    /// Headers of packages cannot be read, or are not those that the hub speaks of. Retrying can help where some could not
    /// be reached.
    #[error("the headers of {count} packages cannot be read:{}", lines(.packages))]
    Headers {
        /// How many.
        count: usize,
        /// The first of them, with the reasons.
        packages: Vec<String>,
        /// Whether some could not be reached.
        unreachable: bool,
    },
    /// A hub no longer has files that it speaks of. Retrying cannot help.
    #[error("the hub of '{id}' has no files of what it says is tagged")]
    GoneFromHub {
        /// The source.
        id: String,
        /// Which.
        #[source]
        source: FetchError,
    },
    /// A hub cannot be asked.
    #[error("the hub of {id} cannot be asked about its tag")]
    Hub {
        /// The source, or the tag.
        id: String,
        /// Why.
        #[source]
        source: TagError,
    },
    /// A lock has none or several tags, and which one is meant is not said. Retrying cannot help.
    #[error("the lock '{lock}' {}", match .ids.as_slice() {
        [] => "has no packages of a tag of Koji".to_owned(),
        ids => format!("has the tags of these sources: {}", ids.join(", ")),
    })]
    WhichTag {
        /// The lock's folder.
        lock: PathBuf,
        /// The ids of its sources that are tags.
        ids: Vec<String>,
    },
    /// What a hub said is neither in the lock nor in the store. Retrying cannot help.
    #[error("what the hub said about '{id}' is neither in the lock '{lock}' nor in the store")]
    NoSnapshot {
        /// The lock's folder.
        lock: PathBuf,
        /// The id of the source.
        id: String,
    },
    /// A hub would have to be asked, and the network must not be used. Retrying cannot help.
    #[error("the hub {0} would have to be asked, and the network is not used")]
    HubOffline(String),
    /// What a hub said cannot be kept or read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A signed copy cannot be put together. Retrying cannot help.
    #[error("{what} cannot get its signature back")]
    Splice {
        /// The file.
        what: String,
        /// Why.
        #[source]
        source: EditError,
    },
    /// The store no longer has inputs of a lock that are nowhere else. Retrying cannot help.
    #[error("these inputs of the lock are not in the store, and nowhere else:{}", lines(.0))]
    NotStored(Vec<String>),
    /// A folder is no bundle. Retrying cannot help.
    #[error("'{0}' is no bundle that this gander reads: its index does not begin as one")]
    NoBundle(PathBuf),
    /// A lock does not say where packages come from. Retrying cannot help.
    #[error("the lock does not say where these packages come from:{}", lines(.0))]
    NoOrigin(Vec<String>),
    /// No mirror is known.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// An image cannot be had from its registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A reference to an image is malformed. Retrying cannot help.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A step failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A bug in what makes plans.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A bug in what makes plans.
    #[error(transparent)]
    Path(#[from] RelPathError),
    /// A bug in what makes trees.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The compose's metadata cannot say what the recipe wants. Retrying cannot help.
    #[error("the metadata of the compose cannot be written")]
    Metadata(#[from] MetadataError),
    /// A digest is malformed. Retrying cannot help.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The builder image cannot be planned or found.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// An image is not what it must be, or not there.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Repository metadata cannot be planned.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// A step did not make what another one needs. Retrying cannot help.
    #[error("the step '{step}' needs the output '{path}', which was not made")]
    NoOutput {
        /// The step that needs it.
        step: String,
        /// The path.
        path: String,
    },
    /// A package file is damaged or hostile. Retrying cannot help; fetching it anew may.
    #[error("the package '{path}' cannot be used")]
    Package {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: IdentityError,
    },
    /// Package files are damaged or hostile. Retrying cannot help; fetching them anew may.
    #[error("{} packages cannot be used:{}", .0.len(), lines(.0))]
    BrokenPackages(Vec<String>),
    /// Modules cannot be as the recipe asks for. Retrying cannot help.
    #[error("modules cannot be as the recipe asks for:{}", lines(.0))]
    Modules(Vec<String>),
    /// What a hub has on builds of modules cannot be used. Retrying cannot help unless a download was cut off.
    #[error("what the hub has on builds of modules cannot be used:{}", lines(.0))]
    Modulemd(Vec<String>),
    /// A source offers different packages under one name. Retrying cannot help.
    #[error("these packages have one name and different contents:{}", lines(.0))]
    Conflicts(Vec<String>),
    /// Files in the recipe's folders are not what the lock pins, or are gone. Retrying cannot help.
    #[error("the recipe's folders do not have the packages that the lock pins:{}", lines(.0))]
    NotPinned(Vec<String>),
    /// A file is not what the lock pins. Retrying cannot help.
    #[error("'{what}' has digest {found}, but the lock pins {wanted}")]
    WrongDigest {
        /// What it is.
        what: String,
        /// What it is.
        found: Digest,
        /// What it must be.
        wanted: Digest,
    },
    /// What was built here differs from what the lock pins: the build is not reproducible, or ran with
    /// other code. Retrying shows which.
    #[error("what was built here is not what the lock pins:{}", lines(.0))]
    NotReproduced(Vec<String>),
    /// Candidates cannot be put together.
    #[error(transparent)]
    Universe(#[from] UniverseError),
    /// What is kept of streams of modules cannot be written or read. Retrying cannot help.
    #[error(transparent)]
    Streams(#[from] StreamsError),
    /// The selection has no answer. Retrying cannot help.
    #[error("the packages of {tree} cannot be selected")]
    Select {
        /// Variant and arch.
        tree: String,
        /// Everything that is wrong.
        #[source]
        source: SelectError,
    },
    /// The variants of a recipe do not fit together. Retrying cannot help.
    #[error(transparent)]
    Variants(#[from] VariantError),
    /// Packages that must be signed by an accepted key are not. Retrying cannot help.
    #[error("these packages are not signed by a key that the recipe accepts:{}", lines(.0))]
    Unsigned(Vec<String>),
    /// A key's certificate is nowhere. Retrying cannot help.
    #[error("no file in '{folder}' holds the certificate of key {fingerprint}")]
    NoCertificate {
        /// Where it was looked for.
        folder: PathBuf,
        /// The key.
        fingerprint: String,
    },
    /// A file of certificates is malformed. Retrying cannot help.
    #[error("the keys in '{path}' cannot be read")]
    Keyring {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyringError,
    },
    /// Signatures are missing and nothing can make them here.
    #[error("{} missing, and this recipe's key is not used or not at hand:{}", signatures(.0.len()), lines(.0))]
    MissingSignatures(Vec<String>),
    /// The key that was opened is not the one that the lock names. Retrying cannot help.
    #[error("the lock wants signatures by key {wanted}, but the recipe's key is {found}")]
    OtherKey {
        /// What the lock names.
        wanted: String,
        /// What the recipe has.
        found: String,
    },
    /// The signing key has expired at the time that signatures would carry. Retrying cannot help.
    #[error("key {fingerprint} expires at {expires}, and signatures would be of {when}")]
    Expired {
        /// The key.
        fingerprint: String,
        /// When it expires.
        expires: SourceDate,
        /// The source date.
        when: SourceDate,
    },
    /// A demonstration key would sign something else. Retrying cannot help.
    #[error("key {0} is a demonstration key: its secret is public, so it may sign nothing but Gosling Linux")]
    Demonstration(String),
    /// A key cannot be opened.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key on a server cannot be used, or did not sign.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Signing failed.
    #[error("{what} cannot be signed")]
    Sign {
        /// What was to be signed.
        what: String,
        /// Why.
        #[source]
        source: SignError,
    },
    /// A signature of the lock is not good. Retrying cannot help.
    #[error("the lock's signature of {what} is not good")]
    BadSignature {
        /// What it signs.
        what: String,
        /// Why.
        #[source]
        source: VerifyError,
    },
    /// The compose cannot be laid out. A retry helps once there is room, or the store was repaired.
    #[error("the compose cannot be written to '{}'", place.display())]
    Deliver {
        /// The output folder.
        place: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// Two packages of a tree would have one file name: they differ in nothing but the epoch. Retrying cannot
    /// help.
    #[error("two packages of {tree} that differ in their epoch would both be '{path}'")]
    SamePlace {
        /// Variant and arch.
        tree: String,
        /// The path in the tree.
        path: String,
    },
    /// The output folder cannot be exchanged for another one. Retrying cannot help.
    #[error("'{0}' cannot be the output: it has no name of its own by which it could be replaced")]
    NoName(PathBuf),
    /// The output folder holds something else. Retrying cannot help.
    #[error("'{0}' is there already and is no compose of gander's, so it is not replaced")]
    Occupied(PathBuf),
}

impl ComposeError {
    /// A file that cannot be read.
    pub fn read(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), doing: "read", source }
    }

    /// A file that cannot be written.
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), doing: "written", source }
    }

    /// A package that is not what it must be.
    pub fn package(nevra: &Nevra, source: IdentityError) -> Self {
        Self::Package { path: nevra.file_name(), source }
    }
}

fn signatures(count: usize) -> String {
    if count == 1 { "a signature is".into() } else { format!("{count} signatures are") }
}

fn lines(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}
