//! The commands and their options by dialect, as pykickstart 3.78 knows them.
//!
//! A line of the table names a command and its options:
//! ```text
//! NAME[/ALIAS…][=KIND][!][~][@DIALECTS]   the option --NAME; ! required, ~ deprecated
//! <NAME> <NAME?> <NAME*>                  one argument, at most one, any number
//! KIND: "" a text, # a whole number, "," a list, ? yes or no, [a|b] one of these, * a text that may be left out
//! DIALECTS: 8, 9, 10 for RHEL, f for Fedora; none means all
//! ```

use std::fmt;

/// Whose kickstart commands are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// RHEL 8 and its rebuilds.
    Rhel8,
    /// RHEL 9 and its rebuilds.
    Rhel9,
    /// RHEL 10 and its rebuilds.
    Rhel10,
    /// The newest Fedora (pykickstart's F46).
    Fedora,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rhel8, Self::Rhel9, Self::Rhel10, Self::Fedora];

    /// Its name: `rhel8`, `rhel9`, `rhel10`, `fedora`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rhel8 => "rhel8",
            Self::Rhel9 => "rhel9",
            Self::Rhel10 => "rhel10",
            Self::Fedora => "fedora",
        }
    }

    /// The dialect of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Rhel8 => "8",
            Self::Rhel9 => "9",
            Self::Rhel10 => "10",
            Self::Fedora => "f",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Text,
    Number,
    List,
    YesNo,
    OneOf(&'static str),
    MaybeText,
}

#[derive(Clone, Debug)]
pub(super) struct Opt {
    /// Without dashes; the first is what it is called.
    pub names: Vec<&'static str>,
    pub takes: Takes,
    pub required: bool,
    pub deprecated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    One,
    AtMostOne,
    Any,
}

/// What may follow a command or the name of a section.
#[derive(Clone, Debug, Default)]
pub(super) struct Syntax {
    pub options: Vec<Opt>,
    pub positional: Vec<(&'static str, Count)>,
}

impl Syntax {
    /// Reads a line of the table for a dialect.
    pub(super) fn read(line: &'static str, dialect: Dialect) -> Self {
        let mut syntax = Self::default();
        for word in line.split_ascii_whitespace() {
            if let Some(name) = word.strip_prefix('<').and_then(|word| word.strip_suffix('>')) {
                syntax.positional.push(match name.strip_suffix('?') {
                    Some(name) => (name, Count::AtMostOne),
                    None => match name.strip_suffix('*') {
                        Some(name) => (name, Count::Any),
                        None => (name, Count::One),
                    },
                });
                continue;
            }
            let (word, dialects) = word.split_once('@').map_or((word, None), |(word, of)| (word, Some(of)));
            if dialects.is_some_and(|of| !of.split(',').any(|mark| mark == dialect.mark())) {
                continue;
            }
            let (word, deprecated) = word.strip_suffix('~').map_or((word, false), |word| (word, true));
            let (word, required) = word.strip_suffix('!').map_or((word, false), |word| (word, true));
            let (names, takes) = match word.split_once('=') {
                None => (word, Takes::Nothing),
                Some((names, "#")) => (names, Takes::Number),
                Some((names, ",")) => (names, Takes::List),
                Some((names, "?")) => (names, Takes::YesNo),
                Some((names, "*")) => (names, Takes::MaybeText),
                Some((names, "")) => (names, Takes::Text),
                Some((names, choices)) => {
                    (names, Takes::OneOf(choices.trim_start_matches('[').trim_end_matches(']')))
                }
            };
            syntax.options.push(Opt { names: names.split('/').collect(), takes, required, deprecated });
        }
        syntax
    }
}

/// What a dialect does with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Known,
    /// Passed over whatever its arguments, with a warning.
    Deprecated,
    Removed,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub name: &'static str,
    /// `+` known, `d` deprecated, `r` removed, `-` unknown, for RHEL 8, 9, 10 and Fedora.
    standing: &'static str,
    /// None where the command reads its line itself.
    pub syntax: Option<&'static str>,
}

impl Entry {
    pub(super) fn standing(&self, dialect: Dialect) -> Standing {
        match self.standing.as_bytes().get(dialect as usize) {
            Some(b'+') => Standing::Known,
            Some(b'd') => Standing::Deprecated,
            Some(b'r') => Standing::Removed,
            _ => Standing::Unknown,
        }
    }
}

/// The command of a name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.name == name)
}

const fn entry(name: &'static str, standing: &'static str, syntax: &'static str) -> Entry {
    Entry { name, standing, syntax: Some(syntax) }
}

const fn raw(name: &'static str, standing: &'static str) -> Entry {
    Entry { name, standing, syntax: None }
}

const ALL: &str = "++++";
const END: &str = "eject kexec";
const PART: &str = "<mntpoint> asprimary fstype/type= grow maxsize=# noformat onbiosdisk= ondisk/ondrive= \
    onpart/usepart= recommended size=# fsoptions= label= fsprofile= encrypted passphrase= escrowcert= \
    backuppassphrase resize hibernation cipher= mkfsoptions= active~@8 luks-version= pbkdf= pbkdf-memory=# \
    pbkdf-time=# pbkdf-iterations=# hw-passphrase=@f";
