# shellcheck shell=bash
# What every command starts with.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/versions.sh"
source "$HERE/lib/stage.sh"
source "$HERE/lib/cache.sh"
source "$HERE/lib/packages.sh"
source "$HERE/lib/engine.sh"
source "$HERE/lib/tools.sh"
source "$HERE/lib/node-image.sh"
source "$HERE/lib/cluster.sh"
source "$HERE/lib/node-access.sh"
source "$HERE/lib/network-removal.sh"
source "$HERE/lib/removal.sh"
source "$HERE/lib/image-names.sh"
source "$HERE/lib/image-archive.sh"
usage_if_asked "$@"
