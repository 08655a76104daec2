# shellcheck shell=bash
# Taking a cluster away so that nothing of it is left, whatever state it is in.

# remove_cluster NAME: what is asked for by the names and labels that kind gave it, so it is ours.
remove_cluster() {
  local name=$1 ids
  ids=$("$ENGINE" ps --all --quiet --no-trunc --filter "label=io.x-k8s.kind.cluster=$name")
  # shellcheck disable=SC2086 # one id per word
  [[ -z $ids ]] || "$ENGINE" rm --force --volumes $ids || "$ENGINE" rm --force --volumes $ids
  remove_volumes "$name"
  ! "$ENGINE" network inspect "$name" > /dev/null 2>&1 || "$ENGINE" network rm "$name"
  remove_cgroups "$ids"
}

# With podman, a node's volume is made before the node, and labelled with its name: a run killed in between leaves it.
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
}

# Clusters of every checkout, by what they left: containers, networks.
all_cluster_names() {
  {
    "$ENGINE" ps --all --filter label=io.x-k8s.kind.cluster --format '{{index .Labels "io.x-k8s.kind.cluster"}}'
    "$ENGINE" network ls --format '{{.Name}}'
  } | grep -Ex 'training-sandbox-[0-9a-f]{6}' | sort --unique || true
}
