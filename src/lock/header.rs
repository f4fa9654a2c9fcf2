//! `lock.toml`: everything of a lock that is not a list of packages or signatures.

use serde::{Deserialize, Serialize};

use super::{Koji, LockError, MediumRef, SCHEMA, Tree, TreeRef};
use crate::base::{Digest, RelPath, SourceDate};
use crate::format::productmd::VariantType;
use crate::format::repodata::Form;
use crate::recipe::MediumKind;

/// The header of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// The format's version.
    pub schema: u32,
    /// The version of gander that resolved it.
    pub gander: String,
    /// The recipe's deep digest: the recipe and every file it refers to.
    pub recipe: Digest,
    /// The recipe's own text, an object.
    pub recipe_text: Digest,
    /// The only time that may reach an output.
    pub source_date: SourceDate,
    /// The digest of the file `packages`.
    pub packages: Digest,
    /// The digest of the universe that the selection was made from.
    pub universe: Digest,
    /// The universe as it lies among the objects; none where it is too large for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub universe_object: Option<Digest>,
    /// The universe as it lies in the store, where it is too large for the lock's objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub universe_stored: Option<Digest>,
    /// Where variants name modules, the streams that are active or named, with their packages, an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<Digest>,
    /// Lists of Debian packages that builds have as sources, objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debian: Vec<Digest>,
    /// What steps run in; always there when something is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<Builder>,
    /// The fingerprint of the key that signs repository metadata; none where it is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_key: Option<String>,
    /// The fingerprints of further keys that sign repository metadata, in the order of their signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_metadata_keys: Vec<String>,
    /// Whether they sign the `.treeinfo` of install trees, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sign_treeinfo: bool,
    /// The digest of the file `media`; none where there are no media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_packages: Option<Digest>,
    /// The release as file and compose names need it.
    pub release: Release,
    /// The form that the trees' metadata have.
    #[serde(default, skip_serializing_if = "Form::is_default")]
    pub repodata: Form,
    /// The keys that sign, by fingerprint.
    #[serde(default, rename = "key", skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// The repositories that packages come from, in the order of the recipe.
    #[serde(default, rename = "repository", skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<Repository>,
    /// The tags of Koji that packages come from, in the order of the recipe.
    #[serde(default, rename = "koji", skip_serializing_if = "Vec::is_empty")]
    pub koji: Vec<Koji>,
    /// Variants that are in others, sorted by id. What is not among them stands alone.
    #[serde(default, rename = "variant", skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<InnerVariant>,
    /// The trees to make, sorted by variant and arch.
    #[serde(default, rename = "tree", skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<Tree>,
    /// The media to make, in the order of the recipe, each for one arch.
    #[serde(default, rename = "medium", skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Medium>,
    /// The kickstarts of the media and what they include, sorted by path.
    #[serde(default, rename = "kickstart", skip_serializing_if = "Vec::is_empty")]
    pub kickstarts: Vec<KickstartFile>,
    /// The builds that packages come from, sorted by spec.
    #[serde(default, rename = "build", skip_serializing_if = "Vec::is_empty")]
    pub builds: Vec<Build>,
}

/// The image that steps run in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Builder {
    /// The digest of the image's manifest.
    pub image: Digest,
    /// The arch that it runs on.
    pub platform: String,
    /// The list of Debian packages that it is assembled from (an object) …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debian: Option<Digest>,
    /// … or the reference by which a registry has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// What is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Release {
    /// The full name.
    pub name: String,
    /// The short name.
    pub short: String,
    /// The version.
    pub version: String,
}

/// A repository that packages come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Repository {
    /// What origins call it.
    pub id: String,
    /// Folders that hold it, in order of preference.
    pub mirrors: Vec<String>,
    /// The `repomd.xml` that packages were chosen from, an object.
    pub repomd: Digest,
}

/// A key that signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Key {
    /// Its fingerprint in upper-case hexadecimal.
    pub fingerprint: String,
    /// Its certificate, armored, an object.
    pub certificate: Digest,
}

/// A variant that is in another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InnerVariant {
    /// Its id: the parent's, a dash, its own.
    pub id: String,
    /// `addon`, `layered-product` or `optional`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the variant that it is in.
    pub parent: String,
    /// What a layered product releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

