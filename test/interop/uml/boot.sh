#!/bin/sh
# Boots user-mode Linux, whose kernel has SCTP as a module, on this machine's own files, and runs a command in it.
# Needs no privilege. stdout is the guest's console; the status is the command's, or 125 when the guest did not end.
#
# usage: boot.sh COMMAND [ARGUMENT...]
set -eu

scratch=$(mktemp -d "${TMPDIR:-/tmp}/sockeye-uml.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 125' HUP INT TERM

# The command as one line of shell, each word quoted.
line=
for word in "$@"; do
  line="$line '$(printf '%s' "$word" | sed "s/'/'\\\\''/g")'"
done

# `hmac` is for the cookies: without it listen() answers ENOSYS.
cat >"$scratch/init" <<INIT
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$scratch" TMPDIR="$scratch" NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in crypto/hmac lib/crc-ccitt net/ipv4/udp_tunnel net/ipv6/ipv6 net/ipv6/ip6_udp_tunnel net/sctp/sctp; do
  busybox insmod "/usr/lib/uml/modules/\$(uname -r)/kernel/\$module.ko"
done
busybox ip link set lo up
$line
echo \$? >"$scratch/status"
sync
busybox poweroff -f
INIT
chmod 755 "$scratch/init"

cc -shared -fPIC -O2 -Wall -o "$scratch/xstate.so" "$(dirname "$0")/xstate.c" -ldl

LD_PRELOAD="$scratch/xstate.so" timeout -k 5 "${UML_SECONDS_MAX:-120}" linux.uml mem="${UML_MEMORY:-1024M}" uml_dir="$scratch" umid=guest \
  rootfstype=hostfs rootflags=/ rw init="$scratch/init" con=null con0=null,fd:1 ssl=null quiet \
  </dev/null 2>"$scratch/stderr" || true

if [ ! -s "$scratch/status" ]; then
  cat "$scratch/stderr" >&2
  exit 125
fi
exit "$(cat "$scratch/status")"
