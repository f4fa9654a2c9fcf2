use super::*;

fn parse(text: &str, dialect: Dialect) -> Result<Kickstart, Vec<String>> {
    read(text.as_bytes(), dialect, &mut no_includes)
}

fn read(text: &[u8], dialect: Dialect, includes: &mut Includes) -> Result<Kickstart, Vec<String>> {
    Kickstart::parse("k", text, dialect, includes)
        .map_err(|KickstartError::Invalid(problems)| problems.iter().map(ToString::to_string).collect())
}

/// Files by name.
fn files(all: &'static [(&'static str, &'static str)]) -> impl FnMut(&Wanted) -> Result<Included, String> {
    move |wanted| {
        let found = all.iter().find(|(name, _)| *name == wanted.target);
        let (name, text) = found.ok_or_else(|| format!("there is no '{}'", wanted.target))?;
        Ok(Included { name: (*name).to_owned(), text: text.as_bytes().to_vec() })
    }
}

const LIVE: &str = r#"# a live image
lang de_DE.UTF-8 --addsupport=en_US.UTF-8,fr_FR
keyboard --vckeymap=de --xlayouts='de','us'
timezone --utc Europe/Berlin
rootpw --iscrypted "$6$salt"   # not a secret
user --name=gans --groups=wheel,video --uid 1000 --password=x --plaintext
services --enabled=sshd, NetworkManager
services --enabled=sshd --disabled=cups,nfs
firewall --enabled --service=mdns --port=8080,53:udp --ssh
selinux --enforcing
bootloader --timeout=1 --append="rhgb quiet"
part / --size 5120 --fstype=ext4
part //var/../iso/ --size=1
repo --name=r1 --baseurl=https://host/$basearch --cost=10 --excludepkgs=a*,b
shutdown
%packages --excludedocs --inst-langs=de,en
@^workstation
@core
@X Window System --optional
@base --nodefaults # only the needed
kernel   # the kernel
vim-*
glibc.i686
-nano
nano
-vim-*
-@games
%end

%post --erroronfail --log=/root/log
#!/bin/sh
echo '%packages are # here'
  %unknown
%end
%post --nochroot --interpreter="/usr/bin/python3"
x
%end
%post

%end
%addon com_redhat_kdump --enable
 x
%end
%prepopulate
glibc.i686 # why
%end
"#;

#[test]
fn reads_a_live_image() {
    let kickstart = parse(LIVE, Dialect::Fedora).err();
    // The blank behind the comma ends the value.
    assert_eq!(
        kickstart,
        Some(vec!["k:7: services: this does not take the argument 'NetworkManager'".to_owned()])
    );
    let kickstart = parse(&LIVE.replace("sshd, N", "sshd,N"), Dialect::Fedora).unwrap();
    let what: Vec<_> = kickstart.commands.iter().map(|command| &command.directive).collect();
    assert_eq!(
        what[0],
        &Directive::Lang { locale: "de_DE.UTF-8".into(), more: vec!["en_US.UTF-8".into(), "fr_FR".into()] }
    );
    assert!(matches!(what[1], Directive::Keyboard { console: Some(c), x, .. } if c == "de" && x.len() == 2));
    assert!(matches!(what[2], Directive::Timezone { zone: Some(z), utc: true, .. } if z == "Europe/Berlin"));
    assert!(
        matches!(what[3], Directive::RootPassword { password: Some(p), crypted: true, .. } if p == "$6$salt")
    );
    assert!(
        matches!(what[4], Directive::User(user) if user.uid == Some(1000) && !user.crypted && user.groups.len() == 2)
    );
    assert_eq!(kickstart.services(), (vec!["sshd".into()], vec!["cups".into(), "nfs".into()]));
    let firewall = kickstart.firewall().unwrap();
    assert_eq!(firewall.ports.unwrap(), ["8080:tcp", "53:udp"]);
    assert_eq!(firewall.services.unwrap(), ["mdns", "ssh"]);
    assert_eq!(what[8], &Directive::SeLinux(Some("enforcing")));
    assert_eq!(kickstart.bootloader().unwrap().append.as_deref(), Some("rhgb quiet"));
    let partitions: Vec<_> =
        kickstart.partitions().map(|(_, part)| (part.mountpoint.as_str(), part.size)).collect();
    assert_eq!(partitions, [("/", Some(5120)), ("//iso", Some(1))]);
    let (place, repo) = kickstart.repositories().next().unwrap();
    assert_eq!((place.line, repo.cost, repo.excludepkgs.len()), (14, Some(10), 2));

    let packages = &kickstart.packages;
    let groups: Vec<_> = packages.groups.iter().map(|g| (g.id.as_str(), g.include, g.place.line)).collect();
    assert_eq!(
        groups,
        [
            ("core", Include::Default, 18),
            ("X Window System", Include::Optional, 19),
            ("base", Include::NoDefaults, 20)
        ]
    );
    assert_eq!(packages.environment.as_ref().unwrap().0, "workstation");
    assert_eq!(packages.packages.keys().collect::<Vec<_>>(), ["glibc.i686", "kernel", "nano"]);
    assert_eq!(
        packages.excluded.iter().map(|(n, p)| (n.as_str(), p.line)).collect::<Vec<_>>(),
        [("vim-*", 26)]
    );
    assert_eq!(packages.excluded_groups[0].0, "games");
    assert!(packages.excludedocs && !packages.nocore && packages.inst_langs.as_deref() == Some("de,en"));

    let scripts = &kickstart.scripts;
    assert_eq!(scripts.len(), 2);
    assert_eq!(scripts[0].body, "#!/bin/sh\necho '%packages are # here'\n  %unknown\n");
    assert!(
        scripts[0].in_chroot && scripts[0].error_on_fail && scripts[0].log.as_deref() == Some("/root/log")
    );
    assert!(
        !scripts[1].in_chroot && scripts[1].interpreter == "/usr/bin/python3" && scripts[1].place.line == 35
    );
    assert_eq!((kickstart.sections[0].words.len(), kickstart.lists[0].name.as_str()), (2, "glibc.i686"));

    let again: String = scripts.iter().map(ToString::to_string).collect();
    let text = format!("{}{again}", PackagesSection(packages, Dialect::Fedora));
    let again = parse(&text, Dialect::Fedora).unwrap();
    assert_eq!(again.scripts[0].body, scripts[0].body);
    assert!(again.packages.packages.keys().eq(packages.packages.keys()));
}

