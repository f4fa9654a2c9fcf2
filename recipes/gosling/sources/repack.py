"""Lay out the files of Debian packages as the files of RPM packages.

Called in %install (macro %repack) with a plan on standard input:

    package NAME [DEB[:DEBARCH]]...   the files of these debs become package NAME
    drop GLOB                         leave these paths out
    rename FROM TO                    ship the file FROM as TO
    attr MODE USER:GROUP PATH         owner and mode other than Debian's
    into OTHER GLOB                   these paths belong to package OTHER
    header PATH                       differs between the architectures: ship it as
                                      X-64.h or X-32.h behind a header that chooses

A rule belongs to the package line above it, and its paths are paths in the RPM.
A rule that applies to nothing is an error on x86_64; the i686 half of a package
may lack what a rule is about.  A deb without architecture is the target's, or
`all`.  For each package, NAME.files in the current directory is written for
`%files -f`: owners and modes stand there, not in the build root, so building
needs no privilege.  Python's standard library and dpkg-deb suffice.
"""

import argparse
import fnmatch
import os
import posixpath
import re
import subprocess
import sys
import tarfile

DEBARCH = {"x86_64": "amd64", "i686": "i386"}
TRIPLET = {"amd64": "x86_64-linux-gnu", "i386": "i386-linux-gnu"}

# Debian's fixed ids, as far as packages use them.
USERS = {0: "root"}
GROUPS = {0: "root", 4: "adm", 5: "tty", 8: "mail", 42: "shadow", 43: "utmp", 50: "staff"}

# What Gosling ships of no package: documentation (but for the licence) and
# translations, and the hooks of tools that it does not have.
DROPPED = [
    "/etc/apport", "/etc/cron.daily", "/etc/cron.weekly", "/etc/init.d", "/etc/kernel",
    "/etc/rc0.d", "/etc/rcS.d", "/usr/share/apport", "/usr/share/bash-completion",
    "/usr/share/bug", "/usr/share/doc", "/usr/share/doc-base", "/usr/share/gdb",
    "/usr/share/info", "/usr/share/initramfs-tools", "/usr/share/lintian",
    "/usr/share/locale", "/usr/share/man", "/usr/share/menu", "/usr/share/polkit-1",
]
TEXT_WITH_PATHS = (".pc", "-config", ".cmake", ".la")
MERGED = re.compile(r"^/(bin|sbin|lib|lib64)(?=/|$)")
COPYRIGHT = re.compile(r"^/usr/share/doc/[^/]+/copyright$")


class Layout:
    """Where a path of Debian lies in Gosling."""

    def __init__(self, arch):
        self.debarch = DEBARCH[arch]
        self.lib = "lib64" if arch == "x86_64" else "lib"
        triplet = TRIPLET[self.debarch]
        self.rules = [
            (re.compile(rf"^/usr/lib/{triplet}(?=/|$)"), f"/usr/{self.lib}"),
            (re.compile(rf"^/usr/include/{triplet}(?=/|$)"), "/usr/include"),
        ]
        self.text = [
            (f"lib/{triplet}".encode(), self.lib.encode()),
            (f"include/{triplet}".encode(), b"include"),
        ]

    def path(self, path):
        path = MERGED.sub(r"/usr/\1", path)
        for pattern, place in self.rules:
            path = pattern.sub(place, path)
        return path

    def link(self, old, new, target):
        """The target of the link `old`, shipped as `new`; None if that is itself."""
        goal = self.path(posixpath.normpath(posixpath.join(posixpath.dirname(old), target)))
        if goal == new:
            return None
        if target.startswith("/"):
            return goal
        here = posixpath.dirname(new)
        if posixpath.normpath(posixpath.join(here, target)) == goal:
            return target
        return posixpath.relpath(goal, here)


class Package:
    """One package of the plan: its debs, its rules, and the entries they gave."""

    def __init__(self, name, debs):
        self.name = name
        self.debs = debs
        self.rules = []
        self.used = set()
        self.entries = {}

    def rule(self, kind, path):
        """The first rule of this kind for `path`; it counts as used."""
        for number, (word, *args) in enumerate(self.rules):
            if word == kind and fnmatch.fnmatchcase(path, args[-1] if kind in ("attr", "into") else args[0]):
                self.used.add(number)
                return args
        return None


def read_plan(lines):
    packages = {}
    current = None
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "package":
            current = packages[words[1]] = Package(words[1], words[2:])
        elif words[0] in ("drop", "rename", "attr", "into", "header") and current:
            current.rules.append(words)
        else:
            sys.exit(f"repack: cannot understand the line: {line.strip()}")
    return packages


def find_deb(sources, spec, debarch):
    name, _, arch = spec.partition(":")
    for wanted in [arch] if arch else [debarch, "all"]:
        found = [f for f in sources if f.startswith(name + "_") and f.endswith(f"_{wanted}.deb")]
        if len(found) == 1:
            return found[0]
    sys.exit(f"repack: no single file {name}_*_{arch or debarch}.deb among the sources")


def filesystem_directories(path):
    with open(path) as lines:
        return {words[3] for words in map(str.split, lines) if words and words[0] == "d"} | {"/"}


