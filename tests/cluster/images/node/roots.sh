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

build_roots() {
  debian_root "$1/node" "${NODE_PACKAGES[@]}"
  debian_root "$1/components" "${COMPONENTS_PACKAGES[@]}"
}
