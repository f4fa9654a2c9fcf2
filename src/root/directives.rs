//! Each command of a kickstart as calls of the functions in `commands.sh`.

use super::configuration::{Writer, kernel_words};
use super::crypt;
use crate::base::RelPath;
use crate::format::kickstart::{
    Bootloader, Command, Directive, Firewall, Kickstart, Network, Place, Repo, Script, User,
};

/// Bytes of a kernel's command line (2048 for x86_64 and aarch64) without the menu's own words.
const LONGEST_APPEND: usize = 2048 - 256;
/// Seconds that ISOLINUX can wait.
const LONGEST_TIMEOUT: i64 = 3599;

impl Writer {
    pub(super) fn one(&mut self, command: &Command) {
        let place = &command.place;
        match &command.directive {
            Directive::Lang { locale, more } => self.lang(place, locale, more),
            Directive::Keyboard { layout, console, x, switch } => {
                let console = console.as_deref().or(layout.as_deref()).unwrap_or_default();
                self.keyboard(place, console, x, switch);
            }
            Directive::Timezone { zone: Some(zone), utc } => self.timezone(place, zone, *utc),
            Directive::RootPassword { password, crypted, locked, allow_ssh } => {
                self.password(place, "root", password.as_deref(), *crypted, *locked);
                if *allow_ssh {
                    self.call(place, "root_by_ssh", []);
                }
            }
            Directive::User(user) => self.user(place, user),
            Directive::Group { name, gid } => self.group(place, name, *gid),
            Directive::SshKey { user, key } => self.ssh_key(place, user, key),
            Directive::SeLinux(Some("enforcing")) => self.problem(
                place,
                "SELinux cannot be enforcing in an image yet: its files would have no labels, and then it does \
                 not start; say 'selinux --permissive' or 'selinux --disabled'",
            ),
            Directive::SeLinux(Some(mode)) => self.call(place, "selinux", [*mode]),
            Directive::Network(network) => self.network(command, network),
            Directive::FirstBoot(Some("disable")) => self.call(place, "first_boot", ["disable"]),
            Directive::FirstBoot(Some("reconfig")) => self.call(place, "first_boot", ["reconfig"]),
            Directive::FirstBoot(Some("enable")) => self.call(place, "first_boot", ["enable"]),
            Directive::SkipX => self.call(place, "default_target", ["multi-user.target"]),
            Directive::XConfig { desktop, start } => {
                if let Some(desktop) = desktop
                    && self.is(place, "a name of a desktop", desktop, "_-")
                {
                    self.call(place, "desktop", [desktop.as_str()]);
                }
                if *start {
                    self.call(place, "default_target", ["graphical.target"]);
                }
            }
            Directive::Authentication(rest) => self.authentication(command, rest),
            Directive::Repo(repo) if repo.install => self.repository(place, repo),
            _ => {}
        }
    }

    fn lang(&mut self, place: &Place, locale: &str, more: &[String]) {
        if self.is(place, "a language", locale, "_.@-") {
            self.call(place, "language", [locale]);
        }
        if !more.is_empty() {
            self.problem(
                place,
                "lang --addsupport installs nothing in an image: name the packages (such as langpacks-de) in \
                 %packages",
            );
        }
    }

    fn keyboard(&mut self, place: &Place, console: &str, x: &[String], switch: &[String]) {
        let mut good = console.is_empty() || self.is(place, "a keyboard map", console, "_.-");
        let (mut layouts, mut variants) = (Vec::new(), Vec::new());
        for entry in x {
            // LAYOUT, or LAYOUT (VARIANT).
            let (layout, variant) = match entry.split_once('(') {
                Some((layout, rest)) => (layout.trim(), rest.trim().trim_end_matches(')')),
                None => (entry.trim(), ""),
            };
            good &= self.is(place, "a keyboard layout", layout, "_-");
            good &= variant.is_empty() || self.is(place, "a variant of a keyboard layout", variant, "_-");
            layouts.push(layout);
            variants.push(variant);
        }
        for option in switch {
            good &= self.is(place, "a keyboard option", option, "_:-");
        }
        if good {
            let words = [console, &layouts.join(","), &variants.join(","), &switch.join(",")];
            self.call(place, "keyboard", words);
        }
    }

