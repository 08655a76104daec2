# shellcheck shell=bash
# Folders made once and kept under the hash of what they depend on.

hash_of() { # STRING-OR-FILE…: contents for files, themselves for strings
  local part
  for part in "$@"; do
    if [[ -f $part ]]; then cat "$part"; else printf '%s\n' "$part"; fi
  done | sha256sum | cut -c 1-12
}

# cached FOLDER STAGE-NAME FUNCTION: FUNCTION fills the folder that it gets as its argument.
# Built aside and renamed when whole: what was killed half way is never taken for a result.
cached() {
  local folder=$1 name=$2 build=$3 aside=$1.partial
  [[ ! -d $folder ]] || return 0
  discard_folder "$aside"
  mkdir -p "$aside"
  stage "$name" "$build" "$aside"
  mv "$aside" "$folder"
}

discard_folder() { # also what a killed debootstrap or containerd left mounted in it
  local mount
  while read -r mount; do umount --lazy "$mount"; done < <(
    awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort --reverse)
  rm -rf --one-file-system "$1"
}