#[test]
fn every_mistake_has_its_line() {
    let all: &[(&str, &[&str])] = &[
        ("lagn de_DE\n", &["k:1: fedora has no command lagn; did you mean lang?"]),
        ("\n#\n  lang\n", &["k:3: lang: an argument is missing: lang"]),
        ("install\n", &["k:1: fedora has the command install no longer"]),
        ("rootpw --lokc\n", &["k:1: rootpw: this has no option --lokc; did you mean --lock?"]),
        ("rootpw 'a\n", &["k:1: a quotation that begins with ' does not end"]),
        (
            "part / \\\n --size=1\n",
            &[
                "k:1: part: this must stand on one line: a backslash at the end does not continue it",
                "k:2: fedora has no command --size=1",
            ],
        ),
        (
            "autopart\npart /\nxyz",
            &["k:2: the command part cannot stand beside autopart, k:1", "k:3: fedora has no command xyz"],
        ),
        ("\"\"\n", &["k:1: the name of the command is empty"]),
        ("%end\n", &["k:1: %end without a section before it"]),
        (
            "%pacakges\n%end",
            &[
                "k:1: there is no section %pacakges; did you mean %packages?",
                "k:2: %end without a section before it",
            ],
        ),
        (
            "%post\nx\n%packages\na\n%end\n",
            &["k:1: the section %post does not end with %end before %packages in line 3"],
        ),
        ("\n%post\nx\n", &["k:2: the section %post does not end with %end before the file ends"]),
        (
            "%post --nochrot\nx\n%end\nlagn",
            &[
                "k:1: %post: this has no option --nochrot; did you mean --nochroot?",
                "k:4: fedora has no command lagn; did you mean lang?",
            ],
        ),
        ("%pre --nochroot\n%end\n", &["k:1: %pre: this has no option --nochroot"]),
        (
            "%packages --default --nocore\n@\n@a --optional --nodefaults\n@a --opt\n@b --x\n-\n%end\n",
            &[
                "k:1: %packages: --default and --nocore exclude each other",
                "k:2: the name of the group is missing",
                "k:3: --nodefaults and --optional exclude each other",
                "k:5: a group has no option --x",
                "k:6: the name of the package is missing",
            ],
        ),
        (
            "%include x\n%ksappend\n%include\n",
            &[
                "k:1: 'x' is not to be had: no other file may be included here",
                "k:2: %ksappend wants the name of a file",
                "k:3: %include wants the name of a file",
            ],
        ),
        (
            "%certificate --filename=x\n%end\n%certificate --filename=x --dir=/\n%end\n",
            &["k:1: %certificate: --dir or --type is needed", "k:3: the %certificate is empty"],
        ),
        (
            "url --url=x --mirrorlist=y\nservices\nkeyboard\ntimezone\ntimesource\n",
            &[
                "k:1: url: only one of --url, --mirrorlist, --metalink may be given",
                "k:2: services: --enabled or --disabled is needed",
                "k:3: keyboard: a layout, --vckeymap or --xlayouts is needed",
                "k:4: timezone: a time zone or an option is needed",
                "k:5: timesource: one of --ntp-server, --ntp-pool, --ntp-disable is needed",
            ],
        ),
    ];
    for (text, expected) in all {
        assert_eq!(parse(text, Dialect::Fedora).map(|_| ()).unwrap_err(), *expected, "{text}");
    }
}

