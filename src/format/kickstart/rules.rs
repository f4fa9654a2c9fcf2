//! The rules between the options of one command, and between commands, as pykickstart has them.

use super::arguments::Arguments;
use super::syntax::Dialect;

/// Options whose zero is as good as nothing.
const NUMBERS: [&str; 8] = [
    "size",
    "maxsize",
    "percent",
    "pbkdf-time",
    "pbkdf-iterations",
    "chunksize",
    "metadatasize",
    "cachesize",
];

/// Finds what one command may not say. Whatever argparse leaves over has been judged before.
pub(super) fn judge(name: &str, given: &Arguments, rest: &str, dialect: Dialect) -> Result<(), String> {
    let rhel = dialect != Dialect::Fedora;
    // As in Python: an empty text and a zero are as good as nothing.
    let has = |option: &str| match given.text(option) {
        Some(text) => !(text.is_empty() || NUMBERS.contains(&option) && given.number(option) == Some(0)),
        None => given.has(option),
    };
    let both = |one: &str, other: &str| {
        if has(one) && has(other) { Err(format!("--{one} and --{other} exclude each other")) } else { Ok(()) }
    };
    let exactly_one = |options: &[&str]| match options.iter().filter(|option| has(option)).count() {
        1 => Ok(()),
        0 => Err(format!("one of --{} is needed", options.join(", --"))),
        _ => Err(format!("only one of --{} may be given", options.join(", --"))),
    };
    let when = |wrong: bool, message: &str| if wrong { Err(message.to_owned()) } else { Ok(()) };
    let count = |called: &str| given.arguments(called).count();
    let btrfs = || {
        let mount = given.argument("mntpoint").unwrap_or_default();
        let wrong = given.text("fstype") == Some("btrfs") || mount.starts_with("btrfs.") && name != "logvol";
        when(rhel && wrong, "RHEL has no btrfs")
    };
    let file_system = || {
        when(has("noformat") && has("mkfsoptions"), "--mkfsoptions does nothing with --noformat")?;
        both("fsprofile", "mkfsoptions")?;
        both("pbkdf-time", "pbkdf-iterations")
    };
    match name {
        "keyboard" => {
            when(count("kbd") > 1, "only one layout may be given; --xlayouts takes several")?;
            let any = ["vckeymap", "xlayouts"].iter().any(|option| has(option));
            when(count("kbd") == 0 && !any, "a layout, --vckeymap or --xlayouts is needed")
        }
        "timezone" => {
            when(given.options.is_empty() && count("timezone") == 0, "a time zone or an option is needed")?;
            when(count("timezone") > 1, "only one time zone may be given")?;
            both("ntpservers", "nontp")
        }
        "rootpw" => {
            let password = given.argument("password").is_some_and(|password| !password.is_empty());
            when(!password && !has("lock"), "a password or --lock is needed")
        }
        "services" => when(!has("enabled") && !has("disabled"), "--enabled or --disabled is needed"),
        "network" => {
            if let Some(options) = given.text("bridgeopts").filter(|text| !text.is_empty()) {
                when(!has("bridgeslaves"), "--bridgeopts needs --bridgeslaves")?;
                let well = |option: &str| {
                    option.split_once('=').is_some_and(|(_, value)| !value.is_empty() && !value.contains('='))
                };
                when(!options.split(',').all(well), "--bridgeopts is a list of key=value")?;
            }
            when(has("bindto") && has("vlanid") && !has("bondopts"), "--bindto=mac does not go with a VLAN")?;
            let dns = ["ipv4-dns-search", "ipv6-dns-search", "ipv4-ignore-auto-dns", "ipv6-ignore-auto-dns"];
            match dns.iter().find(|option| has(option)) {
                Some(option) if !has("device") => Err(format!("--{option} needs --device")),
                _ => Ok(()),
            }
        }
        "bootloader" => {
            let drive = given.text("boot-drive").unwrap_or_default();
            when(drive.contains(','), "--boot-drive takes one drive")?;
            both("sdboot", "extlinux")
        }
        "part" | "partition" => {
            when(has("resize") && !has("onpart"), "--resize needs --onpart")?;
            when(has("resize") && !has("size"), "--resize needs --size")?;
            let tmpfs = given.text("fstype") == Some("tmpfs") && (has("grow") || has("maxsize"));
            when(tmpfs, "--fstype=tmpfs does not go with --grow or --maxsize")?;
            file_system()?;
            hardware_passphrase(given)?;
            btrfs()
        }
        "repo" => {
            let given = ["mirrorlist", "baseurl", "metalink"].iter().filter(|option| has(option)).count();
            when(given > 1, "only one of --baseurl, --mirrorlist, --metalink may be given")
        }
        "url" => exactly_one(&["url", "mirrorlist", "metalink"]),
        "timesource" => exactly_one(&["ntp-server", "ntp-pool", "ntp-disable"]),
        "cmdline" => when(has("non-interactive"), "cmdline asks nobody anyway: leave out --non-interactive"),
        "autopart" => {
            let kind = given.text("type").unwrap_or_default().to_lowercase();
            let kinds = ["btrfs", "lvm", "partition", "plain", "thinp", "stratis"];
            let known = kinds.iter().any(|known| *known == kind) && (kind != "stratis" || !rhel);
            when(given.has("type") && !known, "--type is one of lvm, btrfs, plain, partition, thinp")?;
            when(given.text("fstype") == Some("btrfs"), "use --type=btrfs instead of --fstype=btrfs")?;
            when(kind == "btrfs" && has("fstype"), "--fstype does not go with --type=btrfs")?;
            when(kind == "btrfs" && rhel, "RHEL has no btrfs")?;
            both("hibernation", "noswap")?;
            hardware_passphrase(given)?;
            both("pbkdf-time", "pbkdf-iterations")
        }
        "logvol" => {
            both("thin", "thinpool")?;
            both("size", "percent")?;
            when(has("thin") && !has("poolname"), "--thin needs --poolname")?;
            let pool = has("chunksize") || has("metadatasize");
            when(pool && !has("thinpool"), "--chunksize and --metadatasize are for thin pools")?;
            let old = has("useexisting") || has("noformat");
            when(has("resize") && (!old || !has("size")), "--resize needs --useexisting and --size")?;
            let sized =
                old || ["percent", "size", "recommended", "hibernation"].iter().any(|option| has(option));
            when(!sized, "a size is needed: --size, --percent, --hibernation or --useexisting")?;
            let percent = given.number("percent").unwrap_or(0);
            when(!(0..=100).contains(&percent), "--percent goes from 0 to 100")?;
            if has("cachesize") || has("cachemode") || has("cachepvs") {
                let mode = given.text("cachemode").unwrap_or("writeback");
                let well = has("cachesize") && has("cachepvs") && !old && !has("thin");
                when(!well, "a cache needs --cachesize, --cachepvs and a new volume that is not thin")?;
                let known = matches!(mode, "" | "writeback" | "writethrough");
                when(!known, "--cachemode is writeback or writethrough")?;
            }
            file_system()?;
            btrfs()
        }
        "raid" => {
            let members = count("partitions") + given.left_over.len();
            let old = has("useexisting") || has("noformat");
            when(members == 0 && !old, "the partitions of the array are needed")?;
            when(members > 0 && old, "an existing array takes no partitions")?;
            when(!old && !has("level"), "--level is needed")?;
            let level = given.text("level").unwrap_or("linear").to_lowercase();
            let level = level.strip_prefix("raid").unwrap_or(&level);
            when(
                !matches!(level, "0" | "1" | "4" | "5" | "6" | "10" | "linear"),
                "there is no such --level",
            )?;
            file_system()?;
            btrfs()
        }
        "stratispool" => {
            let members = (count("name") + count("blockdevs") + given.left_over.len()).saturating_sub(1);
            when(count("name") == 0, "the name of the pool is needed")?;
            let old = has("useexisting");
            when(members == 0 && !old, "the devices of the pool are needed")?;
            when(members > 0 && old, "an existing pool takes no devices")?;
            when(has("passphrase") && !has("encrypted"), "--passphrase needs --encrypted")
        }
        "volgroup" => {
            let members = (count("name") + count("partitions") + given.left_over.len()).saturating_sub(1);
            let old = has("useexisting") || has("noformat");
            when(count("name") == 0, "the name of the volume group is needed")?;
            when(members == 0 && !old, "the partitions of the volume group are needed")?;
            when(members > 0 && old, "an existing volume group takes no partitions")?;
            when(
                given.number("reserved-space").is_some_and(|space| space < 0),
                "--reserved-space is negative",
            )?;
            let percent = given.number("reserved-percent").unwrap_or(1);
            when(!(1..100).contains(&percent), "--reserved-percent goes from 1 to 99")
        }
        "btrfs" => {
            let members = count("devices") + given.left_over.len();
            when(members < 2, "a mount point and devices, or a parent volume, are needed")?;
            when(has("subvol") && !has("name"), "a subvolume needs --name")?;
            let old = has("useexisting") || has("noformat");
            when(old && has("mkfsoptions"), "--mkfsoptions does nothing with --noformat or --useexisting")
        }
        "mount" => {
            let at = given.argument("mntpoint").unwrap_or_default();
            when(at.to_lowercase() != "none" && !at.starts_with('/'), "the mount point is no absolute path")?;
            when(has("mkfsoptions") && !given.has("reformat"), "--mkfsoptions needs --reformat")
        }
        "ignoredisk" => {
            let options = ["drives", "only-use"];
            when(
                options.iter().filter(|option| has(option)).count() != 1,
                "exactly one of --drives and --only-use is needed",
            )
        }
        "harddrive" => {
            let one = given.has("partition") != given.has("biospart");
            when(dialect == Dialect::Rhel8 && !one, "one of --partition and --biospart is needed")
        }
        "logging" => when(has("port") && !has("host"), "--port needs --host"),
        "driverdisk" => {
            when(count("partition") > 1, "only one partition may be given")?;
            let given = count("partition") + usize::from(has("source")) + usize::from(has("biospart"));
            when(given != 1, "one of --source, --biospart and a partition is needed")
        }
        "updates" => {
            when(count("url") > 1, "only one address may be given")?;
            when(count("url") == 0 && dialect != Dialect::Rhel8, "the address of the updates is needed")
        }
        "eula" => when(!has("agreed") && !has("agree"), "--agreed is needed"),
        "rescue" => both("nomount", "romount"),
        "sshpw" => when(count("password") == 0, "a password is needed"),
        "snapshot" => {
            let origin = given.argument("origin").unwrap_or_default();
            let well = origin.split('/').count() == 2 && !origin.split('/').any(str::is_empty);
            when(!well, "the origin is GROUP/VOLUME")
        }
        "ostreesetup" => {
            let url = given.text("url").unwrap_or_default();
            let known = ["file:", "http:", "https:"].iter().any(|scheme| url.starts_with(scheme));
            when(!known, "the address begins with file:, http: or https:")
        }
        "nvdimm" => {
            both("namespace", "blockdevs")?;
            match given.argument("action") {
                Some("reconfigure") => {
                    when(!has("namespace"), "--namespace is needed")?;
                    when(has("mode") && !has("sectorsize"), "--mode=sector needs --sectorsize")
                }
                Some("use") => {
                    when(!has("namespace") && !has("blockdevs"), "--namespace or --blockdevs is needed")
                }
                _ => Err("the action is 'reconfigure' or 'use'".to_owned()),
            }
        }
        "zfcp" => {
            let well = has("devnum") && has("wwpn") == has("fcplun");
            when(dialect != Dialect::Rhel8 && !well, "--devnum alone or all three of its options are needed")
        }
        "rhsm" => {
            let keys = given.options.iter().filter(|(option, _)| *option == "activation-key");
            let empty = keys.filter(|(_, key)| key.as_deref() == Some("")).count();
            when(empty > 0, "an activation key is empty")
        }
        "realm" => when(
            super::text::strip(rest).split(super::text::is_space).next() != Some("join"),
            "realm wants 'join'",
        ),
        _ => Ok(()),
    }
}

