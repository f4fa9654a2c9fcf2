# The commands that src/root/configuration.rs writes, in the order in which it writes them. Mistakes are
# collected, each with its place in the kickstart, and end the step before the first %post.
place=
problems=no
# The users that could not be made: one message is enough for each.
unmade=' '

# at PLACE: where in the kickstart the next commands stand.
at() {
    place=$1
}

problem() {
    complain "$place: $*"
    problems=yes
}

# Runs a program of the root in it, as root after a login: with a plain environment.
within() {
    env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/sh PATH="$PATH" LC_ALL=C TZ=UTC TERM=dumb \
        SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 SYSTEMD_OFFLINE=1 \
        chroot /out "$@" </dev/null
}

# Whether the root has a program, by its whole path.
has() {
    [ -x "$(inside "$1")" ]
}

# Prints the whole path of a program of the root.
program() {
    for folder in /usr/sbin /usr/bin /sbin /bin; do
        if has "$folder/$1"; then
            printf '%s\n' "$folder/$1"
            return
        fi
    done
}

# Runs a program of the root; its output is shown if it fails.
call() {
    called=$(program "$1")
    if [ -z "$called" ]; then
        problem "this needs the program $1 in the image: add the package that has it"
        return 1
    fi
    shift
    if ! within "$called" "$@" >/build/said 2>&1; then
        problem "$called $* failed: $(tail -n 5 /build/said | tr '\n' ' ')"
        return 1
    fi
}

# Writes stdin into a file of the root. A file that is there keeps owner and mode.
put() {
    folder=$(inside "${1%/*}")
    mkdir -p "$folder"
    file=$folder/${1##*/}
    cat >/build/new
    if [ -f "$file" ] && [ ! -L "$file" ]; then
        cat /build/new >"$file"
    elif [ -d "$file" ] && [ ! -L "$file" ]; then
        fail "$place: $1 is to be a file, and the image has a folder there"
    else
        # A link is replaced, not followed: what it leads to belongs to somebody else.
        rm -f -- "$file"
        cat /build/new >"$file"
        chmod 0644 "$file"
    fi
}

# language LOCALE
language() {
    printf 'LANG="%s"\n' "$1" | put /etc/locale.conf
}

# keyboard CONSOLE LAYOUTS VARIANTS OPTIONS: an empty CONSOLE or LAYOUTS is looked up in systemd's table.
keyboard() {
    console=$1 layouts=$2 variants=$3 options=$4
    table=$(inside /usr/share/systemd/kbd-model-map)
    if [ -z "$layouts" ] && [ -f "$table" ]; then
        row=$(awk -v console="$console" '$1 == console && NF >= 5 { print $2, $4, $5; exit }' "$table")
        if [ -n "$row" ]; then
            layouts=${row%% *} row=${row#* }
            variants=${row%% *} options=${row#* }
            [ "$variants" != - ] || variants=
            [ "$options" != - ] || options=
        fi
    elif [ -z "$console" ] && [ -f "$table" ]; then
        console=$(awk -v layout="${layouts%%,*}" -v variant="${variants%%,*}" '
            $1 !~ /^#/ && $2 == layout && ($4 == variant || $4 == "-" && variant == "") { print $1; exit }
            ' "$table")
    fi
    # Where no map of any kind is installed, nothing would load one.
    maps=
    for folder in /usr/lib/kbd/keymaps /usr/share/kbd/keymaps /usr/share/keymaps; do
        [ ! -d "$(inside $folder)" ] || maps="$maps $(inside $folder)"
    done
    if [ -n "$console" ]; then
        # shellcheck disable=SC2086
        if [ -n "$maps" ] && [ -z "$(find $maps -name "$console.map*" -print 2>/build/none | head -n 1)" ]; then
            problem "the image has no keyboard map '$console': is the name right, or a package of maps missing?"
        fi
        printf 'KEYMAP="%s"\n' "$console" | put /etc/vconsole.conf
    fi
    if [ -n "$layouts" ] && [ -d "$(inside /usr/share/X11/xkb)" ]; then
        {
            echo 'Section "InputClass"'
            echo '        Identifier "system-keyboard"'
            echo '        MatchIsKeyboard "on"'
            printf '        Option "XkbLayout" "%s"\n' "$layouts"
            [ -z "$(printf '%s' "$variants" | tr -d ,)" ] ||
                printf '        Option "XkbVariant" "%s"\n' "$variants"
            [ -z "$options" ] || printf '        Option "XkbOptions" "%s"\n' "$options"
            echo 'EndSection'
        } | put /etc/X11/xorg.conf.d/00-keyboard.conf
    fi
}

# timezone ZONE UTC|LOCAL
timezone() {
    if [ -f "$(inside "/usr/share/zoneinfo/$1")" ]; then
        remove /etc/localtime
        ln -s "../usr/share/zoneinfo/$1" "$(inside /etc)/localtime"
    else
        case $1 in
        # Without the link it is UTC.
        UTC | Etc/UTC | GMT | Etc/GMT) remove /etc/localtime ;;
        *) problem "the image has no time zone '$1': is the name right, or the package tzdata missing?" ;;
        esac
    fi
    printf '0.0 0 0.0\n0\n%s\n' "$2" | put /etc/adjtime
}

# time_servers LINE…: lines of chrony's configuration, instead of those that it has.
time_servers() {
    file=$(inside /etc/chrony.conf)
    if [ ! -f "$file" ]; then
        problem "time servers are set for chrony, which the image does not have"
        return
    fi
    sed -E 's/^(server|pool|peer)[[:blank:]]/#&/' "$file" >/build/chrony
    printf '%s\n' "$@" >>/build/chrony
    put /etc/chrony.conf </build/chrony
}

# Whether this user could not be made.
is_unmade() {
    case $unmade in
    *" $1 "*) return 0 ;;
    esac
    return 1
}

# field FILE NAME COLUMN: a field of a line of passwd and its like.
field() {
    awk -F: -v name="$2" -v column="$3" '$1 == name { print $column; exit }' "$(inside "$1")"
}

# password USER HASH: what is in the second field of shadow.
password() {
    ! is_unmade "$1" || return 0
    if [ ! -f "$(inside /etc/shadow)" ] || [ -z "$(field /etc/shadow "$1" 1)" ]; then
        problem "the user $1 is not in the image's /etc/shadow"
        return
    fi
    # By the environment: awk would change backslashes in -v.
    hash=$2 awk -F: -v OFS=: -v name="$1" -v today="$((SOURCE_DATE_EPOCH / 86400))" '
        $1 == name { $2 = ENVIRON["hash"]; $3 = today } { print }' "$(inside /etc/shadow)" >/build/shadow
    put /etc/shadow </build/shadow
}

# lock USER: the password, if there is one, is kept behind a mark that nothing matches.
lock() {
    ! is_unmade "$1" || return 0
    hash=$(field /etc/shadow "$1" 2)
    case $hash in
    '!'* | '*') ;;
    *) password "$1" "!$hash" ;;
    esac
}

