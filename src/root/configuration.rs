//! What a kickstart says about the configuration of a system, as files for the `configure` step.
//!
//! | file | what it is |
//! |---|---|
//! | `commands` | a shell script: one call per line of what `commands.sh` defines, each after its place |
//! | `post/NN` | the `%post` scripts in order, byte for byte |
//! | `repositories/NAME.repo` | what `repo --install` asks for |
//!
//! Words of the kickstart get there in single quotes, after a check that they are what they are to be. Nothing
//! else of the kickstart is in these files but the numbers of their lines.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::format::kickstart::{Kickstart, Place, Problem, Purpose, ScriptKind};

/// A system's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// What the step reads, by the path below `/in/configuration`.
    pub files: BTreeMap<RelPath, Vec<u8>>,
    /// What is added to the kernel's command line: for the menu of a medium.
    pub append: Vec<String>,
    /// How many seconds the menu waits, where the kickstart says so.
    pub timeout: Option<u32>,
}

/// The kickstart asks for what the image would not have. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// What cannot be done, with its lines.
    #[error(
        "the kickstart asks for what cannot be done in an image:\n  {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
    )]
    Unsupported(Vec<Problem>),
}

/// Reads the configuration from a kickstart.
pub fn configuration(kickstart: &Kickstart) -> Result<Configuration, ConfigurationError> {
    let mut writer = Writer { problems: kickstart.unsupported(Purpose::Live), ..Writer::new() };
    writer.all(kickstart);
    if !writer.problems.is_empty() {
        let order = |problem: &Problem| {
            (kickstart.files.iter().position(|file| *file == problem.place.file), problem.place.line)
        };
        writer.problems.sort_by_key(order);
        return Err(ConfigurationError::Unsupported(writer.problems));
    }
    let bootloader = kickstart.bootloader().unwrap_or_default();
    writer.file("commands", writer.script.clone());
    Ok(Configuration {
        files: writer.files,
        append: bootloader.append.as_deref().map(kernel_words).unwrap_or_default(),
        timeout: bootloader.timeout.and_then(|seconds| u32::try_from(seconds).ok()),
    })
}

/// The parameters of a kernel's command line, without the double quotes, which hold blanks together.
pub(super) fn kernel_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            _ if character.is_whitespace() && !quoted => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            _ => word.push(character),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A word of a shell script that means itself.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Makes the files, and collects what cannot be done.
pub(super) struct Writer {
    script: String,
    files: BTreeMap<RelPath, Vec<u8>>,
    problems: Vec<Problem>,
    place: Option<Place>,
}

impl Writer {
    fn new() -> Self {
        let script = "# Made of a kickstart; see src/root/configuration.rs.\n".into();
        Self { script, files: BTreeMap::new(), problems: Vec::new(), place: None }
    }

