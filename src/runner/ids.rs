//! Maps of user and group ids: which 65,536 ids a step gets, and who writes the map.
//!
//! Inside, ids are always 0 to 65,535. Outside they are
//! - for root: [`ROOT_BASE`] and the 65,535 after it, written by gander itself. Nobody's subordinate
//!   range reaches that high, and no id of the host appears inside;
//! - for an ordinary user: the user's own id for 0, and 65,535 of the ids that `/etc/subuid` and
//!   `/etc/subgid` give to that user, written by `newuidmap` and `newgidmap`. A line is found by
//!   name or by number, and several lines are joined in their order;
//! - inside a user namespace too small for [`ROOT_BASE`] (a rootless container): the container's own
//!   first 65,536 ids, unchanged.
//!
//! Where none of that can be had, a step has one id, 0, and a supervisor remembers to whom its files belong (see
//! `supervise/`). Outside it is the user's own, or [`ROOT_BASE`] for root.

use std::fmt::Write as _;

use crate::base::Digest;
use crate::store::{Extent, IdMap, IdMapError};

/// How many ids a step has.
pub const COUNT: u32 = 65_536;
/// The first id outside that root's steps use: where systemd's range for foreign systems begins.
pub const ROOT_BASE: u32 = 2_147_352_576;

/// Who writes a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// gander, which is root here.
    Direct,
    /// `newuidmap` and `newgidmap`.
    Helpers,
    /// gander, for one user and one group.
    Single,
}

/// Which ids steps are to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// 65,536 if they can be had, else one.
    #[default]
    Auto,
    /// 65,536.
    Range,
    /// One.
    Single,
}

/// The ids of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// User ids.
    pub users: Vec<Extent>,
    /// Group ids.
    pub groups: Vec<Extent>,
    /// Who writes them.
    pub writer: Writer,
}

impl Ids {
    /// The ids of steps that root runs.
    pub fn root() -> Self {
        let all = vec![Extent { inside: 0, outside: ROOT_BASE, count: COUNT }];
        Self { users: all.clone(), groups: all, writer: Writer::Direct }
    }

    /// One user and one group, who are root inside.
    pub fn single(user: u32, group: u32) -> Self {
        let only = |outside| vec![Extent { inside: 0, outside, count: 1 }];
        Self { users: only(user), groups: only(group), writer: Writer::Single }
    }

    /// Whether root of the map can do more to the map's files than this process can.
    pub fn helped(&self) -> bool {
        match self.writer {
            Writer::Direct => false,
            Writer::Helpers => true,
            Writer::Single => !rustix::process::geteuid().is_root(),
        }
    }

    /// The user and the group outside that are 0 inside.
    pub fn first(&self) -> (u32, u32) {
        let first = |extents: &[Extent]| extents.first().map_or(0, |extent| extent.outside);
        (first(&self.users), first(&self.groups))
    }

    /// The map as the store takes it.
    pub fn map(&self) -> Result<IdMap, IdMapError> {
        let new = |extents: &[Extent]| crate::store::Ids::new(extents.to_vec());
        Ok(IdMap { users: new(&self.users)?, groups: new(&self.groups)? })
    }

    /// Tells maps apart: the first 12 digits of the digest of their text.
    pub fn tag(&self) -> String {
        let text = format!("{}\n{}", map_text(&self.users), map_text(&self.groups));
        Digest::of(text).hex().chars().take(12).collect()
    }
}

/// The text that a `uid_map` file takes: a line for each extent.
pub fn map_text(extents: &[Extent]) -> String {
    extents.iter().fold(String::new(), |mut text, extent| {
        let _ = writeln!(text, "{} {} {}", extent.inside, extent.outside, extent.count);
        text
    })
}

/// Reads a `uid_map` file; lines that are none are left out.
pub fn parse_map(text: &str) -> Vec<Extent> {
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace().map(|word| word.parse().ok());
        Some(Extent { inside: words.next()??, outside: words.next()??, count: words.next()?? })
    };
    text.lines().take(1_000).filter_map(line).collect()
}

