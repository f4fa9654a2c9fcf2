use std::os::unix::fs::symlink;

use super::*;
use crate::oci::image::documents;

fn stored(store: &Store) -> Digest {
    let layer = vec![0; 1024];
    let digest = store.put_bytes(&layer).unwrap();
    let date = "2026-01-01T00:00:00Z".parse().unwrap();
    let (manifest, config) = documents(Blob { digest, size: 1024 }, "x86_64", date).unwrap();
    store.put_bytes(&config).unwrap();
    store.put_bytes(&manifest).unwrap()
}

#[test]
fn a_layout_goes_out_and_comes_in() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let store = Store::open(&at("one")).unwrap();
    let image = stored(&store);
    export(&store, &image, Some("gosling/builder:1"), &at("layout")).unwrap();
    assert!(export(&store, &image, None, &at("layout")).is_err(), "it is there already");
    let index = fs::read_to_string(at("layout/index.json")).unwrap();
    assert!(
        index.starts_with(
            r#"{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"gosling/builder:1"}"#
        ),
        "{index}"
    );

    let other = Store::open(&at("two")).unwrap();
    assert_eq!(import(&other, &at("layout"), None).unwrap(), image);
    assert_eq!(import(&other, &at("layout"), Some("gosling/builder:1")).unwrap(), image);
    assert_eq!(import(&other, &at("layout"), Some(&image.to_string())).unwrap(), image);
    Image::load(&other, &image).unwrap();
    assert!(matches!(import(&other, &at("layout"), Some("else")), Err(LayoutError::Choose { .. })));
    export(&other, &image, Some("gosling/builder:1"), &at("again")).unwrap();
    assert_eq!(fs::read(at("again/index.json")).unwrap(), index.as_bytes());
}

#[test]
fn tampered_layouts_are_refused_and_leave_no_object() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let store = Store::open(&at("store")).unwrap();
    let name = stored(&store);
    let image = Image::load(&store, &name).unwrap();
    let layer = image.manifest.layers[0].blob.digest;
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let cases: [(&str, String, &[u8]); 7] = [
        ("layer", blob(&layer), &[1; 1024]),
        ("size", blob(&layer), &[0; 1025]),
        ("config", blob(&image.manifest.config.digest), b"{}"),
        ("manifest", blob(&name), b"{}"),
        ("index", "index.json".into(), br#"{"schemaVersion":2,"manifests":[]}"#),
        ("path", "index.json".into(), br#"{"schemaVersion":2,"manifests":[{"mediaType":"x","size":1,"digest":"sha256:../../../../etc/passwd"}]}"#),
        ("mark", "oci-layout".into(), br#"{"imageLayoutVersion":"9.0.0"}"#),
    ];
    for (case, path, bytes) in cases {
        let layout = at(case);
        export(&store, &name, None, &layout).unwrap();
        fs::write(layout.join(path), bytes).unwrap();
        let other = Store::open(&at(&format!("{case}-store"))).unwrap();
        let result = import(&other, &layout, None);
        assert!(result.is_err(), "{case}");
        assert!(!other.has(&name), "{case}");
        if case == "layer" {
            assert!(!other.has(&layer));
        }
    }
    // A device in place of a blob is not read.
    let layout = at("device");
    export(&store, &name, None, &layout).unwrap();
    fs::remove_file(layout.join(blob(&layer))).unwrap();
    symlink("/dev/zero", layout.join(blob(&layer))).unwrap();
    let other = Store::open(&at("device-store")).unwrap();
    assert!(matches!(import(&other, &layout, None), Err(LayoutError::Damaged { .. })));
}
