//! Filters: programs of classic BPF that the kernel runs at each system call of the step, one for supervised steps
//! and one for people's commands.
//!
//! It is a list of blocks, one for each call, in which every jump is short. What it allows depends on nothing
//! but the number for most calls; the kernel notices that and does not even run it for them.
//!
//! Programs of 32 bits have other calls, which are not looked at one by one. In a [`Level::Bare`] step they run:
//! there the answers to what matters are known beforehand. In others they come to the supervisor, which refuses
//! them. So do calls of the x32 kind.

use libc::sock_filter;

use super::calls::{self, Call, When};

/// How closely a step is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runner) enum Level {
    /// Nothing in the step belongs to others than root, and it has no right to change that.
    Bare,
    /// All that depends on owners.
    Full,
    /// All that, and every file that is opened: the step may not even read what belongs to others.
    Guarded,
}

#[cfg(target_arch = "x86_64")]
pub(super) const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const ARCHITECTURE: u32 = 0;

/// Calls with numbers from here on are of the x32 kind.
const X32: u32 = 0x4000_0000;
#[cfg(target_arch = "x86_64")]
const I386: u32 = 0x4000_0003;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const NOTIFY: u32 = libc::SECCOMP_RET_USER_NOTIF;

const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (number.cast_unsigned() & libc::SECCOMP_RET_DATA)
}

const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// The low half of an argument, on a little-endian machine.
fn argument(index: usize) -> u32 {
    16 + 8 * u32::try_from(index).unwrap_or(0)
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn answer(value: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, value)
}

fn statement(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k }
}

fn equal(k: u32, yes: u8, no: u8) -> sock_filter {
    jump(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k, yes, no)
}

/// A block for one call: left alone unless the number that was loaded is its own.
fn block(number: u32, mut body: Vec<sock_filter>) -> Vec<sock_filter> {
    let past = u8::try_from(body.len()).unwrap_or(u8::MAX);
    body.insert(0, equal(number, 0, past));
    body
}

/// What to do when an id is neither 0 nor -1 (which means: leave it).
fn other_ids(first: usize, count: usize, then: u32) -> Vec<sock_filter> {
    let mut body = Vec::new();
    for index in first..first + count {
        body.extend([load(argument(index)), equal(0, 2, 0), equal(u32::MAX, 1, 0), answer(then)]);
    }
    body.push(answer(ALLOW));
    body
}

fn body(call: Call, when: When) -> Vec<sock_filter> {
    match (call, when) {
        (Call::Absent, _) => vec![answer(errno(libc::ENOSYS))],
        (_, When::Always) => vec![answer(NOTIFY)],
        (_, When::Bits(index, bits)) => vec![
            load(argument(index)),
            jump(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, bits, 0, 1),
            answer(NOTIFY),
            answer(ALLOW),
        ],
        (_, When::In(index, values)) => {
            let mut body = vec![load(argument(index))];
            body.extend(values.iter().flat_map(|value| [equal(*value, 0, 1), answer(NOTIFY)]));
            body.push(answer(ALLOW));
            body
        }
        (_, When::OtherIds { first, count }) => other_ids(first, count, NOTIFY),
    }
}

/// The program for steps of this level.
pub(super) fn program(level: Level) -> Vec<sock_filter> {
    let bare = level == Level::Bare;
    let mut program = vec![load(ARCH)];
    program.extend(foreign(bare));
    program.push(load(NUMBER));
    if cfg!(target_arch = "x86_64") {
        program.extend([jump(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, X32, 0, 1), answer(NOTIFY)]);
    }
    for (number, call) in calls::all() {
        if let Some(when) = call.when(level) {
            program.extend(block(number, body(call, when)));
        }
    }
    program.push(answer(ALLOW));
    program
}

/// The program for commands that have a person's terminal: they may not put words into it that whoever reads it next,
/// that person's shell, would take for typed. On a machine whose architecture is not known here it forbids nothing.
pub(super) fn terminal() -> Vec<sock_filter> {
    // The number of `ioctl` for 32-bit programs on x86 and ARM, and that of the x32 kind.
    const IOCTL_32: u32 = 54;
    const IOCTL_X32: u32 = X32 + 514;
    let (type_in, console) = (libc::TIOCSTI as u32, libc::TIOCLINUX as u32);
    let body = || {
        let ask = [load(argument(1)), equal(type_in, 1, 0), equal(console, 0, 1)];
        [&ask[..], &[answer(errno(libc::EPERM)), answer(ALLOW)]].concat()
    };
    let foreign = [vec![load(NUMBER)], block(IOCTL_32, body()), vec![answer(ALLOW)]].concat();
    let own = u32::try_from(libc::SYS_ioctl).unwrap_or(u32::MAX);
    let past = u8::try_from(foreign.len()).unwrap_or(u8::MAX);
    let start = vec![load(ARCH), equal(ARCHITECTURE, past, 0)];
    let native = [vec![load(NUMBER)], block(own, body()), block(IOCTL_X32, body()), vec![answer(ALLOW)]];
    [start, foreign, native.concat()].concat()
}