fn hardware_passphrase(given: &Arguments) -> Result<(), String> {
    let luks = given.text("luks-version").unwrap_or_default();
    if given.has("hw-passphrase") && !(given.has("encrypted") && luks.starts_with("luks2-")) {
        return Err("--hw-passphrase is only for --encrypted with a --luks-version of luks2-…".to_owned());
    }
    Ok(())
}

/// Commands that cannot stand in the same kickstart as another, which came earlier.
pub(super) fn rivals(name: &str) -> &'static [&'static str] {
    const VOLUMES: &[&str] = &["autopart", "mount"];
    const ALL: &[&str] =
        &["part", "partition", "raid", "volgroup", "logvol", "reqpart", "stratispool", "stratisfs"];
    const ALL_AND_AUTOPART: &[&str] = &[
        "autopart",
        "part",
        "partition",
        "raid",
        "volgroup",
        "logvol",
        "reqpart",
        "stratispool",
        "stratisfs",
    ];
    match name {
        "autopart" => ALL,
        "mount" => ALL_AND_AUTOPART,
        "bootc" => &["ostreesetup", "ostreecontainer"],
        "ostreecontainer" => &["ostreesetup", "bootc"],
        "ostreesetup" => &["ostreecontainer", "bootc"],
        name if ALL.contains(&name) => VOLUMES,
        _ => &[],
    }
}