    fn timezone(&mut self, place: &Place, zone: &str, utc: bool) {
        if !self.is(place, "a time zone", zone, "/_+-") {
            return;
        }
        if RelPath::new(zone).is_ok() {
            self.call(place, "timezone", [zone, if utc { "UTC" } else { "LOCAL" }]);
        } else {
            self.problem(place, format!("'{zone}' is not a time zone"));
        }
    }

    /// The time servers of `timezone` and of every `timesource`: they add up, as for anaconda.
    pub(super) fn time_servers(&mut self, kickstart: &Kickstart) {
        let mut lines = Vec::new();
        let mut last = None;
        for command in kickstart.last(&["timezone"]).into_iter().chain(kickstart.commands("timesource")) {
            let (place, given) = (&command.place, &command.arguments);
            let named = |kind, option| given.owned(option).map(|name| (kind, name));
            let more = given.list("ntpservers").unwrap_or_default();
            let sources = more.into_iter().map(|name| ("server", name));
            for (kind, name) in sources.chain(named("server", "ntp-server")).chain(named("pool", "ntp-pool"))
            {
                if self.is(place, "a time server", &name, ".:-") {
                    lines.push(format!("{kind} {name} iburst{}", if given.has("nts") { " nts" } else { "" }));
                    last = Some(place);
                }
            }
            if given.has("nontp") || given.has("ntp-disable") {
                self.call(place, "disable", ["chronyd.service", "ntpd.service", "systemd-timesyncd.service"]);
            }
        }
        if let Some(place) = last {
            self.call(place, "time_servers", lines.iter().map(String::as_str));
        }
    }

    /// The languages whose files are installed: rpm takes them as a macro, with colons between them.
    pub(super) fn languages(&mut self, kickstart: &Kickstart) {
        let packages = &kickstart.packages;
        if let (Some(languages), Some(place)) = (&packages.inst_langs, packages.places.last()) {
            for language in languages.split(',').filter(|language| !language.is_empty()) {
                self.is(place, "a language", language, "_.@-");
            }
        }
    }

