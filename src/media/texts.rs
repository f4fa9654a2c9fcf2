//! `.discinfo` and `media.repo` of a medium. Pure; the formats are [`crate::format::discinfo`]'s.

use crate::base::SourceDate;
use crate::format::discinfo::{DiscInfo, DiscInfoError, Discs, Timestamp};

/// A text cannot be written. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The release's name or arch has what the file cannot hold. Retrying cannot help.
    #[error("the release '{0}' cannot be named in .discinfo")]
    DiscInfo(String, #[source] DiscInfoError),
    /// A medium has no date before 1970. Retrying cannot help.
    #[error("a medium cannot be of the time {0}: its source date is to be after 1970")]
    Date(i64),
}

fn info(title: &str, arch: &str, date: SourceDate) -> Result<DiscInfo, TextError> {
    let timestamp = Timestamp::of_seconds(date.seconds()).ok_or(TextError::Date(date.seconds()))?;
    Ok(DiscInfo { timestamp, description: title.into(), arch: arch.into(), discs: Discs::All })
}

/// `.discinfo`; `title` is name and version of the release, such as `Gosling Linux 1`.
pub fn discinfo(title: &str, arch: &str, date: SourceDate) -> Result<Vec<u8>, TextError> {
    info(title, arch, date)?.to_bytes().map_err(|error| TextError::DiscInfo(title.into(), error))
}

/// `media.repo`, by which dnf knows the medium for a repository.
pub fn media_repo(title: &str, arch: &str, date: SourceDate) -> Result<Vec<u8>, TextError> {
    info(title, arch, date)?.media_repo().map_err(|error| TextError::DiscInfo(title.into(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_name_the_medium_by_its_date() {
        let date = SourceDate::from_seconds(1_793_491_200).unwrap();
        let text = |bytes: Result<Vec<u8>, TextError>| String::from_utf8(bytes.unwrap()).unwrap();
        assert_eq!(
            text(discinfo("Gosling Linux 1", "x86_64", date)),
            "1793491200.0\nGosling Linux 1\nx86_64\nALL"
        );
        assert_eq!(
            text(media_repo("Gosling Linux 1", "x86_64", date)),
            "[InstallMedia]\nname=Gosling Linux 1\nmediaid=1793491200.0\nmetadata_expire=-1\ngpgcheck=0\ncost=500\n"
        );
        assert!(discinfo(" Gosling", "x86_64", date).is_err());
    }
}
