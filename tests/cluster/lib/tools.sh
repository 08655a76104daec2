# shellcheck shell=bash
# Where kind, kubectl, helm, kwok and cyclonus are: in PATH if they will do, else built into the cache, once per version.

BIN=$CACHE/bin

# use_tools TOOL…: puts them in PATH; they are built first if need be.
use_tools() {
  local tool missing=()
  for tool in "$@"; do tool_is_there "$tool" || missing+=("$tool"); done
  [[ ${#missing[@]} -eq 0 ]] || "$HERE/tools" "${missing[@]}"
  use_tools_that_are_there "$@"
}

use_tools_that_are_there() {
  local tool
  for tool in "$@"; do
    [[ ! -d $(tool_folder "$tool") ]] || PATH=$(tool_folder "$tool"):$PATH
  done
}

tool_is_there() { [[ -d $(tool_folder "$1") ]] || will_do "$1"; }

tool_folder() {
  case $1 in
    kind) echo "$BIN/kind-$KIND_VERSION" ;;
    helm) echo "$BIN/helm-$HELM_VERSION" ;;
    kwok) echo "$BIN/kwok-$KWOK_VERSION" ;;
    cyclonus) echo "$BIN/cyclonus-$CYCLONUS_VERSION" ;;
    kubectl) echo "$BIN/kubectl-$KUBERNETES_VERSION" ;;
    *) die "no such tool: $1" "tools are kind, kubectl, helm, kwok and cyclonus" ;;
  esac
}

will_do() { # the one in PATH
  local version
  have "$1" || return 1
  case $1 in
    kind) [[ $(kind version) == "kind $KIND_VERSION "* ]] ;;
    kwok) [[ $(kwok --version) == "kwok version $KWOK_VERSION "* ]] ;;
    cyclonus) false ;; # one that was built by go install does not tell its version
    helm) [[ $(helm version --template '{{.Version}}') == v3.* ]] ;;
    kubectl)
      version=$(kubectl version --client 2> /dev/null | sed -n 's/^Client Version: v\([0-9]*\.[0-9]*\).*/\1/p')
      printf '%s\n' "$KUBECTL_MINIMUM" "${version:-0}" | sort --check=quiet --version-sort
      ;;
  esac
}
