# The kernel and the initrd of a live or installer root.  Runs in that root itself, which is
# read-only, so dracut, its modules and what they copy are the distribution's own.
#
# $1  "check": the initrd must be able to check the medium it was started from
#
# Leaves /out/vmlinuz and /out/initrd.img.
#
# Only options that dracut 049 (EL 8), 055 to 059 (EL 9, Debian 12) and those of EL 10 and Fedora have.
set -eu
check=$1
umask 022

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The kernel lies beside its modules, as in Fedora and EL; /boot has it where a distribution keeps it there alone.
count=0
for dir in /lib/modules/*/; do
    version=${dir#/lib/modules/}
    version=${version%/}
    for file in "${dir}vmlinuz" "/boot/vmlinuz-$version" "/boot/vmlinux-$version"; do
        if [ -f "$file" ]; then
            count=$((count + 1))
            found=${found:+$found, }$version
            kernel=$file
            kver=$version
            break
        fi
    done
done
case $count in
    0) fail "missing kernel: the root has none in /lib/modules/VERSION/vmlinuz or /boot/vmlinuz-VERSION; add a kernel to its packages" ;;
    1) ;;
    *) fail "the root has several kernels ($found), and a medium boots one: leave the others out" ;;
esac
[ -f "/lib/modules/$kver/modules.dep" ] ||
    fail "the kernel $kver has no /lib/modules/$kver/modules.dep: its package's scriptlet has not run depmod"

command -v dracut >/dev/null || fail "the root has no dracut: add dracut and dracut-live to its packages"
module() {
    for dir in /usr/lib/dracut/modules.d/[0-9][0-9]"$1"; do
        [ -d "$dir" ] && return 0
    done
    return 1
}
module dmsquash-live ||
    fail "the root's dracut has no module dmsquash-live, without which no medium starts: add dracut-live to its packages"
if [ "$check" = check ] && ! [ -x /usr/bin/checkisomd5 ]; then
    fail "the menu offers a check of the medium, and the root has no /usr/bin/checkisomd5: add isomd5sum to its packages"
fi

# Modules beyond those that dracut takes of itself, as far as the root has them.
add=dmsquash-live
omit=
for name in pollcdrom convertfs qemu; do
    if module "$name"; then add="$add $name"; fi
done
if module anaconda; then
    add="$add anaconda"
    if module qemu-net; then add="$add qemu-net"; fi
else
    # What only looks for a root elsewhere than on the medium, or asks the person before it.
    omit='btrfs cifs crypt dasd dmraid fcoe fcoe-uefi i18n iscsi lunmask lvm mdraid memstrack multipath nbd nfs
          nvdimm nvmf resume rngd zfcp'
fi
# livenet wants a network and curl; without them dracut would refuse to go on.
if module livenet && [ -x /usr/bin/curl ] && { [ -x /usr/sbin/NetworkManager ] || module network-legacy; }; then
    add="$add livenet"
fi

# Without host-only dracut takes most drivers; these it must have, where they are modules at all.
drivers=
for name in ahci ata_generic ata_piix cdrom dm_mod erofs ext4 hid_generic hv_storvsc hv_vmbus isofs loop mmc_block nvme \
    overlay sd_mod sr_mod squashfs uas udf usb_storage usbhid vfat virtio_blk virtio_pci virtio_scsi vmw_pvscsi xen_blkfront; do
    # Files are named with either sign.
    pattern=$(printf %s "$name" | sed 's/_/[-_]/g')
    if grep -q "/$pattern\.ko[.a-z0-9]*:" "/lib/modules/$kver/modules.dep"; then
        drivers="$drivers $name"
    fi
done

# The best compressor that both the kernel and the root have.  The command fixes the thread mode, which decides bytes.
config=
for file in "/lib/modules/$kver/config" "/boot/config-$kver"; do
    if [ -f "$file" ]; then config=$file && break; fi
done
reads() { [ -n "$config" ] && grep -q "^CONFIG_RD_$1=y" "$config"; }
if reads ZSTD && command -v zstd >/dev/null; then
    compress='zstd -q -T1 -9'
    magic=28b52ffd
elif reads XZ && command -v xz >/dev/null; then
    compress='xz -T1 --check=crc32 --lzma2=dict=1MiB'
    magic=fd377a58
elif command -v gzip >/dev/null; then
    compress='gzip -n -9'
    magic=1f8b08
else
    fail "the root has no gzip: dracut cannot do without"
fi

# Folders that the jail does not have everywhere, and which dracut expects to write to.
work=/build/dracut
mkdir -p "$work"
status=0
dracut --force --no-hostonly --reproducible --no-early-microcode --nostrip --tmpdir "$work" \
    --add "$add" --omit "$omit" --add-drivers "$drivers" --compress "$compress" \
    --kver "$kver" /out/initrd.img "$kver" || status=$?
[ "$status" = 0 ] || fail "dracut failed with code $status; what it said stands above"
[ -s /out/initrd.img ] || fail "dracut wrote no initrd, without saying so"

# A compressor that cannot be run makes dracut fall back to another, whose bytes nobody has fixed.
case $(od -An -tx1 -N4 /out/initrd.img | tr -d ' \n') in
    "$magic"*) ;;
    *) fail "dracut did not compress the initrd with '$compress', but with something else" ;;
esac

cp "$kernel" /out/vmlinuz
chmod 644 /out/vmlinuz /out/initrd.img