#[test]
fn dialects_differ() {
    for (text, accepted) in [
        ("timesource --ntp-pool=x\n", "-+++"),
        ("rhsm --organization=a --activation-key=b\n", "+++-"),
        ("authconfig --enableshadow\n", "++--"),
        ("install\n", "+---"),
        ("%packages --instLangs=de\n%end\n", "++-+"),
        ("%packages --exclude-weakdeps\n%end\n", "-+++"),
        ("%packages --ignorebroken\n%end\n", "---+"),
        ("%packages --nobase\n%end\n", "----"),
        ("part btrfs.01 --size=1\n", "---+"),
    ] {
        let found: String =
            Dialect::ALL.into_iter().map(|of| if parse(text, of).is_ok() { '+' } else { '-' }).collect();
        assert_eq!(found, accepted, "{text}");
    }
    let kickstart = parse("install\n%packages --instLangs=\n%end", Dialect::Rhel8).unwrap();
    assert_eq!(kickstart.warnings.len(), 1);
    let text = PackagesSection(&kickstart.packages, Dialect::Rhel8).to_string();
    assert_eq!(text, "%packages --instLangs=\"\"\n%end\n");
}

#[test]
fn includes_are_read_in_place() {
    let mut all = files(&[
        ("a", "lang a\n%include b\n"),
        ("b", "lang b\n%packages\nfrom-b\n-x\n%end\n"),
        ("pkgs", "\n# left out\nx\n# kept\ny"),
        ("tail", "%post\nappended\n"),
    ]);
    let text = "%include a # why\n%packages\n%include pkgs\n%end\n%post\n1\n%include pkgs\n2\n%end\n%ksappend tail\nmore\n%end\n";
    let kickstart = read(text.as_bytes(), Dialect::Fedora, &mut all).unwrap();
    assert_eq!(kickstart.commands[1].place.to_string(), "b:1");
    assert_eq!(kickstart.packages.packages.keys().collect::<Vec<_>>(), ["from-b", "x", "y"]);
    assert_eq!(kickstart.packages.packages["x"].to_string(), "pkgs:3");
    // Within scripts, too, the blank lines and comments that an included file begins with are left out.
    assert_eq!(kickstart.scripts[0].body, "1\nx\n# kept\ny2\n");
    assert_eq!(kickstart.scripts[1].body, "appended\nmore\n");
    assert_eq!(
        kickstart.files.iter().map(|file| &**file).collect::<Vec<_>>(),
        ["k", "a", "b", "pkgs", "tail"]
    );
    for (text, expected) in [
        ("%include me\n", "me:1: 'me' includes itself"),
        ("%include open\n", "open:1: the section %post does not end with %end before the file ends"),
        ("%post\n%include close\n", "close:1: %end stands in another file than the beginning of %post, k:1"),
        ("%include append\n", "append:1: %ksappend may only stand in the outermost file"),
        ("%include marked\n", "k:1: 'marked' begins with a byte order mark: remove it"),
    ] {
        let mut all = files(&[
            ("me", "%include me"),
            ("open", "%post\nx\n"),
            ("close", "%end\n"),
            ("append", "%ksappend x\n"),
            ("marked", "\u{feff}lang x\n"),
        ]);
        assert_eq!(read(text.as_bytes(), Dialect::Fedora, &mut all).unwrap_err()[0], expected);
    }
}

