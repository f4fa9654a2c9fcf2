//! How the ids inside a tree stand for ids of this system.

/// A run of ids: `inside..inside + count` stand for `outside..outside + count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first id inside, as trees and programs in a jail see it.
    pub inside: u32,
    /// The first id outside, as this system sees it.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// A map of user ids or of group ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids(Vec<Extent>);

/// The map of users and the map of groups. They differ for an ordinary user, whose own user id and group
/// id stand for root and its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMap {
    /// Users.
    pub users: Ids,
    /// Groups.
    pub groups: Ids,
}

/// The extents of a map overlap or leave the range of ids. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the id range {inside} → {outside}, {count} ids, is empty, too long, or overlaps another one of the map"
)]
pub struct IdMapError {
    /// The first id inside.
    pub inside: u32,
    /// The first id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl Ids {
    /// A map of these extents, of which no two share an id inside or outside.
    pub fn new(extents: Vec<Extent>) -> Result<Self, IdMapError> {
        let overlap = |a: u32, b: u32, left: &Extent, right: &Extent| {
            let (a, b) = (u64::from(a), u64::from(b));
            a < b + u64::from(right.count) && b < a + u64::from(left.count)
        };
        for (index, extent) in extents.iter().enumerate() {
            let Extent { inside, outside, count } = *extent;
            let fits = |first: u32| count > 0 && first.checked_add(count).is_some();
            let clash = extents.iter().take(index).any(|other| {
                overlap(inside, other.inside, extent, other) || overlap(outside, other.outside, extent, other)
            });
            if !fits(inside) || !fits(outside) || clash {
                return Err(IdMapError { inside, outside, count });
            }
        }
        Ok(Self(extents))
    }

    /// Every id stands for itself.
    pub fn identity() -> Self {
        Self(vec![Extent { inside: 0, outside: 0, count: u32::MAX }])
    }

    /// Its extents.
    pub fn extents(&self) -> &[Extent] {
        &self.0
    }

    /// The id inside that an id of this system has.
    pub fn to_inside(&self, outside: u32) -> Option<u32> {
        self.0.iter().find_map(|extent| shift(outside, extent.outside, extent.inside, extent.count))
    }

    /// The id of this system for an id inside.
    pub fn to_outside(&self, inside: u32) -> Option<u32> {
        self.0.iter().find_map(|extent| shift(inside, extent.inside, extent.outside, extent.count))
    }
}

fn shift(id: u32, from: u32, to: u32, count: u32) -> Option<u32> {
    let offset = id.checked_sub(from)?;
    (offset < count).then(|| to.checked_add(offset))?
}

impl IdMap {
    /// Every id stands for itself: for root, or inside the map.
    pub fn identity() -> Self {
        Self { users: Ids::identity(), groups: Ids::identity() }
    }

    /// The same extents for users and for groups, as root maps them.
    pub fn same(extents: Vec<Extent>) -> Result<Self, IdMapError> {
        let ids = Ids::new(extents)?;
        Ok(Self { users: ids.clone(), groups: ids })
    }

    /// Only root and its group, standing for this process's own user and group.
    pub fn own() -> Self {
        let only = |outside| Ids(vec![Extent { inside: 0, outside, count: 1 }]);
        Self {
            users: only(rustix::process::geteuid().as_raw()),
            groups: only(rustix::process::getegid().as_raw()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_users_map_goes_both_ways() {
        let extents = vec![
            Extent { inside: 0, outside: 1001, count: 1 },
            Extent { inside: 1, outside: 100_000, count: 65_535 },
        ];
        let ids = Ids::new(extents).unwrap();
        for (inside, outside) in [(0, 1001), (1, 100_000), (65_535, 165_534)] {
            assert_eq!(ids.to_outside(inside), Some(outside));
            assert_eq!(ids.to_inside(outside), Some(inside));
        }
        assert_eq!(ids.to_outside(65_536), None);
        assert_eq!((ids.to_inside(0), ids.to_inside(1002), ids.to_inside(165_535)), (None, None, None));
        assert_eq!(Ids::identity().to_inside(4_000_000_000), Some(4_000_000_000));
    }

    #[test]
    fn ranges_that_overlap_or_overflow_are_refused() {
        let extent = |inside, outside, count| Extent { inside, outside, count };
        for bad in [
            vec![extent(0, 0, 0)],
            vec![extent(1, 0, u32::MAX)],
            vec![extent(0, 10, 5), extent(4, 100, 5)],
            vec![extent(0, 10, 5), extent(100, 14, 5)],
        ] {
            assert!(Ids::new(bad.clone()).is_err(), "{bad:?}");
        }
        assert!(Ids::new(vec![extent(0, 10, 5), extent(5, 15, 5)]).is_ok());
    }
}
