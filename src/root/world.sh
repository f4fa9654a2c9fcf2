# What install.sh and configure.sh share; it is put before each of them. The root is /out.
set -eu
# A root's own programs run in the plain C locale: it has no other before its packages are there.
export LC_ALL=C TZ=UTC HOME=/root TERM=dumb
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Compiled Python would lie beside packaged files, in packages' folders, without an owner; and hashes of text
# differ from run to run.
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
# systemctl is to change files only, also where it does not see that this is a chroot.
export SYSTEMD_OFFLINE=1
# The parts of /out that the jail mounts while this runs.
MOUNTED='/proc /sys /dev /run /tmp /var/tmp'
TAB=$(printf '\t')

complain() {
    printf '%s\n' "$*" >&2
}

fail() {
    complain "$*"
    exit 1
}

# Prints where a path of the root really lies, below /out. Links in the root must not lead out of it: to
# whoever runs in it, its own / is the top.
inside() {
    rest=${1#/} at='' hops=0
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in
        */*) rest=${rest#*/} ;;
        *) rest='' ;;
        esac
        case $part in
        '' | .) continue ;;
        ..)
            at=${at%/*}
            continue
            ;;
        esac
        if [ -L "/out$at/$part" ]; then
            hops=$((hops + 1))
            [ "$hops" -le 40 ] || fail "the links of $1 lead in a circle"
            target=$(readlink "/out$at/$part")
            case $target in
            /*) at='' ;;
            esac
            rest=$target/$rest
        else
            at=$at/$part
        fi
    done
    printf '/out%s\n' "$at"
}

# Removes what is at these paths of the root, not what links lead to.
remove() {
    for path; do
        folder=$(inside "${path%/*}")
        rm -rf -- "${folder:?}/${path##*/}"
    done
}

# sweep FOLDER PATTERN…: removes what the patterns, which have no blanks, match in a folder of the root.
sweep() {
    folder=$(inside "$1")
    shift
    for pattern; do
        # shellcheck disable=SC2086
        rm -rf -- "${folder:?}"/$pattern
    done
}

# Empties a file of the root, if it is there: its owner and mode stay.
empty() {
    for path; do
        folder=$(inside "${path%/*}")
        file=$folder/${path##*/}
        [ ! -L "$file" ] && [ -s "$file" ] || continue
        : >"$file"
    done
}

# Where the rpm database lies; nothing if there is none.
database() {
    for folder in /usr/lib/sysimage/rpm /var/lib/rpm; do
        file=$(inside "$folder/rpmdb.sqlite")
        if [ -f "$file" ]; then
            printf '%s\n' "$folder"
            return
        fi
    done
}

# Prints the packages that own a path of the root, if any.
owner() {
    where=$(database)
    [ -z "$where" ] || rpm --root /out --dbpath "$where" -qf "$1" 2>/build/none | grep -v 'not owned' || true
}

# systemd takes a machine's identity from here when a package or a script asks for one. With a random one, names of
# files would differ from run to run. scrub takes it back.
NOBODY=67616e6465722773206e6f626f647921
lend_identity() {
    lent=no
    bus=$(inside /var/lib/dbus)
    if [ ! -e "$bus" ]; then
        lent=folder
        mkdir -p "$bus"
    fi
    if [ ! -e "$bus/machine-id" ] && [ ! -L "$bus/machine-id" ]; then
        printf '%s\n' $NOBODY >"$bus/machine-id"
    fi
}

# The table in src/root/mod.rs says why each of these goes.
scrub() {
    etc=$(inside /etc)
    if [ ! -L "$etc/machine-id" ] && [ -f "$etc/machine-id" ]; then
        # What somebody wrote on purpose ("uninitialized") stays.
        if ! grep -qvxE '[0-9a-f]{32}' "$etc/machine-id"; then
            : >"$etc/machine-id"
            chmod 0444 "$etc/machine-id"
        fi
    fi
    bus=$(inside /var/lib/dbus)
    [ -L "$bus/machine-id" ] || remove /var/lib/dbus/machine-id
    # A package may own the folder by now.
    if [ "$lent" = folder ] && [ -z "$(owner /var/lib/dbus)" ]; then
        rmdir "$bus" 2>/build/none || true
    fi
    if grep -qsx $NOBODY "$(inside /etc/kernel/entry-token)"; then
        remove /etc/kernel/entry-token
    fi

    remove /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/random-seed \
        /boot/loader/random-seed /boot/efi/loader/random-seed \
        /root/.rnd /root/.gnupg/random_seed
    sweep /etc/ssh 'ssh_host_*'
    remove /etc/nvme/hostid /etc/nvme/hostnqn /etc/iscsi/initiatorname.iscsi /etc/rndc.key \
        /var/lib/NetworkManager/secret_key /var/lib/NetworkManager/timestamps \
        /var/lib/NetworkManager/seen-bssids

    remove /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock
    today=$((SOURCE_DATE_EPOCH / 86400))
    if [ -f "$etc/shadow" ] && [ ! -L "$etc/shadow" ]; then
        # shadow before 4.7 takes the day of a password from the clock.
        awk -F: -v OFS=: -v today="$today" '$3 > today { $3 = today } { print }' "$etc/shadow" >/build/shadow
        cmp -s /build/shadow "$etc/shadow" || cat /build/shadow >"$etc/shadow"
    fi

    remove /var/cache/ldconfig/aux-cache /var/cache/man/index.db /var/cache/man/CACHEDIR.TAG
    for cache in /var/cache/dnf /var/cache/libdnf5 /var/cache/yum /var/cache/PackageKit; do
        sweep $cache '*' '.[!.]*'
    done
    for records in /var/lib/dnf /usr/lib/sysimage/libdnf5; do
        sweep $records 'history.sqlite*' 'transaction_history.sqlite*'
    done
    # Their names are of the clock, and random.
    sweep /var/lib/authselect/backups '*'
    sweep /var/log 'dnf*.log' hawkey.log yum.log anaconda
    sweep /var/log/journal '*'
    sweep /var/lib/systemd/timers 'stamp-*'
    sweep /var/lib/NetworkManager '*.lease'
    remove /var/lib/systemd/timesync/clock /root/.bash_history /root/.python_history /root/.lesshst
    empty /var/log/lastlog /var/log/wtmp /var/log/btmp /var/log/faillog /var/log/tallylog

    folder=$(database)
    if [ -n "$folder" ]; then
        # All of it is in the database itself when the last program closed it.
        [ ! -s "$(inside "$folder/rpmdb.sqlite-wal")" ] ||
            fail "the rpm database is still open: a program that a script started uses it"
        remove "$folder/rpmdb.sqlite-wal" "$folder/rpmdb.sqlite-shm" "$folder/.rpm.lock"
    fi

    # A tree cannot hold these; the capture would only say so without a hint where they come from.
    find /out -xdev \( -type p -o -type s -o -type b -o -type c \) >/build/special
    if [ -s /build/special ]; then
        complain "a script left what an image cannot hold (pipes, sockets, devices): make these when the" \
            "system starts, with systemd-tmpfiles:"
        sed 's|^/out|  |' /build/special >&2
        exit 1
    fi
}