const SOURCE: &str = "proxy= noverifyssl mirrorlist= url= metalink= sslcacert= sslclientcert= sslclientkey=";

/// Every command, by name.
pub(super) const COMMANDS: &[Entry] = &[
    raw("auth", "++rr"),
    raw("authconfig", "++rr"),
    raw("authselect", ALL),
    entry(
        "autopart",
        ALL,
        "encrypted passphrase= escrowcert= backuppassphrase nolvm type= cipher= fstype= nohome noboot noswap \
         luks-version= pbkdf= pbkdf-memory=# pbkdf-time=# pbkdf-iterations=# hibernation@10,f hw-passphrase=@f",
    ),
    entry("autostep", "+drr", "autoscreenshot"),
    entry("bootc", "--++", "stateroot= source-imgref=! target-imgref= bootloader=@f composefs@f"),
    entry(
        "bootloader",
        ALL,
        "append= location=[mbr|partition|none|boot] password= driveorder=, timeout=# default= iscrypted md5pass= \
         boot-drive= leavebootorder extlinux disabled nombr upgrade~@8 sdboot@10,f",
    ),
    entry(
        "btrfs",
        "ddr+",
        "<devices*> noformat useexisting label= data= metadata= subvol parent= name= mkfsoptions=",
    ),
    entry("cdrom", ALL, ""),
    entry("clearpart", ALL, "all initlabel linux none disklabel= drives=, list=, cdl"),
    entry("cmdline", ALL, "non-interactive"),
    raw("device", "drrr"),
    raw("deviceprobe", "drrr"),
    raw("dmraid", "drrr"),
    entry("driverdisk", ALL, "<partition*> source= biospart="),
    entry("eula", ALL, "agreed/agree/accepted/accept"),
    entry("fcoe", ALL, "nic=! dcb autovlan"),
    entry(
        "firewall",
        ALL,
        "disable/disabled enable/enabled port= trust= service= ftp http smtp ssh remove-service= use-system-defaults",
    ),
    entry("firstboot", ALL, "disable/disabled enable/enabled reconfig"),
    entry("graphical", ALL, "non-interactive"),
    entry("group", ALL, "name=! gid=#"),
    entry("halt", ALL, END),
    entry("harddrive", ALL, "biospart=@8 partition=@8 dir=! partition=!@9,10,f"),
    entry("hmc", ALL, ""),
    entry("ignoredisk", ALL, "drives=, only-use=, interactive~@8"),
    raw("install", "drrr"),
    entry("iscsi", ALL, "target= ipaddr=! port=# user= password= reverse-user= reverse-password= iface="),
    entry("iscsiname", ALL, "<iqn>"),
    entry("keyboard", ALL, "<kbd*> vckeymap= xlayouts=, switch=,"),
    entry("lang", ALL, "<lang> addsupport=,"),
    entry("liveimg", ALL, "url=! proxy= noverifyssl checksum="),
    entry("logging", ALL, "host= port= level=[debug|info|warning|error|critical]@8 level=~@9"),
    entry(
        "logvol",
        ALL,
        "<mntpoint> fstype= grow maxsize=# name=! noformat percent=# recommended size=# useexisting vgname=! \
         fsoptions= fsprofile= encrypted passphrase= escrowcert= backuppassphrase label= resize hibernation cipher= \
         thinpool thin poolname= chunksize=# metadatasize=# profile= cachesize=# cachemode= cachepvs=, mkfsoptions= \
         luks-version= pbkdf= pbkdf-memory=# pbkdf-time=# pbkdf-iterations=#",
    ),
    entry("mediacheck", ALL, ""),
    raw("method", "rdrr"),
    entry("module", "++dr", "name=! stream= disable"),
    entry("mount", ALL, "<device> <mntpoint> reformat=* mkfsoptions= mountoptions="),
    raw("multipath", "drrr"),
    entry(
        "network",
        ALL,
        "bootproto=[dhcp|bootp|static|query|ibft] dhcpclass= device= essid= ethtool= gateway= hostname= ip= mtu= \
         nameserver= netmask= nodns onboot=? wepkey= notksdevice noipv4 noipv6 ipv6= activate nodefroute wpakey= \
         bondslaves= bondopts= vlanid= ipv6gateway= teamslaves=@8,9,f teamconfig=@8,9,f interfacename= \
         bridgeslaves= bridgeopts= no-activate bindto=[mac] ipv4-dns-search=@9,10,f ipv6-dns-search=@9,10,f \
         ipv4-ignore-auto-dns@9,10,f ipv6-ignore-auto-dns@9,10,f teamslaves=~@10 teamconfig=~@10",
    ),
    entry("nfs", ALL, "server=! dir=! opts="),
    entry("nvdimm", "++rr", "<action> namespace= blockdevs=, mode=[sector] sectorsize=#"),
    entry("ostreecontainer", "-+++", "stateroot= url=! transport= remote= no-signature-verification"),
    entry("ostreesetup", ALL, "osname=! remote= url=! ref=! nogpg"),
    entry("part", ALL, PART),
    entry("partition", ALL, PART),
    entry("poweroff", ALL, END),
    entry(
        "raid",
        ALL,
        "<mntpoint> <partitions*> device=! fstype= level= noformat spares=# useexisting fsoptions= fsprofile= \
         encrypted passphrase= escrowcert= backuppassphrase label= cipher= mkfsoptions= chunksize=# luks-version= \
         pbkdf= pbkdf-memory=# pbkdf-time=# pbkdf-iterations=#",
    ),
    entry("rdp", "--++", "username= password="),
    raw("realm", ALL),
    entry("reboot", ALL, END),
    entry(
        "repo",
        ALL,
        "name=! baseurl= mirrorlist= cost=# excludepkgs=, includepkgs=, ignoregroups=?@8 ignoregroups=?~@9 proxy= \
         noverifyssl install metalink= sslcacert= sslclientcert= sslclientkey=",
    ),
    entry("reqpart", ALL, "add-boot"),
    entry("rescue", ALL, "nomount romount"),
    entry(
        "rhsm",
        "+++-",
        "organization=! activation-key=! connect-to-insights proxy= server-hostname= rhsm-baseurl= \
         flatpak-registry-url=@10",
    ),
    entry("rootpw", ALL, "<password?> iscrypted lock plaintext allow-ssh@9,10,f"),
    entry("selinux", ALL, "disabled enforcing permissive"),
    entry("services", ALL, "disabled=, enabled=,"),
    entry("shutdown", ALL, END),
    entry("skipx", ALL, ""),
    entry("snapshot", ALL, "<origin> name=! when=[pre-install|post-install]!"),
    entry("sshkey", ALL, "username=! <sshkey>"),
    entry("sshpw", ALL, "username=! iscrypted plaintext lock <password*> sshkey"),
    entry("stratisfs", "---+", "<mntpoint> size=# grow maxsize=# name=! poolname=! useexisting"),
    entry("stratispool", "---+", "<name*> <blockdevs*> useexisting encrypted passphrase= overprovisioning"),
    entry("syspurpose", "+++-", "role= sla= usage= addon="),
    entry("text", ALL, "non-interactive"),
    entry("timesource", "-+++", "ntp-server= ntp-pool= ntp-disable nts"),
    entry(
        "timezone",
        ALL,
        "<timezone*> utc isUtc@8,9 nontp@8,9 ntpservers=,@8,9 isUtc~@f nontp~@f ntpservers=,~@f",
    ),
    entry("updates", ALL, "<url*>"),
    entry("url", ALL, SOURCE),
    entry(
        "user",
        ALL,
        "homedir= iscrypted name=! password= shell= uid=# lock plaintext gecos= gid=# groups=,",
    ),
    entry("vnc", "++dr", "password= host= port="),
    entry(
        "volgroup",
        ALL,
        "<name*> <partitions*> noformat useexisting reserved-space=# reserved-percent=# pesize=#",
    ),
    entry("xconfig", ALL, "defaultdesktop= startxonboot"),
    entry("zerombr", ALL, ""),
    entry("zfcp", ALL, "devnum=! fcplun=!@8 wwpn=!@8 wwpn=@9,10,f fcplun=@9,10,f"),
    entry("zipl", ALL, "secure-boot force-secure-boot no-secure-boot"),
];

