//! The samples were written by productmd 1.51 itself.

use super::*;

const MAIN: &str = include_str!("samples/main");
const FIRST: &str = include_str!("samples/first");

fn round(text: &str) -> Result<String, TreeInfoError> {
    TreeInfo::parse(text.as_bytes())?.to_bytes().map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn what_productmd_writes_comes_back_byte_for_byte() {
    for text in [MAIN, FIRST] {
        assert_eq!(round(text).unwrap(), text);
    }
    assert_eq!(TreeInfo::parse(FIRST.as_bytes()).unwrap().main_variant, None);
    assert_eq!(TreeInfo::parse(MAIN.as_bytes()).unwrap().main_variant.as_deref(), Some("Server"));
}

#[test]
fn errors_name_the_field_or_the_line() {
    for (from, to, wanted) in [
        (
            "[header]\ntype = productmd.treeinfo",
            "[header]\ntype = x",
            "[header] type: the file is of type \"x\" instead of productmd.treeinfo",
        ),
        (
            "version = 1.2\n",
            "version = 1.3\n",
            "[header] version: gander reads the versions 1.0 to 1.2, not \"1.3\"",
        ),
        (
            "build_timestamp = 1700000000",
            "build_timestamp = 1e9",
            "[tree] build_timestamp: \"1e9\" is not a time in seconds",
        ),
        (
            "build_timestamp = 1700000000",
            "build_timestamp = 0",
            "[tree] build_timestamp: productmd takes 0 for a missing time",
        ),
        (
            "repository = o\n",
            "repository = /o\n",
            "[variant-Server-optional] repository: the path \"/o\" is not relative to the tree",
        ),
        (
            "instimage = i.img",
            "instimage = /i.img",
            "[stage2] instimage: the path \"/i.img\" is not relative to the tree",
        ),
        (
            "images/pxeboot/vmlinuz = sha256:ab",
            "images/pxeboot/vmlinuz = sha256:a",
            &format!(
                "[checksums] images/pxeboot/vmlinuz: \"a{}\" is no checksum by \"sha256\"",
                "ab".repeat(31)
            ),
        ),
        (
            "images/pxeboot/vmlinuz = sha256:ab",
            "/images/pxeboot/vmlinuz = sha256:ab",
            "[checksums] /images/pxeboot/vmlinuz: the path \"/images/pxeboot/vmlinuz\" is not relative to the tree",
        ),
        ("[images-xen]", "[images-kvm]", "[tree] platforms: \"kvm\" has images but is not listed"),
        ("discnum = 1", "discnum = 3", "[media] discnum: there is no disc 3 in a set of 2"),
        ("id = HA", "id = H-A", "[addon-Server-HA] id: \"H-A\" is not a variant's id"),
        (
            "id = HA",
            "id = HB",
            "[addon-Server-HA] uid: \"Server-HA\" does not fit the parent \"Server\" and the id",
        ),
        (
            "type = addon",
            "type = optional",
            "[variant-Server-HA] type: addons, and nothing else, stand below a variant",
        ),
        (
            "variants = Client,Server,Server-optional\n\n[v",
            "variants = Client,Nobody\n\n[v",
            "[variant-Nobody] type: the key is missing",
        ),
        ("mainimage", "mainimage: x\nmainimage", "line 56: the key \"mainimage\" is there twice"),
        ("[media]", "[header]", "line 43: the section [header] is there twice"),
        ("[media]", "[DEFAULT]", "line 43: \"DEFAULT\" cannot be the name of a section"),
        (
            "discnum = 1",
            "discnum = 1\n  2",
            "line 45: the line starts with white space; values over several lines are not read",
        ),
        ("discnum = 1", "discnum", "line 44: \"discnum\" is neither a section nor 'key = value'"),
        (
            "images/install.img",
            "images/%(x)s",
            "line 55: \"images/%(x)s\" cannot be a value: no '%', no control characters, no white space around",
        ),
    ] {
        assert!(MAIN.contains(from), "{from}");
        let error = round(&MAIN.replacen(from, to, 1)).expect_err(to);
        assert_eq!(error.to_string(), wanted);
    }
    let no_section = TreeInfo::parse(b"a = b").unwrap_err().to_string();
    assert_eq!(no_section, "line 1: the line stands before the first section");
    assert_eq!(TreeInfo::parse(b"\n\xff").unwrap_err().to_string(), "line 2: the text is not UTF-8");
    assert_eq!(TreeInfo::parse(b"").unwrap_err().to_string(), "[general] arch: the key is missing");
    assert_eq!(TreeInfo::parse(&vec![b'\n'; LARGEST + 1]), Err(TreeInfoError::TooLarge(LARGEST + 1)));
    // As many variants with as many addons each would take for ever.
    let line = MAIN.lines().filter(|line| line.starts_with("variants = ")).nth(1).unwrap();
    let many = MAIN.replace(line, &format!("variants = {}", "Server,".repeat(1001)));
    let said = TreeInfo::parse(many.as_bytes()).unwrap_err().to_string();
    assert_eq!(said, "[tree] variants: more than 1000 are listed");
    let old = "[general]\narch = x86_64\nfamily = Fedora\nversion = 14\nvariant = ";
    for (end, wanted) in [
        (format!("A\naddons = {}\n", "b,".repeat(1001)), "[variant-A] addons: more than 1000 are listed"),
        (
            (0..1001).map(|number| format!("\n[variant-{number}]")).collect(),
            "[general] variant: the tree has more than 1000 variants",
        ),
    ] {
        assert_eq!(TreeInfo::parse(format!("{old}{end}").as_bytes()).unwrap_err().to_string(), wanted);
    }
}

#[test]
fn nothing_is_written_that_would_read_otherwise() {
    let good = TreeInfo::parse(MAIN.as_bytes()).unwrap();
    let changes: [fn(&mut TreeInfo); 8] = [
        |info| info.release.name = "G\n[tree]".into(),
        |info| info.release.name = "100 %".into(),
        |info| info.main_image = Some(" images".into()),
        |info| drop(info.images.insert("xen".into(), BTreeMap::from([("a=b".into(), "c".into())]))),
        |info| info.checksums = info.checksums.clone().into_values().map(|sum| ("; a".into(), sum)).collect(),
        |info| _ = info.platforms.insert("a,b".into()),
        |info| info.main_variant = Some("Nobody".into()),
        |info| info.variants.clear(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut info = good.clone();
        change(&mut info);
        assert!(info.to_bytes().is_err(), "{number}");
    }
}

#[test]
fn reads_what_lorax_writes() {
    let text = "[general]\nname = Fedora-Server-21\nfamily = Fedora-Server\ntimestamp = 1417653911.68\n\
        variant = Server\nversion = 21_Alpha\npackagedir = \narch = x86_64\n\n[stage2]\n\
        mainimage = /mnt/os/LiveOS/squashfs.img\n\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\n\n\
        [images-xen-x86_64]\ninitrd = /images/pxeboot/initrd.img\n\n[checksums]\n\
        images/boot.iso = 9a190c8b2bd382c2d046dbc855cd2f2b\n";
    let wanted = "[checksums]\nimages/boot.iso = md5:9a190c8b2bd382c2d046dbc855cd2f2b\n\n[general]\n\
        ; WARNING.0 = This section provides compatibility with pre-productmd treeinfos.\n\
        ; WARNING.1 = Read productmd documentation for details about new format.\n\
        arch = x86_64\nfamily = Fedora\nname = Fedora 21\npackagedir = Packages\nplatforms = x86_64,xen\n\
        repository = .\ntimestamp = 1417653911\nvariant = Server\nvariants = Server\nversion = 21\n\n\
        [header]\ntype = productmd.treeinfo\nversion = 1.2\n\n\
        [images-x86_64]\nkernel = images/pxeboot/vmlinuz\n\n[images-xen]\ninitrd = images/pxeboot/initrd.img\n\n\
        [release]\nname = Fedora\nshort = Fedora\nversion = 21\n\n[stage2]\nmainimage = LiveOS/squashfs.img\n\n\
        [tree]\narch = x86_64\nbuild_timestamp = 1417653911\nplatforms = x86_64,xen\nvariants = Server\n\n\
        [variant-Server]\nid = Server\nname = Server\npackages = Packages\nrepository = .\ntype = variant\n\
        uid = Server\n\n";
    assert_eq!(round(text).unwrap(), wanted);
}

#[test]
fn a_tree_without_variants_can_be_read() {
    let text = "[header]\nversion = 1.0\n[release]\nname = openSUSE Leap\nversion = 15.1\n\
        [general]\narch = x86_64\nplatforms = x86_64,xen\n[images-xen]\nkernel = boot/linux\n";
    let info = TreeInfo::parse(text.as_bytes()).unwrap();
    assert_eq!((info.release.short.as_str(), info.build_timestamp), ("openSUSE Leap", -1));
    let message = info.to_bytes().unwrap_err().to_string();
    assert_eq!(message, "[tree] variants: a tree without a variant cannot be written");
}
