//! The commands with a meaning for composing, typed, and the rules between the options of one command.

use super::arguments::{Arguments, comma_list};
use super::syntax::Dialect;

/// What a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `lang`.
    Lang {
        /// The language of the system, such as `de_DE.UTF-8`.
        locale: String,
        /// Further languages to support.
        more: Vec<String>,
    },
    /// `keyboard`.
    Keyboard {
        /// The layout as one word, for console and X.
        layout: Option<String>,
        /// The layout of the console.
        console: Option<String>,
        /// The layouts of X.
        x: Vec<String>,
        /// The options that switch between them.
        switch: Vec<String>,
    },
    /// `timezone`.
    Timezone {
        /// The zone, such as `Europe/Berlin`.
        zone: Option<String>,
        /// Whether the hardware clock has UTC.
        utc: bool,
        /// Whether `--nontp` was given.
        no_ntp: bool,
        /// Time servers.
        servers: Vec<String>,
    },
    /// `rootpw`.
    RootPassword {
        /// The password, where one is given.
        password: Option<String>,
        /// Whether it is crypted already.
        crypted: bool,
        /// Whether the account is locked.
        locked: bool,
        /// Whether root may log in with it through ssh.
        allow_ssh: bool,
    },
    /// `user`.
    User(User),
    /// `group`.
    Group {
        /// Its name.
        name: String,
        /// Its number, where it is fixed.
        gid: Option<i64>,
    },
    /// `sshkey`.
    SshKey {
        /// Whose.
        user: String,
        /// A line of `authorized_keys`.
        key: String,
    },
    /// `services`.
    Services {
        /// To be enabled, where the option is given.
        enabled: Option<Vec<String>>,
        /// To be disabled.
        disabled: Option<Vec<String>>,
    },
    /// `selinux`: `enforcing`, `permissive` or `disabled`, the last given.
    SeLinux(Option<&'static str>),
    /// `firewall`.
    Firewall(Firewall),
    /// `network`.
    Network(Box<Network>),
    /// `bootloader`.
    Bootloader(Box<Bootloader>),
    /// `part`, `partition`.
    Partition(Box<Partition>),
    /// `clearpart`: `all`, `linux`, `none` or `list`, the last given.
    ClearPart {
        /// Which partitions.
        which: Option<&'static str>,
        /// On which drives; all where empty.
        drives: Vec<String>,
        /// The partitions of `--list`.
        devices: Vec<String>,
        /// Whether to make a new disk label.
        initlabel: bool,
        /// Of which kind.
        disklabel: Option<String>,
    },
    /// `zerombr`.
    ZeroMbr,
    /// `reqpart`.
    ReqPart {
        /// Whether /boot is to be a partition as well.
        add_boot: bool,
    },
    /// `repo`.
    Repo(Box<Repo>),
    /// `url`.
    Url(Source),
    /// `firstboot`: `disable`, `enable` or `reconfig`, the last given.
    FirstBoot(Option<&'static str>),
    /// `reboot`, `shutdown`, `poweroff`, `halt`.
    Finish {
        /// What is to happen.
        how: Finish,
        /// Whether to eject the medium.
        eject: bool,
        /// Whether to reboot by kexec.
        kexec: bool,
    },
    /// `skipx`.
    SkipX,
    /// `xconfig`.
    XConfig {
        /// The desktop, such as GNOME.
        desktop: Option<String>,
        /// Whether to start it.
        start: bool,
    },
    /// `auth`, `authconfig`, `authselect`: the rest of the line.
    Authentication(String),
    /// `text`, `cmdline`, `graphical`.
    Display {
        /// Which of them.
        mode: &'static str,
        /// Whether nobody is asked.
        non_interactive: bool,
    },
    /// `liveimg`.
    LiveImage {
        /// Where it is.
        url: String,
        /// The sha256 wanted.
        checksum: Option<String>,
    },
    /// A command that the dialect passes over.
    Deprecated,
    /// A known command without a type here: see the options of the command.
    Other,
}

/// How an installation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// `reboot`.
    Reboot,
    /// `shutdown`, `poweroff`.
    PowerOff,
    /// `halt`: waits.
    Halt,
}

