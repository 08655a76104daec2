# shellcheck shell=bash
# What builds with podman leave that are killed: the container they work in, its step still running, and its folder.

remove_leftover_builds() {
  if no_build_at_work; then
    end_leftover_steps
    podman ps --all --external --format '{{.ID}} {{.Command}}' | awk '$2 == "buildah" { print $1 }' |
      xargs --no-run-if-empty podman rm --force > /dev/null
    remove_leftover_folders
  fi
  flock --shared "$BUILDS_LOCK" # until the caller ends
}

# Builds share a lock. Who gets it alone knows that none is at work, and that none starts.
no_build_at_work() { # [wait]
  mkdir -p "$CACHE/lock"
  exec {BUILDS_LOCK}> "$CACHE/lock/builds"
  if [[ ${1:-} == wait ]]; then flock --exclusive "$BUILDS_LOCK"; else flock --exclusive --nonblock "$BUILDS_LOCK"; fi
}

end_leftover_steps() { # known by the folder they run from, which is in ours
  have runc || return 0
  runc list --format json | jq --raw-output --arg ours "$PODMAN_HOME/tmp/" '.[]? | select(.bundle | startswith($ours)) | .id' |
    xargs --no-run-if-empty --max-args 1 runc delete --force
}

remove_leftover_folders() {
  local folder
  for folder in "$PODMAN_HOME"/tmp/buildah[0-9]*; do
    [[ ! -d $folder ]] || discard_folder "$folder"
  done
}
