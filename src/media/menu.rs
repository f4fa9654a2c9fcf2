//! The menus of a medium: `grub.cfg` and `isolinux.cfg`. Pure.
//!
//! - **Live**: start (the default), check the medium and start, and, below Troubleshooting, start with basic graphics
//!   and leave for the first disk.
//! - **Install**: install, check the medium and install (the default, as EL has it), and, below Troubleshooting,
//!   install with basic graphics, rescue a system, leave for the first disk.
//!
//! Entries that check the medium are there only where its initrd can ([`Menu::check`]).
//!
//! The countdown is short (10 s; lorax has 60 s), so that a machine without anyone at it starts soon; any key
//! stops it.
//!
//! Both menus speak to the screen and to the first serial line (115200 baud), and do without that line where there is
//! none; under UEFI serial lines are the firmware's matter. The kernel's consoles are the kickstart's matter: with a
//! serial line on its command line, messages would go there instead of to the screen.
//! `bootloader --append="console=tty0 console=ttyS0,115200"` does that for images that are started in virtual
//! machines.
//!
//! The medium is found by its volume id, so there are no menus for ids with characters that udev, GRUB and the
//! scripts of dracut hand on in different ways: a space is `\x20` for udev, GRUB makes `\\x20` of that, and dracut
//! 059 `x20`.

use crate::format::volume_id::VolumeId;

use super::place;

/// Seconds until the default entry starts, unless a medium says otherwise.
pub const DEFAULT_TIMEOUT: u32 = 10;

/// What a menu is made of.
#[derive(Clone, Copy, Debug)]
pub struct Menu<'a> {
    /// Name and version of the release, as people read it. Quotes, `$` and what is no printable character fall.
    pub title: &'a str,
    /// By which the initrd finds the medium.
    pub volume_id: &'a VolumeId,
    /// Further words for the kernel, as the kickstart's `bootloader --append` has them: without blanks, quotes and
    /// backslashes, which GRUBs of distributions hand on in different ways (quoted, escaped or as they are).
    pub append: &'a [String],
    /// Whether the initrd can check the medium: the root that it is of has `/usr/bin/checkisomd5` (isomd5sum).
    pub check: bool,
    /// Seconds until the default entry starts; 0 starts it at once.
    pub timeout: u32,
}

/// There is no menu. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MenuError {
    /// The volume id has characters that an initrd cannot find a medium by. Retrying cannot help.
    #[error(
        "no initrd finds a medium by the volume id '{0}': use letters, digits, '-', '_', '.' and '+' only, such as '{1}'"
    )]
    VolumeId(VolumeId, String),
}

/// How the initrd finds the installer stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// As a live image of its own: any root.
    Live,
    /// By anaconda's dracut module: a root that has anaconda-dracut.
    Anaconda,
}

/// Both texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menus {
    /// `grub.cfg`, for UEFI and for BIOS where that is GRUB's.
    pub grub: String,
    /// `isolinux.cfg`.
    pub isolinux: String,
}

/// One entry.
struct Entry {
    label: &'static str,
    title: String,
    /// What the kernel is told, word by word; none to leave for the first disk.
    words: Option<Vec<String>>,
    help: &'static str,
}

const BASIC_GRAPHICS: &str = "nomodeset";

/// The menu of a live image.
pub fn live_menu(menu: &Menu<'_>) -> Result<Menus, MenuError> {
    check_id(menu.volume_id)?;
    let root = live_words(menu.volume_id, "");
    let title = plain(menu.title);
    let mut entries = vec![entry("linux", format!("Start {title}"), words(&root, &[], menu.append))];
    if menu.check {
        let words = words(&root, &["rd.live.check"], menu.append);
        entries.push(entry("check", format!("Test this medium and start {title}"), words));
    }
    let basic = entry(
        "basic",
        format!("Start {title} in basic graphics mode"),
        words(&root, &[BASIC_GRAPHICS], menu.append),
    );
    Ok(render(menu, &entries, 0, &[basic, leave()]))
}

