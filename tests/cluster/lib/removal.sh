# shellcheck shell=bash
# Taking a cluster away so that nothing of it is left, whatever state it is in.

# remove_cluster NAME: what carries the names and labels that kind gives, so what is ours. "kind delete" does less: it
# finds no volume whose node was not made yet, and stops at the first error.
remove_cluster() {
  local ids
  ids=$("$ENGINE" ps --all --quiet --no-trunc --filter "label=io.x-k8s.kind.cluster=$1")
  # Twice, because a node that was just being started may only be removable after it was stopped.
  [[ -z $ids ]] || remove_nodes "$ids" || remove_nodes "$ids"
  remove_volumes "$1"
  remove_network "$1"
  remove_cgroups "$ids"
}

remove_nodes() {
  local options=(--force --volumes)
  [[ $ENGINE != podman ]] || options+=(--time 0) # a node has nothing to save
  # shellcheck disable=SC2086 # one id per word
  "$ENGINE" rm "${options[@]}" $1
}

# With podman, a node's volume is made before the node, and labelled with its name.
remove_volumes() {
  local volume labels
  "$ENGINE" volume ls --format '{{.Name}} {{.Labels}}' | while read -r volume labels; do
    [[ ! $labels =~ $1-(control-plane|worker) ]] || "$ENGINE" volume rm --force "$volume"
  done
}

# On cgroup v1 without systemd, the groups that a killed node's own systemd made stay behind, empty.
remove_cgroups() {
  local id group
  for id in $1; do
    for group in /sys/fs/cgroup/*/libpod_parent/*"$id"*; do
      [[ ! -d $group ]] || find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || true
    done
  done
  rmdir /sys/fs/cgroup/*/libpod_parent{/conmon,} 2> /dev/null || true # if no other container is left in it
}

# Clusters of every checkout, by what they left: containers, networks.
all_cluster_names() {
  {
    "$ENGINE" ps --all --filter label=io.x-k8s.kind.cluster --format '{{.Names}}'
    "$ENGINE" network ls --format '{{.Name}}'
  } | sed -E 's/-(control-plane|worker)[0-9]*$//' | grep -Ex 'training-sandbox-[0-9a-f]{6}' | sort --unique || true
}
