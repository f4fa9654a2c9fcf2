//! Owners, and who processes have become: everything here must come out the same with one id as with many.

use std::error::Error;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, chown, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gander::plan::{Action, ResolvedInput};
use gander::runner::{RunError, RunOptions};
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, StatxFlags, Uid, XattrFlags};
use rustix::process::{Resource, Rlimit};

use super::{Case, Failed, World, makes_root, path, program};

pub const CASES: [Case; 11] = [
    ("deadline_of_who_asks", deadline_of_who_asks),
    ("owners_every_way", owners_every_way),
    ("becoming_another_user", becoming_another_user),
    ("becoming_another_user_first", becoming_another_user_first),
    ("folders_that_hand_down_a_group", folders_that_hand_down_a_group),
    ("inode_numbers_used_again", inode_numbers_used_again),
    ("many_at_once", many_at_once),
    ("users_are_added", users_are_added),
    ("programs_of_32_bits", programs_of_32_bits),
    ("what_one_id_cannot_do", what_one_id_cannot_do),
    ("more_files_than_can_be_watched", more_files_than_can_be_watched),
];

/// Tools that only these tests need, and this test itself as the program `probe`.
pub fn more_programs(dest: &Path) -> Result<(), Failed> {
    let tools = [
        "find", "groupadd", "install", "mkfifo", "mknod", "mktemp", "mv", "sort", "tee", "truncate",
        "useradd", "usermod", "wc", "chgrp", "true", "rmdir", "unshare",
    ];
    super::put_programs(dest, &tools)?;
    let this = std::env::current_exe()?;
    let own = this.to_str().ok_or("an odd path")?;
    super::put_programs(dest, &[own])?;
    let name = this.file_name().ok_or("no name")?;
    Ok(fs::rename(dest.join("usr/bin").join(name), dest.join("usr/bin/probe"))?)
}

/// What the programs of these tests can do that no tool can.
pub fn probe(words: &[String]) -> Result<(), Failed> {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fchown", file, user, group] => {
            rustix::fs::fchown(File::open(file)?, Some(uid(user)?), Some(gid(group)?))?;
        }
        ["chownat", folder, name, user, group] => {
            let folder = File::open(folder)?;
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(folder, *name, Some(uid(user)?), Some(gid(group)?), flags)?;
        }
        ["path-chown", file, user, group] => {
            let file = rustix::fs::open(*file, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
            rustix::fs::chownat(&file, "", Some(uid(user)?), Some(gid(group)?), AtFlags::EMPTY_PATH)?;
        }
        ["stats", files @ ..] => files.iter().try_for_each(|file| stats(file))?,
        ["become", user, group, program, arguments @ ..] => {
            rustix::thread::set_thread_groups(&[])?;
            let (user, group) = (uid(user)?, gid(group)?);
            rustix::thread::set_thread_res_gid(group, group, group)?;
            rustix::thread::set_thread_res_uid(user, user, user)?;
            return Err(Command::new(program).args(arguments).exec().into());
        }
        ["reuse", folder] => reuse(Path::new(folder))?,
        ["threads", folder] => threads(Path::new(folder))?,
        ["nameless", folder, name] => {
            let flags = OFlags::TMPFILE | OFlags::RDWR;
            let file = rustix::fs::open(*folder, flags, Mode::from_raw_mode(0o640))?;
            rustix::fs::fchown(&file, Some(Uid::from_raw(5)), Some(Gid::from_raw(6)))?;
            let here = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
            rustix::fs::linkat(CWD, here, CWD, *name, AtFlags::SYMLINK_FOLLOW)?;
        }
        ["list", file, user] => {
            // Version; owner, user, group, mask, others.
            let mut list = vec![2, 0, 0, 0];
            for (tag, id) in
                [(1_u16, u32::MAX), (2, user.parse()?), (4, u32::MAX), (16, u32::MAX), (32, u32::MAX)]
            {
                list.extend(tag.to_le_bytes());
                list.extend(4_u16.to_le_bytes());
                list.extend(id.to_le_bytes());
            }
            rustix::fs::setxattr(*file, "system.posix_acl_access", &list, XattrFlags::empty())?;
        }
        ["reaper"] => rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?,
        other => return Err(format!("unknown words {other:?}").into()),
    }
    Ok(())
}

fn uid(text: &str) -> Result<Uid, Box<dyn Error + Send + Sync>> {
    Ok(Uid::from_raw(text.parse()?))
}

fn gid(text: &str) -> Result<Gid, Box<dyn Error + Send + Sync>> {
    Ok(Gid::from_raw(text.parse()?))
}

