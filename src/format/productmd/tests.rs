//! The samples were written by productmd 1.51 itself.

use super::*;

const COMPOSEINFO: &str = include_str!("samples/composeinfo.json");
const RPMS: &str = include_str!("samples/rpms.json");
const IMAGES: &str = include_str!("samples/images.json");

fn composeinfo(text: &str) -> Result<Vec<u8>, MetadataError> {
    ComposeInfo::parse(text.as_bytes())?.to_bytes()
}

fn rpms(text: &str) -> Result<Vec<u8>, MetadataError> {
    Rpms::parse(text.as_bytes())?.to_bytes()
}

fn images(text: &str) -> Result<Vec<u8>, MetadataError> {
    Images::parse(text.as_bytes())?.to_bytes()
}

type Codec = fn(&str) -> Result<Vec<u8>, MetadataError>;

#[test]
fn what_productmd_writes_comes_back_byte_for_byte() {
    for (codec, text) in [(composeinfo as Codec, COMPOSEINFO), (rpms, RPMS), (images, IMAGES)] {
        assert_eq!(String::from_utf8(codec(text).unwrap()).unwrap(), text);
    }
}

/// Changes one place of a sample, which must be there, and gives the message.
fn message(codec: Codec, sample: &str, from: &str, to: &str) -> String {
    assert!(sample.contains(from), "{from}");
    match codec(&sample.replacen(from, to, 1)) {
        Ok(_) => panic!("{from} -> {to} is accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn composeinfo_errors_name_the_field() {
    for (from, to, wanted) in [
        ("1.2", "2.0", "header.version: version 2.0 is newer than 1.2, the last that gander reads"),
        (
            "d.composeinfo",
            "d.rpms",
            "header.type: the file is of type \"productmd.rpms\" instead of \"productmd.composeinfo\"",
        ),
        ("\"20240131\"", "\"2024-01\"", "payload.compose.date: \"2024-01\" is not a day as YYYYMMDD"),
        (
            "-20240131.2",
            "-2024.2",
            "payload.compose.id: \"Gos-1.0-updates-EL-9-2024.2\" is not a compose id such as Gosling-1-20240131.0",
        ),
        ("production", "prod", "payload.compose.type: \"prod\" is no compose type"),
        ("\"respin\": 2", "\"respin\": -2", "payload.compose.respin: the number -2 is out of range"),
        (
            "\"respin\": 2",
            "\"respin\": \"2\"",
            "payload.compose.respin: a whole number belongs here, not a text",
        ),
        (
            "RC-1.0",
            "RC-1",
            "payload.compose.label: \"RC-1\" is no label such as Beta-1.0; the names are EA, DevelPhaseExit, InternalAlpha, Alpha, InternalSnapshot, Beta, Snapshot, RC, Update, SecurityFix",
        ),
        ("\"updates\"", "\"upd\"", "payload.release.type: \"upd\" is no release type"),
        (
            "\"version\": \"1.0\"",
            "\"version\": \"1.x\"",
            "payload.release.version: \"1.x\" starts as a number but is not numbers with dots between",
        ),
        (
            "Server/x86_64/os",
            "/Server/x86_64/os",
            "payload.variants.Server.paths.os_tree.x86_64: the path '/Server/x86_64/os' is not a plain relative path (no '..', no leading '/', no empty part)",
        ),
        (
            "Server/x86_64/os",
            "../x",
            "payload.variants.Server.paths.os_tree.x86_64: the path '../x' is not a plain relative path (no '..', no leading '/', no empty part)",
        ),
        ("\"optional\"\n", "\"options\"\n", "payload.variants: the key \"Server-options\" is missing"),
        (
            "\"id\": \"LP\"",
            "\"id\": \"L-P\"",
            "payload.variants.Server-LP.uid: the uid \"Server-LP\" does not fit the id \"L-P\" and the parent \"Server\"",
        ),
        (
            "\"id\": \"ServerBare\"",
            "\"id\": \"Bare\"",
            "payload.variants.Server-Bare.uid: the uid \"Server-Bare\" does not fit the id \"Bare\"",
        ),
        (
            "\"uid\": \"Server\"",
            "\"uid\": \"Serve\"",
            "payload.variants.Server.uid: \"Serve\" stands under \"Server\"",
        ),
        (
            "\"name\": \"Server name\"",
            "\"name\": \"a\\u0007\"",
            "payload.variants.Server.name: \"a\\u{7}\" has a control character",
        ),
    ] {
        assert_eq!(message(composeinfo, COMPOSEINFO, from, to), wanted);
    }
    // A child has an arch that its parent lost.
    let lost = COMPOSEINFO.replace("\"aarch64\",\n                    \"x86_64\"", "\"aarch64\"");
    assert_eq!(
        composeinfo(&lost).unwrap_err().to_string(),
        "payload.variants.Server-LP.arches: the parent \"Server\" does not have \"x86_64\""
    );
}

#[test]
fn rpms_errors_name_the_field() {
    let bash = "payload.rpms.Server.x86_64.\"bash-0:5.2.15-2.gos1.src\"";
    for (from, to, wanted) in [
        ("95a43f54", "95A43F54", format!("{bash}.\"bash-0:5.2.15-2.gos1.src\".sigkey: \"95A43F54\" is not 8 hex digits in lower case")),
        ("95a43f54", "5a43f54", format!("{bash}.\"bash-0:5.2.15-2.gos1.src\".sigkey: \"5a43f54\" is not 8 hex digits in lower case")),
        ("Server/source", "/Server/source", format!("{bash}.\"bash-0:5.2.15-2.gos1.src\".path: the path '/Server/source/tree/Packages/b/bash-5.2.15-2.gos1.src.rpm' is not a plain relative path (no '..', no leading '/', no empty part)")),
        ("\"source\"", "\"binary\"", format!("{bash}.\"bash-0:5.2.15-2.gos1.src\": packages with arch src or nosrc, and no others, have the category source")),
        ("\"debug\"", "\"source\"", format!("{bash}.\"bash-debuginfo-0:5.2.15-2.gos1.x86_64\": packages with arch src or nosrc, and no others, have the category source")),
        ("\"debug\"", "\"devel\"", format!("{bash}.\"bash-debuginfo-0:5.2.15-2.gos1.x86_64\".category: \"devel\" is no category of packages")),
        ("bash-debuginfo-0:", "bash-debuginfo-", format!("{bash}.\"bash-debuginfo-5.2.15-2.gos1.x86_64\": 'bash-debuginfo-5.2.15-2.gos1.x86_64' is not of the form name-epoch:version-release.arch")),
        ("bash-debuginfo-0:", "bash-debuginfo-00:", format!("{bash}.\"bash-debuginfo-00:5.2.15-2.gos1.x86_64\": the name is to be written 'bash-debuginfo-0:5.2.15-2.gos1.x86_64'")),
        ("\"i386\"", "\"src\"", "payload.rpms.Client.src: src cannot stand here; sources belong to each binary arch".into()),
        ("\"i386\"", "\"vax\"", "payload.rpms.Client.vax: \"vax\" is not an arch that productmd knows".into()),
        ("\"Client\"", "\"../Client\"", "payload.rpms: \"../Client\" is not a variant's uid".into()),
        (".nosrc\"", ".noarch\"", "payload.rpms.Server-optional.aarch64.\"gcc-3:1~rc1^git-1.noarch\": it is not a source package but packages stand below it".into()),
        ("\"1.2\"", "\"0.3\"", "header.version: rpms.json is read from version 1.0 on".into()),
    ] {
        assert_eq!(message(rpms, RPMS, from, to), wanted);
    }
}

#[test]
fn images_errors_name_the_field() {
    let at = "payload.images.Server.x86_64";
    let path = "Server/x86_64/iso-b/a.iso";
    for (from, to, wanted) in [
        (
            "\"subvariant\": \"X\"",
            "\"subvariant\": \"Server\"",
            format!(
                "{at}: Server/x86_64/iso-b/a.iso: subvariant, type, format, arch and disc number are those of Server/x86_64/iso/a.iso too"
            ),
        ),
        (
            "\"path\": \"Server/x86_64/iso/a.iso\"",
            "\"path\": \"Server/x86_64/iso-b/a.iso\"",
            format!("{at}[3]: {path} is listed twice for Server x86_64"),
        ),
        (
            "\"type\": \"live\"",
            "\"type\": \"alive\"",
            format!("{at}[2].type: \"alive\" is no type of images"),
        ),
        (
            "\"format\": \"iso\"",
            "\"format\": \"img\"",
            "payload.images.Server.aarch64[0].format: \"img\" is no format of images".into(),
        ),
        (
            "\"md5\": \"0",
            "\"md5\": \"",
            format!(
                "payload.images.Server.aarch64: Server/source/iso/s.iso: {:?} is no checksum by \"md5\"",
                "0".repeat(31)
            ),
        ),
        (
            "\"implant_md5\": \"f",
            "\"implant_md5\": \"F",
            format!(
                "payload.images.Server.aarch64: Server/source/iso/s.iso: the implanted md5 {:?} is not 32 hex digits in lower case",
                format!("F{}", "f".repeat(31))
            ),
        ),
        (
            "\"size\": 4603248640",
            "\"size\": 0",
            "payload.images.Server.aarch64: Server/source/iso/s.iso: the size 0 cannot be".into(),
        ),
        (
            "\"size\": 4603248640",
            "\"size\": 1",
            format!("{at}: Server/source/iso/s.iso: another image has the same path but differs"),
        ),
        (
            "\"unified\": true",
            "\"unified\": false",
            format!("{at}: Server/x86_64/iso.iso: only a unified image has additional variants"),
        ),
        (
            "\"disc_count\": 1",
            "\"disc_count\": 0",
            "payload.images.Server.aarch64: Server/source/iso/s.iso: it is disc 1 of 0".into(),
        ),
        ("\"subvariant\": \"X\",", "", format!("{at}[1]: the key \"subvariant\" is missing")),
    ] {
        assert_eq!(message(images, IMAGES, from, to), wanted);
    }
}

#[test]
fn files_that_are_hostile_are_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut nested = String::from(
        r#""A":{"id":"A","uid":"A","name":"A","type":"variant","arches":["x"],"paths":{},"variants":["B"]}"#,
    );
    let mut uid = String::from("A");
    for _ in 0..3000 {
        uid.push_str("-B");
        let variant = format!(
            r#","{uid}":{{"id":"B","uid":"{uid}","name":"B","type":"addon","arches":["x"],"paths":{{}},"variants":["B"]}}"#
        );
        nested.push_str(&variant);
    }
    let nested = format!(
        r#"{{"header":{{"version":"1.0"}},"payload":{{"compose":{{"id":"20240131","date":"20240131","type":"test","respin":0}},"release":{{"name":"","short":"","version":"x"}},"variants":{{{nested}}}}}}}"#
    );
    for (text, wanted) in [
        ("", "EOF"),
        ("[]", "the file: an object belongs here, not a list"),
        ("{}", "the file: the key \"header\" is missing"),
        (deep.as_str(), "recursion limit"),
        (r#"{"header": 1, "header": 2}"#, "the key \"header\" is there twice"),
        (r#"{"header": 1.5}"#, "floating point"),
        (r#"{"header": 18446744073709551615}"#, "too large"),
        (r#"{"header": {"version": "9999999999.0"}}"#, "header.version: \"9999999999.0\" is not a version"),
        ("{\"a\": \"\\ud800\"}", "hex escape"),
        (nested.as_str(), "variants are nested deeper than 8"),
    ] {
        let message = composeinfo(text).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    }
    assert_eq!(Rpms::parse(&vec![b' '; LARGEST + 1]).unwrap_err(), MetadataError::TooLarge(LARGEST + 1));
}

#[test]
fn old_forms_are_converted() {
    let old = r#"{"header": {"version": "0.2"}, "payload": {
        "base_product": {"name": "B", "short": "B", "version": "7"},
        "compose": {"id": "P-2.1-B-7-20161110.t.3", "type": "nightly"},
        "product": {"is_layered": true, "name": "P", "short": "P", "type": "GA", "version": "2.1"},
        "variants": {
            "Foo": {"id": "Foo", "uid": "Foo", "name": "Foo", "type": "variant", "arches": ["x86_64"], "paths": {}},
            "Foo-Bar": {"id": "Bar", "uid": "Foo-Bar", "name": "Bar", "type": "addon", "arches": ["x86_64"], "paths": {}}
        }}}"#;
    let info = ComposeInfo::parse(old.as_bytes()).unwrap();
    assert_eq!(
        (info.compose.date.as_str(), info.compose.kind, info.compose.respin),
        ("20161110", ComposeType::Test, 3)
    );
    assert_eq!(info.variants["Foo"].variants["Bar"].uid, "Foo-Bar");
    assert!(ComposeInfo::parse(&info.to_bytes().unwrap()).unwrap() == info);

    // Images of sources once stood under src.
    let mut list = Images::parse(IMAGES.as_bytes()).unwrap();
    list.images.get_mut("Server").unwrap().remove("aarch64");
    let text = String::from_utf8(list.to_bytes().unwrap()).unwrap();
    let old = text.replace("\"1.2\"", "\"1.1\"").replace("\"x86_64\": [", "\"s390x\": [], \"src\": [");
    let moved = Images::parse(old.as_bytes()).unwrap();
    assert_eq!(moved.images["Server"].keys().collect::<Vec<_>>(), ["s390x"]);
    assert_eq!(moved.images["Server"]["s390x"].len(), 4);
}

#[test]
fn ids_and_labels_follow_productmd() {
    let product = |kind| Product { name: "G".into(), short: "G".into(), version: "9.4".into(), kind };
    let (ga, eus) = (product(ReleaseType::Ga), product(ReleaseType::Eus));
    let id =
        |base: Option<&Product>, product: &Product, kind| Compose::new(product, base, "20261121", kind, 1).id;
    assert_eq!(id(None, &ga, ComposeType::Production), "G-9.4-20261121.1");
    assert_eq!(id(Some(&eus), &ga, ComposeType::Nightly), "G-9.4-G-9.4-eus-20261121.n.1");
    for (id, wanted) in [
        ("G-9.4-20261121.n.1", Some(("20261121", ComposeType::Nightly, 1))),
        ("G-9.4-20261121.test.12", Some(("20261121", ComposeType::Test, 12))),
        ("G-20001111-20261121", Some(("20261121", ComposeType::Production, 0))),
        ("G-20261121.d", Some(("20261121", ComposeType::Development, 0))),
        ("G-20261121.ci.3-x", Some(("20261121", ComposeType::Ci, 3))),
        ("G-20261121.0", Some(("20261121", ComposeType::Production, 0))),
        ("G-20261121.x.0", None),
        ("G-2026112.0", None),
        // The last eight digits count.
        ("G-20261121.99999999999", Some(("99999999", ComposeType::Production, 0))),
    ] {
        assert_eq!(Compose::parts_of_id(id), wanted, "{id}");
    }
    for good in ["EA-1.0", "RC-10.02", "SecurityFix-0.0"] {
        assert_eq!(Label::new(good).map(|label| label.as_str().to_owned()).as_deref(), Some(good));
    }
    for bad in ["GA", "RC-1", "RC-1.0.0", "rc-1.0", "RC-1.a", "RC-.1", "XRC-1.0", "RC-1.0\n", ""] {
        assert_eq!(Label::new(bad), None, "{bad}");
    }
    let label = Label::new("Update-2.3").unwrap();
    assert!(label.is_supported() && !Label::new("Beta-1.0").unwrap().is_supported());
    assert_eq!(label.major(), "Update-2");
    assert_eq!(SigKey::of_key("AAAABBBBCCCC95A43F54").unwrap().as_str(), "95a43f54");
    assert_eq!((SigKey::of_key("5A43F54"), SigKey::of_key("95A43F5g")), (None, None));
    assert!(ARCHES.is_sorted());
    assert_eq!(ImageType::find("raw-xz").unwrap().formats(), ["raw.xz"]);
}

#[test]
fn texts_are_escaped_as_python_does() {
    let text = "\" \\ / \n\r\t\u{8}\u{c}\u{1}\u{7f} é \u{2028} \u{1f986}";
    let wanted = r#""\" \\ / \n\r\t\b\f\u0001\u007f \u00e9 \u2028 \ud83e\udd86""#;
    assert_eq!(String::from_utf8(Json::text(text).to_bytes()).unwrap(), wanted);
    let empty = Json::map([("b", Json::List(vec![])), ("a", Json::map::<&str>([])), ("B", Json::Null)]);
    assert_eq!(empty.to_bytes(), b"{\n    \"B\": null,\n    \"a\": {},\n    \"b\": []\n}");
}