    fn password(&mut self, place: &Place, user: &str, password: Option<&str>, crypted: bool, locked: bool) {
        // As in pykickstart, an empty password is none.
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            if !crypted && password.len() > crypt::LONGEST {
                let longest = crypt::LONGEST;
                return self.problem(
                    place,
                    format!(
                        "the password of {user} has more than {longest} bytes: nobody could log in with it"
                    ),
                );
            }
            let hash = if crypted { password.to_owned() } else { crypt::hashed(user, password) };
            // It stands between colons; what it is else is for libcrypt to understand.
            if hash.contains(|character: char| character == ':' || !character.is_ascii_graphic()) {
                self.problem(place, format!("the password of {user} is no hash: --iscrypted wants one"));
            } else {
                self.call(place, "password", [user, &hash]);
            }
        }
        if locked {
            self.call(place, "lock", [user]);
        }
    }

    fn group(&mut self, place: &Place, name: &str, gid: Option<i64>) {
        if self.is(place, "a name of a group", name, "_.-$") {
            self.call(place, "group", [name, &number(gid)]);
        }
    }

    fn ssh_key(&mut self, place: &Place, user: &str, key: &str) {
        if !self.is(place, "a name of a user", user, "_.-$") {
            return;
        }
        if key.trim().is_empty() || key.chars().any(char::is_control) {
            self.problem(place, "the key is not a line of authorized_keys");
        } else {
            self.call(place, "ssh_key", [user, key]);
        }
    }

    fn user(&mut self, place: &Place, user: &User) {
        let mut good = self.is(place, "a name of a user", &user.name, "_.-$");
        for group in &user.groups {
            good &= self.is(place, "a group", group, "_.-$()");
        }
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        let (home, shell, gecos) = (optional(&user.homedir), optional(&user.shell), optional(&user.gecos));
        // They stand between colons.
        let odd = |text: &str| text.contains(':') || text.contains(char::is_control);
        for (what, path) in [("home folder", &home), ("shell", &shell)] {
            if !path.is_empty() && (!path.starts_with('/') || odd(path)) {
                self.problem(place, format!("the {what} '{}' is no absolute path", path.escape_debug()));
                good = false;
            }
        }
        if odd(&gecos) {
            self.problem(place, "--gecos has a colon or a control character");
            good = false;
        }
        if !good {
            return;
        }
        let (uid, gid) = (number(user.uid), number(user.gid));
        let words = [&user.name, &uid, &gid, &home, &shell, &gecos].map(String::as_str);
        self.call(place, "user", words.into_iter().chain(user.groups.iter().map(String::as_str)));
        self.password(place, &user.name, user.password.as_deref(), user.crypted, user.locked);
    }

    /// What names an address or a device belongs to a machine, not to an image; DHCP is what NetworkManager does
    /// by itself.
    fn network(&mut self, command: &Command, network: &Network) {
        let place = &command.place;
        let automatic =
            |value: &Option<String>| value.as_deref().is_none_or(|value| ["dhcp", "auto"].contains(&value));
        let fine = |option: &str, value: &Option<String>| match option {
            "bootproto" | "ipv6" => automatic(value),
            "onboot" => network.onboot,
            "device" | "activate" | "no-activate" | "hostname" => true,
            _ => false,
        };
        let others = command.arguments.options.iter().filter(|(option, value)| !fine(option, value));
        let others = others.map(|(option, value)| match value {
            Some(value) => format!("--{option}={value}"),
            None => format!("--{option}"),
        });
        let others = others.collect::<Vec<_>>().join(" ");
        if !others.is_empty() {
            self.problem(
                place,
                format!(
                    "network {others} is for a certain machine: an image only has --hostname, and DHCP; for more, \
                     write NetworkManager's files in a %post"
                ),
            );
        }
        if let Some(name) = &network.hostname
            && self.is(place, "a name of a host", name, ".-")
        {
            self.call(place, "host_name", [name.as_str()]);
        }
    }

    /// As anaconda calls firewalld's program.
    pub(super) fn firewall(&mut self, place: &Place, firewall: &Firewall) {
        if firewall.system_defaults {
            return;
        }
        let mut options = vec![if firewall.enabled { "--enabled" } else { "--disabled" }.to_owned()];
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        let (ports, services, removed) =
            (list(&firewall.ports), list(&firewall.services), list(&firewall.removed));
        let ssh = |names: &[String]| names.iter().any(|name| name == "ssh");
        if !ssh(&services) && !ssh(&removed) && !ports.iter().any(|port| port == "22:tcp") {
            options.push("--service=ssh".into());
        }
        for (option, values) in [
            ("trust", list(&firewall.trusted)),
            ("port", ports),
            ("remove-service", removed),
            ("service", services),
        ] {
            for value in values {
                if self.is(place, "what a firewall knows", &value, "_.:-") {
                    options.push(format!("--{option}={value}"));
                }
            }
        }
        let wanted = if firewall.enabled { "on" } else { "off" };
        self.call(place, "firewall", [wanted].into_iter().chain(options.iter().map(String::as_str)));
    }

    /// Where a boot loader goes is the installer's business, and its words for the kernel go into a menu. A
    /// password would be asked for by nobody.
    pub(super) fn bootloader(&mut self, place: &Place, bootloader: &Bootloader) {
        if bootloader.password.is_some() {
            self.problem(place, "the menu of an image cannot have a password (bootloader --password)");
        }
        let append = bootloader.append.as_deref().unwrap_or_default();
        if append.chars().any(char::is_control) {
            self.problem(place, "bootloader --append holds a control character");
        }
        if append.len() > LONGEST_APPEND {
            let problem =
                format!("bootloader --append has more than {LONGEST_APPEND} bytes, which no kernel reads");
            self.problem(place, problem);
        }
        for word in kernel_words(append) {
            if word.contains(|character: char| character.is_whitespace() || "'\\".contains(character)) {
                let problem = format!(
                    "the word '{word}' of bootloader --append has blanks, an apostrophe or a backslash, which boot \
                     loaders hand to the kernel in different ways"
                );
                self.problem(place, problem);
            }
        }
        if bootloader.timeout.is_some_and(|seconds| !(0..=LONGEST_TIMEOUT).contains(&seconds)) {
            let problem = format!(
                "bootloader --timeout is no number of seconds that a menu can wait: 0 to {LONGEST_TIMEOUT}"
            );
            self.problem(place, problem);
        }
    }

    pub(super) fn services(&mut self, kickstart: &Kickstart) {
        if let Some(command) = kickstart.last(&["services"]) {
            let (enabled, disabled) = kickstart.services();
            for (function, units) in [("disable", disabled), ("enable", enabled)] {
                let mut good = Vec::new();
                for unit in units {
                    if self.is(&command.place, "a name of a service", &unit, "_.:@\\-") {
                        good.push(unit);
                    }
                }
                if !good.is_empty() {
                    self.call(&command.place, function, good.iter().map(String::as_str));
                }
            }
        }
        for section in kickstart.sections.iter().filter(|section| section.is_kdump_off()) {
            self.call(&section.place, "disable", ["kdump.service"]);
        }
    }

    /// Shadow passwords with SHA-512 are how it is anyway.
    fn authentication(&mut self, command: &Command, rest: &str) {
        let words: Vec<_> = rest.split_whitespace().collect();
        let usual = ["--useshadow", "--enableshadow", "--passalgo=sha512", "--update", "--kickstart"];
        if command.name == "authselect" {
            let words = ["authselect"].into_iter().chain(words);
            let force = ["--force"].into_iter().filter(|_| !rest.contains("--force"));
            self.call(&command.place, "authentication", words.chain(force));
        } else if !words.iter().all(|word| usual.contains(word)) {
            let words = ["authconfig", "--update", "--nostart"].into_iter().chain(words);
            self.call(&command.place, "authentication", words);
        }
    }

    fn repository(&mut self, place: &Place, repo: &Repo) {
        if !self.is(place, "a name of a repository", &repo.name, "_.:-") {
            return;
        }
        let mut lines = vec![format!("[{}]", repo.name), format!("name={}", repo.name)];
        let mut add = |key: &str, value: Option<String>| {
            lines.extend(value.filter(|value| !value.is_empty()).map(|value| format!("{key}={value}")));
        };
        let source = &repo.source;
        if [&source.url, &source.mirrorlist, &source.metalink].into_iter().flatten().all(String::is_empty) {
            return self.problem(place, format!("repo --install of '{}' needs an address", repo.name));
        }
        add("baseurl", source.url.clone());
        add("mirrorlist", source.mirrorlist.clone());
        add("metalink", source.metalink.clone());
        add("proxy", source.proxy.clone());
        add("cost", repo.cost.map(|cost| cost.to_string()));
        add("includepkgs", Some(repo.includepkgs.join(",")));
        add("excludepkgs", Some(repo.excludepkgs.join(",")));
        add("sslverify", source.noverifyssl.then(|| "0".into()));
        add("sslcacert", source.sslcacert.clone());
        add("sslclientcert", source.sslclientcert.clone());
        add("sslclientkey", source.sslclientkey.clone());
        self.file(format!("repositories/{}.repo", repo.name), format!("{}\n", lines.join("\n")));
        self.call(place, "repository", [repo.name.as_str()]);
    }

    pub(super) fn post(&mut self, number: usize, script: &Script) {
        let place = &script.place;
        let interpreter = &script.interpreter;
        if !interpreter.starts_with('/') || interpreter.chars().any(char::is_whitespace) {
            self.problem(place, format!("the interpreter '{interpreter}' of this %post is no absolute path"));
        }
        if !script.in_chroot {
            if script.body.contains("LIVE_ROOT") {
                self.problem(
                    place,
                    "this %post writes to the medium (LIVE_ROOT), which scripts cannot: only the root is there",
                );
            }
            if let Some(name) =
                ["/mnt/sysimage", "/mnt/sysroot"].into_iter().find(|name| script.body.contains(name))
            {
                self.problem(place, format!("this %post wants the root at {name}; it is at $INSTALL_ROOT"));
            }
            if script.log.is_some() {
                self.problem(
                    place,
                    "a %post --nochroot cannot keep a log (--log) outside of the root; its output is in the \
                     step's log",
                );
            }
        }
        let log = script.log.as_deref().unwrap_or_default();
        if !log.is_empty() && (!log.starts_with('/') || log.ends_with('/')) {
            self.problem(place, format!("the log '{log}' of this %post is no absolute path of a file"));
        }
        let file = format!("post/{number:02}");
        let place_of_run = if script.in_chroot { "chroot" } else { "nochroot" };
        self.call(place, "post", [file.as_str(), interpreter, place_of_run, log]);
        self.file(file, script.body.as_str());
    }
}

fn number(value: Option<i64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
