# shellcheck shell=bash
# What has to come from the distribution.

# packages_of GROUP: lines of a Debian package and a program or file by which it is known to be there.
# podman's: netavark and aardvark-dns make the nodes' network and resolve their names, iptables is what netavark works
# with, conntrack what kube-proxy looks for, and ip finds what a killed podman has left.
packages_of() {
  case $1 in
    common) printf '%s\n' "jq jq" "util-linux flock" ;;
    rig) printf '%s\n' "openssl openssl" "gcc cc" "libc6-dev /usr/include/stdio.h" ;;
    images) printf '%s\n' "debootstrap /usr/sbin/debootstrap" ;;
    podman) cat <<END
podman /usr/bin/podman
runc /usr/sbin/runc
conmon /usr/bin/conmon
netavark /usr/lib/podman/netavark
aardvark-dns /usr/lib/podman/aardvark-dns
iptables /usr/sbin/iptables
iproute2 /usr/sbin/ip
conntrack /usr/sbin/conntrack
END
      ;;
  esac
}

missing_packages() { # GROUP
  local package sign
  # Elsewhere than on Debian, podman's own package brings what it needs, in other places.
  if [[ $1 == podman ]] && ! have apt-get; then podman_installed || echo podman; return; fi
  while read -r package sign; do
    [[ -e $sign ]] || have "$sign" || echo "$package"
  done < <(packages_of "$1")
}

ensure_packages() { [[ -z $(missing_packages "$1") ]] || "$HERE/tools" "$1"; }

install_packages() { # GROUP
  local missing
  mapfile -t missing < <(missing_packages "$1")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if ! have apt-get || [[ $(id -u) != 0 ]]; then
    die "missing: ${missing[*]}" "install them (on Debian: sudo apt-get install ${missing[*]}), then run this again"
  fi
  stage "installing ${missing[*]}" apt_install "${missing[@]}"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be absent, or older than what the mirror still has.
  apt-get install --yes --no-install-recommends "$@" || {
    apt-get update
    apt-get install --yes --no-install-recommends "$@"
  }
}
