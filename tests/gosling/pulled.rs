//! A builder that lies in a registry: packages are built in it, and built in it again when the registry is gone, from a bundle.

use std::fs;

use super::bench::Bench;
use super::folder::Folder;
use super::registry::Registry;
use super::world::{Order, Place, first, have, run, say};

const SPEC: &str = "Name: goose
Version: 1
Release: 1
Summary: A goose
License: MIT
BuildArch: noarch
%description
It is a goose.
%install
mkdir -p %{buildroot}/usr/share
rpm --version > %{buildroot}/usr/share/goose
%files
/usr/share/goose
";

#[test]
fn a_builder_of_a_registry_builds_from_a_bundle() {
    if !have("a_builder_of_a_registry_builds_from_a_bundle", &["docker-registry"]) {
        return;
    }
    let first = first();
    let place = Place::new("pulled", Order::Forward);
    let bench = Bench::new();
    let registry = Registry::start(&bench, false);
    let mut push = first.place.gander(None);
    push.args(["image", "push"]).arg(first.place.folder.join("recipes/images/builder.lock"));
    push.arg(format!("{}/gosling/builder", registry.host));
    let said = run(&mut push).good();
    let reference = said.out.trim();
    let recipe = place.folder.join("recipes/goose.toml");
    let specs = place.folder.join("recipes/goose");
    fs::create_dir(&specs).unwrap();
    fs::write(specs.join("goose.spec"), SPEC).unwrap();
    let text = format!(
        "[release]\nname = \"Gosling Linux\"\nshort = \"Goose\"\nversion = \"1\"\n\
         source-date = \"2026-11-01T00:00:00Z\"\n\n[builder]\nimage = \"{reference}\"\n\n[[source]]\n\
         build = {{ specs = \"goose\", targets = [\"x86_64\"] }}\non-unsigned = \"sign\"\n\n\
         [variant.Base]\narches = [\"x86_64\"]\npackages = [\"goose\"]\n\n[sign]\ndemonstration = \"goose\"\n"
    );
    fs::write(&recipe, text).unwrap();
    let built =
        run(place.gander(None).arg("compose").arg(&recipe).arg("--output").arg(place.output())).good();
    let step = "rpmbuild goose.spec for x86_64".to_owned();
    assert!(built.steps().contains(&step), "{}", built.all());
    let (bundle, lock) = (place.folder.join("bundle"), place.folder.join("recipes/goose.lock"));
    run(place.gander(None).arg("bundle").arg(&lock).arg("--output").arg(&bundle)).good();
    let digest = reference.rsplit_once("@sha256:").unwrap().1;
    let index = fs::read_to_string(bundle.join("index")).unwrap();
    let image: Vec<_> = index.lines().filter(|line| line.ends_with("\timage")).collect();
    assert!(image.iter().any(|line| line.starts_with(digest)), "{image:?}");

    drop(registry);
    fs::remove_dir_all(place.store()).unwrap();
    let again = place.folder.join("again");
    let mut locked = place.gander(None);
    locked.arg("--offline").arg("--bundle").arg(&bundle).args(["compose", "--locked"]).arg(&recipe);
    let said = run(locked.arg("--output").arg(&again)).good();
    assert!(said.steps().contains(&step), "{}", said.all());
    Folder::read(&place.output()).assert_same(&Folder::read(&again));
    say(format_args!("built again in a bundled image of {} files", image.len()));
    fs::remove_dir_all(&place.folder).unwrap();
}
