# configure: carries out /in/configuration/commands in the root /out and cleans up.
lend_identity
# The calls of commands.sh, one a line; the last of the commands ends the step if any of them failed.
. /in/configuration/commands
scrub

mode=
config=$(inside /etc/selinux/config)
if [ -f "$config" ]; then
    mode=$(sed -n 's/^SELINUX=[[:blank:]]*//p' "$config" | tail -n 1)
fi
if [ "$mode" = enforcing ]; then
    fail "SELinux would be enforcing in this image, but its files have no labels, and then it does not start:" \
        "say 'selinux --permissive' or 'selinux --disabled' in the kickstart"
fi