#[test]
fn bounds_hold() {
    let big = vec![b'#'; MOST_BYTES + 1];
    assert!(read(&big, Dialect::Fedora, &mut no_includes).unwrap_err()[0].contains("1048577 bytes"));
    assert!(parse(&"x".repeat(LONGEST_LINE + 1), Dialect::Fedora).unwrap_err()[0].contains("longer than"));
    assert!(read(b"lang x\n\xff", Dialect::Fedora, &mut no_includes).unwrap_err()[0].contains("line 2"));
    assert_eq!(parse(&"x\n".repeat(1000), Dialect::Fedora).unwrap_err().len(), MOST_PROBLEMS);
    let groups = |count| (0..count).map(|number| format!("@g{number}\n-@h{number}\n")).collect::<String>();
    let section = |count| format!("%packages\n{}a\n%end\n", groups(count));
    assert!(parse(&section(MOST_GROUPS / 2), Dialect::Fedora).is_ok());
    let problems = parse(&section(MOST_GROUPS), Dialect::Fedora).unwrap_err();
    assert!(problems[0].contains("more than 1000 groups"), "{problems:?}");
    // Each file includes the next twice.
    let mut count = 0;
    let mut next = |_: &Wanted| {
        count += 1;
        Ok(Included { name: format!("f{count}"), text: b"%include a\n%include b\n".to_vec() })
    };
    let problems = read(b"%include a\n", Dialect::Fedora, &mut next).unwrap_err();
    assert!(problems[0].contains("more than 16 deep"), "{problems:?}");
    assert!(count <= MOST_INCLUDES + MOST_PROBLEMS, "{count}");
    let mut flat = |_: &Wanted| Ok(Included { name: "again".into(), text: b"#\n".to_vec() });
    let many = "%include x\n".repeat(MOST_INCLUDES + 1);
    assert!(read(many.as_bytes(), Dialect::Fedora, &mut flat).unwrap_err()[0].contains("too much"));
}

#[test]
fn purposes_refuse_what_they_cannot_give() {
    let text = "rootpw x\ntext\nlogvol / --name=a --vgname=b --size=1\nrepo --name=r\n%pre\nx\n%end\n%post\nx\n%end\n\
                %prepopulate\na\n%end\nrepo --name=own --baseurl=x --install\npart / --size=1\n";
    let kickstart = parse(text, Dialect::Fedora).unwrap();
    let lines = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        lines(kickstart.unsupported(Purpose::Live)),
        [
            "k:3: the command logvol is not supported for a live image",
            "k:5: the section %pre is not supported for a live image",
            "k:12: the section %prepopulate is not supported for a live image"
        ]
    );
    assert_eq!(
        kickstart.unsupported(Purpose::Dvd).iter().map(|p| p.place.line).collect::<Vec<_>>(),
        [1, 3, 5, 8, 12]
    );
    let idle = |purpose| kickstart.idle(purpose).iter().map(|p| p.place.line).collect::<Vec<_>>();
    assert_eq!(idle(Purpose::Live), [2, 4, 15]);
    assert_eq!(idle(Purpose::Dvd), [2, 4, 14, 15]);
    assert_eq!(lines(kickstart.idle(Purpose::Dvd))[1], "k:4: the command repo does nothing for a DVD");
}

#[test]
fn nothing_hostile_makes_it_panic() {
    let pieces = [
        "%",
        "%end\n",
        "%packages",
        "%post",
        "%include a\n",
        "%ksappend b\n",
        "@",
        "-",
        "\"",
        "'",
        "\\",
        "#",
        "\n",
        "\r",
        "\u{2028}",
        "\u{1f}",
        "é",
        "--",
        "=",
        " ",
        "-@^",
        "9999999999999999999999",
        "\0",
        "part / --size=",
    ];
    let mut seed = 7_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..1_500 {
        let mut text: Vec<u8> = LIVE.replace("sshd, N", "sshd,N").into_bytes();
        for _ in 0..=random(4) {
            let at = random(text.len());
            match random(3) {
                0 => drop(text.remove(at)),
                1 => drop(text.splice(at..at, pieces[random(pieces.len())].bytes())),
                _ => drop(text.splice(at..(at + random(40)).min(text.len()), *b" ")),
            }
        }
        let dialect = Dialect::ALL[round % 4];
        let mut included = |wanted: &Wanted| {
            Ok(Included { name: format!("{}x", wanted.from), text: text[..text.len() / 2].to_vec() })
        };
        match read(&text, dialect, &mut included) {
            Ok(kickstart) => {
                accepted += 1;
                let scripts: String = kickstart.scripts.iter().map(ToString::to_string).collect();
                let text = format!("{}{scripts}", PackagesSection(&kickstart.packages, dialect));
                assert!(parse(&text, dialect).is_ok(), "{text}");
            }
            Err(problems) => {
                refused += 1;
                assert!(!problems.is_empty() && problems.len() <= MOST_PROBLEMS + 1);
            }
        }
    }
    assert!(accepted > 100 && refused > 100, "{accepted} {refused}");
}
