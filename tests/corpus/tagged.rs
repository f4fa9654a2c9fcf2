//! Packages as a large tag of Koji has them: builds of one source package and five more, with headers of some 50 KB.
//! Everything about one follows from the number of its build and its place in that.

use crate::package::{Content, EQUAL, File, List, Need, Package};
use crate::tiny::Numbers;

/// Packages of a build.
pub const PARTS: usize = 6;
/// Files that make a header large.
const FILES: usize = 410;
/// When the first of them was built.
const EPOCH: u32 = 1_710_000_000;

/// Package `part` of a build; the first is the source package.
pub fn package(build: usize, part: usize) -> Package {
    let stem = format!("{}-{}{build}", Numbers(build as u64).word(), Numbers(!(build as u64)).word());
    let mut numbers = Numbers(0x7461_6767_6564 ^ ((build * PARTS + part) as u64) << 20);
    let (suffix, arch) = [
        ("", "x86_64"),
        ("", "x86_64"),
        ("-libs", "x86_64"),
        ("-libs", "i686"),
        ("-devel", "x86_64"),
        ("-doc", "noarch"),
    ][part];
    let version = format!("{}.{}", 1 + build % 7, build % 40);
    let release = format!("{}.gos1", 1 + build % 9);
    let mut package = Package {
        source: if part == 0 { String::new() } else { format!("{stem}-{version}-{release}.src.rpm") },
        name: format!("{stem}{suffix}"),
        arch: arch.into(),
        summary: format!("The {} of a {}", numbers.word(), numbers.word()),
        description: format!("A {} for every {}.", numbers.word(), numbers.word()),
        license: "MIT".into(),
        url: format!("https://{stem}.example.org/"),
        group: "Unspecified".into(),
        packager: "Gosling Linux <goslings@example.org>".into(),
        built: EPOCH + build as u32 * 60,
        version,
        release,
        ..Package::default()
    };
    if matches!(part, 1 | 4) {
        let needed = Need::of(format!("{stem}-libs"), EQUAL, package.evr());
        package.needs.insert(List::Requires, vec![needed]);
    }
    for place in 0..FILES {
        let path = match part {
            0 => format!("/{}-{place}.patch", numbers.word()),
            3 => format!("/usr/lib/{stem}/{}-{place}", numbers.word()),
            _ => format!("/usr/share/{stem}{suffix}/{}-{place}", numbers.word()),
        };
        let content = Content::File(numbers.next().to_le_bytes().to_vec());
        package.files.insert(path, File { content, mode: 0o644, mtime: package.built });
    }
    package
}
