# shellcheck shell=bash
# The images of Kubernetes' own pods.

# component_images BINARIES COMPONENTS-ROOT WORK-FOLDER: makes WORK-FOLDER/images.tar
component_images() {
  local binaries=$1 work=$3 archive=$3/images name
  cp -a "$2" "$work/components"
  install "$binaries"/{node-components,kubectl} "$HERE/images/node/node-network" "$work/components/usr/local/bin/"
  for name in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
    ln -s node-components "$work/components/usr/local/bin/$name"
  done
  for name in coredns pause; do install -D "$binaries/$name" "$work/$name/$name"; done

  names_from_kubeadm "$binaries"
  add_image "$archive" "$work/components" "{\"Env\": [\"PATH=$CONTAINER_PATH\"]}" "$NODE_COMPONENTS_IMAGE" "$(named etcd)" \
    "$(named kube-apiserver)" "$(named kube-controller-manager)" "$(named kube-scheduler)" "$(named kube-proxy)"
  add_image "$archive" "$work/coredns" '{"Entrypoint": ["/coredns"]}' "$(named coredns)"
  add_image "$archive" "$work/pause" '{"Entrypoint": ["/pause"]}' "$(named pause)"
  tar -C "$archive" -cf "$work/images.tar" .
  rm -rf "$archive" "$work"/{components,coredns,pause}
}

# It is kubeadm that decides what the images are called.
names_from_kubeadm() { mapfile -t KUBERNETES_IMAGES < <("$1/kubeadm" config images list --kubernetes-version "$KUBERNETES_VERSION"); }

named() { # the full name of the image whose last part is this
  printf '%s\n' "${KUBERNETES_IMAGES[@]}" | grep "/$1:"
}