/// The options of `%packages`.
pub(super) const PACKAGES: &str = "excludedocs ignoremissing default multilib nocore timeout=# retries=# \
    inst-langs=@9,10,f exclude-weakdeps@9,10,f ignorebroken@f instLangs=@8,9 excludeWeakdeps@8,9 instLangs=~@f \
    excludeWeakdeps~@f";
/// The options of a group within it.
pub(super) const GROUP: &str = "<name*> nodefaults optional";
/// The options of a script that cannot run in the new system.
pub(super) const SCRIPT: &str = "erroronfail interpreter= log/logfile=";
/// The options of `%post`.
pub(super) const POST: &str = "erroronfail interpreter= log/logfile= nochroot";
/// The options of `%certificate`.
pub(super) const CERTIFICATE: &str = "filename=! dir= type=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        assert!(COMMANDS.is_sorted_by_key(|entry| entry.name));
        let mut options = 0;
        for entry in COMMANDS {
            assert_eq!(entry.standing.len(), 4, "{}", entry.name);
            for dialect in Dialect::ALL {
                let syntax = Syntax::read(entry.syntax.unwrap_or_default(), dialect);
                let mut names: Vec<_> = syntax.options.iter().flat_map(|option| &option.names).collect();
                options += names.len();
                names.sort();
                assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')));
                names.dedup();
                assert_eq!(
                    names.len(),
                    syntax.options.iter().map(|option| option.names.len()).sum::<usize>()
                );
            }
        }
        assert!(options > 1_000, "{options}");
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::find(dialect.name()), Some(dialect));
        }
    }
}
