//! Very many small packages. Everything about one follows from its number.

use crate::package::{Change, Content, EQUAL, File, GREATER, List, Need, Package, Script};

/// When the first of them was built.
const EPOCH: u32 = 1_700_000_000;

const WORDS: [&str; 32] = [
    "goose", "gander", "gosling", "pond", "lake", "reed", "feather", "wing", "nest", "flock", "down", "beak",
    "honk", "marsh", "fen", "creek", "drake", "duck", "swan", "heron", "crane", "stork", "egret", "plover",
    "snipe", "teal", "wigeon", "shrike", "lark", "finch", "wren", "rook",
];

/// A sequence of numbers that look random (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..below`.
    pub fn below(&mut self, below: usize) -> usize {
        (self.next() % below as u64) as usize
    }

    pub fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }

    fn sentence(&mut self) -> String {
        let words: Vec<&str> = (0..4 + self.below(8)).map(|_| self.word()).collect();
        words.join(" ")
    }
}

/// What the package is part of.
fn stem(number: usize) -> String {
    let mut numbers = Numbers(number as u64 / 4);
    format!("{}-{}{}", numbers.word(), numbers.word(), number / 4)
}

fn name(number: usize) -> String {
    stem(number) + ["", "-libs", "-devel", "-common"][number % 4]
}

/// Package `number` of `count`; another `edition` is a later build of it.
pub fn package(number: usize, count: usize, edition: u32) -> Package {
    let mut numbers = Numbers(0x6761_6e64_6572 ^ ((number as u64) << 20));
    let (stem, name) = (stem(number), name(number));
    let arch = ["x86_64", "x86_64", "x86_64", "x86_64", "i686", "noarch"][numbers.below(6)];
    let version = format!("{}.{}.{}", numbers.below(9), numbers.below(30), numbers.below(12));
    let release = format!("{}.gos{}", 1 + numbers.below(20), 1 + edition);
    let bits = if arch == "x86_64" { "()(64bit)" } else { "" };
    let mut package = Package {
        source: format!("{stem}-{version}-{release}.src.rpm"),
        epoch: (numbers.below(12) == 0).then_some(1),
        arch: arch.into(),
        summary: format!("The {} of a {}", numbers.word(), numbers.word()),
        description: (0..1 + numbers.below(5)).map(|_| numbers.sentence() + ".\n").collect(),
        license: ["MIT", "GPL-2.0-or-later", "LGPL-2.1-or-later AND BSD-3-Clause"][numbers.below(3)].into(),
        url: format!("https://{stem}.example.org/"),
        group: "Unspecified".into(),
        packager: "Gosling Linux <goslings@example.org>".into(),
        built: EPOCH + number as u32 * 60 + edition,
        name: name.clone(),
        version,
        release,
        ..Package::default()
    };
    let provided: Vec<Need> = (0..numbers.below(4))
        .map(|place| match place {
            0 => Need::any(format!("lib{stem}.so.{}{bits}", numbers.below(9))),
            1 => Need::of(format!("pkgconfig({stem})"), EQUAL, package.version.clone()),
            _ => Need::of(format!("bundled({}-{place})", numbers.word()), EQUAL, "1.0"),
        })
        .collect();
    package.needs.insert(List::Provides, provided);
    let mut required: Vec<Need> = (0..2 + numbers.below(8))
        .map(|_| {
            let other = self::name(numbers.below(count));
            match numbers.below(3) {
                0 => Need::of(other, GREATER | EQUAL, format!("{}.{}", numbers.below(9), numbers.below(30))),
                _ => Need::any(other),
            }
        })
        .collect();
    for symbols in ["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.4"].iter().take(numbers.below(4)) {
        required.push(Need::any(format!("libc.so.6({symbols}){}", bits.trim_start_matches("()"))));
    }
    package.needs.insert(List::Requires, required);
    if numbers.below(10) == 0 {
        package.needs.insert(List::Obsoletes, vec![Need::of(format!("{stem}-old"), 2, "1.0")]);
        package.needs.insert(List::Recommends, vec![Need::any(self::name(numbers.below(count)))]);
    }
    if numbers.below(6) == 0 {
        package.scripts.insert(Script::Postin, format!("# {}\n/sbin/ldconfig\n", numbers.sentence()));
    }
    for place in 0..2 + numbers.below(10) {
        let folder = match place % 4 {
            0 => "/usr/bin".to_owned(),
            1 => format!("/usr/share/{stem}"),
            2 => format!("/usr/lib64/{stem}/{}", numbers.word()),
            _ => format!("/usr/share/doc/{name}"),
        };
        let file = format!("{folder}/{}-{number}-{place}", numbers.word());
        let content = Content::File(numbers.sentence().into_bytes());
        package.files.insert(file, File { content, mode: 0o644, mtime: package.built });
    }
    package.files.insert(
        format!("/usr/share/{stem}"),
        File { content: Content::Folder, mode: 0o755, mtime: package.built },
    );
    for place in 0..1 + numbers.below(9) as u32 {
        let text: Vec<String> =
            (0..1 + numbers.below(3)).map(|_| format!("- {}", numbers.sentence())).collect();
        package.changes.push(Change {
            time: (package.built - place * 3_000_000) / 86_400 * 86_400 + 43_200,
            author: format!("{} <{}@example.org> - {}", numbers.word(), numbers.word(), package.version),
            text: text.join("\n"),
        });
    }
    package
}