/// A user to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the option of its name")]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
    pub homedir: Option<String>,
    pub password: Option<String>,
    pub crypted: bool,
    pub locked: bool,
    pub shell: Option<String>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub gecos: Option<String>,
}

/// The firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// Whether there is one.
    pub enabled: bool,
    /// Open ports, `22:tcp`; None where no such option was given.
    pub ports: Option<Vec<String>>,
    /// Interfaces that are trusted.
    pub trusted: Option<Vec<String>>,
    /// Services let in.
    pub services: Option<Vec<String>>,
    /// Services that are not let in.
    pub removed: Option<Vec<String>>,
    /// Whether to leave the defaults of the system alone.
    pub system_defaults: bool,
}

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each field is the option of its name; the others are in the command's options"
)]
pub struct Network {
    pub device: Option<String>,
    pub bootproto: Option<String>,
    pub hostname: Option<String>,
    pub ip: Option<String>,
    pub netmask: Option<String>,
    pub gateway: Option<String>,
    pub nameserver: Option<String>,
    pub ipv6: Option<String>,
    pub onboot: bool,
    pub activate: Option<bool>,
    pub noipv4: bool,
    pub noipv6: bool,
    pub nodns: bool,
}

/// The boot loader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each field is the option of its name; the others are in the command's options"
)]
pub struct Bootloader {
    pub append: Option<String>,
    pub location: Option<String>,
    pub timeout: Option<i64>,
    pub default: Option<String>,
    pub password: Option<String>,
    pub crypted: bool,
    pub drive_order: Vec<String>,
    pub boot_drive: Option<String>,
    pub extlinux: bool,
    pub sdboot: bool,
    pub disabled: bool,
}

/// A partition; `part / --size` is also the size of an image, `part iso --size` that of a disc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each field is the option of its name; the others are in the command's options"
)]
pub struct Partition {
    pub mountpoint: String,
    /// MiB.
    pub size: Option<i64>,
    pub maxsize: Option<i64>,
    pub grow: bool,
    pub fstype: Option<String>,
    pub ondisk: Option<String>,
    pub onpart: Option<String>,
    pub label: Option<String>,
    pub fsoptions: Option<String>,
    pub fsprofile: Option<String>,
    pub mkfsoptions: Option<String>,
    pub asprimary: bool,
    pub recommended: bool,
    pub noformat: bool,
}

/// Where packages come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the option of its name")]
pub struct Source {
    /// `--url`, or `--baseurl` of a repo.
    pub url: Option<String>,
    pub mirrorlist: Option<String>,
    pub metalink: Option<String>,
    pub proxy: Option<String>,
    pub noverifyssl: bool,
    pub sslcacert: Option<String>,
    pub sslclientcert: Option<String>,
    pub sslclientkey: Option<String>,
}

/// A repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repo {
    /// Its name.
    pub name: String,
    /// Where it is; without any address it is one that the tool knows by its name.
    pub source: Source,
    /// Its cost, where given.
    pub cost: Option<i64>,
    /// Only these packages are seen.
    pub includepkgs: Vec<String>,
    /// These packages are not seen.
    pub excludepkgs: Vec<String>,
    /// Whether the installed system gets it.
    pub install: bool,
    /// Whether its groups are passed over.
    pub ignoregroups: bool,
}

fn source(given: &Arguments, url: &str) -> Source {
    Source {
        url: given.owned(url),
        mirrorlist: given.owned("mirrorlist"),
        metalink: given.owned("metalink"),
        proxy: given.owned("proxy"),
        noverifyssl: given.has("noverifyssl"),
        sslcacert: given.owned("sslcacert"),
        sslclientcert: given.owned("sslclientcert"),
        sslclientkey: given.owned("sslclientkey"),
    }
}

