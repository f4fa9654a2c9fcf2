# install DOCS LANGUAGES: all packages in /in/packages become the root file system /out.
# DOCS is yes or no. LANGUAGES is "all", or names with colons between them.
docs=$1 languages=$2
cd /in/packages
# The shell sorts the names in the C locale: rpm's database has the packages in this order.
set -- *.rpm
[ -f "$1" ] || fail "there is no package to install"

# rpm 4.18.0 waits for ever on a pipe in a payload, nobody may make devices in a jail, and a tree holds neither.
# Below the mounted folders nothing is unpacked, and %ghost files (flag 64) are in no payload.
rpm -qp --nosignature --nodigest \
    --qf '[%{=NEVRA}\t%{FILEMODES:octal}\t%{FILEFLAGS}\t%{FILEUSERNAME}\t%{FILEGROUPNAME}\t%{FILENAMES}\n]' \
    "$@" >/build/files || fail "rpm cannot read the packages"
awk -F'\t' -v mounted="$MOUNTED" '
    BEGIN { count = split(mounted, folders, " ") }
    length($2) >= 5 && int($3 / 64) % 2 == 0 {
        kind = substr($2, 1, length($2) - 4)
        sub(/^0*/, "", kind)
        name = kind == "1" ? "a pipe" : kind == "2" || kind == "6" ? "a device" : kind == "14" ? "a socket" : ""
        for (i = 1; i <= count; i++) if (index($6, folders[i] "/") == 1) name = ""
        if (name != "") print "the package " $1 " holds " name ", which a root cannot have: " $6
    }' /build/files >/build/refused
if [ -s /build/refused ]; then
    cat /build/refused >&2
    exit 1
fi

# Where the database belongs is what the packages say, rpm itself as a rule: EL 8 and 9 have /var/lib/rpm,
# EL 10 and Fedora /usr/lib/sysimage/rpm. EL 9 owns /usr/lib/sysimage, for other things.
owns() {
    awk -F'\t' -v path="$1" '$6 == path { print $1; exit }' /build/files
}
dbpath=/var/lib/rpm
if [ -n "$(owns /usr/lib/sysimage/rpm)" ] || [ -n "$(owns /usr/lib/sysimage/rpm/rpmdb.sqlite)" ]; then
    dbpath=/usr/lib/sysimage/rpm
fi
# EL 8's rpm owns the files of a Berkeley DB database, which no later rpm writes. EL 9's owns an empty one of
# each kind that it reads.
berkeley=$(owns $dbpath/Packages)
if [ -n "$berkeley" ] && [ -z "$(owns $dbpath/rpmdb.sqlite)" ]; then
    fail "the packages' own rpm ($berkeley) keeps a Berkeley DB database, which the builder's" \
        "$(rpm --version) cannot write: this root needs a builder image with that rpm"
fi

lend_identity
# The initrd and the menu of a medium are made by other steps, not by the kernel's scriptlets.
export KERNEL_INSTALL_BYPASS=1

netshared=$(printf '%s' "$MOUNTED" | tr ' ' ':')
# Signatures were verified when the packages came in; here rpm checks the digests of header and payload. It
# imports no key: that would become part of the database. Plug-ins (SELinux, IMA, the journal) are of the builder.
# -i: two kernels are two packages, and nothing is there to be updated.
count=$#
complain "installing $count packages"
code=0
(
    set -- -- "$@"
    if [ "$docs" = no ]; then
        set -- --excludedocs "$@"
    fi
    if [ "$languages" != all ]; then
        # With no language at all every translated file is left out: none is marked as of the language C.
        set -- --define="_install_langs ${languages:-C}" "$@"
    fi
    exec rpm --root /out --dbpath "$dbpath" --define='_db_backend sqlite' --define="_netsharedpath $netshared" \
        --define='_pkgverify_level digest' --define='_pkgverify_flags 0x0' --nosignature --noplugins -i "$@"
) >/build/log 2>&1 </dev/null || code=$?
# Debian's rpm says on every run that it should not be used.
grep -avE '^rpm: (RPM should not be used directly|However assuming you know)' /build/log >&2 || true

