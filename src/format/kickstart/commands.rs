//! The commands with a meaning for composing, typed.

use super::arguments::{Arguments, comma_list};

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
