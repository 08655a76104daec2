# shellcheck shell=bash
# Which node image there is, and under what name.

NODE_COMPONENTS_IMAGE=localhost/node-components:built # as manifests/default-cni.yaml has it

# Named by what it is made of: after a change to the recipe, another image is asked for, and built.
built_node_image() { echo "localhost/training-sandbox-node:$KUBERNETES_VERSION-$(hash_of "$NODE_VERSIONS" "${NODE_RECIPE[@]}")"; }

NODE_PROGRAMS=(
  "$HERE"/images/node/binaries
  "$HERE"/images/node/components/{go.mod,go.sum,main.go,pause/main.go}
  "$HERE"/images/node/coredns/{go.mod,go.sum,main.go}
)
node_binaries() { echo "$CACHE/node/binaries-$(hash_of "$NODE_VERSIONS" "${NODE_PROGRAMS[@]}")"; }

NODE_RECIPE=(
  "${NODE_PROGRAMS[@]}"
  "$HERE"/lib/debian-root.sh
  "$HERE"/images/node/{roots.sh,component-images.sh,node-root.sh,node-network,start}
  "$HERE"/images/node/manifests/*.yaml
)

# Prints the image that is there; fails if none is.
existing_node_image() {
  local image
  for image in "$NODE_IMAGE_PULLED" "$(built_node_image)"; do
    ! image_exists "$image" || { echo "$image"; return 0; }
  done
  return 1
}
