//! Pseudo-random universes and requests: builds with sources, debugging packages, languages and the secondary arch; groups;
//! requirements of every form.

use std::fmt::Write as _;

use gander::base::arch::TreeArch;
use gander::base::{Digest, Nevra};
use gander::format::comps::Comps;
use gander::format::kickstart::Include;
use gander::select::multilib::{Method, Profile};
use gander::select::{
    Candidate, FileKind, Greed, Multilib, PackagedFile, Relation, Request, Sense, Universe,
};

/// A generator of pseudo-random numbers, the same every time (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % bound as u64).unwrap()
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// What is asked, and of what.
#[derive(Clone)]
pub struct Case {
    pub candidates: Vec<Candidate>,
    pub comps: Comps,
    pub request: Request,
}

impl Case {
    pub fn universe(&self) -> Universe {
        Universe::new(self.candidates.clone()).unwrap()
    }
}

pub fn x86_64() -> &'static TreeArch {
    TreeArch::find("x86_64").unwrap()
}

/// A binary package that provides its own name.
pub fn package(nevra: &str) -> Candidate {
    let parsed: Nevra = nevra.parse().unwrap();
    let mut candidate = Candidate::new(parsed.clone(), Digest::of(nevra));
    let evr = parsed.evr.to_string();
    candidate.source = Some("all-1-1.src.rpm".into());
    candidate.provides.push(Relation::versioned(&parsed.name, Sense::EQUAL, evr));
    candidate
}

/// How many builds a universe has at most, and what is provided under common names.
const BUILDS: usize = 9;
const SHARED: usize = 6;

/// Something to ask for: a name, a file, a common name with or without a version; now and then what nobody has.
fn asked(numbers: &mut Numbers) -> String {
    let (build, part) = (numbers.below(BUILDS), numbers.below(3));
    let shared = numbers.below(SHARED);
    match numbers.below(12) {
        0 => format!("/usr/bin/p{build}-{part}"),
        1 => format!("p{build}-{part} >= {}", numbers.below(2) + 1),
        2..=4 => format!("shared{shared}"),
        5 => format!("shared{shared} >= {}", numbers.below(3)),
        6 => format!("p{build}-{part}(x86-64)"),
        7 if numbers.once_in(3) => "nobody-has-it".into(),
        _ => format!("p{build}-{part}"),
    }
}

/// A requirement, rich now and then.
fn requirement(numbers: &mut Numbers) -> Relation {
    let [a, b, c] = [(); 3].map(|()| asked(numbers));
    let text = match numbers.below(24) {
        0 => format!("({a} or {b})"),
        1 => format!("({a} and {b})"),
        2 => format!("({a} if {b})"),
        3 => format!("({a} if {b} else {c})"),
        4 => format!("({a} unless {b})"),
        5 => format!("(({a} unless {b}) or {c})"),
        6 => format!("({a} with {b})"),
        7 => format!("({a} without {b})"),
        8 => format!("(({a} or {b}) if ({c} or {a}))"),
        9 => format!("(({a} and {b}) or {c})"),
        _ => a,
    };
    stated(&text)
}

/// Reads `NAME` or `NAME SENSE VERSION`; a rich one stays as it is.
pub fn stated(text: &str) -> Relation {
    match text.split(' ').collect::<Vec<_>>()[..] {
        [name, sense, version] if !text.starts_with('(') => {
            Relation::versioned(name, Sense::parse(sense).unwrap(), version)
        }
        _ => Relation::any(text),
    }
}