/// Whether a namespace with this map has all these ids of its own.
pub fn holds(map: &[Extent], first: u32, count: u32) -> bool {
    let (first, end) = (u64::from(first), u64::from(first) + u64::from(count));
    let mut at = first;
    // Extents may stand in any order; each round either moves on or gives up.
    while at < end {
        let next = map.iter().find_map(|extent| {
            let (start, stop) =
                (u64::from(extent.inside), u64::from(extent.inside) + u64::from(extent.count));
            (start <= at && at < stop).then_some(stop)
        });
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}

/// The first 65,536 ids of a namespace mapped to themselves, one line for each extent that they
/// touch: the kernel refuses a line that spans two extents of the namespace above.
pub fn same(map: &[Extent]) -> Option<Vec<Extent>> {
    if !holds(map, 0, COUNT) {
        return None;
    }
    let mut lines: Vec<_> = map
        .iter()
        .filter(|extent| extent.inside < COUNT && extent.count > 0)
        .map(|extent| Extent {
            inside: extent.inside,
            outside: extent.inside,
            count: extent.count.min(COUNT - extent.inside),
        })
        .collect();
    lines.sort_by_key(|extent| extent.inside);
    Some(lines)
}

/// Ranges of ids, (first, count), that a `subuid` file gives to a user by name or number.
pub fn subordinate(text: &str, name: Option<&str>, id: u32) -> Vec<(u32, u32)> {
    let line = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (Some(owner) == name || owner.parse() == Ok(id)).then_some(range)
    };
    text.lines().filter_map(line).collect()
}

/// The map of an ordinary user: its own id, then subordinate ids until there are 65,536. What the
/// ranges lack, if they are too small.
pub fn ordinary(own: u32, ranges: &[(u32, u32)]) -> Result<Vec<Extent>, u32> {
    let mut map = vec![Extent { inside: 0, outside: own, count: 1 }];
    let mut inside = 1;
    for &(outside, count) in ranges {
        let count = count.min(COUNT - inside);
        if count > 0 && outside.checked_add(count).is_some() {
            map.push(Extent { inside, outside, count });
            inside += count;
        }
    }
    if inside == COUNT { Ok(map) } else { Err(COUNT - inside) }
}

/// The name of a user, from the text of a passwd file.
pub fn user_name(passwd: &str, id: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(inside: u32, outside: u32, count: u32) -> Extent {
        Extent { inside, outside, count }
    }

    #[test]
    fn subordinate_ids_are_found_by_name_and_number_and_joined() {
        let text = "ann:100000:65536\nbob:200000:30000\n1002:300000:40000\nbroken\nbob:x:1\n";
        assert_eq!(subordinate(text, Some("ann"), 1001), [(100_000, 65_536)]);
        assert_eq!(subordinate(text, Some("bob"), 1002), [(200_000, 30_000), (300_000, 40_000)]);
        assert_eq!(subordinate(text, None, 7), []);
        assert_eq!(
            ordinary(1002, &[(200_000, 30_000), (300_000, 40_000)]).unwrap(),
            [extent(0, 1002, 1), extent(1, 200_000, 30_000), extent(30_001, 300_000, 35_535)]
        );
        assert_eq!(ordinary(7, &[(100_000, 65_534)]), Err(1));
        assert_eq!(ordinary(7, &[]), Err(65_535));
        assert_eq!(ordinary(7, &[(u32::MAX, 65_535)]), Err(65_535));
    }

    #[test]
    fn a_small_namespace_lends_its_own_ids() {
        let whole = parse_map("         0          0 4294967295\n");
        assert!(holds(&whole, ROOT_BASE, COUNT));
        let rootless = parse_map("0 1000 1\n1 100000 65536\n");
        assert!(!holds(&rootless, ROOT_BASE, COUNT));
        assert_eq!(same(&rootless).unwrap(), [extent(0, 0, 1), extent(1, 1, 65_535)]);
        assert_eq!(same(&parse_map("0 1000 1\n")), None);
        assert_eq!(same(&parse_map("0 1000 1\n2 100000 65536\n")), None);
    }

    #[test]
    fn user_names_come_from_passwd() {
        let passwd = "root:x:0:0::/:/bin/sh\nann:x:1001:1001::/:/bin/sh\n";
        assert_eq!(user_name(passwd, 1001), Some("ann"));
        assert_eq!(user_name(passwd, 5), None);
    }

    #[test]
    fn maps_have_a_tag_of_their_own() {
        let other = Ids { users: ordinary(1, &[(9, COUNT)]).unwrap(), ..Ids::root() };
        assert_ne!(Ids::root().tag(), other.tag());
        assert_eq!(map_text(&Ids::root().users), "0 2147352576 65536\n");
    }
}
