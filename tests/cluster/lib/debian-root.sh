# shellcheck shell=bash
# Debian root file systems for images.

# debian_root FOLDER PACKAGE…
debian_root() {
  local folder=$1 packages=$CACHE/debian-packages list; shift
  printf -v list '%s,' "$@"
  mkdir -p "$packages"
  debootstrap --variant=minbase --cache-dir="$packages" --include="${list%,}" "$DEBIAN_SUITE" "$folder"
  # What nobody reads in an image; the engine makes /dev.
  rm -rf "${folder:?}"/usr/share/{doc,man,locale,info}/* "$folder"/var/{cache/apt,lib/apt/lists,log}/* "$folder"/dev/*
}