/// One build: its source package, binary packages of one or two arches, debugging packages and perhaps languages.
fn build(numbers: &mut Numbers, name: &str, version: usize, into: &mut Vec<Candidate>) {
    let file = format!("{name}-{version}-1.src.rpm");
    let mut source = Candidate::new(format!("{name}-0:{version}-1.src").parse().unwrap(), Digest::of(&file));
    source.requires = (0..numbers.below(3)).map(|_| requirement(numbers)).collect();
    // Now and then the source package is missing.
    if !numbers.once_in(10) {
        into.push(source);
    }
    let both = numbers.once_in(2);
    for part in 0..=numbers.below(3) {
        let own = format!("{name}-{part}");
        let arches = match numbers.below(4) {
            0 => &["noarch"][..],
            _ if both => &["x86_64", "i686"],
            _ => &["x86_64"],
        };
        let is_library = numbers.once_in(2);
        let shared: Vec<_> = (0..numbers.below(3)).map(|_| numbers.below(SHARED)).collect();
        let provided_version = numbers.below(3);
        let requires: Vec<_> = (0..numbers.below(4)).map(|_| requirement(numbers)).collect();
        let recommends: Vec<_> = (0..numbers.below(2)).map(|_| requirement(numbers)).collect();
        let supplements = numbers.once_in(6).then(|| {
            let (one, other) = (asked(numbers), asked(numbers));
            if numbers.once_in(2) { stated(&one) } else { stated(&format!("({one} and {other})")) }
        });
        for arch in arches {
            let mut made = package(&format!("{own}-0:{version}-1.{arch}"));
            made.source = Some(file.clone());
            let word = if *arch == "i686" { "x86-32" } else { "x86-64" };
            if *arch != "noarch" {
                made.provides.push(stated(&format!("{own}({word}) = {version}-1")));
                let folder = if *arch == "i686" { "/usr/lib" } else { "/usr/lib64" };
                let ending = if is_library { "so.1" } else { "txt" };
                let file = PackagedFile(FileKind::File, format!("{folder}/lib{own}.{ending}"));
                made.files.push(file);
            }
            made.files.push(PackagedFile(FileKind::File, format!("/usr/bin/{own}")));
            let versioned = |shared: &usize| match provided_version {
                0 => format!("shared{shared}"),
                version => format!("shared{shared} = {version}"),
            };
            made.provides.extend(shared.iter().map(|shared| stated(&versioned(shared))));
            let narrow = |relation: &Relation| match *arch {
                "i686" => {
                    Relation { name: relation.name.replace("(x86-64)", "(x86-32)"), ..relation.clone() }
                }
                _ => relation.clone(),
            };
            made.requires = requires.iter().map(narrow).collect();
            made.recommends.clone_from(&recommends);
            made.supplements = supplements.clone().into_iter().collect();
            into.push(made);
            if *arch != "noarch" {
                let mut debug = package(&format!("{own}-debuginfo-0:{version}-1.{arch}"));
                debug.source = Some(file.clone());
                debug.requires.push(stated(&format!("{name}-debugsource")));
                let (other, part) = (numbers.below(BUILDS), numbers.below(3));
                if numbers.once_in(4) {
                    debug.requires.push(stated(&format!("p{other}-{part}-debuginfo")));
                }
                into.push(debug);
            }
        }
        if numbers.once_in(5) {
            let mut language = package(&format!("{own}-lang-de-0:{version}-1.noarch"));
            language.source = Some(file.clone());
            into.push(language);
        }
    }
    let mut debug = package(&format!("{name}-debugsource-0:{version}-1.x86_64"));
    debug.source = Some(file);
    into.push(debug);
}

/// Two groups, an environment and rules for languages.
fn comps(numbers: &mut Numbers) -> Comps {
    let mut text = String::from("<comps>");
    for group in ["core", "more"] {
        write!(text, "<group><id>{group}</id><name>{group}</name><packagelist>").unwrap();
        for need in ["mandatory", "default", "optional"] {
            let (build, part) = (numbers.below(BUILDS + 1), numbers.below(2));
            write!(text, "<packagereq type=\"{need}\">p{build}-{part}</packagereq>").unwrap();
        }
        for _ in 0..3 {
            let [install, requires] = [(); 2].map(|()| (numbers.below(BUILDS), numbers.below(2)));
            write!(
                text,
                "<packagereq type=\"conditional\" requires=\"p{}-{}\">p{}-{}</packagereq>",
                requires.0, requires.1, install.0, install.1
            )
            .unwrap();
        }
        text.push_str("</packagelist></group>");
    }
    text.push_str(
        "<environment><id>whole</id><name>whole</name><grouplist><groupid>core</groupid></grouplist>\
         <optionlist><groupid>more</groupid></optionlist></environment><langpacks>",
    );
    for build in 0..BUILDS {
        for part in 0..2 {
            write!(text, "<match name=\"p{build}-{part}\" install=\"p{build}-{part}-lang-%s\"/>").unwrap();
        }
    }
    text.push_str("</langpacks></comps>");
    Comps::parse(text.as_bytes()).unwrap()
}