/// All calls that tell an owner agree; prints what they say.
fn stats(file: &str) -> Result<(), Failed> {
    let open = rustix::fs::open(file, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
    let same = rustix::fs::lstat(file)?;
    let told = (same.st_uid, same.st_gid);
    let folder = Path::new(file).parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let folder = File::open(folder)?;
    let name = Path::new(file).file_name().ok_or("no name")?;
    let at = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let fd = rustix::fs::fstat(&open)?;
    let empty = rustix::fs::statat(&open, "", AtFlags::EMPTY_PATH)?;
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let x = rustix::fs::statx(CWD, file, flags, StatxFlags::BASIC_STATS)?;
    for (user, group) in
        [(at.st_uid, at.st_gid), (fd.st_uid, fd.st_gid), (empty.st_uid, empty.st_gid), (x.stx_uid, x.stx_gid)]
    {
        assert_eq!((user, group), told, "{file}");
    }
    assert_eq!(
        (u32::from(x.stx_mode), x.stx_ino, x.stx_size),
        (same.st_mode, same.st_ino, same.st_size as u64)
    );
    let followed =
        rustix::fs::stat(file).map_or("nothing".into(), |stat| format!("{}:{}", stat.st_uid, stat.st_gid));
    let metadata = fs::symlink_metadata(file)?;
    assert_eq!((metadata.uid(), metadata.gid()), told);
    println!("{file} {}:{} {:o} {followed}", told.0, told.1, same.st_mode);
    Ok(())
}

/// A file that takes the number of one that had another owner belongs to root.
fn reuse(folder: &Path) -> Result<(), Failed> {
    let path = folder.join("again");
    for _ in 0..300 {
        fs::write(&path, "x")?;
        let metadata = fs::symlink_metadata(&path)?;
        assert_eq!((metadata.uid(), metadata.gid()), (0, 0));
        chown(&path, Some(5), Some(6))?;
        let metadata = fs::symlink_metadata(&path)?;
        assert_eq!((metadata.uid(), metadata.gid()), (5, 6));
        fs::remove_file(&path)?;
    }
    fs::create_dir(&path)?;
    assert_eq!(fs::symlink_metadata(&path)?.uid(), 0);
    Ok(())
}

fn threads(folder: &Path) -> Result<(), Failed> {
    std::thread::scope(|scope| {
        let work = |number: u32| -> std::io::Result<()> {
            for index in 0..100 {
                let path = folder.join(format!("{number}-{index}"));
                fs::write(&path, "x")?;
                lchown(&path, Some(number), Some(index))?;
                let metadata = File::open(&path)?.metadata()?;
                assert_eq!((metadata.uid(), metadata.gid()), (number, index));
                assert_eq!(rustix::fs::fstat(File::open(&path)?.as_fd())?.st_uid, number);
                fs::rename(&path, folder.join(format!("{number}.{index}")))?;
            }
            Ok(())
        };
        let all: Vec<_> = (1..9).map(|number| scope.spawn(move || work(number))).collect();
        for thread in all {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

/// The root of these tests also has this test as the program `probe`.
fn with_probe(script: &str) -> Action {
    let mut action = program(&format!("set -e\nprobe() {{ /usr/bin/probe probe \"$@\"; }}\n{script}"));
    action.root = Some(ResolvedInput::File(super::probe_root()));
    makes_root(action)
}

fn same(world: &World, name: &str, script: &str) -> gander::base::Digest {
    let tree = world.run(&with_probe(script)).unwrap_or_else(|error| panic!("{name}: {error}"));
    world.same_for_all(name, &tree);
    for file in ["said", "w/listed", "w/told", "w/chrooted"] {
        if world.store.tree(&tree).unwrap().get(&path(file)).is_some() {
            world.note(&world.output(&tree, file));
        }
    }
    tree
}

fn owners_every_way(world: &World) {
    let tree = same(
        world,
        "owners",
        "mkdir /out/w; cd /out/w; mkdir a a/b; for f in one two three four five six seven; do echo $f > a/$f; done
        chown 5:6 a/one; chown 7 /out/w/a/two; chgrp 8 a/b/../three; cd a; chown 9:9 ./four; cd ..
        probe fchown a/five 10 11; probe chownat a six 12 13; probe path-chown a/seven 14 15
        ln -s one a/link; ln -s nothing a/loose; chown -h 16:17 a/link; chown -h 18:19 a/loose
        chown 20:21 a/link; probe chownat a loose 22 23
        ln a/one hard; mv a/two a/b/moved; mkdir c; chown 24:25 c; mv c a/b/c; touch a/b/c/in
        cp -p a/one copied; cp a/one plain; ln -s a/b short; chown 26 short/moved
        if chown 5 nothing/at/all || chown 5 a/loose; then exit 1; fi 2> errors
        echo > bad; for id in 65536 4000000000; do if chown $id bad; then exit 1; fi; done 2>> errors
        chown 65535:65535 bad; chown 0:0 bad
        for mode in 4755 2755 6711 2644; do echo > m$mode; chmod $mode m$mode; cp -p m$mode k$mode; chown 5 m$mode; chown 0 k$mode; done
        echo > late; chown 5:6 late; chmod 6755 late
        mkdir -p t/usr/bin; cp -a /bin /lib* t; cp -a /usr/lib* t/usr 2> /dev/null || true
        cp -a /usr/bin/bash /usr/bin/chown /usr/bin/stat t/usr/bin; mkdir t/d t/d/e; echo > t/d/f; ln -s /d/f t/d/abs; ln -s ../../../../d/f t/d/up
        chroot t bash -c 'set -e; chown 30:31 /d/f; cd /d; chown -h 32:33 abs; chown 34 e; chown 35:36 ../d/up; stat -c \"%u:%g %n\" /d/abs /d/f e . /d/up' > chrooted
        chown 37 t/d/e/../abs || true
        mv t/d d; rm -r t
        (cd a; exec 3< one; cd /; chown 40:41 /proc/self/fd/3; probe stats /proc/self/fd/3 | wc -l) > own-files
        find . -exec stat -c '%n %u:%g %a %h %F' {} + | sort > /tmp/listed; mv /tmp/listed .
        probe stats $(find . -mindepth 1 | sort) > /tmp/told; mv /tmp/told .
        find . -uid 5 -o -gid 6 | sort > /tmp/found; mv /tmp/found .; ls -ln a | wc -l > counted; nlink=$(stat -c %h a/one); test $nlink = 2
        tar --sort=name --numeric-owner --mtime=@1 --format=gnu -cf all.tar a d hard; rm -rf x; mkdir x; tar -C x -xpf all.tar",
    );
    let tree = world.store.tree(&tree).unwrap();
    for (name, owner) in [
        ("a/one", (40, 41)),
        ("hard", (40, 41)),
        ("a/five", (10, 11)),
        ("a/b/moved", (26, 0)),
        ("a/loose", (22, 23)),
        ("bad", (0, 0)),
        ("d/f", (35, 36)),
        ("x/a/seven", (14, 15)),
    ] {
        let entry = tree.get(&path("w").join(name).unwrap()).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((entry.uid, entry.gid), owner, "{name}");
    }
    for (name, mode) in [("m4755", 0o755), ("m2644", 0o2644), ("k6711", 0o711), ("late", 0o6755)] {
        assert_eq!(tree.get(&path("w").join(name).unwrap()).unwrap().mode, mode, "{name}");
    }
}

fn becoming_another_user(world: &World) {
    same(
        world,
        "another user",
        "cd /out; mkdir -m 755 home; mkdir -m 700 home/five private; chown 5:6 home/five; echo secret > private/f
        mkdir -m 1777 shared; echo root > shared/root; mkdir -m 2770 team; chown 0:6 team; echo x > mine; chown 5:6 mine
        echo closed > closed; chmod 600 closed; echo open > open; chmod 666 open
        five='setpriv --reuid 5 --regid 6 --clear-groups'
        $five bash -c 'id; cat /out/open; cd /out/home/five; echo own > own; mkdir -p d/e; ln -s own link; ln own hard
            (umask 077; echo tight > tight; mkdir tight.d); mv own renamed; rm hard; chmod 640 renamed; touch -d @5 d
            echo more >> renamed; cp renamed d; mkdir -m 2755 group; touch group/in; : > /dev/null; echo x > /dev/null
            id -u; id -g; id -G; (id -un; exit 0) 2> /dev/null; bash -c \"bash -c id\"' > said 2>&1
        probe become 5 6 bash -c 'id; (sleep 0; id) & wait; echo from a child > /out/home/five/child' >> said
        # The last word of each is what became of it.
        for try in 'echo x > /out/closed' 'echo x >> /out/open' 'cat /out/mine' 'echo x > /out/new' 'rm /out/open' \\
            'mkdir /out/new' 'ln -s x /out/new' 'mv /out/open /out/shared' 'rm -f /out/shared/root' 'echo x > /out/shared/mine' \\
            'chmod 777 /out/closed' 'chmod 600 /out/mine' 'chown 7 /out/mine' 'chown 5:6 /out/mine' 'touch -d @1 /out/closed' \\
            'echo x > /out/private/x' 'echo x > /out/team/x' 'echo x > /out/home/new' 'truncate -s 0 /out/closed' \\
            'cd /out/private' 'test -w /out/closed' 'test -w /out/mine' 'stat /out/private/f' 'chroot / true' \\
            'setpriv --reuid 0 true' 'setpriv --regid 0 --clear-groups true' 'echo \">\" > /tmp/five' 'mkfifo /tmp/pipe'; do
            if $five bash -c \"$try\" > /dev/null 2>&1; then echo \"$try: yes\"; else echo \"$try: no\"; fi
        done >> said
        setpriv --regid 7 --clear-groups bash -c 'echo x > /out/of-group; mkdir /out/of-group.d; id; echo x >> /out/closed'
        setpriv --reuid 8 --regid 9 --groups 6,3,4 bash -c 'id -G; cd /out/team; echo x > member; mkdir made; echo x > made/in' >> said
        setpriv --ruid 5 --regid 6 --clear-groups bash -pc 'id; echo x > /out/real-only; test -w /out/closed && echo as root' >> said
        stat -c '%u:%g %n' /tmp/five >> said; rm -f shared/x",
    );
}

/// Permissions bind another user also while every file is root's.
fn becoming_another_user_first(world: &World) {
    let script = "umask 0; echo > /out/f; mkdir /out/d; if setpriv --reuid 5 --clear-groups chown 0:0 /out/f; then exit 1; fi
        if setpriv --reuid 5 --clear-groups chmod 700 /out/d; then exit 1; fi; stat -c '%u:%g %a' /out/f /out/d > /out/said";
    let tree = same(world, "first", script);
    assert_eq!(world.output(&tree, "said"), "0:0 666\n0:0 777\n");
}

fn folders_that_hand_down_a_group(world: &World) {
    same(
        world,
        "handed down",
        "cd /out; mkdir top; chown 5:12 top; chmod 2775 top; cd top; echo > file; mkdir -p one/two/three; ln -s x link
        echo > one/two/three/deep; touch a b c; mv a one/a; echo > /out/outside; mv /out/outside inside; mkdir /out/plain; mv /out/plain .
        echo > plain/in; (umask 077; echo > tight; mkdir tight.d; echo >> tight.d/in); install -m 4711 /usr/bin/bash suid; install -d -m 750 made
        ln -s made/through dangling; echo > dangling; ln -s /out/top/absolute far; echo > far; cp -r one copy; mknod -m 600 pipe p; rm pipe
        echo > 'odd name'; printf '' > \"$(printf 'new\\nline')\" && rm new*line; chown 0:13 one/two; echo > one/two/later; chgrp 0 one; echo > one/rooted
        bash -c 'exec 3>>log; echo one >&3; exec 3>&-; set -C; echo two > log' 2> /dev/null || true; cat log; sort -o sorted log
        chmod g-s made; echo > made/without; touch -r file dated; echo x | tee tee > /dev/null; mv tee one/two; mktemp -p . tmp.XXXX | wc -l; rm -f tmp.*",
    );
}

fn inode_numbers_used_again(world: &World) {
    same(world, "used again", "mkdir /out/d; probe reuse /out/d; probe reuse /tmp");
}

fn many_at_once(world: &World) {
    same(
        world,
        "many at once",
        "mkdir /out/threads; probe threads /out/threads & cd /out; for i in 1 2 3 4 5 6 7 8; do
        (mkdir $i; for j in 1 2 3 4 5 6 7 8 9; do echo $j > $i/$j; chown $i:$j $i/$j; test $(stat -c %u:%g $i/$j) = $i:$j || echo wrong > wrong; done;
         setpriv --reuid 5$i --regid 6 --clear-groups bash -c \"test \\$(id -u) = 5$i && echo x > /tmp/by-$i && test \\$(stat -c %u /tmp/by-$i) = 5$i\" || echo wrong > wrong) &
        done; wait; test ! -e wrong",
    );
}

fn users_are_added(world: &World) {
    same(
        world,
        "users",
        "cd /out; mkdir -p etc/skel home var/mail; echo root:x:0:0::/root:/bin/sh > etc/passwd; echo root:x:0: > etc/group
        echo root:*:1:::::: > etc/shadow; echo 'root:*::' > etc/gshadow; chmod 600 etc/shadow etc/gshadow; echo hello > etc/skel/hello
        printf 'UID_MIN 1000\\nGID_MIN 1000\\nSYS_UID_MIN 100\\nSYS_UID_MAX 999\\nMAIL_DIR /var/mail\\n' > etc/login.defs
        groupadd -P /out -g 12 mail; useradd -P /out -m -u 42000 -s /bin/bash goose; useradd -P /out -r -g mail -M gander
        usermod -P /out -a -G mail goose; stat -c '%u:%g %a %n' home home/* home/*/* var/mail/* etc/* > seen 2>&1 || true
        rm -f etc/*- etc/.pwd.lock",
    );
}

/// A step that never stops asking ends all the same, with all that it started.
fn deadline_of_who_asks(world: &World) {
    let options = RunOptions { deadline: Duration::from_secs(2) };
    let script = "echo > /out/f; chown 5 /out/f; for i in 1 2 3 4; do (while :; do test -O /out/f; echo > /out/$i; chown $i /out/$i; done) & done; \
                  (sleep 98763 &); while :; do stat /out/f > /dev/null; done";
    let error = world.run_with(&with_probe(script), &options).unwrap_err();
    assert!(matches!(error, RunError::Deadline { .. }), "{error:?}");
    assert!(!super::exists("98763"), "a process outlived the deadline");
}

/// A program of 32 bits that does nothing but end with code 0.
fn small_program() -> Vec<u8> {
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2, 0, 3, 0, 1, 0, 0, 0]);
    for word in [0x0804_8054_u32, 52, 0, 0, 0x0020_0034, 1, 0] {
        elf.extend(word.to_le_bytes());
    }
    for word in [1_u32, 0, 0x0804_8000, 0x0804_8000, 96, 96, 5, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    // mov eax, 1; xor ebx, ebx; int 0x80
    elf.extend([0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80]);
    elf.resize(96, 0x90);
    elf
}

fn programs_of_32_bits(world: &World) {
    let file = world.store.put_bytes(&small_program()).unwrap();
    let mut action =
        program("cp /in/small /build; chmod 755 /build/small; /build/small; echo ran > /out/ran");
    action.inputs.insert(path("small"), ResolvedInput::File(file));
    let tree = world.run(&action).unwrap();
    world.same_for_all("32 bits", &tree);
    let mut action = makes_root(action);
    action.step.executor =
        program("cp /in/small /build; chmod 755 /build/small; /build/small && echo ran > /out/ran")
            .step
            .executor;
    match world.run(&action) {
        Ok(_) => assert!(!world.single),
        Err(error) => {
            assert!(world.single && matches!(error, RunError::Inexact { .. }), "{error}");
            assert!(error.to_string().contains("/build/small"), "{error}");
        }
    }
}

fn what_one_id_cannot_do(world: &World) {
    for (script, words) in [
        ("echo > /out/f; probe list /out/f 12", &["gives '/out/f'", "access list", "12", "probe"][..]),
        (
            "mkdir -m 2777 /out/d; chown 5:6 /out/d; probe nameless /out/d /out/f",
            &["without a name", "/out/d"],
        ),
        (
            "mkdir -m 777 /out/d; setpriv --reuid 5 --regid 6 --clear-groups bash -c '(sleep 0.5; echo x > /out/d/f) & exit'; sleep 2",
            &["became another user", "cannot be told"],
        ),
        ("probe reaper", &["takes over orphans", "probe"]),
        ("unshare --user true", &["makes a user namespace", "unshare"]),
    ] {
        match world.run_with(&with_probe(script), &RunOptions::default()) {
            Ok(_) => assert!(!world.single, "{script}"),
            Err(error) => {
                let text = error.to_string();
                assert!(world.single && matches!(error, RunError::Inexact { .. }), "{script}: {error:?}");
                assert!(words.iter().all(|word| text.contains(word)), "{script}: {text}");
                assert!(text.contains("/etc/subuid"), "{text}");
            }
        }
    }
    // An access list of root's own is none of others.
    let tree = world.run(&with_probe("echo > /out/f; chmod 600 /out/f; probe list /out/f 0"));
    world.same_for_all("own list", &tree.unwrap());
}

/// Run by [`few`], where few files can be open: of 250 that belong to others, the owners of 172 can be watched.
fn more_files_than_can_be_watched(world: &World) {
    let ran = world.again(&["few"], &[]);
    assert_eq!(ran.status.success(), !world.single, "{ran:?}");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!world.single || said.contains("more than 172 files of other users"), "{said}");
}

/// What [`more_files_than_can_be_watched`] runs.
pub fn few(world: &World) -> Result<(), Failed> {
    let limit = Some(300);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })?;
    let script = "cd /out; for i in {1..250}; do echo > $i; done; chown 5:6 [0-9]*";
    world.run(&makes_root(program(script)))?;
    Ok(())
}
