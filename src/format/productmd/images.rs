//! `images.json`: media and other images of a compose.
//!
//! ```text
//! payload.images.VARIANT.ARCH = [
//!     {arch, bootable, checksums {md5|sha1|sha256|…: hex}, disc_count, disc_number, format, implant_md5 or null,
//!      mtime, path, size, subvariant, type, volume_id or null, [unified, additional_variants]}, …]
//! ```
//! The list is sorted by path. ARCH is never `src`: an image of sources, whose own `arch` is `src`, stands under
//! each binary arch. `unified` and `additional_variants` are written only for images of more than one variant.
//! (subvariant, type, format, arch, disc_number, unified, additional_variants) name an image across composes;
//! productmd compares their checksums only, gander wants two images of one name, or of one path, to be equal.
//! Read from version 1.0 on: up to 1.1 images could stand under `src` (they move to each other arch of the
//! variant), and up to 1.0 there was no subvariant (it becomes empty, so names are not compared).

use std::collections::BTreeMap;

use super::compose::Compose;
use super::image_types::{ImageFormat, ImageType};
use super::json::{At, Json, show_key};
use super::rpms::check_uid;
use super::{MetadataError, check_arch, check_text, read_header, write, wrong};
use crate::base::RelPath;

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it lies, relative to `compose/`.
    pub path: RelPath,
    /// Its arch, or `src`.
    pub arch: String,
    /// What it is.
    pub kind: ImageType,
    /// How it is written.
    pub format: ImageFormat,
    /// Its size in bytes.
    pub size: u64,
    /// Its time of change. What differs from build to build is not for here: the source date is.
    pub mtime: i64,
    /// Checksums in lower case hex by algorithm, at least one.
    pub checksums: BTreeMap<String, String>,
    /// Its number in a set, from 1.
    pub disc_number: u32,
    /// How many the set has.
    pub disc_count: u32,
    /// Whether it boots.
    pub bootable: bool,
    /// The md5 that is implanted in it.
    pub implant_md5: Option<String>,
    /// The volume id of a file system on it.
    pub volume_id: Option<String>,
    /// What it holds: often the variant, or such as `KDE`.
    pub subvariant: String,
    /// Whether it holds more than one variant.
    pub unified: bool,
    /// The other variants on a unified one.
    pub additional_variants: Vec<String>,
}

/// What `images.json` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The compose.
    pub compose: Compose,
    /// Images by variant uid and arch, then sorted by path.
    pub images: BTreeMap<String, BTreeMap<String, BTreeMap<RelPath, Image>>>,
    /// Whether the images have subvariants; only files of version 1.0 lack them.
    has_subvariants: bool,
}