/// The menu of an installation medium.
pub fn install_menu(menu: &Menu<'_>, stage: Stage) -> Result<Menus, MenuError> {
    check_id(menu.volume_id)?;
    let (root, rescue) = match stage {
        Stage::Live => (
            live_words(menu.volume_id, " rd.live.dir=images rd.live.squashimg=install.img"),
            "systemd.unit=rescue.target",
        ),
        Stage::Anaconda => (format!("inst.stage2=hd:LABEL={}", menu.volume_id), "inst.rescue"),
    };
    let title = plain(menu.title);
    let mut entries = vec![entry("linux", format!("Install {title}"), words(&root, &[], menu.append))];
    if menu.check {
        let words = words(&root, &["rd.live.check"], menu.append);
        entries.push(entry("check", format!("Test this medium and install {title}"), words));
    }
    let basic = entry(
        "basic",
        format!("Install {title} in basic graphics mode"),
        words(&root, &[BASIC_GRAPHICS], menu.append),
    );
    let rescue = entry("rescue", format!("Rescue a {title} system"), words(&root, &[rescue], menu.append));
    let default = entries.len() - 1;
    Ok(render(menu, &entries, default, &[basic, rescue, leave()]))
}

fn check_id(id: &VolumeId) -> Result<(), MenuError> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.+".contains(char);
    if id.as_str().chars().all(plain) {
        return Ok(());
    }
    let better = id.as_str().chars().map(|char| if plain(char) { char } else { '-' }).collect();
    Err(MenuError::VolumeId(id.clone(), better))
}

fn live_words(volume_id: &VolumeId, more: &str) -> String {
    format!("root=live:CDLABEL={volume_id} rd.live.image{more} rd.live.overlay.overlayfs=1")
}

fn entry(label: &'static str, title: String, words: Vec<String>) -> Entry {
    let help = match label {
        "basic" => "Try this if the screen stays dark or is garbled.",
        "check" => "Reads the whole medium first, and stops where it is damaged.",
        _ => "",
    };
    Entry { label, title, words: Some(words), help }
}

fn leave() -> Entry {
    Entry { label: "local", title: "Start from the first disk".into(), words: None, help: "" }
}

fn words(root: &str, own: &[&str], append: &[String]) -> Vec<String> {
    let plain = |word: &String| word.chars().filter(|char| !char.is_control()).collect();
    let own = root.split(' ').chain(own.iter().copied()).map(str::to_owned);
    own.chain(append.iter().map(plain)).filter(|word| !word.is_empty()).collect()
}

