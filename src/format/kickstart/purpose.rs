//! What a kickstart is used for, and what of it has a meaning then.

use super::{Command, Directive, Kickstart, Problem, ScriptKind, Section};

/// What a kickstart is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// A live image: the system is installed by the composer and configured as the commands say.
    Live,
    /// A DVD: its repository holds the packages, and nothing is installed.
    Dvd,
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It is done.
    Done,
    /// It tells an installer what to do, which is not there: passing it over changes nothing in the product.
    Idle,
    /// It asks for what the product would not have: to be refused.
    Refused,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Live => "a live image",
            Self::Dvd => "a DVD",
        }
    }

    /// What becomes of a command for this purpose.
    pub fn of_command(self, command: &Command) -> Use {
        match command.name.as_str() {
            "repo"
                if self == Self::Live
                    && matches!(&command.directive, Directive::Repo(repo) if repo.install) =>
            {
                Use::Done
            }
            // Where an installer would look for packages: those of an image are the variant's.
            "repo" | "url" => Use::Idle,
            // Questions and the end of an installation, and the disks it would write to.
            "text" | "cmdline" | "graphical" | "reboot" | "shutdown" | "poweroff" | "halt" | "eula"
            | "logging" | "mediacheck" | "zerombr" | "clearpart" | "ignoredisk" | "autostep" | "cdrom"
            | "install" | "rdp" | "vnc" | "sshpw" | "device" | "deviceprobe" | "dmraid" | "multipath"
            | "part" | "partition" | "reqpart" | "autopart" => Use::Idle,
            "lang" | "keyboard" | "timezone" | "rootpw" | "user" | "group" | "sshkey" | "services"
            | "selinux" | "firewall" | "network" | "bootloader" | "firstboot" | "skipx" | "xconfig"
            | "auth" | "authconfig" | "authselect" | "timesource"
                if self == Self::Live =>
            {
                Use::Done
            }
            _ => Use::Refused,
        }
    }

    /// What becomes of a script for this purpose.
    pub fn of_script(self, kind: ScriptKind) -> Use {
        match (self, kind) {
            (Self::Live, ScriptKind::Post) => Use::Done,
            (_, ScriptKind::OnError | ScriptKind::Traceback) => Use::Idle,
            _ => Use::Refused,
        }
    }
}

impl Section {
    /// Whether it says that there is no kdump, as most kickstarts of EL do: a service that is not to run.
    pub fn is_kdump_off(&self) -> bool {
        self.name == "%addon"
            && self.words.first().is_some_and(|word| word == "com_redhat_kdump")
            && self.words.iter().any(|word| word == "--disable")
    }
}

impl Kickstart {
    /// What this purpose cannot give, with its lines, for the caller to refuse.
    pub fn unsupported(&self, purpose: Purpose) -> Vec<Problem> {
        self.not_done(purpose, Use::Refused)
    }

    /// What is passed over for this purpose, with its lines, for the caller to mention.
    pub fn idle(&self, purpose: Purpose) -> Vec<Problem> {
        self.not_done(purpose, Use::Idle)
    }

    fn not_done(&self, purpose: Purpose, wanted: Use) -> Vec<Problem> {
        let verb = if wanted == Use::Idle { "does nothing" } else { "is not supported" };
        let problem = |place: &super::Place, what: &str| Problem {
            place: place.clone(),
            message: format!("{what} {verb} for {}", purpose.name()),
        };
        let commands = self
            .commands
            .iter()
            .filter(|command| purpose.of_command(command) == wanted)
            .map(|command| problem(&command.place, &format!("the command {}", command.name)));
        let scripts = self
            .scripts
            .iter()
            .filter(|script| purpose.of_script(script.kind) == wanted)
            .map(|script| problem(&script.place, &format!("the section {}", script.kind.section())));
        let refused = wanted == Use::Refused;
        let certificates = self
            .certificates
            .iter()
            .filter(|_| refused)
            .map(|certificate| problem(&certificate.place, "the section %certificate"));
        let kept = self
            .sections
            .iter()
            .filter(|section| refused == (section.name != "%anaconda"))
            .filter(|section| !(purpose == Purpose::Live && section.is_kdump_off()))
            .map(|section| problem(&section.place, &format!("the section {}", section.name)));
        let lists = self
            .lists
            .iter()
            .filter(|_| refused)
            .map(|listed| problem(&listed.place, &format!("the section {}", listed.kind.section())));
        let mut all: Vec<_> = commands.chain(scripts).chain(certificates).chain(kept).chain(lists).collect();
        let order = |problem: &Problem| {
            (self.files.iter().position(|file| *file == problem.place.file), problem.place.line)
        };
        all.sort_by_key(order);
        all
    }
}