/// Reads a command from its arguments. The rest of the line is for those that read it themselves.
pub(super) fn directive(name: &str, given: &Arguments, rest: &str) -> Directive {
    let crypted = given.last_of(&["iscrypted", "plaintext"]) == Some("iscrypted");
    let needed = |option: &str| given.owned(option).unwrap_or_default();
    match name {
        "lang" => Directive::Lang {
            locale: given.argument("lang").unwrap_or_default().to_owned(),
            more: given.list("addsupport").unwrap_or_default(),
        },
        "keyboard" => Directive::Keyboard {
            layout: given.argument("kbd").map(str::to_owned),
            console: given.owned("vckeymap"),
            x: given.list("xlayouts").unwrap_or_default(),
            switch: given.list("switch").unwrap_or_default(),
        },
        "timezone" => Directive::Timezone {
            zone: given.argument("timezone").map(str::to_owned),
            utc: given.has("utc") || given.has("isUtc"),
            no_ntp: given.has("nontp"),
            servers: given.list("ntpservers").unwrap_or_default(),
        },
        "rootpw" => Directive::RootPassword {
            password: given.argument("password").filter(|text| !text.is_empty()).map(str::to_owned),
            crypted,
            locked: given.has("lock"),
            allow_ssh: given.has("allow-ssh"),
        },
        "user" => Directive::User(User {
            name: needed("name"),
            groups: given.list("groups").unwrap_or_default(),
            homedir: given.owned("homedir"),
            password: given.owned("password"),
            crypted,
            locked: given.has("lock"),
            shell: given.owned("shell"),
            uid: given.number("uid"),
            gid: given.number("gid"),
            gecos: given.owned("gecos"),
        }),
        "group" => Directive::Group { name: needed("name"), gid: given.number("gid") },
        "sshkey" => Directive::SshKey {
            user: needed("username"),
            key: given.argument("sshkey").unwrap_or_default().to_owned(),
        },
        "services" => {
            Directive::Services { enabled: given.list("enabled"), disabled: given.list("disabled") }
        }
        "selinux" => Directive::SeLinux(given.last_of(&["disabled", "enforcing", "permissive"])),
        "firewall" => Directive::Firewall(firewall(given)),
        "network" => Directive::Network(Box::new(Network {
            device: given.owned("device"),
            bootproto: given.owned("bootproto"),
            hostname: given.owned("hostname"),
            ip: given.owned("ip"),
            netmask: given.owned("netmask"),
            gateway: given.owned("gateway"),
            nameserver: given.owned("nameserver"),
            ipv6: given.owned("ipv6"),
            onboot: given.yes("onboot").unwrap_or(true),
            activate: given.last_of(&["activate", "no-activate"]).map(|last| last == "activate"),
            noipv4: given.has("noipv4"),
            noipv6: given.has("noipv6"),
            nodns: given.has("nodns"),
        })),
        "bootloader" => Directive::Bootloader(Box::new(Bootloader {
            append: given.owned("append"),
            location: given.owned("location"),
            timeout: given.number("timeout"),
            default: given.owned("default"),
            password: given.owned("md5pass").or_else(|| given.owned("password")),
            crypted: given.has("iscrypted") || given.has("md5pass"),
            drive_order: given.list("driveorder").unwrap_or_default(),
            boot_drive: given.owned("boot-drive"),
            extlinux: given.has("extlinux"),
            sdboot: given.has("sdboot"),
            disabled: given.has("disabled"),
        })),
        "part" | "partition" => Directive::Partition(Box::new(Partition {
            mountpoint: normal_path(given.argument("mntpoint").unwrap_or_default()),
            size: given.number("size"),
            maxsize: given.number("maxsize"),
            grow: given.has("grow"),
            fstype: given.owned("fstype"),
            ondisk: given.owned("ondisk"),
            onpart: given.text("onpart").map(|name| name.strip_prefix("/dev/").unwrap_or(name).to_owned()),
            label: given.owned("label"),
            fsoptions: given.owned("fsoptions"),
            fsprofile: given.owned("fsprofile"),
            mkfsoptions: given.owned("mkfsoptions"),
            asprimary: given.has("asprimary"),
            recommended: given.has("recommended"),
            noformat: given.has("noformat"),
        })),
        "clearpart" => Directive::ClearPart {
            which: match given.list("list") {
                Some(devices) if !devices.is_empty() => Some("list"),
                _ => given.last_of(&["all", "linux", "none"]),
            },
            drives: given.list("drives").unwrap_or_default(),
            devices: given.list("list").unwrap_or_default(),
            initlabel: given.has("initlabel"),
            disklabel: given.owned("disklabel"),
        },
        "zerombr" => Directive::ZeroMbr,
        "reqpart" => Directive::ReqPart { add_boot: given.has("add-boot") },
        "repo" => Directive::Repo(Box::new(Repo {
            name: needed("name"),
            source: source(given, "baseurl"),
            cost: given.number("cost"),
            includepkgs: given.list("includepkgs").unwrap_or_default(),
            excludepkgs: given.list("excludepkgs").unwrap_or_default(),
            install: given.has("install"),
            ignoregroups: given.yes("ignoregroups").unwrap_or(false),
        })),
        "url" => Directive::Url(source(given, "url")),
        "firstboot" => Directive::FirstBoot(given.last_of(&["disable", "enable", "reconfig"])),
        "reboot" | "shutdown" | "poweroff" | "halt" => Directive::Finish {
            how: match name {
                "reboot" => Finish::Reboot,
                "halt" => Finish::Halt,
                _ => Finish::PowerOff,
            },
            eject: given.has("eject"),
            kexec: given.has("kexec"),
        },
        "skipx" => Directive::SkipX,
        "xconfig" => {
            Directive::XConfig { desktop: given.owned("defaultdesktop"), start: given.has("startxonboot") }
        }
        "auth" | "authconfig" | "authselect" => Directive::Authentication(rest.to_owned()),
        "text" => Directive::Display { mode: "text", non_interactive: given.has("non-interactive") },
        "cmdline" => Directive::Display { mode: "cmdline", non_interactive: false },
        "graphical" => {
            Directive::Display { mode: "graphical", non_interactive: given.has("non-interactive") }
        }
        "liveimg" => Directive::LiveImage { url: needed("url"), checksum: given.owned("checksum") },
        _ => Directive::Other,
    }
}

