//! What the beginning of an ISO 9660 image says of it: the volume id, the implanted md5, how it boots.
//!
//! Sectors have 2048 bytes. Sector 16 holds the primary volume descriptor:
//!
//! | offset | meaning |
//! |---|---|
//! | 0 | 1, `CD001`, 1 |
//! | 40 | 32 bytes: the volume id, padded with blanks |
//! | 80 | 4 bytes, little endian: sectors of the volume |
//! | 883 | 512 bytes for applications: isomd5sum's text, padded with blanks, such as `ISO MD5SUM = <32 hex digits>;SKIPSECTORS = 15;…` |
//!
//! Further descriptors follow, one a sector, up to one of type 255. One of type 0 with the system id
//! `EL TORITO SPECIFICATION` names at offset 71 (4 bytes, little endian) the sector of the boot catalog, which has
//! entries of 32 bytes: first the validation entry (1, platform, …, 0x55 0xAA at 30) and the default entry (0x88
//! if it boots), then for each further platform a header (0x90, in the last one 0x91; platform; number of entries
//! in 2 bytes) and its entries. Platform 0 is a PC's BIOS, 0xEF is UEFI.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of a sector.
pub const SECTOR: u64 = 2048;
const FIRST: u64 = 16;
/// More descriptors than any image has.
const MOST_DESCRIPTORS: u64 = 32;
const ENTRY: usize = 32;

/// Why a file is not taken for an ISO 9660 image.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    /// The file cannot be read. A retry may help.
    #[error("the image cannot be read")]
    Read(#[from] io::Error),
    /// It is something else. Retrying cannot help.
    #[error("it is no ISO 9660 image: there is no primary volume descriptor in its sector 16")]
    NoImage,
    /// It ends too early. Retrying cannot help.
    #[error("the image is cut off: its volume has {wanted} bytes, the file {found}")]
    CutOff {
        /// The size of the volume.
        wanted: u64,
        /// The size of the file.
        found: u64,
    },
}

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IsoImage {
    /// The volume id, without the blanks at its end; none if it is empty or no text.
    pub volume_id: Option<String>,
    /// The md5 that isomd5sum implanted, 32 hex digits in lower case.
    pub implanted_md5: Option<String>,
    /// Whether a PC's BIOS can boot it.
    pub bios: bool,
    /// Whether UEFI can boot it.
    pub uefi: bool,
}

impl IsoImage {
    /// Reads the beginning of an image.
    pub fn read(mut image: impl Read + Seek) -> Result<Self, IsoError> {
        let length = image.seek(SeekFrom::End(0))?;
        let Some(primary) = sector(&mut image, FIRST, length)? else { return Err(IsoError::NoImage) };
        if !primary.starts_with(b"\x01CD001\x01") {
            return Err(IsoError::NoImage);
        }
        let volume = u64::from(number(&primary, 80)) * SECTOR;
        if volume > length {
            return Err(IsoError::CutOff { wanted: volume, found: length });
        }
        let text = |from: usize, size: usize| {
            let bytes = primary.get(from..from + size).unwrap_or_default();
            std::str::from_utf8(bytes).ok().map(|text| text.trim_end_matches([' ', '\0']))
        };
        let printable = |text: &&str| !text.is_empty() && !text.contains(char::is_control);
        let mut found = Self {
            volume_id: text(40, 32).filter(printable).map(str::to_owned),
            implanted_md5: text(883, 512).and_then(implanted),
            ..Self::default()
        };
        for place in FIRST + 1..FIRST + MOST_DESCRIPTORS {
            let Some(descriptor) = sector(&mut image, place, length)? else { break };
            if descriptor.get(1..6) != Some(b"CD001") || descriptor.first() == Some(&255) {
                break;
            }
            if descriptor.first() == Some(&0)
                && descriptor.get(7..30) == Some(b"EL TORITO SPECIFICATION")
                && let Some(catalog) = sector(&mut image, number(&descriptor, 71).into(), length)?
            {
                found.boots(&catalog);
                break;
            }
        }
        Ok(found)
    }

    /// Takes down how it boots. Of the catalog one sector counts, which has room for 64 entries.
    fn boots(&mut self, catalog: &[u8]) {
        let mut entries = catalog.chunks_exact(ENTRY);
        let boots = |entry: &[u8]| entry.first() == Some(&0x88);
        let mut platform = |platform: u8| match platform {
            0 => self.bios = true,
            0xEF => self.uefi = true,
            _ => {}
        };
        match (entries.next(), entries.next()) {
            (Some([1, first, .., 0x55, 0xAA]), Some(default)) if boots(default) => platform(*first),
            (Some([1, .., 0x55, 0xAA]), Some(_)) => {}
            _ => return,
        }
        while let Some([mark @ (0x90 | 0x91), of, low, high, ..]) = entries.next() {
            let count = u16::from_le_bytes([*low, *high]);
            if entries.by_ref().take(count.into()).filter(|entry| boots(entry)).count() > 0 {
                platform(*of);
            }
            if *mark == 0x91 {
                break;
            }
        }
    }
}

fn sector(mut image: impl Read + Seek, place: u64, length: u64) -> io::Result<Option<Vec<u8>>> {
    if (place + 1) * SECTOR > length {
        return Ok(None);
    }
    image.seek(SeekFrom::Start(place * SECTOR))?;
    let mut bytes = Vec::new();
    image.take(SECTOR).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == SECTOR).then_some(bytes))
}

