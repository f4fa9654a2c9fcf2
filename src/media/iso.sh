# An ISO that starts from BIOS and UEFI, from a CD or DVD and from a disk that it was written to.
#
# $1    the file's name
# $2    the volume id
# $3 …  where the trees go: for /in/trees/0, /in/trees/1, … a folder on the medium, or nothing for its top
#
# /in/files   what lies where on the medium
# /in/loader  what the loader step made
# Leaves /out/$1 and /out/$1.manifest, the sorted paths in it.
set -eu
name=$1
volume=$2
shift 2
umask 022

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The path on the medium, a tab, the path here: for everything that is to lie below a folder of the medium.
tab=$(printf '\t')
files_of() {
    here=$1
    # In find's format '%' and '\' stand for something else.
    there=$(printf %s "$2" | sed 's/[%\\]/&&/g')
    [ -d "$here" ] || return 0
    odd=$(find "$here" ! -type d ! -type f | LC_ALL=C sort | head -n 1)
    [ -z "$odd" ] || fail "'${odd#"$here"/}' is neither a file nor a folder: a medium has nothing else"
    odd=$(LC_ALL=C find "$here" -name '*[[:cntrl:]]*' -printf '%P' -quit | LC_ALL=C tr '[:cntrl:]' '?')
    [ -z "$odd" ] || fail "the name of '$odd' has a control character: what reads a medium could not"
    find "$here" -type f -printf "${there:+$there/}%P\t%p\n"
}

{
    files_of /in/files ''
    files_of /in/loader/medium ''
    tree=0
    for there; do
        files_of "/in/trees/$tree" "$there"
        tree=$((tree + 1))
    done
} >/build/unsorted

# Boot files first, packages last, else by path, which is also the order in which their contents lie on the medium:
# each has a weight of its own, for among equal ones xorriso goes by inode numbers.
LC_ALL=C awk -F '\t' '{
    rank = 1
    if ($1 ~ /^(EFI|boot|images|isolinux)\//) rank = 0
    if ($1 ~ /\.rpm$/) rank = 2
    print rank "\t" $0
}' /build/unsorted | LC_ALL=C sort -t "$tab" -k 1,1n -k 2,2 | cut -f 2- >/build/sorted
twice=$(cut -f 1 /build/sorted | LC_ALL=C sort | uniq -d | head -n 1)
[ -z "$twice" ] || fail "two inputs are to be '$twice' on the medium"
[ -s /build/sorted ] || fail "there is nothing to put on the medium"

# In a list of xorriso '=' parts the two paths, and '\' takes that away.
LC_ALL=C awk -F '\t' '{ for (i = 1; i <= 2; i++) gsub(/[\\=]/, "\\\\&", $i); print "/" $1 "=" $2 }' /build/sorted >/build/list
LC_ALL=C awk -F '\t' '{ print 1000000 - NR " /" $1 }' /build/sorted >/build/weights

# Names that programs tell media apart by follow from what is on the medium.  Not from packages' contents and what is
# made of these: signing a release again is no reason for another name.
identity=$({
    printf '%s\n' "$volume"
    while IFS=$tab read -r there here; do
        case $there in
            *.rpm | repodata/* | */repodata/* | .treeinfo) printf '%s\n' "${there##*/}" ;;
            *) printf '%s %s\n' "$(sha256sum <"$here")" "$there" ;;
        esac
    done </build/sorted
} | sha256sum)
guid=$(printf %s "$identity" | sed 's/^\(.\{8\}\)\(.\{4\}\).\(...\).\(...\)\(.\{12\}\).*/\1-\2-8\3-a\4-\5/')

efi=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
data=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7
boot=$(cat /in/loader/boot.options)
case $boot in
    isolinux)
        set -- -isohybrid-mbr /in/loader/mbr.img \
            -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
            -eltorito-alt-boot -e images/efiboot.img -no-emul-boot -isohybrid-gpt-basdat
        ;;
    grub)
        # lorax's line.
        set -- --grub2-mbr /in/loader/mbr.img -partition_offset 16 -appended_part_as_gpt \
            -append_partition 2 "$efi" /in/loader/medium/images/efiboot.img -iso_mbr_part_type "$data" \
            -c boot.cat --boot-catalog-hide \
            -b images/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
            -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot
        ;;
    uefi)
        set -- -partition_offset 16 -appended_part_as_gpt \
            -append_partition 2 "$efi" /in/loader/medium/images/efiboot.img -iso_mbr_part_type "$data" \
            -c boot.cat --boot-catalog-hide -e --interval:appended_partition_2:all:: -no-emul-boot
        ;;
    *) fail "the loader's boot.options says '$boot'" ;;
esac

# Level 3, so that a file may have more than 4 GiB.  -r and the one date leave nothing of owners, modes and times
# here; xorriso takes its own dates from SOURCE_DATE_EPOCH.
iso=/out/$name
xorriso -as mkisofs -quiet -o "$iso" -V "$volume" -sysid LINUX -preparer GANDER -publisher '' -appid '' \
    -r -J -joliet-long -iso-level 3 --set_all_file_dates "=$SOURCE_DATE_EPOCH" --gpt_disk_guid "$guid" \
    --sort-weight-list /build/weights "$@" \
    -graft-points -path-list /build/list >/build/log 2>&1 || {
    tail -n 20 /build/log >&2
    fail "xorriso could not make '$name'"
}

implantisomd5 "$iso" >/build/log || fail "implantisomd5: $(cat /build/log)"

# As a reader of the medium finds them.
xorriso -indev "$iso" -find / >/build/found 2>/build/log || {
    tail -n 20 /build/log >&2
    fail "the medium cannot be read back"
}
sed -n "s/^'\(.*\)'\$/\1/p" /build/found | sed "s/'\"'\"'/'/g" | grep -vx / | LC_ALL=C sort >"$iso.manifest"
lost=$(cut -f 1 /build/sorted | sed 's|^|/|' | LC_ALL=C sort | LC_ALL=C comm -23 - "$iso.manifest" | head -n 1)
[ -z "$lost" ] || fail "'$lost' did not get onto the medium"
chmod 644 "$iso" "$iso.manifest"
