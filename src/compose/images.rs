//! `images.json` and `CHECKSUM` of a compose: what is said of its media.
//!
//! An image's time of change is the source date. Across composes it goes by subvariant, type and arch: the
//! subvariant is the variant, with the medium's name where that is not its kind. The volume id, the implanted md5 and whether it boots are read from the image itself. Each folder that
//! has images gets a `CHECKSUM` of them.

use std::collections::BTreeMap;

use super::error::ComposeError;
use super::metadata;
use crate::base::{Digest, RelPath};
use crate::format::checksum::Checksums;
use crate::format::iso9660::IsoImage;
use crate::format::productmd::{Image, ImageFormat, ImageType, Images};
use crate::lock::Header;
use crate::store::Store;

/// A medium that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Medium {
    /// The variant that it is of.
    pub variant: String,
    /// Its arch.
    pub arch: String,
    /// What it is: a DVD, a live image.
    pub kind: ImageType,
    /// What tells media of one variant, arch and kind apart.
    pub subvariant: String,
    /// Where it lies, relative to `compose/`.
    pub path: RelPath,
    /// Its bytes.
    pub digest: Digest,
    /// How many.
    pub size: u64,
}

/// The bytes of `images.json`.
pub(super) fn images_json(store: &Store, header: &Header, media: &[Medium]) -> Result<Vec<u8>, ComposeError> {
    let mut images = Images::new(metadata::identity(header));
    for medium in media {
        let says = IsoImage::read(store.open_object(&medium.digest)?)
            .map_err(|source| ComposeError::Medium { path: medium.path.clone(), source })?;
        images.add(&medium.variant, &medium.arch, image(header, medium, says));
    }
    Ok(images.to_bytes()?)
}

fn image(header: &Header, medium: &Medium, says: IsoImage) -> Image {
    Image {
        path: medium.path.clone(),
        arch: medium.arch.clone(),
        kind: medium.kind,
        format: ImageFormat::ISO,
        size: medium.size,
        mtime: header.source_date.seconds(),
        checksums: BTreeMap::from([("sha256".into(), medium.digest.hex())]),
        disc_number: 1,
        disc_count: 1,
        bootable: says.bios || says.uefi,
        implant_md5: says.implanted_md5,
        volume_id: says.volume_id,
        subvariant: medium.subvariant.clone(),
        unified: false,
        additional_variants: Vec::new(),
    }
}

/// The text of each `CHECKSUM`, by its path relative to `compose/`: one in every folder that has media.
pub(super) fn checksums(media: &[Medium]) -> Result<BTreeMap<RelPath, String>, ComposeError> {
    let mut folders: BTreeMap<RelPath, Checksums> = BTreeMap::new();
    for medium in media {
        let list = match medium.path.parent() {
            Some(folder) => folder.join("CHECKSUM")?,
            None => RelPath::new("CHECKSUM")?,
        };
        let name = RelPath::new(medium.path.file_name())?;
        folders.entry(list).or_default().add(name, medium.digest, medium.size)?;
    }
    Ok(folders.into_iter().map(|(path, list)| (path, list.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::productmd::ImageType;

    fn medium(path: &str, kind: ImageType) -> Medium {
        Medium {
            variant: "Base".into(),
            arch: "x86_64".into(),
            kind,
            subvariant: "Base".into(),
            path: RelPath::new(path).unwrap(),
            digest: Digest::of(path),
            size: 40960,
        }
    }

    /// The smallest image that there is: a volume descriptor.
    fn iso() -> Vec<u8> {
        let mut image = vec![0; 20 * 2048];
        image[16 * 2048..16 * 2048 + 7].copy_from_slice(b"\x01CD001\x01");
        image[16 * 2048 + 40..16 * 2048 + 72].copy_from_slice(format!("{:32}", "GANDER-1").as_bytes());
        image
    }

    #[test]
    fn images_say_what_the_media_say() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let header = metadata::tests::sample().header;
        let mut live = medium("Base/x86_64/iso/live.iso", ImageType::LIVE);
        live.digest = store.put_bytes(&iso()).unwrap();
        let mut dvd = medium("Base/x86_64/iso/dvd.iso", ImageType::DVD);
        dvd.digest = live.digest;
        let read = Images::parse(&images_json(&store, &header, &[live.clone(), dvd]).unwrap()).unwrap();
        let images: Vec<_> = read.images["Base"]["x86_64"].values().collect();
        assert_eq!(images.iter().map(|image| image.kind.name()).collect::<Vec<_>>(), ["dvd", "live"]);
        assert_eq!(images[0].volume_id.as_deref(), Some("GANDER-1"));
        assert_eq!((images[0].bootable, images[0].mtime), (false, header.source_date.seconds()));
        // Two of one kind are told apart by their subvariants, and by nothing else.
        let mut twin = live.clone();
        twin.path = RelPath::new("Base/x86_64/iso/twin.iso").unwrap();
        twin.size += 1;
        assert!(matches!(
            images_json(&store, &header, &[live.clone(), twin.clone()]),
            Err(ComposeError::Metadata(_))
        ));
        twin.subvariant = "Base-minimal".into();
        let both = images_json(&store, &header, &[live.clone(), twin]).unwrap();
        assert_eq!(Images::parse(&both).unwrap().images["Base"]["x86_64"].len(), 2);
        live.digest = store.put_bytes(b"no image").unwrap();
        assert!(matches!(images_json(&store, &header, &[live]), Err(ComposeError::Medium { .. })));
    }

    #[test]
    fn each_folder_has_a_list() {
        let media = [
            medium("Base/x86_64/iso/b.iso", ImageType::DVD),
            medium("Base/x86_64/iso/a.iso", ImageType::LIVE),
            medium("Base/aarch64/iso/a.iso", ImageType::LIVE),
        ];
        let lists = checksums(&media).unwrap();
        let paths: Vec<_> = lists.keys().map(RelPath::as_str).collect();
        assert_eq!(paths, ["Base/aarch64/iso/CHECKSUM", "Base/x86_64/iso/CHECKSUM"]);
        let wanted = format!(
            "# a.iso: 40960 bytes\nSHA256 (a.iso) = {}\n# b.iso: 40960 bytes\nSHA256 (b.iso) = {}\n",
            media[1].digest.hex(),
            media[0].digest.hex()
        );
        assert_eq!(lists.values().next_back(), Some(&wanted));
    }
}