# root_by_ssh
root_by_ssh() {
    if [ -d "$(inside /etc/ssh/sshd_config.d)" ]; then
        echo 'PermitRootLogin yes' | put /etc/ssh/sshd_config.d/01-permitrootlogin.conf
        chmod 0600 "$(inside /etc/ssh/sshd_config.d/01-permitrootlogin.conf)"
    else
        problem "rootpw --allow-ssh needs an OpenSSH server that reads /etc/ssh/sshd_config.d"
    fi
}

# group NAME GID
group() {
    if [ -n "$(field /etc/group "$1" 1)" ]; then
        [ -z "$2" ] || [ "$(field /etc/group "$1" 3)" = "$2" ] ||
            problem "the group $1 is there already, with the number $(field /etc/group "$1" 3)"
        return
    fi
    call groupadd ${2:+-g "$2"} -- "$1" || true
}

# user NAME UID GID HOME SHELL GECOS [GROUP…]: a group is NAME or NAME(GID), and is made if it is not there.
user() {
    name=$1 uid=$2 gid=$3 home=$4 shell=$5 gecos=$6
    shift 6
    if [ -n "$(field /etc/passwd "$name" 1)" ]; then
        problem "the user $name is there already: a package makes it"
        return
    fi
    groups=
    for entry; do
        number=
        case $entry in
        *'('*')')
            number=${entry#*\(}
            number=${number%)}
            ;;
        esac
        entry=${entry%%\(*}
        group "$entry" "$number"
        groups=${groups:+$groups,}$entry
    done
    primary=
    if [ -n "$gid" ]; then
        primary=$gid
        if ! awk -F: -v gid="$gid" '$3 == gid { found = 1 } END { exit !found }' "$(inside /etc/group)"; then
            group "$name" "$gid"
        fi
    fi
    call useradd -m ${uid:+-u "$uid"} ${primary:+-g "$primary"} ${home:+-d "$home"} ${shell:+-s "$shell"} \
        ${gecos:+-c "$gecos"} ${groups:+-G "$groups"} -- "$name" || unmade="$unmade$name "
}

# ssh_key USER KEY
ssh_key() {
    ! is_unmade "$1" || return 0
    home=$(field /etc/passwd "$1" 6)
    if [ -z "$home" ]; then
        problem "there is no user $1"
        return
    fi
    owner=$(field /etc/passwd "$1" 3):$(field /etc/passwd "$1" 4)
    folder=$(inside "$home/.ssh")
    if [ ! -d "$folder" ]; then
        mkdir -p "$folder"
        chmod 0700 "$folder"
        chown "$owner" "$folder"
    fi
    keys=$(inside "$home/.ssh/authorized_keys")
    printf '%s\n' "$2" >>"$keys"
    chmod 0600 "$keys"
    chown "$owner" "$keys"
}

