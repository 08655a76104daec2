# shellcheck shell=bash
# Images made from folders, without a container engine: archives as "docker save" writes them. Any engine loads them,
# several times faster than it imports a bare file system.

CONTAINER_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# add_image FOLDER ROOT CONFIG TAG…: an image of one layer, the file system ROOT, into the archive's FOLDER.
# CONFIG is JSON, as in an image's configuration: Entrypoint, Env and so on.
add_image() {
  local folder=$1 root=$2 config=$3 layer digest; shift 3
  mkdir -p "$folder"
  [[ -f $folder/manifest.json ]] || echo '[]' > "$folder/manifest.json"
  layer=$(jq length "$folder/manifest.json").tar
  tar -C "$root" --numeric-owner -cf "$folder/$layer" .
  digest=$(sha256sum "$folder/$layer" | cut -d ' ' -f 1)
  jq -n --arg arch "$(image_architecture)" --arg digest "sha256:$digest" --argjson config "$config" '{
    architecture: $arch, os: "linux", created: now | todate, config: $config,
    rootfs: {type: "layers", diff_ids: [$digest]}, history: [{created: now | todate}]
  }' > "$folder/$layer.json"
  jq --arg layer "$layer" '. + [{Config: "\($layer).json", Layers: [$layer], RepoTags: $ARGS.positional}]' \
    "$folder/manifest.json" --args "$@" > "$folder/manifest.new"
  mv "$folder/manifest.new" "$folder/manifest.json"
}

image_architecture() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
  esac
}

load_archive() { # FOLDER
  tar -C "$1" -cf "$1.tar" .
  "$ENGINE" load --input "$1.tar"
}
