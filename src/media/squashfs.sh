# The squashfs image of a root.  $1: the compressor: "auto", or what mksquashfs takes, such as "zstd 15"
#
# Reads /in/root, leaves /out/root.img.
set -eu
wanted=$1
umask 022
root=/in/root

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# What the kernel of the root itself reads; every one that reads squashfs reads gzip.
reads() { cat "$root"/lib/modules/*/config "$root"/boot/config-* 2>/dev/null | grep -q "^CONFIG_SQUASHFS_$1=y"; }
if [ "$wanted" = auto ]; then
    if reads ZSTD; then
        wanted='zstd 6'
    elif reads XZ; then
        wanted='xz'
    else
        wanted='gzip 9'
    fi
fi
compressor=${wanted%% *}
level=${wanted#"$compressor"}
level=${level# }

# The files keep their own times, which the package database knows; a SOURCE_DATE_EPOCH in the environment would
# give all of them one.  Only the image itself is of the source date.
date=$SOURCE_DATE_EPOCH
unset SOURCE_DATE_EPOCH
mksquashfs "$root" /out/root.img -noappend -no-progress -mkfs-time "$date" -b 128K -processors 1 \
    -comp "$compressor" ${level:+-Xcompression-level "$level"} >/build/log 2>&1 || {
    cat /build/log >&2
    fail "mksquashfs failed"
}
cat /build/log

# mksquashfs passes over what the format cannot hold.  A root without its access control lists is another root.
if grep -qi 'unrecogni[sz]ed xattr\|failed to read\|cannot read\|cannot open' /build/log; then
    grep -i 'unrecogni[sz]ed xattr\|failed to read\|cannot read\|cannot open' /build/log | sort -u | head -n 5 >&2
    cd "$root"
    find . ! -type l -exec ls -ldb {} + | LC_ALL=C awk '$1 ~ /\+$/ { sub(/^[^\/]*\.\//, "/"); print }' | LC_ALL=C sort |
        head -n 20 >&2
    fail "the root has what squashfs cannot hold, such as the access control lists of the files above: remove them in %post (setfacl -b)"
fi
chmod 644 /out/root.img
