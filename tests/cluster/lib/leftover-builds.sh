# shellcheck shell=bash
# What builds with podman leave that are killed: the container they work in, its step still running, and its folder.

# Builds share a lock. Who gets it alone knows that none is at work; after this, the caller has its share until it ends.
remove_leftover_builds() {
  local lock
  mkdir -p "$CACHE/lock"
  exec {lock}> "$CACHE/lock/builds"
  if flock --exclusive --nonblock "$lock"; then
    end_leftover_steps
    podman ps --all --external --format '{{.ID}} {{.Command}}' | awk '$2 == "buildah" { print $1 }' |
      xargs --no-run-if-empty podman rm --force > /dev/null
    remove_leftover_folders
  fi
  flock --shared "$lock"
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
