# shellcheck shell=bash
# Which container engine runs the cluster and builds images: docker where an engine answers, else podman.

PODMAN_HOME=$CACHE/podman

# CLUSTER_ENGINE=docker|podman chooses. Sets ENGINE, and what kind needs to use the same.
choose_engine() {
  [[ -z ${ENGINE:-} ]] || return 0
  ensure_packages common
  ENGINE=${CLUSTER_ENGINE:-}
  if [[ -z $ENGINE ]]; then
    if docker_answers; then ENGINE=docker; else ENGINE=podman; fi
  fi
  case $ENGINE in
    docker | podman) ;;
    *) die "CLUSTER_ENGINE=$ENGINE means nothing" "leave it unset, or set it to docker or podman" ;;
  esac
  [[ $ENGINE != podman ]] || use_podman
  export KIND_EXPERIMENTAL_PROVIDER=$ENGINE
}

docker_answers() { # and is docker, not podman under its name
  have docker && [[ $(docker --version) != podman* ]] && timeout 10 docker info > /dev/null 2>&1
}

podman_installed() { type -aP podman | grep -qvFx "$HERE/lib/bin/podman"; }

use_podman() {
  ensure_packages podman
  PATH=$HERE/lib/bin:$PATH
  mkdir -p "$PODMAN_HOME/tmp"
  forget_previous_boot
  podman_configuration | replace_if_changed "$PODMAN_HOME/containers.conf"
  podman_storage | replace_if_changed "$PODMAN_HOME/storage.conf"
}

# podman knows that the machine was started anew by its run folder being empty, which holds for /run where that is
# a tmpfs, and not for this folder. Without this, containers of before the boot would be taken for running.
forget_previous_boot() {
  local boot; boot=$(< /proc/sys/kernel/random/boot_id)
  [[ $(cat "$PODMAN_HOME/boot-id" 2> /dev/null) != "$boot" ]] || return 0
  rm -rf --one-file-system "$PODMAN_HOME/run"
  echo "$boot" > "$PODMAN_HOME/boot-id"
}

podman_storage() { # apart from the machine's own containers, which are not ours to touch
  cat <<END
[storage]
driver = "overlay"
graphroot = "$PODMAN_HOME/storage"
runroot = "$PODMAN_HOME/run/storage"
END
}

podman_configuration() {
  # Limits as they are: podman's own defaults are higher, and raising needs CAP_SYS_RESOURCE, which root may lack.
  # A kind node ends its systemd in no time when killed; waiting the default 10 s for it is what makes deletion slow.
  # Only netavark (with aardvark-dns) resolves names of containers, by which kind's workers find the control plane.
  cat <<END
[containers]
default_ulimits = ["nofile=$(hard_limit -n 1048576)", "nproc=$(hard_limit -u "$(< /proc/sys/kernel/pid_max)")"]
[network]
network_backend = "netavark"
network_config_dir = "$PODMAN_HOME/networks"
[engine]
events_logger = "file"
stop_timeout = 1
tmp_dir = "$PODMAN_HOME/run/libpod"
END
  # Without systemd on the machine: no manager to make cgroups, and Debian's crun fails on a hybrid hierarchy.
  [[ -d /run/systemd/system ]] || printf '%s\n' 'cgroup_manager = "cgroupfs"' 'runtime = "runc"'
}

hard_limit() { # OPTION-OF-ULIMIT MOST; podman itself has no more processes than there are process ids
  local limit; limit=$(ulimit -H "$1")
  [[ $limit != unlimited && $limit -lt $2 ]] || limit=$2
  echo "$limit:$limit"
}

replace_if_changed() { # reads the new content
  local content; content=$(cat)
  [[ $content == "$(cat "$1" 2> /dev/null)" ]] || { printf '%s\n' "$content" > "$1.$$" && mv "$1.$$" "$1"; }
}

# can_pull IMAGE: asks for its manifest only, and remembers a failure for a while, because a registry that is out
# of reach may take its time to say so. CLUSTER_PULL=no says so at once.
can_pull() {
  local remembered=$CACHE/no-registry
  [[ ${CLUSTER_PULL:-} != no ]] || return 1
  [[ -z $(find "$remembered" -mmin -60 2> /dev/null) ]] || return 1
  if timeout 15 "$ENGINE" manifest inspect "$1" > /dev/null 2>&1; then return 0; fi
  mkdir -p "$CACHE" && touch "$remembered"
  say "  images cannot be pulled here (tried $1); not tried again for an hour"
  return 1
}

image_exists() { "$ENGINE" image inspect "$1" > /dev/null 2>&1; }
