# shellcheck shell=bash
# Paths, messages and errors.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CHECKOUT=$(cd "$HERE/../.." && pwd -P)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/training-sandbox
STATE=$CHECKOUT/build/cluster

say() { printf '%s\n' "$*" >&2; }

# die WHAT [WHAT TO DO NEXT]
die() {
  say "error: $1"
  [[ -z ${2:-} ]] || say "  next: $2"
  exit 1
}

usage_if_asked() { # prints the comment at the head of the command
  [[ ${1:-} != -h && ${1:-} != --help ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0; }
}

make_state_folder() {
  mkdir -p "$STATE/log"
  # The folder keeps itself out of git: no entry elsewhere is needed.
  echo '*' > "$STATE/.gitignore"
}

have() { command -v "$1" > /dev/null; }