impl InnerVariant {
    /// Its type.
    pub fn kind(&self) -> Result<VariantType, LockError> {
        let unknown = || LockError::Header(format!("'{}' is no type of a variant", self.kind));
        VariantType::find(&self.kind).ok_or_else(unknown)
    }

    /// Its id without the parent's.
    pub fn own_id(&self) -> Result<&str, LockError> {
        let own = self.id.strip_prefix(&self.parent).and_then(|rest| rest.strip_prefix('-'));
        own.ok_or_else(|| LockError::Header(format!("the variant '{}' is not in '{}'", self.id, self.parent)))
    }
}

/// A medium to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Medium {
    /// The variant whose packages are on it.
    pub variant: String,
    /// The arch that it is for.
    pub arch: String,
    /// Tells media of one variant and arch apart.
    pub name: String,
    /// `dvd` or `live`.
    pub kind: String,
    /// Its volume id.
    pub volume_id: String,
    /// How its kickstarts are read: `rhel9`, `fedora`, …
    pub dialect: String,
    /// The kickstart that says what is on it.
    pub kickstart: RelPath,
    /// The kickstart of the system that starts from it, for a DVD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installer: Option<RelPath>,
}

impl Medium {
    /// Which medium it is.
    pub fn name(&self) -> MediumRef {
        MediumRef { variant: self.variant.clone(), arch: self.arch.clone(), name: self.name.clone() }
    }

    /// What it is.
    pub fn kind(&self) -> Result<MediumKind, LockError> {
        let unknown = || LockError::Header(format!("'{}' is no kind of medium", self.kind));
        MediumKind::find(&self.kind).ok_or_else(unknown)
    }
}

/// A kickstart, or what one includes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KickstartFile {
    /// Its path in the folder of kickstarts.
    pub path: RelPath,
    /// Its text, an object.
    pub digest: Digest,
}

/// One spec with its sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// The spec's path, relative to the recipe.
    pub spec: RelPath,
    /// The spec's text, an object.
    pub digest: Digest,
    /// The release's `%dist`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dist: String,
    /// The arches that it is built for; the first one also makes the source package.
    pub targets: Vec<String>,
    /// Its sources, sorted by name.
    #[serde(default, rename = "source", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// A source of a build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    /// The file's name, as the spec has it.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Whether it is a package of one of the lists under `debian`; an object of the lock otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub debian: bool,
}

impl Header {
    /// Parses `lock.toml`.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        /// Reads the version first: a later format may have other keys.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let header_error = |error: toml::de::Error| LockError::Header(error.to_string());
        let Version { schema } = toml::from_str(text).map_err(header_error)?;
        if schema != SCHEMA {
            return Err(LockError::Schema { found: schema });
        }
        toml::from_str(text).map_err(header_error)
    }

    /// The text of `lock.toml`.
    pub fn to_text(&self) -> Result<String, LockError> {
        toml::to_string(self).map_err(|error| LockError::Header(error.to_string()))
    }

    /// The fingerprints of the keys that sign repository metadata, in the order of their signatures.
    pub fn metadata_keys(&self) -> impl Iterator<Item = &str> {
        self.metadata_key.iter().chain(&self.further_metadata_keys).map(String::as_str)
    }

    /// A tree by its name.
    pub fn tree(&self, name: &TreeRef) -> Option<&Tree> {
        self.trees.iter().find(|tree| tree.variant == name.variant && tree.arch == name.arch)
    }

    /// The objects that must lie in the lock's folder.
    pub fn objects(&self) -> impl Iterator<Item = Digest> {
        let small = self.builds.iter().flat_map(|build| {
            build.sources.iter().filter(|source| !source.debian).map(|source| source.digest)
        });
        [self.recipe_text]
            .into_iter()
            .chain(self.builder.as_ref().and_then(|builder| builder.debian))
            .chain(self.debian.iter().copied())
            .chain(self.universe_object)
            .chain(self.streams)
            .chain(self.keys.iter().map(|key| key.certificate))
            .chain(self.repositories.iter().map(|repository| repository.repomd))
            .chain(self.koji.iter().filter_map(|koji| koji.snapshot_object))
            .chain(self.trees.iter().flat_map(|tree| [tree.comps, tree.comps_source, tree.modules]).flatten())
            .chain(self.kickstarts.iter().map(|file| file.digest))
            .chain(self.builds.iter().map(|build| build.digest))
            .chain(small)
    }
}