bad=no
# rpm goes on after most of these: whatever the scriptlet was to do, or whoever was to own the file, it is wrong
# now. A scriptlet in Lua fails with another message, and without a word about what that means for the package.
sed -nE -e 's/^(warning|error): (%[a-z]+)\((.*)\) scriptlet failed, (.*)$/\3\t\2\t\4/p' \
    -e 's/^error: lua script failed: \[string "(%[a-z]+)\((.*)\)"\](.*)$/\2\t\1\tLua\3/p' \
    /build/log >/build/failed
while IFS=$TAB read -r package scriptlet why; do
    bad=yes
    complain "the package $package cannot be installed: its $scriptlet scriptlet failed ($why);" \
        "what it said stands above"
done </build/failed
grep -aE '^warning: (user|group) .* does not exist - using root' /build/log | sort -u >/build/owners || true
while read -r _ kind name _; do
    bad=yes
    column=4
    [ "$kind" = user ] || column=5
    packages=$(awk -F'\t' -v name="$name" -v column=$column '$column == name { print $1 }' /build/files | uniq)
    complain "the $kind $name does not exist when files that belong to it are installed, by the package(s)" \
        "$(printf '%s' "$packages" | tr '\n' ' '): a %pre scriptlet or a package installed before must make it"
done </build/owners
if [ -s /build/owners ]; then
    made=$(rpm -qp --nosignature --nodigest --qf '[%{=NEVRA}\t%{PROVIDES}\n]' "$@" 2>/build/none |
        awk -F'\t' '$2 ~ /^(user|group)\(/ { print $1; exit }')
    if [ -n "$made" ]; then
        complain "some packages, such as $made, leave making users to rpm itself, as rpm 4.19 and later do:" \
            "this root may need a builder image with such an rpm, not $(rpm --version)"
    fi
fi
if [ "$code" != 0 ]; then
    bad=yes
    complain "rpm could not install the packages; its own lines above say why"
fi
[ $bad = no ] || exit 1

# Every package must be there, and for the root's own rpm too: it may look elsewhere, or for another kind of
# database.
installed=$(rpm --root /out --dbpath "$dbpath" -qa 2>/build/none | wc -l)
[ "$installed" = "$count" ] || fail "rpm installed $installed of $count packages and did not say why"
if [ -x "$(inside /usr/bin/rpm)" ]; then
    own=$(chroot /out /usr/bin/rpm -qa 2>/build/own | wc -l)
    if [ "$own" != "$count" ]; then
        cat /build/own >&2
        fail "the root's own rpm sees $own of its $count packages, in" \
            "$(chroot /out /usr/bin/rpm --eval '%_dbpath'): this root needs a builder image with that rpm"
    fi
fi

# What a later update does with documentation and translations must be what was done here.
if [ "$docs" = no ] || [ "$languages" != all ]; then
    macros=$(inside /etc/rpm)
    mkdir -p "$macros"
    {
        [ "$docs" = yes ] || echo '%_excludedocs 1'
        [ "$languages" = all ] || printf '%%_install_langs %s\n' "${languages:-C}"
    } >"$macros/macros.image"
fi

# What scriptlets wrote into logs is about this run. Packaged files stay; %ghost ones stay empty.
logs=$(inside /var/log)
: >/build/logs
[ ! -d "$logs" ] || find "$logs" -xdev -type f -printf '/var/log/%P\n' >/build/logs
while IFS= read -r path; do
    # By the environment: awk would change backslashes in -v.
    flags=$(path=$path awk -F'\t' '$6 == ENVIRON["path"] { print int($3 / 64) % 2; exit }' /build/files)
    case $flags in
    0) ;;
    1) empty "$path" ;;
    *) remove "$path" ;;
    esac
done </build/logs
scrub
