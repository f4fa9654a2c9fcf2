//! filelists.xml and other.xml, which add to packages that are known from primary.

use std::io::Read;

use super::super::checksum::Checksum;
use super::error::ReadError;
use super::packages::{ChangelogRow, Packages, Slice};
use super::primary::{absolute, bounded, end, index, refused, root, time};
use super::stream::{Space, Stream};

const MOST_CHANGELOGS: usize = 1 << 26;

impl Packages {
    /// Reads filelists.xml, which comes decompressed: replaces each package's primary files by all of its files. Gives
    /// the number of packages that it had nothing on.
    pub fn add_filelists(&mut self, filelists: impl Read) -> Result<usize, ReadError> {
        let mut stream = Stream::new(filelists);
        root(&mut stream, "filelists")?;
        let by_checksum = self.by_checksum();
        while stream.enter()? {
            if stream.name() != (Space::List, "package") {
                stream.skip()?;
                continue;
            }
            let (place, packages) = (stream.place(), self.find(&stream, &by_checksum)?);
            // Where a file lies in several places, each list says the same of it as often.
            if packages.first().and_then(|first| self.rows.get(*first)).is_some_and(|row| row.all_files) {
                stream.skip()?;
                continue;
            }
            let start = self.files.len();
            while stream.enter()? {
                match stream.name() {
                    (Space::List, "file") => self.file(&mut stream)?,
                    _ => stream.skip()?,
                }
            }
            let files = Slice { start: index(start), end: index(self.files.len()) };
            for package in packages {
                let Some(row) = self.rows.get_mut(*package) else { continue };
                if !row.nevra.is_source() {
                    let files = self.files.get(start..).unwrap_or_default();
                    absolute(files.iter().map(|file| self.texts.get(file.directory)), place)?;
                }
                row.files = files;
                row.all_files = true;
            }
        }
        end(&mut stream)?;
        self.files.shrink_to_fit();
        Ok(self.rows.iter().filter(|row| !row.all_files).count())
    }

    /// Reads other.xml, which comes decompressed: adds change logs. Gives the number of packages that it had nothing on.
    pub fn add_other(&mut self, other: impl Read) -> Result<usize, ReadError> {
        let mut stream = Stream::new(other);
        root(&mut stream, "otherdata")?;
        let by_checksum = self.by_checksum();
        while stream.enter()? {
            if stream.name() != (Space::List, "package") {
                stream.skip()?;
                continue;
            }
            let packages = self.find(&stream, &by_checksum)?;
            if packages
                .first()
                .and_then(|first| self.rows.get(*first))
                .is_some_and(|row| row.changelogs.is_some())
            {
                stream.skip()?;
                continue;
            }
            let start = index(self.changelogs.len());
            while stream.enter()? {
                match stream.name() {
                    (Space::List, "changelog") => self.changelog(&mut stream)?,
                    _ => stream.skip()?,
                }
            }
            let changelogs = Slice { start, end: index(self.changelogs.len()) };
            for package in packages {
                if let Some(row) = self.rows.get_mut(*package) {
                    row.changelogs = Some(changelogs);
                }
            }
        }
        end(&mut stream)?;
        self.changelogs.shrink_to_fit();
        Ok(self.rows.iter().filter(|row| row.changelogs.is_none()).count())
    }

    fn changelog<R: Read>(&mut self, stream: &mut Stream<R>) -> Result<(), ReadError> {
        let place = stream.place();
        bounded(place, "change log entries", self.changelogs.len(), MOST_CHANGELOGS)?;
        let time = time(stream, "date")?;
        let author = self.add(place, stream.attribute("author").unwrap_or_default())?;
        let text = self.add(place, stream.text()?)?;
        self.changelogs.push(ChangelogRow { time, author, text });
        Ok(())
    }

    /// Places of packages, sorted by checksum.
    fn by_checksum(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.rows.len()).collect();
        places.sort_by_key(|place| self.rows.get(*place).map(|row| row.checksum));
        places
    }

    /// The places of the package that was entered: one, or several where the same file lies in several places.
    fn find<'p, R: Read>(
        &self,
        stream: &Stream<R>,
        by_checksum: &'p [usize],
    ) -> Result<&'p [usize], ReadError> {
        let place = stream.place();
        let pkgid = stream.attribute("pkgid").ok_or(ReadError::Missing { place, what: "pkgid" })?;
        let wanted = Checksum::from_hex(pkgid).map_err(|_| refused(place, "pkgid", pkgid))?;
        let of = |package: &usize| self.rows.get(*package).map(|row| row.checksum);
        let start = by_checksum.partition_point(|package| of(package) < Some(wanted));
        let from = by_checksum.get(start..).unwrap_or_default();
        let same = from.partition_point(|package| of(package) == Some(wanted));
        match from.get(..same) {
            Some([]) | None => Err(ReadError::Unlisted { place }),
            Some(found) => Ok(found),
        }
    }
}
