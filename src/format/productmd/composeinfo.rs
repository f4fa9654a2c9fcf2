//! `composeinfo.json`: what was composed, its variants and where they lie.
//!
//! ```text
//! payload.compose          see the parent module
//! payload.release          name, short, version, type, internal, [is_layered]
//! payload.base_product     name, short, version, type; only for a layered release
//! payload.variants.UID     id, uid, name, type, arches [sorted], paths {KIND: {arch: path}}, [variants [ids]], [release]
//! ```
//! A variant's uid is its parent's, a dash and its id; at the top it is the id (old files: with dashes in it,
//! which the id lacks). `variants` lists the ids of its children, which stand beside it by their uid.
//! `release` belongs to a layered product. Paths are relative to `compose/`; those of an arch that the variant
//! does not have are passed over. Read from version 0.2 on: up to 0.3 the release stood under `product`, and
//! before 1.0 children were known by their uid alone; before 0.3 the date was told by the id alone.

use std::collections::{BTreeMap, BTreeSet};

use super::compose::{Compose, Product, Release};
use super::json::{At, Json, show_key};
use super::variant::Variant;
use super::{MetadataError, read_header, write, wrong};

/// Variants in variants are few; a file of deep ones is hostile.
const DEEPEST: usize = 8;

/// What `composeinfo.json` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeInfo {
    /// The compose.
    pub compose: Compose,
    /// The release.
    pub release: Release,
    /// What a layered release stands on.
    pub base_product: Option<Product>,
    /// The top variants by id.
    pub variants: BTreeMap<String, Variant>,
}

impl ComposeInfo {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let json = Json::parse(bytes)?;
        let root = At::root(&json);
        let version = read_header(&root, "composeinfo")?;
        let payload = root.field("payload")?;
        let compose = Compose::read(&payload, version)?;
        let (release, layered) = Release::read(&payload, version)?;
        let base_product = if layered { Some(Product::read_base(&payload)?) } else { None };
        let all = payload.field("variants")?;
        let mut children: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let uids: BTreeSet<&str> = all.entries()?.map(|(uid, _)| uid).collect();
        for (uid, at) in all.entries()? {
            if version >= (1, 0) {
                let ids = children.entry(uid).or_default();
                for id in at.maybe("variants")?.iter().map(At::items) {
                    for id in id? {
                        ids.insert(id.text()?.into());
                    }
                }
            } else if let Some((parent, id)) = uid.rsplit_once('-')
                && uids.contains(parent)
            {
                children.entry(parent).or_default().insert(id.into());
            }
        }
        let has_parent: BTreeSet<String> =
            children.iter().flat_map(|(uid, ids)| ids.iter().map(move |id| format!("{uid}-{id}"))).collect();
        let mut variants = BTreeMap::new();
        for uid in uids.iter().filter(|uid| !has_parent.contains(**uid)) {
            let variant = read_variant(&all, uid, &children, version, 0)?;
            if let Some(other) = variants.insert(variant.id.clone(), variant) {
                return Err(all.wrong(format!("the variant id {:?} is there twice", other.id)));
            }
        }
        let info = Self { compose, release, base_product, variants };
        info.check()?;
        Ok(info)
    }

    /// Writes the file, after checking what it will say.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetadataError> {
        self.check()?;
        let mut variants = BTreeMap::new();
        let mut open: Vec<&Variant> = self.variants.values().collect();
        while let Some(variant) = open.pop() {
            open.extend(variant.variants.values());
            if variants.insert(variant.uid.clone(), variant.write()).is_some() {
                return Err(wrong("payload.variants", format!("the uid {:?} is there twice", variant.uid)));
            }
        }
        let mut payload = vec![
            ("compose", self.compose.write()),
            ("release", self.release.write(self.base_product.is_some())),
            ("variants", Json::Map(variants)),
        ];
        if let Some(base) = &self.base_product {
            payload.push(("base_product", base.write()));
        }
        Ok(write("composeinfo", Json::map(payload)))
    }

    /// Looks for what productmd refuses, and for what it overlooks.
    pub fn check(&self) -> Result<(), MetadataError> {
        self.compose.check()?;
        self.release.product.check("payload.release")?;
        if let Some(base) = &self.base_product {
            base.check("payload.base_product")?;
        }
        for (id, variant) in &self.variants {
            let path = format!("payload.variants.{}", show_key(&variant.uid));
            if *id != variant.id {
                return Err(wrong(format!("{path}.id"), format!("{:?} is listed as {id:?}", variant.id)));
            }
            // A dash in a top variant's uid is not in its id.
            if variant.uid.replace('-', "") != variant.id {
                let problem = format!("the uid {:?} does not fit the id {:?}", variant.uid, variant.id);
                return Err(wrong(format!("{path}.uid"), problem));
            }
            variant.check(DEEPEST)?;
        }
        Ok(())
    }
}

fn read_variant(
    all: &At<'_>,
    uid: &str,
    children: &BTreeMap<&str, BTreeSet<String>>,
    version: (u32, u32),
    depth: usize,
) -> Result<Variant, MetadataError> {
    let at = all.field(uid)?;
    if depth >= DEEPEST {
        return Err(at.wrong(format!("variants are nested deeper than {DEEPEST}")));
    }
    let mut variant = Variant::read(&at, version)?;
    if variant.uid != uid {
        return Err(at.field("uid")?.wrong(format!("{:?} stands under {uid:?}", variant.uid)));
    }
    for id in children.get(uid).into_iter().flatten() {
        let child = read_variant(all, &format!("{uid}-{id}"), children, version, depth + 1)?;
        variant.variants.insert(child.id.clone(), child);
    }
    Ok(variant)
}
