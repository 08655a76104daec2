# shellcheck shell=bash
# The two Debian root file systems that everything else is put into.

NODE_PACKAGES=(
  systemd systemd-sysv dbus                               # the node's init
  runc containernetworking-plugins libseccomp2            # what containerd calls
  conntrack iptables nftables iproute2 ethtool kmod       # kube-proxy, and kind's entrypoint
  util-linux mount e2fsprogs procps jq pigz               # kubelet, kind
  bash ca-certificates curl iputils-ping                  # somebody looking into the node
)
COMPONENTS_PACKAGES=(iptables nftables conntrack kmod iproute2) # kube-proxy and the network daemon

# debian_root FOLDER PACKAGE…
debian_root() {
  local folder=$1 list packages="$CACHE/debian-packages"; shift
  printf -v list '%s,' "$@"
  mkdir -p "$packages"
  debootstrap --variant=minbase --cache-dir="$packages" --include="${list%,}" "$DEBIAN_SUITE" "$folder"
  trim_debian_root "$folder"
}

trim_debian_root() {
  rm -rf "$1"/usr/share/{doc,man,locale,info}/* "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*
}

build_roots() {
  debian_root "$1/node" "${NODE_PACKAGES[@]}"
  debian_root "$1/components" "${COMPONENTS_PACKAGES[@]}"
  rm -rf "$1"/components/dev/*
}
