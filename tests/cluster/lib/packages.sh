# shellcheck shell=bash
# What comes from Debian.

# Each line: the package, and a file it brings, by which it is known to be there also where dpkg does not say so.
# podman and its parts run the nodes: netavark and aardvark-dns make their network and resolve their names,
# iptables is what netavark works with, and conntrack what kube-proxy looks for.
podman_packages() {
  cat <<END
podman /usr/bin/podman
runc /usr/sbin/runc
conmon /usr/bin/conmon
netavark /usr/lib/podman/netavark
aardvark-dns /usr/lib/podman/aardvark-dns
iptables /usr/sbin/iptables
conntrack /usr/sbin/conntrack
END
}

image_packages() { echo debootstrap /usr/sbin/debootstrap; }

common_packages() { printf '%s\n' "jq /usr/bin/jq" "util-linux /usr/bin/flock" "util-linux /usr/bin/nsenter"; }

# install_missing: reads such lines.
install_missing() {
  local package file missing=()
  while read -r package file; do
    [[ -e $file ]] || have "$(basename "$file")" || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if ! have apt-get || [[ $(id -u) != 0 ]]; then
    die "missing: ${missing[*]}" "install them (on Debian: sudo apt-get install ${missing[*]}), then run this again"
  fi
  NEXT="apt-get install ${missing[*]}" stage "installing ${missing[*]}" apt_install "${missing[@]}"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be absent, or older than what the mirror still has.
  apt-get install --yes --no-install-recommends "$@" || {
    apt-get update
    apt-get install --yes --no-install-recommends "$@"
  }
}
