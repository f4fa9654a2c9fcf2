# What starts a medium: the boot loaders of a root with their menus.
#
# $1  x86_64 or aarch64
# $2  the volume id
# $3  grub.cfg
# $4  isolinux.cfg
#
# /in/root   the tree whose boot loaders these are
# /out/medium        goes on the medium as it is
# /out/mbr.img       the first sector of the medium, where it boots from BIOS
# /out/boot.options  one word: isolinux, grub or uefi: how the medium starts from BIOS, or not
set -eu
arch=$1
volume=$2
grub_cfg=$3
isolinux_cfg=$4
umask 022
root=/in/root
medium=/out/medium

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# GRUB is put together by the tool that belongs to its modules: the root's own, run by the root's own
# linker, or the builder's with the builder's modules.
mkimage() {
    modules=$1
    shift
    case $modules in
        "$root"/*)
            for tool in "$root/usr/bin/grub2-mkimage" "$root/usr/bin/grub-mkimage"; do
                for linker in "$root"/lib64/ld-linux-x86-64.so.2 "$root"/lib/ld-linux-aarch64.so.1; do
                    if [ -x "$tool" ] && [ -e "$linker" ]; then
                        "$linker" --library-path "$root/usr/lib64:$root/usr/lib" "$tool" -d "$modules" "$@"
                        return
                    fi
                done
            done
            fail "the root has GRUB's modules in ${modules#"$root"}, and not the grub2-mkimage that belongs to them: add grub2-tools to its packages"
            ;;
        *) grub-mkimage -d "$modules" "$@" ;;
    esac
}

# Those of the named modules that there are: distributions leave some out, and fold some into others.
present() {
    modules=$1
    shift
    for name; do
        if [ -f "$modules/$name.mod" ]; then printf '%s\n' "$name"; fi
    done
}

mkdir -p "$medium/EFI/BOOT" "$medium/images"
printf %s "$grub_cfg" >"$medium/EFI/BOOT/grub.cfg"

# --- UEFI ---
case $arch in
    x86_64) names='x64:X64 ia32:IA32' target=x86_64-efi ;;
    aarch64) names='aa64:AA64' target=arm64-efi ;;
    *) fail "there is no boot loader for media of $arch: x86_64 and aarch64 are supported" ;;
esac

# Finds the one file of this name among the boot loaders that packages install, and puts its path into `found`.
# EL and Fedora keep them on what will be the EFI system partition, newer ones below /usr/lib/efi.
signed() {
    all=$(find "$root/boot/efi/EFI" "$root/usr/lib/efi" -type f -name "$1" 2>/dev/null | LC_ALL=C sort)
    found=
    while IFS= read -r file; do
        if [ -n "$found" ]; then
            # Packages keep copies of one file; of two that differ the medium could only have one.
            cmp -s "$found" "$file" || fail "the root has several $1 that differ: ${found#"$root"} and ${file#"$root"}"
        else
            found=$file
        fi
    done <<LIST
$all
LIST
    [ -n "$found" ]
}

uefi=
for name in $names; do
    small=${name%:*}
    large=${name#*:}
    if signed "shim$small.efi"; then
        shim=$found
        # shim takes nothing but a signed GRUB, and only this one looks for its menu beside itself.
        if signed "gcd$small.efi"; then
            cp "$shim" "$medium/EFI/BOOT/BOOT$large.EFI"
            cp "$found" "$medium/EFI/BOOT/grub$small.efi"
            if signed "mm$small.efi"; then cp "$found" "$medium/EFI/BOOT/mm$small.efi"; fi
            # 32-bit firmware is served besides.
            [ "$small" = ia32 ] || uefi=yes
        elif [ "$small" != ia32 ]; then
            fail "the root has shim$small.efi and no gcd$small.efi, so nothing would start under Secure Boot: add grub2-efi-$small-cdboot to its packages"
        fi
    fi
done
if [ -z "$uefi" ]; then
    for modules in "$root/usr/lib/grub/$target" "/usr/lib/grub/$target" none; do
        if [ -f "$modules/moddep.lst" ]; then break; fi
    done
    [ "$modules" != none ] ||
        fail "neither the root nor the builder has a boot loader for UEFI: add shim and grub2-efi-cdboot, or grub2-efi-modules, to the root's packages"
    large=${names%% *}
    large=${large#*:}
    # With every module in it that a menu may ask for, since modules are not looked for on the medium.
    # shellcheck disable=SC2046
    mkimage "$modules" -O "$target" -p /EFI/BOOT -o "$medium/EFI/BOOT/BOOT$large.EFI" \
        $(present "$modules" all_video boot cat chain configfile echo efi_gop efi_uga ext2 fat font gfxterm gzio \
            halt help iso9660 linux loadenv loopback ls minicmd normal part_gpt part_msdos probe reboot regexp \
            search search_fs_uuid search_label serial sleep squash4 terminal test true udf video xfs)
fi
for font in "$root/usr/share/grub/unicode.pf2" "$root"/boot/grub2/fonts/unicode.pf2; do
    if [ -f "$font" ]; then
        mkdir -p "$medium/EFI/BOOT/fonts"
        cp "$font" "$medium/EFI/BOOT/fonts/unicode.pf2"
        break
    fi
done

# --- BIOS ---
# A root with ISOLINUX asks for it (EL 8 and 9, by syslinux-nonlinux); else GRUB, as lorax makes media today; else
# the builder's ISOLINUX.
bios=uefi
if [ "$arch" = x86_64 ]; then
    if [ -f "$root/usr/share/syslinux/isolinux.bin" ]; then
        bios=isolinux
        binary=$root/usr/share/syslinux/isolinux.bin
        mbr=$root/usr/share/syslinux/isohdpfx.bin
        extra=$root/usr/share/syslinux
    elif [ -f "$root/usr/lib/grub/i386-pc/boot_hybrid.img" ]; then
        bios=grub
        modules=$root/usr/lib/grub/i386-pc
        mbr=$modules/boot_hybrid.img
    elif [ -f /usr/lib/ISOLINUX/isolinux.bin ]; then
        bios=isolinux
        binary=/usr/lib/ISOLINUX/isolinux.bin
        mbr=/usr/lib/ISOLINUX/isohdpfx.bin
        extra=/usr/lib/syslinux/modules/bios
    else
        fail "neither the root nor the builder has a boot loader for BIOS: add grub2-pc-modules or syslinux-nonlinux to the root's packages"
    fi
fi
case $bios in
    isolinux)
        mkdir -p "$medium/isolinux"
        for file in "$binary" "$extra/ldlinux.c32" "$extra/libcom32.c32" "$extra/libutil.c32" "$extra/menu.c32" "$mbr"; do
            [ -f "$file" ] || fail "ISOLINUX is not complete: there is no ${file#"$root"}"
            if [ "$file" != "$mbr" ]; then cp "$file" "$medium/isolinux/"; fi
        done
        printf %s "$isolinux_cfg" >"$medium/isolinux/isolinux.cfg"
        cp "$mbr" /out/mbr.img
        ;;
    grub)
        mkdir -p "$medium/boot/grub2/i386-pc"
        mkimage "$modules" -O i386-pc-eltorito -p /boot/grub2 -o "$medium/images/eltorito.img" iso9660 biosdisk
        cp "$modules"/*.mod "$modules"/*.lst "$medium/boot/grub2/i386-pc/"
        printf %s "$grub_cfg" >"$medium/boot/grub2/grub.cfg"
        cp "$mbr" /out/mbr.img
        ;;
esac
printf '%s\n' "$bios" >/out/boot.options

# --- the EFI system partition ---
find "$medium" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
find /out -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
cd "$medium"
find EFI | LC_ALL=C sort >/build/paths
# As large as its content in clusters of 2 KiB, a cluster for each folder, two tables, and a little.
clusters=$(find EFI -printf '%s\n' | awk '{ n += int(($1 + 2047) / 2048) + 1 } END { print n }')
kib=$(((clusters * 2 * 102 / 100 + 160 + 63) / 64 * 64))
# A name that follows from what it holds, and never from a clock.
id=$({
    printf '%s\n' "$volume"
    while IFS= read -r path; do
        if [ -f "$path" ]; then sha256sum "$path"; fi
    done </build/paths
} | sha256sum | cut -c 1-8)
truncate -s "${kib}K" images/efiboot.img
mkfs.vfat --invariant -s 4 -n EFIBOOT -i "$id" images/efiboot.img >/build/log || fail "mkfs.vfat: $(cat /build/log)"
# One by one in their order: mcopy -s would take them as they lie in the folder.
while IFS= read -r path; do
    if [ -d "$path" ]; then
        mmd -i images/efiboot.img "::$path"
    else
        mcopy -m -i images/efiboot.img "$path" "::$path"
    fi
done </build/paths
touch -d "@$SOURCE_DATE_EPOCH" images/efiboot.img images