/// A title that neither menu can misread.
fn plain(title: &str) -> String {
    let title: String =
        title.chars().filter(|char| !char.is_control() && !"'\"\\$^`".contains(*char)).collect();
    title.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn render(menu: &Menu<'_>, entries: &[Entry], default: usize, troubleshooting: &[Entry]) -> Menus {
    Menus {
        grub: grub(menu, entries, default, troubleshooting),
        isolinux: isolinux(menu, entries, default, troubleshooting),
    }
}

fn grub(menu: &Menu<'_>, entries: &[Entry], default: usize, troubleshooting: &[Entry]) -> String {
    let Menu { volume_id, timeout, .. } = menu;
    let mut out = format!(
        "set default={default}\n\
         set timeout={timeout}\n\
         \n\
         if [ \"$grub_platform\" = pc ]; then\n\
         \tif serial --unit=0 --speed=115200; then\n\
         \t\tterminal_input --append serial\n\
         \t\tterminal_output --append serial\n\
         \tfi\n\
         fi\n\
         insmod all_video\n\
         set gfxpayload=keep\n\
         insmod gzio\n\
         \n\
         search --no-floppy --set=root -l '{volume_id}'\n\
         \n"
    );
    for entry in entries {
        grub_entry(&mut out, "", entry);
    }
    out.push_str("submenu 'Troubleshooting -->' {\n");
    for entry in troubleshooting {
        grub_entry(&mut out, "\t", entry);
    }
    out.push_str("}\n");
    out
}

fn grub_entry(out: &mut String, indent: &str, entry: &Entry) {
    let mut line = |text: &str| out.extend([indent, text, "\n"]);
    line(&format!("menuentry '{}' --class gnu-linux --class os {{", entry.title));
    match &entry.words {
        Some(words) => {
            let quoted: Vec<_> = words.iter().map(|word| quote(word)).collect();
            line(&format!("\tlinux /{} {}", place::KERNEL, quoted.join(" ")));
            line(&format!("\tinitrd /{}", place::INITRD));
        }
        None => {
            // Firmware of either kind goes on to the next in its order; BIOS can be told the disk.
            line("\tif [ \"$grub_platform\" = efi ]; then");
            line("\t\texit");
            line("\tfi");
            line("\tinsmod chain");
            line("\tset root=(hd0)");
            line("\tchainloader +1");
        }
    }
    line("}");
}

/// A word for GRUB's language, which has the quotes of a shell.
fn quote(word: &str) -> String {
    let simple = |char: char| char.is_ascii_alphanumeric() || "=:,.-_/+@%".contains(char);
    if word.chars().all(simple) { word.into() } else { format!("'{}'", word.replace('\'', "'\"'\"'")) }
}

fn isolinux(menu: &Menu<'_>, entries: &[Entry], default: usize, troubleshooting: &[Entry]) -> String {
    let title = plain(menu.title);
    // In tenths of a second. 0 would wait for ever, and so would what is too large.
    let timeout = menu.timeout.saturating_mul(10).clamp(1, 35_990);
    let mut out = format!(
        "serial 0 115200\n\
         ui menu.c32\n\
         prompt 0\n\
         timeout {timeout}\n\
         menu title {title}\n\
         menu tabmsg Tab: change what the kernel is told\n\
         \n"
    );
    for (index, entry) in entries.iter().enumerate() {
        isolinux_entry(&mut out, "", entry, index == default);
    }
    out.push_str("menu begin\n  menu title Troubleshooting\n");
    for entry in troubleshooting {
        isolinux_entry(&mut out, "  ", entry, false);
    }
    out.push_str("  label back\n    menu label Return to the main menu\n    menu exit\nmenu end\n");
    out
}

fn isolinux_entry(out: &mut String, indent: &str, entry: &Entry, default: bool) {
    let mut line = |text: &str| out.extend([indent, text, "\n"]);
    line(&format!("label {}", entry.label));
    line(&format!("  menu label {}", entry.title));
    if default {
        line("  menu default");
    }
    if !entry.help.is_empty() {
        line("  text help");
        line(&format!("    {}", entry.help));
        line("  endtext");
    }
    match &entry.words {
        Some(words) => {
            line(&format!("  kernel /{}", place::KERNEL));
            line(&format!("  append initrd=/{} {}", place::INITRD, words.join(" ")));
        }
        None => line("  localboot 0xffff"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu<'a>(volume_id: &'a VolumeId, append: &'a [String], check: bool) -> Menu<'a> {
        Menu { title: "Gosling Linux 1", volume_id, append, check, timeout: DEFAULT_TIMEOUT }
    }

    fn consoles() -> [String; 2] {
        ["console=tty0", "console=ttyS0,115200"].map(str::to_owned)
    }

    /// The words that each entry gives the kernel, by its title.
    fn grub_words(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut title = "";
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("menuentry '") {
                title = rest.split('\'').next().unwrap();
            }
            if let Some(words) = line.strip_prefix("linux /images/pxeboot/vmlinuz ") {
                found.push((title.into(), words.into()));
            }
        }
        found
    }

    fn isolinux_words(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut title = "";
        for line in text.lines().map(str::trim) {
            title = line.strip_prefix("menu label ").unwrap_or(title);
            if let Some(words) = line.strip_prefix("append initrd=/images/pxeboot/initrd.img ") {
                found.push((title.into(), words.into()));
            }
        }
        found
    }

    #[test]
    fn both_menus_say_the_same() {
        let id = VolumeId::new("Gosling-1-x86_64").unwrap();
        let append = consoles();
        let menu = menu(&id, &append, true);
        let live = "root=live:CDLABEL=Gosling-1-x86_64 rd.live.image rd.live.overlay.overlayfs=1";
        let stage = "root=live:CDLABEL=Gosling-1-x86_64 rd.live.image rd.live.dir=images \
                     rd.live.squashimg=install.img rd.live.overlay.overlayfs=1";
        let anaconda = "inst.stage2=hd:LABEL=Gosling-1-x86_64";
        let consoles = "console=tty0 console=ttyS0,115200";
        for (menus, wanted) in [
            (
                live_menu(&menu).unwrap(),
                vec![
                    ("Start Gosling Linux 1", format!("{live} {consoles}")),
                    (
                        "Test this medium and start Gosling Linux 1",
                        format!("{live} rd.live.check {consoles}"),
                    ),
                    ("Start Gosling Linux 1 in basic graphics mode", format!("{live} nomodeset {consoles}")),
                ],
            ),
            (
                install_menu(&menu, Stage::Live).unwrap(),
                vec![
                    ("Install Gosling Linux 1", format!("{stage} {consoles}")),
                    (
                        "Test this medium and install Gosling Linux 1",
                        format!("{stage} rd.live.check {consoles}"),
                    ),
                    (
                        "Install Gosling Linux 1 in basic graphics mode",
                        format!("{stage} nomodeset {consoles}"),
                    ),
                    (
                        "Rescue a Gosling Linux 1 system",
                        format!("{stage} systemd.unit=rescue.target {consoles}"),
                    ),
                ],
            ),
            (
                install_menu(&menu, Stage::Anaconda).unwrap(),
                vec![
                    ("Install Gosling Linux 1", format!("{anaconda} {consoles}")),
                    (
                        "Test this medium and install Gosling Linux 1",
                        format!("{anaconda} rd.live.check {consoles}"),
                    ),
                    (
                        "Install Gosling Linux 1 in basic graphics mode",
                        format!("{anaconda} nomodeset {consoles}"),
                    ),
                    ("Rescue a Gosling Linux 1 system", format!("{anaconda} inst.rescue {consoles}")),
                ],
            ),
        ] {
            let wanted: Vec<_> = wanted.into_iter().map(|(title, words)| (title.to_owned(), words)).collect();
            assert_eq!(grub_words(&menus.grub), wanted);
            assert_eq!(isolinux_words(&menus.isolinux), wanted);
        }
    }

    #[test]
    fn the_default_is_the_check_where_one_installs_and_can_check() {
        let id = VolumeId::new("G").unwrap();
        for (check, live, install) in [(true, 0, 1), (false, 0, 0)] {
            let menu = menu(&id, &[], check);
            for (menus, default) in [(live_menu(&menu), live), (install_menu(&menu, Stage::Live), install)] {
                let menus = menus.unwrap();
                assert!(menus.grub.starts_with(&format!("set default={default}\nset timeout=10\n")));
                let (before, after) = menus.isolinux.split_once("  menu default\n").unwrap();
                assert_eq!(before.matches("\nlabel ").count(), default + 1);
                assert!(!after.contains("menu default"));
                assert!(menus.isolinux.contains("\ntimeout 100\n"));
                assert_eq!(menus.grub.contains("rd.live.check"), check);
                assert_eq!(menus.isolinux.contains("rd.live.check"), check);
            }
        }
    }

    #[test]
    fn ids_are_ones_that_a_medium_is_found_by() {
        let id = VolumeId::new("Gosling 1 x86_64").unwrap();
        let menu = menu(&id, &[], true);
        let wanted = "no initrd finds a medium by the volume id 'Gosling 1 x86_64': use letters, digits, '-', '_', \
                      '.' and '+' only, such as 'Gosling-1-x86_64'";
        assert_eq!(live_menu(&menu).unwrap_err().to_string(), wanted);
        assert_eq!(install_menu(&menu, Stage::Anaconda).unwrap_err().to_string(), wanted);
    }

    #[test]
    fn nothing_breaks_out_of_the_quotes() {
        let id = VolumeId::new("Gos-1").unwrap();
        let title = "Bob's \"Linux\"\nlabel x $(y) \\";
        let append = ["a='b;c}\n", "d=\u{7}e", "\n"].map(str::to_owned);
        let menu = Menu { title, ..menu(&id, &append, true) };
        let Menus { grub, isolinux } = live_menu(&menu).unwrap();
        assert!(grub.contains("menuentry 'Start Bobs Linuxlabel x (y)' --class"));
        let words = "root=live:CDLABEL=Gos-1 rd.live.image rd.live.overlay.overlayfs=1";
        let quoted = "'a='\"'\"'b;c}' d=e\n";
        assert!(grub.contains(&format!("\tlinux /images/pxeboot/vmlinuz {words} {quoted}")), "{grub}");
        let line = format!("  append initrd=/images/pxeboot/initrd.img {words} a='b;c}} d=e\n");
        assert!(isolinux.contains(&line), "{isolinux}");
    }

    #[test]
    fn both_menus_wait_as_long() {
        let id = VolumeId::new("G").unwrap();
        for (seconds, isolinux) in [(0, 1), (7, 70), (3599, 35_990), (u32::MAX, 35_990)] {
            let menus = live_menu(&Menu { timeout: seconds, ..menu(&id, &[], true) }).unwrap();
            assert!(menus.grub.contains(&format!("\nset timeout={seconds}\n")), "{seconds}");
            assert!(menus.isolinux.contains(&format!("\ntimeout {isolinux}\n")), "{seconds}");
        }
    }

    #[test]
    fn whole_texts() {
        let id = VolumeId::new("Gosling-1-x86_64").unwrap();
        let append = consoles();
        let menu = menu(&id, &append, true);
        let (live, install) = (live_menu(&menu).unwrap(), install_menu(&menu, Stage::Live).unwrap());
        for (text, wanted) in [
            (live.grub, include_str!("samples/live-grub.cfg")),
            (live.isolinux, include_str!("samples/live-isolinux.cfg")),
            (install.grub, include_str!("samples/install-grub.cfg")),
            (install.isolinux, include_str!("samples/install-isolinux.cfg")),
        ] {
            assert_eq!(text, wanted, "{text}");
        }
    }
}
