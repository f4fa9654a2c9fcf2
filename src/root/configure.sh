# configure: carries out /in/configuration/commands in the root /out and cleans up.
lend_identity
# The calls of commands.sh, one a line; the last of the commands ends the step if any of them failed.
. /in/configuration/commands
scrub

# libselinux takes the first line, with letters of either case and whatever follows the word.
config=$(inside /etc/selinux/config)
if [ -f "$config" ] && grep -qiE '^SELINUX=[[:space:]]*enforcing' "$config"; then
    fail "SELinux would be enforcing in this image, but its files have no labels, and then it does not start:" \
        "say 'selinux --permissive' or 'selinux --disabled' in the kickstart"
fi
