//! What variants have to do with one another: those in others, and `variant_as_lookaside`.

use super::super::draft::{Release, Variant as Draft};
use super::super::note::{NoteKind, short};
use super::variants::Composed;
use super::{Work, clean, clean_short};
use crate::format::pungi_conf::Node;
use crate::format::variants_xml::Type;

const OPTION: &str = "variant_as_lookaside";

/// The order in which types are gathered.
fn rank(kind: Type) -> usize {
    match kind {
        Type::Variant => 0,
        Type::Addon => 1,
        Type::LayeredProduct => 2,
        Type::Optional => 3,
    }
}

impl<'i> Work<'i> {
    /// Type and parent of a variant in another one; false where it cannot be carried over.
    pub(super) fn inner(&mut self, one: &Composed<'i>, draft: &mut Draft) -> bool {
        let variant = one.variant;
        let Some(parent) = &one.parent else {
            self.note_of(variant, NoteKind::Lost, "parent", "the variant that it is in has no packages");
            return false;
        };
        draft.inner = Some((variant.kind.name(), parent.clone()));
        if variant.kind == Type::LayeredProduct {
            match &variant.release {
                Some((name, short, version)) => {
                    draft.release = Some(Release {
                        name: name.chars().filter(|char| !char.is_control()).collect(),
                        short: clean_short(short),
                        version: clean(version, "._"),
                    });
                }
                None => {
                    let text = "a layered product has a name and version of its own: add 'release'";
                    self.note_of(variant, NoteKind::Todo, "release", text);
                    draft.disabled = true;
                }
            }
        }
        true
    }

    /// Pairs of a variant and one whose packages it only looks aside at.
    pub(super) fn variants_aside(&mut self, composed: &[Composed<'i>]) {
        let conf = self.conf;
        for pair in conf.get(OPTION).and_then(Node::elements).unwrap_or_default() {
            let uids = pair.elements().unwrap_or_default().iter().map(Node::text).collect::<Option<Vec<_>>>();
            let Some([from, of]) = uids.as_deref() else {
                self.note(NoteKind::Lost, OPTION, "what in it is no pair of variants was left out");
                continue;
            };
            let find = |uid: &str| composed.iter().find(|one| one.uid == uid);
            // Who is not composed needs nothing.
            let Some(one) = find(from) else { continue };
            let carried =
                |id: &str| self.draft.variants.iter().any(|draft| draft.id == id && !draft.disabled);
            let why = match find(of).filter(|other| carried(&other.id)) {
                None => format!("{} is not there to be looked aside at by {}", short(of), short(from)),
                Some(other)
                    if rank(other.variant.kind) > rank(one.variant.kind)
                        || self.looks(&other.id, &one.id) =>
                {
                    format!("{} is gathered after {}, and cannot be looked aside at", short(of), short(from))
                }
                Some(other) => {
                    let draft = self.draft.variants.iter_mut().find(|draft| draft.id == one.id);
                    if let Some(draft) = draft.filter(|draft| !draft.lookaside.contains(&other.id)) {
                        draft.lookaside.push(other.id.clone());
                    }
                    continue;
                }
            };
            self.note(NoteKind::Lost, OPTION, why);
        }
    }

    /// Whether a variant looks aside at another one, by others, too.
    fn looks(&self, id: &str, at: &str) -> bool {
        let (mut open, mut seen) = (vec![id.to_owned()], Vec::new());
        while let Some(id) = open.pop() {
            if id == at {
                return true;
            }
            if !seen.contains(&id) {
                let own = self.draft.variants.iter().filter(|draft| draft.id == id);
                open.extend(own.flat_map(|draft| draft.lookaside.iter().cloned()));
                seen.push(id);
            }
        }
        false
    }
}
