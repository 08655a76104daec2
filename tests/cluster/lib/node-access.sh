# shellcheck shell=bash
# Running something in a node.

declare -A NODE_PIDS # of the nodes' init, as this machine sees it

find_nodes() { # NODE…: before any of the below
  local name pid
  while read -r name pid; do NODE_PIDS[${name#/}]=$pid; done < <("$ENGINE" inspect --format '{{.Name}} {{.State.Pid}}' "$@")
}

# on_node NODE COMMAND…: with podman, by entering the node's namespaces, where root may: "podman exec" takes half a
# second to start, and passes on 50 MB/s of its input.
on_node() {
  if [[ $ENGINE != podman || $(id -u) != 0 ]]; then "$ENGINE" exec --interactive "$@"; return; fi
  nsenter --target "${NODE_PIDS[$1]}" --mount --uts --ipc --net --pid -- "${@:2}"
}