def dispatcher(path):
    stem = posixpath.basename(path)[:-2]
    return (
        "/* This header differs between the architectures. */\n"
        "#if defined(__x86_64__)\n"
        f'#include "{stem}-64.h"\n'
        "#elif defined(__i386__)\n"
        f'#include "{stem}-32.h"\n'
        "#else\n"
        "#error unsupported architecture\n"
        "#endif\n"
    ).encode()


def write(root, path, data, mode, mtime=None):
    place = root + path
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as out:
        out.write(data)
    os.chmod(place, mode | 0o600)
    if mtime is not None:
        os.utime(place, (mtime, mtime))


class Repacker:
    def __init__(self, layout, root, packages, owned):
        self.layout = layout
        self.root = root
        self.packages = packages
        self.owned = owned

    def unpack(self, package, deb):
        """All entries of one deb, in one pass over its data."""
        dpkg = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        with tarfile.open(fileobj=dpkg.stdout, mode="r|") as tar:
            for member in tar:
                self.entry(package, tar, member)
        dpkg.stdout.read()
        if dpkg.wait() != 0:
            sys.exit(f"repack: dpkg-deb failed on {deb}")

    def entry(self, package, tar, member):
        old = "/" + member.name.removeprefix(".").strip("/")
        if COPYRIGHT.match(old) and member.isreg():
            return self.licence(package, tar, member)
        new = self.layout.path(old)
        if any(new == d or new.startswith(d + "/") for d in DROPPED) or package.rule("drop", new):
            return
        renamed = package.rule("rename", new)
        if renamed:
            new = renamed[1]
        owner = package
        moved = package.rule("into", new)
        if moved:
            owner = self.packages[moved[0]]
        if new in owner.entries:
            return  # the first of merged debs wins
        mode = member.mode & 0o7777
        names = f"{USERS[member.uid]}:{GROUPS[member.gid]}"

        if member.isdir():
            if new in self.owned:
                return
            os.makedirs(self.root + new, exist_ok=True)
        elif member.issym():
            target = self.layout.link(old, new, member.linkname)
            if target is None:
                return
            os.makedirs(os.path.dirname(self.root + new), exist_ok=True)
            os.symlink(target, self.root + new)
            os.utime(self.root + new, (member.mtime, member.mtime), follow_symlinks=False)
        elif member.islnk():
            first = self.layout.path("/" + member.linkname.removeprefix(".").strip("/"))
            os.link(self.root + first, self.root + new)
        elif member.isreg():
            data = tar.extractfile(member).read()
            # rpm looks for libraries to colour and to depend on among executable files.
            if ".so" in posixpath.basename(new) and data[:4] == b"\x7fELF":
                mode = 0o755
            if new.endswith(TEXT_WITH_PATHS):
                for before, after in self.layout.text:
                    data = data.replace(before, after)
            if package.rule("header", new):
                write(self.root, new, dispatcher(new), mode)
                owner.entries[new] = self.listed(package, new, member, mode, names)
                new = f"{new[:-2]}-{'64' if self.layout.debarch == 'amd64' else '32'}.h"
            write(self.root, new, data, mode, member.mtime)
        else:
            sys.exit(f"repack: {old} is neither file, directory nor link")
        owner.entries[new] = self.listed(package, new, member, mode, names)

    def listed(self, package, path, member, mode, names):
        """The line of %files for this entry."""
        rule = package.rule("attr", path)
        if rule:
            mode, names = int(rule[0], 8), rule[1]
        user, group = names.split(":")
        quoted = '"' + path.replace("%", "%%") + '"'
        if member.issym():
            return f"%attr(-,{user},{group}) {quoted}"
        line = f"%attr({mode:04o},{user},{group}) {quoted}"
        if member.isdir():
            return "%dir " + line
        if path.startswith("/etc/"):
            return "%config(noreplace) " + line
        return line

    def licence(self, package, tar, member):
        folder = f"/usr/share/licenses/{package.name}"
        path = folder + "/copyright"
        if path in package.entries:
            return
        write(self.root, path, tar.extractfile(member).read(), 0o644, member.mtime)
        package.entries[folder] = f'%dir %attr(0755,root,root) "{folder}"'
        package.entries[path] = f'%license %attr(0644,root,root) "{path}"'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", required=True, choices=sorted(DEBARCH))
    parser.add_argument("--sources", required=True)
    parser.add_argument("--root", required=True)
    args = parser.parse_args()

    layout = Layout(args.arch)
    packages = read_plan(sys.stdin)
    owned = filesystem_directories(os.path.join(args.sources, "filesystem.list"))
    repacker = Repacker(layout, args.root, packages, owned)
    debs = sorted(f for f in os.listdir(args.sources) if f.endswith(".deb"))
    for package in packages.values():
        for spec in package.debs:
            deb = find_deb(debs, spec, layout.debarch)
            repacker.unpack(package, os.path.join(args.sources, deb))
    for package in packages.values():
        for number, words in enumerate(package.rules):
            if number not in package.used and args.arch == "x86_64":
                sys.exit(f"repack: {package.name}: this rule applies to nothing: {' '.join(words)}")
        with open(package.name + ".files", "w") as out:
            out.writelines(line + "\n" for _, line in sorted(package.entries.items()))


main()