    /// Calls a function of `commands.sh` for a line of the kickstart.
    pub(super) fn call<'w>(
        &mut self,
        place: &Place,
        function: &str,
        words: impl IntoIterator<Item = &'w str>,
    ) {
        if self.place.as_ref() != Some(place) {
            self.line("at", [place.to_string().as_str()]);
            self.place = Some(place.clone());
        }
        self.line(function, words);
    }

    fn line<'w>(&mut self, function: &str, words: impl IntoIterator<Item = &'w str>) {
        self.script.push_str(function);
        for word in words {
            self.script.push(' ');
            self.script.push_str(&quoted(word));
        }
        self.script.push('\n');
    }

    pub(super) fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem { place: place.clone(), message: message.into() });
    }

    /// Adds a file. Its path is made by the caller, of checked words.
    pub(super) fn file(&mut self, path: impl Into<String>, text: impl Into<Vec<u8>>) {
        if let Ok(path) = RelPath::new(path) {
            self.files.insert(path, text.into());
        }
    }

    /// Whether a word is made of these characters only, and is no option; a problem if not.
    pub(super) fn is(&mut self, place: &Place, what: &str, word: &str, more: &str) -> bool {
        let fits = |character: char| character.is_ascii_alphanumeric() || more.contains(character);
        let good = !word.is_empty() && !word.starts_with('-') && word.len() <= 255 && word.chars().all(fits);
        if !good {
            self.problem(place, format!("'{}' is not {what}", word.escape_debug()));
        }
        good
    }

    /// In the order of anaconda and livecd-tools, whatever the order of the file: users come after their groups,
    /// services after the packages' own defaults, scripts last.
    fn all(&mut self, kickstart: &Kickstart) {
        self.languages(kickstart);
        for names in [&["lang"], &["keyboard"], &["timezone"]] {
            kickstart.last(names).into_iter().for_each(|command| self.one(command));
        }
        self.time_servers(kickstart);
        for names in [&["selinux"][..], &["auth", "authconfig", "authselect"]] {
            kickstart.last(names).into_iter().for_each(|command| self.one(command));
        }
        for name in ["network", "group", "user", "repo"] {
            kickstart.commands(name).for_each(|command| self.one(command));
        }
        kickstart.last(&["rootpw"]).into_iter().for_each(|command| self.one(command));
        kickstart.commands("sshkey").for_each(|command| self.one(command));
        if let (Some(firewall), Some(command)) = (kickstart.firewall(), kickstart.last(&["firewall"])) {
            self.firewall(&command.place, &firewall);
        }
        if let (Some(bootloader), Some(command)) = (kickstart.bootloader(), kickstart.last(&["bootloader"])) {
            self.bootloader(&command.place, &bootloader);
        }
        self.services(kickstart);
        for name in ["firstboot", "skipx", "xconfig"] {
            kickstart.last(&[name]).into_iter().for_each(|command| self.one(command));
        }
        self.script.push_str("end_of_commands\n");
        let posts = kickstart.scripts.iter().filter(|script| script.kind == ScriptKind::Post);
        for (index, script) in posts.enumerate() {
            self.post(index + 1, script);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::kickstart::{Dialect, no_includes};

    fn of(text: &str, dialect: Dialect) -> Result<Configuration, Vec<String>> {
        let kickstart = Kickstart::parse("k.ks", text.as_bytes(), dialect, &mut no_includes).unwrap();
        configuration(&kickstart).map_err(|ConfigurationError::Unsupported(problems)| {
            problems.iter().map(ToString::to_string).collect()
        })
    }

    fn file(configuration: &Configuration, name: &str) -> String {
        let path = RelPath::new(name).unwrap();
        String::from_utf8(configuration.files[&path].clone()).unwrap()
    }

    /// The calls without the comment, the places and the end.
    fn calls(text: &str, dialect: Dialect) -> String {
        let commands = file(&of(text, dialect).unwrap(), "commands");
        let kept = commands.lines().skip(1).filter(|line| !line.starts_with("at '"));
        kept.filter(|line| *line != "end_of_commands").collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn commands_become_calls() {
        use Dialect::{Fedora, Rhel9, Rhel10};
        for (dialect, line, expected) in [
            (Fedora, "lang de_DE.UTF-8", "language 'de_DE.UTF-8'"),
            (Fedora, "keyboard us", "keyboard 'us' '' '' ''"),
            (
                Fedora,
                "keyboard --vckeymap=us --xlayouts='us','de (nodeadkeys)' --switch=grp:alt_shift_toggle",
                "keyboard 'us' 'us,de' ',nodeadkeys' 'grp:alt_shift_toggle'",
            ),
            (Fedora, "timezone --utc Europe/Berlin", "timezone 'Europe/Berlin' 'UTC'"),
            (
                Rhel9,
                "timezone Europe/Berlin --ntpservers=a.example,b.example",
                "timezone 'Europe/Berlin' 'LOCAL'\ntime_servers 'server a.example iburst' 'server b.example iburst'",
            ),
            (
                Rhel9,
                "timezone --utc Europe/Berlin --nontp",
                "timezone 'Europe/Berlin' 'UTC'\n\
                 disable 'chronyd.service' 'ntpd.service' 'systemd-timesyncd.service'",
            ),
            (
                Rhel10,
                "timesource --ntp-pool=pool.example --nts",
                "time_servers 'pool pool.example iburst nts'",
            ),
            (
                Rhel9,
                "timesource --ntp-server=b --nts\ntimezone UTC --ntpservers=a\ntimesource --ntp-pool=c",
                "timezone 'UTC' 'LOCAL'\n\
                 time_servers 'server a iburst' 'server b iburst nts' 'pool c iburst'",
            ),
            (Fedora, "rootpw --lock", "lock 'root'"),
            (Fedora, "rootpw --iscrypted $6$a$b", "password 'root' '$6$a$b'"),
            (Fedora, "rootpw --lock --iscrypted locked", "password 'root' 'locked'\nlock 'root'"),
            (
                Fedora,
                "user --name=goose --groups=wheel,own(42) --gecos=\"It's one\" --uid=1234 --lock",
                "user 'goose' '1234' '' '' '' 'It'\\''s one' 'wheel' 'own(42)'\nlock 'goose'",
            ),
            (
                Fedora,
                "user --name=goose --password=\ngroup --name=flock --gid=7",
                "group 'flock' '7'\nuser 'goose' '' '' '' '' ''",
            ),
            (Fedora, "sshkey --username=goose \"ssh-rsa AAAA a b\"", "ssh_key 'goose' 'ssh-rsa AAAA a b'"),
            (Fedora, "services --enabled=a,b@c --disabled=d.socket", "disable 'd.socket'\nenable 'a' 'b@c'"),
            (Fedora, "selinux --permissive", "selinux 'permissive'"),
            (Fedora, "firewall --disabled", "firewall 'off' '--disabled' '--service=ssh'"),
            (
                Fedora,
                "firewall --enabled --port=22:tcp --trust=eth0 --service=mdns",
                "firewall 'on' '--enabled' '--trust=eth0' '--port=22:tcp' '--service=mdns'",
            ),
            (Fedora, "firewall --use-system-defaults", ""),
            (Fedora, "network --bootproto=dhcp --device=link --activate --hostname=honk", "host_name 'honk'"),
            (Fedora, "firstboot --reconfig", "first_boot 'reconfig'"),
            (Fedora, "skipx", "default_target 'multi-user.target'"),
            (
                Fedora,
                "xconfig --startxonboot --defaultdesktop=KDE",
                "desktop 'KDE'\ndefault_target 'graphical.target'",
            ),
            (Rhel9, "authselect select sssd", "authentication 'authselect' 'select' 'sssd' '--force'"),
            (Rhel9, "authconfig --enableshadow --passalgo=sha512", ""),
            (
                Rhel9,
                "authconfig --enableldap",
                "authentication 'authconfig' '--update' '--nostart' '--enableldap'",
            ),
            (Fedora, "bootloader --location=mbr --append=quiet", ""),
            (Fedora, "repo --name=a --baseurl=http://x", ""),
            (Fedora, "repo --name=a --baseurl=http://x --install", "repository 'a'"),
            (Fedora, "%addon com_redhat_kdump --disable\n%end", "disable 'kdump.service'"),
            (
                Fedora,
                "%post --log=/root/l\nx\n%end\n%post --nochroot --interpreter=/bin/bash\ny\n%end",
                "post 'post/01' '/bin/sh' 'chroot' '/root/l'\npost 'post/02' '/bin/bash' 'nochroot' ''",
            ),
        ] {
            assert_eq!(calls(line, dialect), expected, "{line}");
        }
    }

    #[test]
    fn every_line_is_called_after_its_place_and_scripts_come_last() {
        let text = "%post\necho one\n%end\nuser --name=goose\nlang C\nrootpw --lock\n";
        let configuration = of(text, Dialect::Fedora).unwrap();
        assert_eq!(
            file(&configuration, "commands"),
            "# Made of a kickstart; see src/root/configuration.rs.\nat 'k.ks:5'\nlanguage 'C'\n\
             at 'k.ks:4'\nuser 'goose' '' '' '' '' ''\nat 'k.ks:6'\nlock 'root'\nend_of_commands\n\
             at 'k.ks:1'\npost 'post/01' '/bin/sh' 'chroot' ''\n"
        );
        assert_eq!(file(&configuration, "post/01"), "echo one\n");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        for (line, expected) in [
            ("selinux --enforcing", "SELinux cannot be enforcing"),
            ("lang 'x;rm'", "'x;rm' is not a language"),
            ("lang en_US --addsupport=de_DE", "langpacks"),
            ("keyboard '$(x)'", "is not a keyboard map"),
            ("timezone ../../etc/shadow", "is not a time zone"),
            ("rootpw --iscrypted a:b", "the password of root is no hash"),
            ("user --name='a b'", "'a b' is not a name of a user"),
            ("user --name=a --homedir=x", "the home folder 'x' is no absolute path"),
            ("user --name=a --gecos=b:c", "--gecos has a colon"),
            ("sshkey --username=a ' '", "the key is not a line of authorized_keys"),
            ("repo --name=a --install", "needs an address"),
            ("%packages --inst-langs='de --root'\n%end", "'de --root' is not a language"),
            ("services --enabled=../x", "'../x' is not a name of a service"),
            ("network --bootproto=static --ip=1.2.3.4", "network --bootproto=static --ip=1.2.3.4 is for"),
            ("network --hostname='a b'", "is not a name of a host"),
            ("bootloader --password=x", "the menu of an image cannot have a password"),
            ("bootloader --append='quiet a=\"b c\"'", "the word 'a=b c' of bootloader --append"),
            ("bootloader --append='a=\\x20'", "the word 'a=\\x20' of bootloader --append"),
            ("bootloader --timeout=3600", "a menu can wait: 0 to 3599"),
            ("logvol / --vgname=a --name=b --size=1", "the command logvol is not supported"),
            ("%pre\nx\n%end", "the section %pre is not supported"),
            ("%addon org_fedora_oscap\n%end", "the section %addon is not supported"),
            ("%post --interpreter=python\nx\n%end", "the interpreter 'python'"),
            ("%post --nochroot\ncp x $LIVE_ROOT\n%end", "writes to the medium"),
            ("%post --nochroot\ncp x /mnt/sysimage\n%end", "it is at $INSTALL_ROOT"),
            ("%post --log=x\nx\n%end", "the log 'x'"),
            ("%post --log=/root/\nx\n%end", "the log '/root/'"),
            (&format!("bootloader --append={}", "x".repeat(1793)), "more than 1792 bytes"),
            (&format!("rootpw {}", "x".repeat(512)), "more than 511 bytes"),
        ] {
            let problems = of(&format!("skipx\n{line}"), Dialect::Fedora).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with("k.ks:2: "), "{problems:?}");
            assert!(problems[0].contains(expected), "{line} does not say '{expected}': {problems:?}");
        }
        let several = of("selinux --enforcing\n%pre\nx\n%end\nbootloader --password=x", Dialect::Fedora);
        let places: Vec<_> = several.unwrap_err().iter().map(|text| text[..6].to_owned()).collect();
        assert_eq!(places, ["k.ks:1", "k.ks:2", "k.ks:5"]);
    }

    #[test]
    fn the_menu_gets_the_kernel_s_words() {
        let text = "bootloader --append='quiet  a=\"b;c\" console=ttyS0' --timeout=7";
        let configuration = of(text, Dialect::Fedora).unwrap();
        assert_eq!(configuration.append, ["quiet", "a=b;c", "console=ttyS0"]);
        assert_eq!(configuration.timeout, Some(7));
        assert_eq!(of("skipx", Dialect::Fedora).unwrap().append, [] as [String; 0]);
    }

    #[test]
    fn plain_passwords_are_hashed() {
        let hashed = calls("rootpw --plaintext secret", Dialect::Fedora);
        assert!(hashed.starts_with("password 'root' '$6$"), "{hashed}");
        assert!(!hashed.contains("secret"));
    }

    #[test]
    fn a_repository_to_be_installed_has_its_file() {
        let text = "repo --name=own --mirrorlist=http://x/?a=$basearch --cost=5 --excludepkgs=a,b --install";
        let configuration = of(text, Dialect::Fedora).unwrap();
        assert_eq!(
            file(&configuration, "repositories/own.repo"),
            "[own]\nname=own\nmirrorlist=http://x/?a=$basearch\ncost=5\nexcludepkgs=a,b\n"
        );
    }
}
