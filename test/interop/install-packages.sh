#!/bin/sh
# Installs the Debian packages that are missing and starts no service.
#
# usage: install-packages.sh [PACKAGE...]      without arguments: those of packages.txt beside this file
set -eu
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "install-packages: $*" >&2; }

if [ $# -eq 0 ]; then
  # shellcheck disable=SC2046 # one word a package is what is wanted
  set -- $(sed -e 's/#.*//' "$here/packages.txt")
fi

if ! command -v dpkg-query >/dev/null; then
  say "this is not Debian: install what corresponds to these yourself: $*"
  exit 1
fi

missing() {
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

wanted=$(missing "$@" | tr '\n' ' ')
if [ -z "$wanted" ]; then
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  say "not root: install these yourself, or run as root: $wanted"
  exit 1
fi

# Debian's own way of saying "install, but start nothing". Where the machine has its own rule, that one stands.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

install() {
  # shellcheck disable=SC2086 # one word a package
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $wanted
}

say "installing $wanted"
# The lists may be absent, as in a fresh container, or stale: then they are fetched, and that may need a second try.
if install >/dev/null 2>&1; then
  exit 0
fi
for pause in 2 5 10; do
  if apt-get -o DPkg::Lock::Timeout=300 update -qq && install; then
    exit 0
  fi
  say "trying again in $pause s"
  sleep "$pause"
done
say "apt-get could not install: $(missing "$@" | tr '\n' ' ')"
exit 1