# Whether a unit, or the script of an old service, is there.
is_unit() {
    # As systemctl completes names: one such as postgresql-9.6 has a dot and no type.
    case $1 in
    *.service | *.socket | *.target | *.timer | *.path | *.mount | *.automount | *.swap | *.slice | *.device) whole=$1 ;;
    *) whole=$1.service ;;
    esac
    case $whole in
    *@*.*) template=${whole%%@*}@.${whole##*.} ;;
    *) template=$whole ;;
    esac
    for units in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        [ ! -e "$(inside "$units/$whole")" ] && [ ! -e "$(inside "$units/$template")" ] || return 0
    done
    [ -e "$(inside "/etc/init.d/${whole%.service}")" ]
}

# enable UNIT…
enable() {
    for unit; do
        if is_unit "$unit"; then
            call systemctl enable "$unit" || true
        else
            problem "there is no service $unit to enable: is the name right, or its package missing?"
        fi
    done
}

# disable UNIT…: what is not there does not run either.
disable() {
    for unit; do
        if is_unit "$unit"; then
            call systemctl disable "$unit" || true
        fi
    done
}

# selinux MODE
selinux() {
    file=$(inside /etc/selinux/config)
    if [ ! -f "$file" ]; then
        [ "$1" = disabled ] || problem "SELinux cannot be $1: the image has no policy (selinux-policy-targeted)"
        return
    fi
    sed "s/^SELINUX=.*/SELINUX=$1/" "$file" >/build/selinux
    grep -q '^SELINUX=' /build/selinux || echo "SELINUX=$1" >>/build/selinux
    put /etc/selinux/config </build/selinux
}

# firewall on|off OPTION…
firewall() {
    wanted=$1
    shift
    if [ -n "$(program firewall-offline-cmd)" ]; then
        call firewall-offline-cmd "$@" || true
    elif [ "$wanted" = on ]; then
        problem "the firewall needs firewalld, which the image does not have"
    fi
}

# host_name NAME
host_name() {
    printf '%s\n' "$1" | put /etc/hostname
}

# first_boot enable|disable|reconfig
first_boot() {
    if [ "$1" = disable ]; then
        disable initial-setup.service initial-setup-graphical.service initial-setup-text.service
        return
    fi
    enable initial-setup.service
    [ "$1" = enable ] || : | put /etc/reconfigSys
}

# default_target UNIT
default_target() {
    if is_unit "$1"; then
        call systemctl set-default "$1" || true
    else
        problem "there is no $1 to start"
    fi
}

# desktop NAME
desktop() {
    printf 'DESKTOP="%s"\n' "$1" | put /etc/sysconfig/desktop
}

# authentication PROGRAM ARGUMENT…
authentication() {
    call "$@" || true
}

# repository NAME: its file is in the configuration.
repository() {
    put "/etc/yum.repos.d/$1.repo" <"/in/configuration/repositories/$1.repo"
}

# end_of_commands: before the first %post.
end_of_commands() {
    [ $problems = no ] || exit 1
}

# What a program says that looks for a network.
NETWORK='[Cc]ould not resolve|[Nn]ame or service not known|[Tt]emporary failure in name resolution'
NETWORK="$NETWORK|[Nn]etwork is unreachable|[Nn]etwork unreachable|No address associated with hostname"
NETWORK="$NETWORK|unable to resolve host|[Ff]ailed to connect to|[Cc]ouldn't connect to|Curl error \([67]\)"
NETWORK="$NETWORK|Failed to download metadata|[Cc]annot download|No route to host|Unknown host|bad address '"

# post FILE INTERPRETER chroot|nochroot LOG
post() {
    script=$1 interpreter=$2 where=$3 log=$4
    code=0
    if [ "$where" = chroot ]; then
        has "$interpreter" || fail "$place: the image has no $interpreter, which is to run this %post"
        cp "/in/configuration/$script" /out/tmp/ks-script
        chmod 0700 /out/tmp/ks-script
        within "$interpreter" /tmp/ks-script >/build/output 2>&1 || code=$?
        rm -f /out/tmp/ks-script
    else
        # On EL and Fedora, where such scripts come from, sh is bash.
        [ "$interpreter" != /bin/sh ] || interpreter=/bin/bash
        [ -n "$(command -v "$interpreter")" ] ||
            fail "$place: the builder has no $interpreter, which is to run this %post"
        INSTALL_ROOT=/out ANA_INSTALL_PATH=/out "$interpreter" "/in/configuration/$script" \
            >/build/output 2>&1 </dev/null || code=$?
    fi
    cat /build/output
    if [ -n "$log" ]; then
        put "$log" </build/output
    fi
    if [ "$code" != 0 ]; then
        complain "$place: this %post failed with exit status $code; the last it said:"
        tail -n 20 /build/output | sed 's/^/  /' >&2
        if grep -aqE "$NETWORK" /build/output; then
            complain "It looked for a network, and a step has none. Take what it wanted to download into the" \
                "image by %packages, or put it into the %post itself"
        fi
        exit 1
    fi
}