/// What an option asks for is wanted in one seed of so many, and each by itself in its own turn.
fn request(numbers: &mut Numbers, seed: u64) -> Request {
    let mut request = Request::new(x86_64());
    let mut is_on = |turn: u64| seed % 12 == turn || numbers.once_in(4);
    request.fulltree = is_on(0);
    request.selfhosting = is_on(1);
    request.greed = if is_on(2) {
        Greed::All
    } else if is_on(3) {
        Greed::Build
    } else {
        Greed::None
    };
    request.langpacks = is_on(4);
    request.weak = is_on(5);
    let methods: &[Method] = if is_on(6) { &[Method::Runtime] } else { &[Method::Devel] };
    request.multilib = (is_on(7) || methods == [Method::Runtime]).then(|| Multilib {
        profile: Profile::Pungi,
        methods: methods.to_vec(),
        whitelist: if is_on(7) { vec!["p1-*".into(), "p[0-4]-*".into()] } else { Vec::new() },
        blacklist: if is_on(7) { vec!["p2-*".into(), "p2*".into()] } else { Vec::new() },
        patterns: Vec::new(),
    });
    request.debug = is_on(8);
    request.sources = request.selfhosting || is_on(9);
    request.optional = is_on(10);
    request.dependencies = !(is_on(11) && is_on(11));
    let mut name = || format!("p{}-{}", numbers.below(BUILDS), numbers.below(3));
    request.packages = vec![name(), format!("{}.x86_64", name()), name()];
    request.exclude = vec![format!("{}.x86_64", name()), name()];
    request.prepopulate = vec![format!("{}.x86_64", name()), format!("{}.noarch", name())];
    request.packages.push(format!("p{}-*", numbers.below(BUILDS)));
    // Names that several patterns fit.
    request.packages.push(request.packages[0].split('-').next().unwrap().to_owned() + "-[0-9]");
    request.exclude.push(request.exclude[1].replace('p', "[p]"));
    if numbers.once_in(3) {
        request.exclude.push(format!("p{}-*", numbers.below(BUILDS)));
        request.exclude.push(format!("p{}*.src", numbers.below(BUILDS)));
    }
    if numbers.once_in(4) {
        request.packages.push(format!("p{}-0-debuginfo", numbers.below(BUILDS)));
    }
    if request.fulltree {
        request.fulltree_excludes = vec![format!("p{}", numbers.below(BUILDS))];
    }
    if numbers.once_in(3) {
        request.groups = vec!["core".into(), "more".into(), "gone".into()];
    }
    if numbers.once_in(3) {
        request.environments = vec!["whole".into()];
        if numbers.once_in(4) {
            request.without_groups = vec!["core".into()];
        }
    }
    if numbers.once_in(3) {
        let includes = [Include::NoDefaults, Include::Default, Include::Optional];
        request.named_groups = vec![("more".into(), includes[numbers.below(3)])];
    }
    request
}

/// The case of a seed.
pub fn case(seed: u64) -> Case {
    let mut numbers = Numbers(seed);
    let mut candidates = Vec::new();
    for at in 0..BUILDS {
        for version in 1..=1 + usize::from(numbers.once_in(5)) {
            build(&mut numbers, &format!("p{at}"), version, &mut candidates);
        }
    }
    if numbers.once_in(2) {
        let mut copies = Vec::new();
        for candidate in &mut candidates {
            match numbers.below(10) {
                0 | 1 => candidate.lookaside = true,
                2 => copies.push(Candidate { lookaside: true, ..candidate.clone() }),
                _ => {}
            }
        }
        candidates.extend(copies);
    }
    let comps = comps(&mut numbers);
    let request = request(&mut numbers, seed);
    Case { candidates, comps, request }
}
