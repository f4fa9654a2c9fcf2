//! What a hub answers to `listTaggedRPMS` of a large tag: bytes as Koji writes them.

use std::io::{self, Write};

/// Builds, and RPMs of each: with the members that a hub 1.35.3 sends, 86 MB.
pub const BUILDS: u32 = 10_000;
pub const RPMS: u32 = 6;

fn member(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    match value {
        "" => writeln!(out, "<member>\n<name>{name}</name>\n<value><nil/></value></member>"),
        value => writeln!(out, "<member>\n<name>{name}</name>\n<value>{value}</value>\n</member>"),
    }
}

fn members(out: &mut impl Write, members: &[(&str, String)]) -> io::Result<()> {
    writeln!(out, "<value><struct>")?;
    for (name, value) in members {
        member(out, name, value)?;
    }
    writeln!(out, "</struct></value>")
}

fn text(value: &str) -> String {
    format!("<string>{value}</string>")
}

fn int(value: u64) -> String {
    let kind = if i32::try_from(value).is_ok() { "int" } else { "i8" };
    format!("<{kind}>{value}</{kind}>")
}

fn no() -> String {
    "<boolean>0</boolean>".into()
}

fn nothing() -> String {
    String::new()
}

fn epoch(build: u32) -> String {
    if build.is_multiple_of(7) { int(1) } else { nothing() }
}

/// Writes the answer.
pub fn write(out: &mut impl Write, builds: u32) -> io::Result<()> {
    writeln!(
        out,
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n<value><array><data>"
    )?;
    let version = |build: u32| format!("1.{}.0", build % 50);
    let release = |build: u32| format!("{}.el9", build % 9);
    for build in 0..builds {
        for place in 0..RPMS {
            let number = u64::from(build * RPMS + place);
            let (arch, suffix) = match place {
                0 => ("src", ""),
                1 => ("x86_64", ""),
                2 => ("noarch", "-doc"),
                3 => ("x86_64", "-devel"),
                4 => ("i686", "-libs"),
                _ => ("x86_64", "-utils"),
            };
            let hash = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            members(
                out,
                &[
                    ("arch", text(arch)),
                    ("build_id", int(u64::from(build) + 1)),
                    ("buildroot_id", nothing()),
                    ("buildtime", int(1_704_067_200 + u64::from(build))),
                    ("draft", no()),
                    ("epoch", epoch(build)),
                    ("extra", nothing()),
                    ("id", int(number + 1)),
                    ("metadata_only", no()),
                    ("name", text(&format!("package-{build:05}{suffix}"))),
                    ("payloadhash", text(&format!("{hash:016x}{:016x}", hash.rotate_left(13)))),
                    ("release", text(&release(build))),
                    ("size", int(6_831 * number)),
                    ("version", text(&version(build))),
                ],
            )?;
        }
    }
    writeln!(out, "</data></array></value>\n<value><array><data>")?;
    let time = || text("2026-11-21 21:13:41.540632+00:00");
    for build in 0..builds {
        let (number, name) = (u64::from(build), format!("package-{build:05}"));
        members(
            out,
            &[
                ("build_id", int(number + 1)),
                ("completion_time", time()),
                ("create_event", int(number + 100)),
                ("creation_event_id", int(number + 99)),
                ("creation_time", time()),
                ("draft", no()),
                ("epoch", epoch(build)),
                ("id", int(number + 1)),
                ("name", text(&name)),
                ("nvr", text(&format!("{name}-{}-{}", version(build), release(build)))),
                ("owner_id", int(1)),
                ("owner_name", text("kojiadmin")),
                ("package_id", int(number + 1)),
                ("package_name", text(&name)),
                ("promoter_id", nothing()),
                ("promoter_name", nothing()),
                ("promotion_time", nothing()),
                ("release", text(&release(build))),
                ("start_time", time()),
                ("state", int(1)),
                ("tag_id", int(7)),
                ("tag_name", text("big-tag")),
                ("task_id", nothing()),
                ("version", text(&version(build))),
                ("volume_id", int(0)),
                ("volume_name", text("DEFAULT")),
            ],
        )?;
    }
    writeln!(out, "</data></array></value>\n</data></array></value>\n</param>\n</params>\n</methodResponse>")
}