/// What becomes of calls that are not this machine's own. The architecture is loaded.
fn foreign(bare: bool) -> Vec<sock_filter> {
    #[cfg(target_arch = "x86_64")]
    if bare {
        // The numbers of asm/unistd_32.h: with 16-bit ids, then with 32-bit ids. No one has a right that the
        // supervisor would have to know of, so the answers are always the same.
        const IDS: [(u32, usize, usize); 19] = [
            (16, 1, 2),
            (23, 0, 1),
            (46, 0, 1),
            (70, 0, 2),
            (71, 0, 2),
            (95, 1, 2),
            (164, 0, 3),
            (170, 0, 3),
            (182, 1, 2),
            (198, 1, 2),
            (203, 0, 2),
            (204, 0, 2),
            (207, 1, 2),
            (208, 0, 3),
            (210, 0, 3),
            (212, 1, 2),
            (213, 0, 1),
            (214, 0, 1),
            (298, 2, 2),
        ];
        let mut body = vec![load(NUMBER)];
        for (number, first, count) in IDS {
            body.extend(block(number, other_ids(first, count, errno(libc::EPERM))));
        }
        // The groups that the kernel would tell are the user's of the outside.
        for number in [80, 205] {
            body.extend(block(number, vec![answer(errno(0))]));
        }
        body.push(answer(ALLOW));
        // Too long for one jump: each hops over the other's.
        let mut program = vec![equal(ARCHITECTURE, 2, 0), equal(I386, 2, 0), answer(NOTIFY)];
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        program.push(statement(libc::BPF_JMP | libc::BPF_JA, length));
        program.extend(body);
        return program;
    }
    let _ = bare;
    vec![equal(ARCHITECTURE, 1, 0), answer(NOTIFY)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program answers, and that it is one that the kernel takes.
    fn run(program: &[sock_filter], number: u32, arch: u32, arguments: &[u64]) -> u32 {
        assert!(program.len() <= 4096);
        let mut data = Vec::new();
        data.extend(number.to_le_bytes());
        data.extend(arch.to_le_bytes());
        data.extend(0_u64.to_le_bytes());
        for index in 0..6 {
            data.extend(arguments.get(index).copied().unwrap_or(0).to_le_bytes());
        }
        let (mut at, mut accumulator) = (0, 0_u32);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            let jump = |yes: bool| usize::from(if yes { step.jt } else { step.jf });
            match code & 7 {
                libc::BPF_LD => {
                    let from = step.k as usize;
                    accumulator = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
                }
                libc::BPF_RET => return step.k,
                libc::BPF_JMP => {
                    at += match code & 0xf0 {
                        libc::BPF_JA => step.k as usize,
                        libc::BPF_JEQ => jump(accumulator == step.k),
                        libc::BPF_JGE => jump(accumulator >= step.k),
                        libc::BPF_JSET => jump(accumulator & step.k != 0),
                        other => panic!("jump {other}"),
                    };
                }
                other => panic!("class {other}"),
            }
        }
    }

    const MINUS_ONE: u64 = 0xffff_ffff;

    #[test]
    fn what_matters_is_asked_for_and_nothing_else() {
        let (bare, full) = (program(Level::Bare), program(Level::Full));
        let number = |number: libc::c_long| u32::try_from(number).unwrap();
        let create = u64::from((libc::O_CREAT | libc::O_WRONLY) as u32);
        let read = u64::from((libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY) as u32);
        let none = errno(libc::ENOSYS);
        #[rustfmt::skip]
        let table: &[(libc::c_long, &[u64], u32, u32)] = &[
            (libc::SYS_read, &[5, 5, 5], ALLOW, ALLOW),
            (libc::SYS_fchown, &[3, 0, 0], ALLOW, NOTIFY),
            (libc::SYS_fchown, &[3, MINUS_ONE, 0], ALLOW, NOTIFY),
            (libc::SYS_fchown, &[3, 0, 5], NOTIFY, NOTIFY),
            (libc::SYS_fchownat, &[3, 1, 5, MINUS_ONE], NOTIFY, NOTIFY),
            (libc::SYS_fchownat, &[3, 1, u64::MAX, 0], ALLOW, NOTIFY),
            (libc::SYS_setuid, &[0], ALLOW, NOTIFY),
            (libc::SYS_setresgid, &[0, MINUS_ONE, 7], NOTIFY, NOTIFY),
            (libc::SYS_setgroups, &[0, 0], NOTIFY, NOTIFY),
            (libc::SYS_getgroups, &[0, 0], NOTIFY, NOTIFY),
            (libc::SYS_getuid, &[], ALLOW, NOTIFY),
            (libc::SYS_fstat, &[1], ALLOW, NOTIFY),
            (libc::SYS_statx, &[1], ALLOW, NOTIFY),
            (libc::SYS_openat, &[1, 2, create, 0o644], ALLOW, NOTIFY),
            (libc::SYS_openat, &[1, 2, read], ALLOW, ALLOW),
            (libc::SYS_openat2, &[1, 2], ALLOW, NOTIFY),
            (libc::SYS_mkdirat, &[1, 2], ALLOW, NOTIFY),
            (libc::SYS_unlinkat, &[1, 2], ALLOW, NOTIFY),
            (libc::SYS_fsetxattr, &[1, 2], NOTIFY, NOTIFY),
            (libc::SYS_prctl, &[libc::PR_SET_KEEPCAPS as u64, 1], ALLOW, NOTIFY),
            (libc::SYS_prctl, &[libc::PR_SET_CHILD_SUBREAPER as u64, 1], ALLOW, NOTIFY),
            (libc::SYS_prctl, &[libc::PR_SET_NAME as u64], ALLOW, ALLOW),
            (libc::SYS_clone, &[libc::CLONE_VM as u64, 1], ALLOW, ALLOW),
            (libc::SYS_unshare, &[(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64], ALLOW, NOTIFY),
            (libc::SYS_io_uring_setup, &[1], none, none),
        ];
        for (call, arguments, in_bare, in_full) in table {
            assert_eq!(run(&bare, number(*call), ARCHITECTURE, arguments), *in_bare, "{call} {arguments:?}");
            assert_eq!(run(&full, number(*call), ARCHITECTURE, arguments), *in_full, "{call} {arguments:?}");
        }
        assert_eq!(run(&full, 1, 0x1234, &[]), NOTIFY);
        assert_eq!(run(&bare, 1, 0x1234, &[]), NOTIFY);
    }

    #[test]
    fn nobody_types_for_a_person() {
        let program = terminal();
        let own = u32::try_from(libc::SYS_ioctl).unwrap();
        let (type_in, size) = (libc::TIOCSTI, libc::TIOCGWINSZ);
        // The kernel looks at the low half of the request only.
        let disguised = type_in | 1 << 40;
        let none = errno(libc::EPERM);
        for (number, arch, request, expected) in [
            (own, ARCHITECTURE, type_in, none),
            (own, ARCHITECTURE, disguised, none),
            (own, ARCHITECTURE, libc::TIOCLINUX, none),
            (own, ARCHITECTURE, size, ALLOW),
            (own + 1, ARCHITECTURE, type_in, ALLOW),
            (X32 + 514, ARCHITECTURE, type_in, none),
            (54, 0x4000_0003, type_in, none),
            (54, 0x4000_0003, size, ALLOW),
            (4, 0x4000_0003, type_in, ALLOW),
        ] {
            assert_eq!(run(&program, number, arch, &[0, request]), expected, "{number} {arch:x} {request:x}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn programs_of_32_bits_run_where_nothing_belongs_to_others() {
        let (bare, full) = (program(Level::Bare), program(Level::Full));
        for (number, arguments, expected) in [
            (3, &[0; 3], ALLOW),
            (212, &[1, 0, MINUS_ONE], ALLOW),
            (212, &[1, 5, 0], errno(libc::EPERM)),
            (213, &[7, 0, 0], errno(libc::EPERM)),
            (298, &[9, 9, 0], ALLOW),
            (205, &[0; 3], errno(0)),
        ] {
            assert_eq!(run(&bare, number, I386, arguments), expected, "{number}");
            assert_eq!(run(&full, number, I386, arguments), NOTIFY, "{number}");
        }
        for program in [&bare, &full] {
            assert_eq!(run(program, X32 + 1, ARCHITECTURE, &[]), NOTIFY);
        }
    }
}