fn number(bytes: &[u8], from: usize) -> u32 {
    bytes.get(from..from + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn implanted(text: &str) -> Option<String> {
    let fields = text.split(';').map(str::trim);
    let md5 = fields.filter_map(|field| field.strip_prefix("ISO MD5SUM = ")).next()?.trim();
    let hex = md5.len() == 32 && md5.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| md5.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// An image with these entries in its boot catalog.
    fn image(volume_id: &str, application: &str, catalog: &[&[u8]]) -> Vec<u8> {
        let mut image = vec![0; 20 * 2048];
        let mut put = |place: usize, bytes: &[u8]| image[place..place + bytes.len()].copy_from_slice(bytes);
        let primary = 16 * 2048;
        put(primary, b"\x01CD001\x01");
        put(primary + 40, format!("{volume_id:32}").as_bytes());
        put(primary + 80, &20u32.to_le_bytes());
        put(primary + 883, format!("{application:512}").as_bytes());
        put(17 * 2048, b"\0CD001\x01EL TORITO SPECIFICATION");
        put(17 * 2048 + 71, &19u32.to_le_bytes());
        put(18 * 2048, b"\xffCD001\x01");
        for (place, entry) in catalog.iter().enumerate() {
            put(19 * 2048 + place * 32, entry);
        }
        image
    }

    fn validation(platform: u8) -> Vec<u8> {
        let mut entry = vec![0; 32];
        entry[..2].copy_from_slice(&[1, platform]);
        entry[30..].copy_from_slice(&[0x55, 0xAA]);
        entry
    }

    #[test]
    fn says_what_the_descriptor_says() {
        let text = "ISO MD5SUM = 0123456789ABCDEF0123456789abcdef;SKIPSECTORS = 15;RHLISOSTATUS=0;FRAGMENT SUMS = 00;";
        let found = IsoImage::read(Cursor::new(image("GOSLING-1", text, &[]))).unwrap();
        assert_eq!(found.volume_id.as_deref(), Some("GOSLING-1"));
        assert_eq!(found.implanted_md5.as_deref(), Some("0123456789abcdef0123456789abcdef"));
        assert!(!found.bios && !found.uefi);
        for other in ["", "ISO MD5SUM = 0123", "MD5"] {
            let found = IsoImage::read(Cursor::new(image("", other, &[]))).unwrap();
            assert_eq!((found.volume_id, found.implanted_md5), (None, None), "{other}");
        }
    }

    #[test]
    fn says_how_it_boots() {
        let (pc, uefi) = (validation(0), validation(0xEF));
        let header = [0x91, 0xEF, 1, 0];
        type Case<'a> = (&'a [&'a [u8]], (bool, bool));
        let more = [0x90, 0xEF, 1, 0];
        let cases: [Case<'_>; 9] = [
            (&[&pc, &[0x88]], (true, false)),
            (&[&uefi, &[0x88]], (false, true)),
            (&[&pc, &[0x88], &header, &[0x88]], (true, true)),
            (&[&pc, &[0], &header, &[0x88]], (false, true)),
            (&[&pc, &[0x88], &header, &[0]], (true, false)),
            (&[&pc, &[0x88], &[0x91, 0xEF, 0xff, 0xff]], (true, false)),
            (&[&pc, &[0], &more, &[0x88], &[0x91, 0, 1, 0], &[0x88]], (true, true)),
            // What follows the last header is none of the catalog.
            (&[&pc, &[0x88], &[0x91, 0x01, 0, 0], &header, &[0x88]], (true, false)),
            (&[&[1, 0], &[0x88]], (false, false)),
        ];
        for (catalog, wanted) in cases {
            let found = IsoImage::read(Cursor::new(image("A", "", catalog))).unwrap();
            assert_eq!((found.bios, found.uefi), wanted, "{catalog:?}");
        }
    }

    #[test]
    fn nothing_hostile_makes_it_panic() {
        let text = format!("ISO MD5SUM = {};", "0".repeat(32));
        let good = image("A", &text, &[&validation(0), &[0x88], &[0x91, 0xEF, 1, 0], &[0x88]]);
        let mut seed = 7_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let (mut read, mut refused) = (0, 0);
        for _ in 0..3000 {
            let mut bytes = good.clone();
            for _ in 0..=random(8) {
                // Where something is read: the first bytes of a sector, or the text for applications.
                let place = (16 + random(4)) * 2048 + [random(130), 883 + random(60)][random(2)];
                bytes[place] = [0, 1, 0x20, 0x88, 0x91, 0xff][random(6)];
            }
            bytes.truncate(bytes.len() - [0, random(5000)][random(2)]);
            match IsoImage::read(Cursor::new(bytes)) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(read > 300 && refused > 300, "{read} {refused}");
    }

    #[test]
    fn other_files_and_halves_are_refused() {
        let whole = image("A", "", &[]);
        for bytes in [&b""[..], &[0; 40960], &whole[..16 * 2048 + 100]] {
            assert!(matches!(IsoImage::read(Cursor::new(bytes)), Err(IsoError::NoImage)));
        }
        let cut = IsoImage::read(Cursor::new(&whole[..19 * 2048]));
        assert!(matches!(cut, Err(IsoError::CutOff { wanted: 40960, found: 38912 })), "{cut:?}");
        let mut far = whole;
        far[17 * 2048 + 71..17 * 2048 + 75].fill(0xff);
        assert!(!IsoImage::read(Cursor::new(far)).unwrap().bios);
    }
}