impl Images {
    /// A list without images.
    pub const fn new(compose: Compose) -> Self {
        Self { compose, images: BTreeMap::new(), has_subvariants: true }
    }

    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let json = Json::parse(bytes)?;
        let root = At::root(&json);
        let version = read_header(&root, "images")?;
        if version < (1, 0) {
            return Err(wrong("header.version", "images.json is read from version 1.0 on"));
        }
        let payload = root.field("payload")?;
        let mut images = Self::new(Compose::read(&payload, version)?);
        images.has_subvariants = version > (1, 0);
        for (variant, arches) in payload.field("images")?.entries()? {
            let all: Vec<&str> = arches.entries()?.map(|(arch, _)| arch).collect();
            for (arch, list) in arches.entries()? {
                for at in list.items()? {
                    let image = Image::read(&at, version)?;
                    if arch == "src" && version <= (1, 1) {
                        for arch in all.iter().filter(|arch| **arch != "src") {
                            images.put(variant, arch, image.clone(), &at)?;
                        }
                    } else {
                        images.put(variant, arch, image, &at)?;
                    }
                }
            }
        }
        images.check()?;
        Ok(images)
    }

    fn put(&mut self, variant: &str, arch: &str, image: Image, at: &At<'_>) -> Result<(), MetadataError> {
        match self.add(variant, arch, image) {
            None => Ok(()),
            Some(twice) => Err(at.wrong(format!("{} is listed twice for {variant} {arch}", twice.path))),
        }
    }

    /// Adds an image; gives the one that it replaces.
    pub fn add(&mut self, variant: &str, arch: &str, image: Image) -> Option<Image> {
        let arches = self.images.entry(variant.into()).or_default();
        arches.entry(arch.into()).or_default().insert(image.path.clone(), image)
    }

    /// Writes the file, after checking what it will say.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetadataError> {
        self.check()?;
        let list = |images: &BTreeMap<RelPath, Image>| {
            let mut images: Vec<_> = images.values().collect();
            // By the whole text, which is not the order of path components.
            images.sort_by(|a, b| a.path.as_str().cmp(b.path.as_str()));
            Json::List(images.into_iter().map(Image::write).collect())
        };
        // As productmd, leave out arches and variants without images.
        let arches = |arches: &BTreeMap<String, BTreeMap<RelPath, Image>>| {
            let full = arches.iter().filter(|(_, images)| !images.is_empty());
            Json::map(full.map(|(arch, images)| (arch, list(images))))
        };
        let full = self.images.iter().filter(|(_, arches)| arches.values().any(|images| !images.is_empty()));
        let images = Json::map(full.map(|(variant, below)| (variant, arches(below))));
        Ok(write("images", Json::map([("compose", self.compose.write()), ("images", images)])))
    }

    /// Looks for what productmd refuses, and for what it overlooks.
    pub fn check(&self) -> Result<(), MetadataError> {
        self.compose.check()?;
        let mut by_name: BTreeMap<_, &Image> = BTreeMap::new();
        let mut by_path: BTreeMap<&RelPath, &Image> = BTreeMap::new();
        for (variant, arches) in &self.images {
            check_uid(|| "payload.images".into(), variant)?;
            for (arch, images) in arches {
                let place = || format!("payload.images.{}.{}", show_key(variant), show_key(arch));
                check_arch(place, arch)?;
                for (path, image) in images {
                    let place = || format!("{}: {path}", place());
                    if *path != image.path {
                        return Err(wrong(place(), format!("it is listed under the path of {}", image.path)));
                    }
                    image.check(&place)?;
                    if let Some(other) = by_path.insert(path, image)
                        && other != image
                    {
                        return Err(wrong(place(), "another image has the same path but differs"));
                    }
                    if self.has_subvariants
                        && let Some(other) = by_name.insert(image.identity(), image)
                        && other != image
                    {
                        let problem = format!(
                            "subvariant, type, format, arch and disc number are those of {} too",
                            other.path
                        );
                        return Err(wrong(place(), problem));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Image {
    fn read(at: &At<'_>, version: (u32, u32)) -> Result<Self, MetadataError> {
        let mut checksums = BTreeMap::new();
        for (algorithm, hex) in at.field("checksums")?.entries()? {
            checksums.insert(algorithm.to_owned(), hex.text()?.to_owned());
        }
        let format = match at.maybe("format")? {
            None => ImageFormat::ISO,
            Some(at) => at.one_of("format of images", ImageFormat::find)?,
        };
        let subvariant = match at.maybe("subvariant")? {
            Some(at) => at.text()?.into(),
            None if version <= (1, 0) => String::new(),
            None => return Err(at.wrong("the key \"subvariant\" is missing")),
        };
        let nullable = |key: &'static str| -> Result<Option<String>, MetadataError> {
            let field = at.field(key)?;
            if field.is_null() { Ok(None) } else { Ok(Some(field.text()?.into())) }
        };
        let mut additional_variants = Vec::new();
        for variant in at.maybe("additional_variants")?.iter().map(At::items) {
            for variant in variant? {
                additional_variants.push(variant.text()?.to_owned());
            }
        }
        Ok(Self {
            path: at.field("path")?.rel_path()?,
            arch: at.field("arch")?.text()?.into(),
            kind: at.field("type")?.one_of("type of images", ImageType::find)?,
            format,
            size: at.field("size")?.number()?,
            mtime: at.field("mtime")?.int()?,
            checksums,
            disc_number: at.field("disc_number")?.number()?,
            disc_count: at.field("disc_count")?.number()?,
            bootable: at.field("bootable")?.flag()?,
            implant_md5: nullable("implant_md5")?,
            volume_id: nullable("volume_id")?,
            subvariant,
            unified: at.maybe_flag("unified")?,
            additional_variants,
        })
    }

    fn identity(&self) -> (&str, ImageType, ImageFormat, &str, u32, bool, &[String]) {
        let Self { subvariant, kind, format, arch, disc_number, unified, additional_variants, .. } = self;
        (subvariant, *kind, *format, arch, *disc_number, *unified, additional_variants)
    }

    fn check(&self, place: &dyn Fn() -> String) -> Result<(), MetadataError> {
        let wrong = |problem: String| Err(wrong(place(), problem));
        check_text(place, &self.arch, false)?;
        check_text(place, &self.subvariant, true)?;
        if self.size == 0 || i64::try_from(self.size).is_err() {
            return wrong(format!("the size {} cannot be", self.size));
        }
        if self.checksums.is_empty() {
            return wrong("a checksum is missing".into());
        }
        for (algorithm, hex) in &self.checksums {
            if !is_checksum(algorithm, hex) {
                return wrong(format!("{hex:?} is no checksum by {algorithm:?}"));
            }
        }
        if let Some(md5) = &self.implant_md5
            && !is_checksum("md5", md5)
        {
            return wrong(format!("the implanted md5 {md5:?} is not 32 hex digits in lower case"));
        }
        match self.volume_id.as_deref() {
            Some("") => return wrong("the volume id may not be empty".into()),
            Some(volume_id) => check_text(place, volume_id, false)?,
            None => {}
        }
        if self.disc_number > self.disc_count {
            return wrong(format!("it is disc {} of {}", self.disc_number, self.disc_count));
        }
        if !self.unified && !self.additional_variants.is_empty() {
            return wrong("only a unified image has additional variants".into());
        }
        Ok(())
    }

    fn write(&self) -> Json {
        let maybe = |text: &Option<String>| text.as_ref().map_or(Json::Null, Json::text);
        let checksums = self.checksums.iter().map(|(algorithm, hex)| (algorithm, Json::text(hex)));
        let mut fields = vec![
            ("arch", Json::text(&self.arch)),
            ("bootable", Json::Bool(self.bootable)),
            ("checksums", Json::map(checksums)),
            ("disc_count", Json::Int(self.disc_count.into())),
            ("disc_number", Json::Int(self.disc_number.into())),
            ("format", Json::text(self.format.name())),
            ("implant_md5", maybe(&self.implant_md5)),
            ("mtime", Json::Int(self.mtime)),
            ("path", Json::text(self.path.as_str())),
            // Bounded by the check before.
            ("size", Json::Int(i64::try_from(self.size).unwrap_or(i64::MAX))),
            ("subvariant", Json::text(&self.subvariant)),
            ("type", Json::text(self.kind.name())),
            ("volume_id", maybe(&self.volume_id)),
        ];
        if self.unified {
            let variants = self.additional_variants.iter().map(Json::text).collect();
            fields.push(("unified", Json::Bool(true)));
            fields.push(("additional_variants", Json::List(variants)));
        }
        Json::map(fields)
    }
}

/// Whether a text is a checksum: lower case hex digits, of the right number for the algorithms that are known.
fn is_checksum(algorithm: &str, hex: &str) -> bool {
    let lower_hex = !hex.is_empty() && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    lower_hex
        && match algorithm {
            "md5" => hex.len() == 32,
            "sha1" => hex.len() == 40,
            "sha224" => hex.len() == 56,
            "sha256" => hex.len() == 64,
            "sha384" => hex.len() == 96,
            "sha512" => hex.len() == 128,
            _ => !algorithm.is_empty() && algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        }
}
