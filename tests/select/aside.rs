//! Packages that are looked aside at by their names are treated like copies of them in a repository that is looked aside at.
//! Only with the greed for all packages there is more to copies: see `gather`.

use std::collections::BTreeSet;

use gander::base::Nevra;
use gander::select::{Decision, Greed, Universe, gather};

use super::graphs::{Case, case};

/// All of a decision but problems and notes, which are compared apart.
fn parts(decision: &Decision) -> Vec<String> {
    let chosen = decision.packages.iter().chain(&decision.debug);
    let chosen = chosen.map(|(nevra, chosen)| format!("{nevra} {:?} {}", chosen.flags, chosen.why));
    let sources = decision.sources.iter();
    chosen
        .chain(sources.map(|(nevra, source)| format!("{nevra} {:?} {:?}", source.flags, source.of)))
        .collect()
}

#[test]
fn names_are_as_good_as_copies() {
    let (mut aside, mut excluded) = (0, 0);
    for seed in 0..400 {
        let Case { mut candidates, comps, mut request } = case(seed);
        if request.greed == Greed::All {
            request.greed = Greed::None;
        }
        candidates.retain(|candidate| !candidate.lookaside);
        let picked = |place: usize| (place as u64 + seed).is_multiple_of(3 + seed % 3);
        let names: BTreeSet<Nevra> = candidates
            .iter()
            .enumerate()
            .filter(|(place, _)| picked(*place))
            .map(|(_, candidate)| candidate.nevra.clone())
            .collect();
        let copies = candidates.iter().filter(|candidate| names.contains(&candidate.nevra)).cloned();
        let copies = copies.map(|mut candidate| {
            candidate.lookaside = true;
            candidate
        });
        let both: Vec<_> = candidates.iter().cloned().chain(copies).collect();
        let by_copies = gather(&request, &comps, &Universe::new(both).unwrap());
        let universe = Universe::new(candidates).unwrap();
        let without = gather(&request, &comps, &universe);
        request.aside = names;
        let by_names = gather(&request, &comps, &universe);
        assert_eq!(parts(&by_names), parts(&by_copies), "seed {seed}");
        assert_eq!(by_names.problems, by_copies.problems, "seed {seed}");
        assert_eq!(by_names.notes, by_copies.notes, "seed {seed}");
        assert!(by_names.delivered().all(|nevra| !request.aside.contains(nevra)), "seed {seed}");
        aside += usize::from(parts(&without) != parts(&by_names));
        excluded += request.exclude.len();
    }
    println!("{aside} answers depend on what is looked aside at, {excluded} exclusions");
    assert!(aside > 200 && excluded > 50);
}
