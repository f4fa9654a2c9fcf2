//! `[[media]]`: what is made of a variant beside its repositories.

use toml::Spanned;
use toml::de::DeValue;

use super::family::{Family, article};
use super::read::{Reader, check, made_of, owned};
use super::schema::{Medium, MediumKind, Variant};
use super::table::{Table, Text, either, suggest};
use crate::base::RelPath;
use crate::format::kickstart::Dialect;
use crate::format::volume_id::VolumeId;

pub(super) const MEDIA: &[&str] =
    &["kind", "variant", "kickstart", "installer", "name", "arches", "dialect", "volume-id"];

impl Reader {
    pub(super) fn media<'t>(
        &mut self,
        value: &'t Spanned<DeValue<'t>>,
        variants: &std::collections::BTreeMap<String, Variant>,
    ) -> Option<Vec<Medium>> {
        let Some(list) = value.get_ref().as_array() else {
            return self.lack(value.span(), "media are written as [[media]], in double brackets");
        };
        let read: Vec<_> = list.iter().map(|item| self.medium(item, variants)).collect();
        let media: Vec<Medium> = read.into_iter().collect::<Option<_>>()?;
        for (place, (medium, item)) in media.iter().zip(list).enumerate() {
            if media
                .iter()
                .take(place)
                .any(|other| other.variant == medium.variant && other.name.eq_ignore_ascii_case(&medium.name))
            {
                let message =
                    format!("two media of variant {} have the name '{}'", medium.variant, medium.name);
                self.findings.add_with_help(item.span(), message, "give each a 'name' of its own");
            }
        }
        Some(media)
    }

    fn medium<'t>(
        &mut self,
        value: &'t Spanned<DeValue<'t>>,
        variants: &std::collections::BTreeMap<String, Variant>,
    ) -> Option<Medium> {
        let table = Table::of("[[media]]", value, MEDIA, &mut self.findings)?;
        let kind = table.required("kind", &mut self.findings);
        let kinds = MediumKind::ALL.map(|kind| (kind.name(), kind));
        let kind = kind.and_then(|text| text.choose(&kinds, &mut self.findings));
        let variant = table.required("variant", &mut self.findings);
        let known = variant.as_ref().and_then(|text| self.variant_of(text, variants));
        if let (Some(text), Some(Family { kind, parent: Some(parent), .. })) =
            (&variant, known.map(|known| &known.family))
        {
            let message =
                format!("'{}' is {}: what is on media comes from one variant", text.text, article(*kind));
            self.findings.add_with_help(text.span.clone(), message, format!("name its parent, '{parent}'"));
        }
        if let (Some(text), Some(Variant { layout: Some(_), .. })) = (&variant, known) {
            let message = "media are made of variants that lie as Pungi has them: this one has a 'layout'";
            self.findings.add(text.span.clone(), message);
        }
        let kickstart = table.required("kickstart", &mut self.findings);
        let kickstart = kickstart.and_then(|text| text.parse::<RelPath>(&mut self.findings));
        let installer = table.text("installer", &mut self.findings);
        let installer_path = installer.as_ref().and_then(|text| text.parse::<RelPath>(&mut self.findings));
        match (kind, &installer) {
            (Some(MediumKind::Dvd), None) => self.findings.add_with_help(
                table.span.clone(),
                "a DVD needs 'installer': the kickstart of the system that starts from it",
                "such as installer = \"installer.ks\"",
            ),
            (Some(MediumKind::Live), Some(text)) => {
                self.findings.add(text.span.clone(), "'installer' belongs to a DVD: a live image has none");
            }
            _ => {}
        }
        let name = table.text("name", &mut self.findings);
        check(&name, "the name of a medium is made of letters and digits", &mut self.findings, |text| {
            made_of(text, "")
        });
        let dialect = table.text("dialect", &mut self.findings);
        let dialect = match dialect {
            Some(text) => {
                let choices: Vec<_> = Dialect::ALL.iter().map(|dialect| (dialect.name(), *dialect)).collect();
                text.choose(&choices, &mut self.findings)
            }
            None => Some(Dialect::Fedora),
        };
        let volume_id = table.text("volume-id", &mut self.findings);
        check(
            &volume_id,
            "a volume id is made of letters, digits, '-', '_', '.' and '+', by which an initrd finds its medium",
            &mut self.findings,
            |text| made_of(text, "-_.+"),
        );
        if let Some(text) = volume_id.as_ref().filter(|text| made_of(text.text, "-_.+"))
            && let Err(error) = VolumeId::new(text.text)
        {
            self.findings.add(text.span.clone(), error.to_string());
        }
        let arches = self.medium_arches(&table, known);
        let kind = kind?;
        Some(Medium {
            kind,
            name: owned(name).unwrap_or_else(|| kind.name().into()),
            variant: variant?.text.into(),
            arches,
            kickstart: kickstart?,
            installer: installer_path,
            dialect: dialect?,
            volume_id: owned(volume_id),
        })
    }

    fn variant_of<'v>(
        &mut self,
        text: &Text<'_>,
        variants: &'v std::collections::BTreeMap<String, Variant>,
    ) -> Option<&'v Variant> {
        let found = variants.get(text.text);
        if found.is_none() {
            let ids = || variants.keys().map(String::as_str);
            let help = suggest(text.text, ids()).map_or_else(
                || format!("there is {}", either(ids())),
                |near| format!("did you mean '{near}'?"),
            );
            self.findings.add_with_help(
                text.span.clone(),
                format!("there is no variant '{}'", text.text),
                help,
            );
        }
        found
    }

    /// The arches that a medium is made for: those named, else all of its variant.
    fn medium_arches(&mut self, table: &Table<'_>, variant: Option<&Variant>) -> Vec<String> {
        let of_variant: Vec<&str> =
            variant.iter().flat_map(|variant| &variant.arches).map(|arch| arch.name).collect();
        if table.get("arches").is_none() {
            return of_variant.into_iter().map(str::to_owned).collect();
        }
        let named = table.required_texts("arches", "[\"x86_64\"]", &mut self.findings);
        for arch in &named {
            if variant.is_some() && !of_variant.contains(&arch.text) {
                let message = format!("the variant has no arch '{}'", arch.text);
                self.findings.add_with_help(
                    arch.span.clone(),
                    message,
                    format!("it has {}", either(of_variant.iter().copied())),
                );
            }
        }
        named.into_iter().map(|arch| arch.text.into()).collect()
    }
}