fn firewall(given: &Arguments) -> Firewall {
    let mut firewall = Firewall {
        enabled: given.last_of(&["disable", "enable"]) != Some("disable"),
        system_defaults: given.has("use-system-defaults"),
        ..Firewall::default()
    };
    for (option, value) in &given.options {
        let value = value.as_deref().unwrap_or_default();
        match *option {
            "port" => firewall.ports.get_or_insert_default().extend(value.split(',').map(|port| {
                let port = super::text::strip(port);
                if port.contains(':') { port.to_owned() } else { format!("{port}:tcp") }
            })),
            "trust" => firewall.trusted.get_or_insert_default().push(value.to_owned()),
            "service" => firewall.services.get_or_insert_default().extend(comma_list(value)),
            "ftp" | "http" | "smtp" | "ssh" => {
                firewall.services.get_or_insert_default().push((*option).to_owned());
            }
            "remove-service" => firewall.removed.get_or_insert_default().extend(comma_list(value)),
            _ => {}
        }
    }
    firewall
}

/// Python's `os.path.normpath` for absolute paths; other mount points (`swap`, `biosboot`, `iso`) as they are.
fn normal_path(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let slashes = if path.starts_with("//") && !path.starts_with("///") { "//" } else { "/" };
    format!("{slashes}{}", parts.join("/"))
}

/// Finds what one command may not say. Whatever argparse leaves over has been judged before.
pub(super) fn judge(name: &str, given: &Arguments, rest: &str, dialect: Dialect) -> Result<(), String> {
    let rhel = dialect != Dialect::Fedora;
    // As in Python: an empty text and a zero are as good as nothing.
    let has = |option: &str| match given.text(option) {
        Some(text) => !text.is_empty() && given.number(option) != Some(0),
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
            let options = ["drives", "only-use", "interactive"];
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
        "nvdimm" => both("namespace", "blockdevs"),
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
