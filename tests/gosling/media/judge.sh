# Judges the medium /in/x.iso with the builder's own programs, and writes what it found to /out.
# $1: its volume id
set -eu
volume=$1
iso=/in/x.iso
bytes() { dd if="$iso" bs=1 skip="$1" count="$2" 2>/dev/null; }

# What Pungi looks at.
[ "$(bytes 32769 5)" = CD001 ] || { echo "no ISO 9660 volume" >&2; exit 1; }
[ "$(bytes 34823 23)" = "EL TORITO SPECIFICATION" ] || { echo "no El Torito record" >&2; exit 1; }
[ "$(bytes 510 2 | od -An -tx1)" = " 55 aa" ] || { echo "no boot sector" >&2; exit 1; }
[ "$(bytes 512 8)" = "EFI PART" ] || { echo "no GPT" >&2; exit 1; }
[ "$(bytes 32808 32 | sed 's/ *$//')" = "$volume" ] || { echo "another volume id" >&2; exit 1; }

xorriso -indev "$iso" -report_el_torito plain -report_system_area plain >/out/report 2>/dev/null
xorriso -indev "$iso" -report_el_torito as_mkisofs >/out/mkisofs 2>&1
xorriso -indev "$iso" -find / 2>/dev/null | sed -n "s/^'\(.*\)'\$/\1/p" | grep -vx / | LC_ALL=C sort >/out/paths
xorriso -indev "$iso" -find / -type f -exec report_lba 2>/dev/null | sed -n "s/^File data lba: *[0-9]* , *\([0-9]*\) , .* '\(.*\)'\$/\1 \2/p" |
    sort -n >/out/blocks
xorriso -osirrox on -indev "$iso" -extract / /out/medium >/dev/null 2>&1
chmod -R u+w /out/medium

# The check of the medium, and whether it sees one flipped bit wherever it is.
size=$(stat -c %s "$iso")
check() { status=0 && checkisomd5 "$1" >/dev/null 2>&1 || status=$?; echo "$status"; }
{
    echo "whole $(check "$iso")"
    cp "$iso" /build/x.iso
    chmod u+w /build/x.iso
    for place in 100 33500 $((size / 4)) $((size / 2)) $((size - 300 * 2048)) $((size - 17 * 2048)); do
        old=$(dd if=/build/x.iso bs=1 skip="$place" count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
        flip() { printf "\\$(printf %03o "$1")" | dd of=/build/x.iso bs=1 seek="$place" conv=notrunc 2>/dev/null; }
        flip $((old ^ 1))
        echo "flipped $(check /build/x.iso)"
        flip "$old"
    done
    echo "again $(check /build/x.iso)"
} >/out/check
