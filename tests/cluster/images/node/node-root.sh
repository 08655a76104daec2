# shellcheck shell=bash
# The node's root file system: what kind's own images/base/Dockerfile and "kind build node-image" do, by hand.

# node_root BINARIES DEBIAN-ROOT WORK-FOLDER: makes WORK-FOLDER/root, with the images of WORK-FOLDER/images.tar in it
node_root() {
  local binaries=$1 root=$3/root
  cp -a "$2" "$root"
  kind_files "$root"
  bare_systemd "$root"
  node_programs "$binaries" "$root"
  containerd_settings "$binaries" "$root"
  preload "$binaries" "$root" "$3"
}

kind_files() {
  local files
  files=$(go mod download -json "sigs.k8s.io/kind@$KIND_VERSION" | jq -r .Dir)/images/base/files
  mkdir -p "$1"/kind/{bin,manifests} "$1"/etc/{containerd,kubernetes/manifests}
  install "$files/usr/local/bin/entrypoint" "$1/usr/local/bin/"
  install "$HERE/images/node/start" "$1/kind/start"
  install "$files"/kind/bin/* "$1/kind/bin/"
  cp -RL --no-preserve=mode,ownership "$files/etc/." "$1/etc/"
  cp "$HERE"/images/node/manifests/*.yaml "$1/kind/manifests/"
  printf %s "$KUBERNETES_VERSION" > "$1/kind/version"
}

bare_systemd() { # starts nothing but what a node needs
  local units=$1/lib/systemd/system own=$1/etc/systemd/system unit
  rm -f "$units/sysinit.target.wants/systemd-tmpfiles-setup.service" \
    "$units"/{multi-user,local-fs,basic}.target.wants/* "$units"/sockets.target.wants/*{udev,initctl}* "$own"/*.wants/*
  mkdir -p "$own/multi-user.target.wants"
  for unit in kubelet containerd undo-mount-hacks; do
    ln -sf "/etc/systemd/system/$unit.service" "$own/multi-user.target.wants/"
  done
  ln -sf /dev/null "$own/systemd-binfmt.service"
  echo ReadKMsg=no >> "$1/etc/systemd/journald.conf" # the host's kernel log is no business of the node's
  : > "$1/etc/machine-id"                            # each node writes its own
}

node_programs() { # BINARIES ROOT
  install "$1"/{containerd,containerd-shim-runc-v2,ctr,crictl} "$2/usr/local/bin/"
  install "$1"/{kubeadm,kubectl} "$2/usr/bin/"
  install "$1/node-components" "$2/usr/bin/kubelet"
  mkdir -p "$2/opt/cni/bin"
  mv "$2"/usr/lib/cni/{host-local,loopback,portmap,ptp} "$2/opt/cni/bin/"
  rm -r "$2/usr/lib/cni" # the others take 30 MB
}

containerd_settings() { # BINARIES ROOT
  local config=$2/etc/containerd/config.toml
  # Without CAP_SYS_RESOURCE a container's negative oom_score_adj is refused; this clamps it instead.
  sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$config"
  sed -i "s|sandbox_image = .*|sandbox_image = \"$(named pause)\"|" "$config"
  "$1/ctr" oci spec | jq '
    .hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)
  ' > "$2/etc/containerd/cri-base.json"
}

# preload BINARIES ROOT WORK-FOLDER: the images go into the node's containerd store, unpacked and without their
# layers' blobs, through a containerd that runs for this alone
preload() {
  local binaries=$1 work=$3 ctr containerd _
  mkdir -p "$work/tmp"
  cat > "$work/containerd.toml" <<END
version = 3
root = "$2/kind/containerd"
state = "$work/containerd"
disabled_plugins = [
  "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri",
]
[grpc]
  address = "$work/containerd.sock"
END
  TMPDIR=$work/tmp "$binaries/containerd" --config "$work/containerd.toml" &
  containerd=$!
  ctr=("$binaries/ctr" --address "$work/containerd.sock" --namespace k8s.io)
  for _ in {1..100}; do "${ctr[@]}" version > /dev/null 2>&1 && break; sleep 0.1; done
  "${ctr[@]}" images import --local --label=io.cri-containerd.pinned=pinned --snapshotter overlayfs "$work/images.tar"
  "${ctr[@]}" content prune references # and not "import --discard-unpacked-layers", which leaves them for some time
  kill "$containerd"
  wait "$containerd" || true
}
