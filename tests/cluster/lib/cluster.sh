# shellcheck shell=bash
# Which cluster is meant, and whether it is well.

KUBECONFIG_FILE=$STATE/kubeconfig
CLUSTER_NAME=training-sandbox-$(hash_of "$CHECKOUT" | cut -c 1-6) # one per checkout, so that two do not collide

# A cluster of the user's own is used as it is: the current context, when CLUSTER=current or KUBECONFIG is set.
# Within "tests/cluster/run", KUBECONFIG is set, but to ours.
is_users_own() {
  case ${CLUSTER:-} in
    current) return 0 ;;
    '') [[ -n ${KUBECONFIG:-} && $KUBECONFIG != "$KUBECONFIG_FILE" ]] ;;
    *) die "CLUSTER=$CLUSTER means nothing" "leave it unset, or CLUSTER=current for the cluster of your current context" ;;
  esac
}

users_own_answers() {
  local context
  use_tools kubectl
  context=$(kubectl config current-context 2> /dev/null) || die "no current context in the kubeconfig" "kubectl config use-context …"
  kubectl --request-timeout 10s get --raw /readyz > /dev/null 2>&1 ||
    die "the cluster of context $context does not answer" "kubectl --context $context get nodes"
  say "using your own cluster, context $context; it is neither created nor deleted here"
}

nodes_of() { # NAME [FILTER…]
  "$ENGINE" ps --all --filter "label=io.x-k8s.kind.cluster=$1" "${@:2}" --format '{{.Names}}' | sort
}

# why_not_usable MADE-FROM: prints why the cluster cannot be used as it is; nothing, if it can. It is made anew then:
# that takes half a minute, and repairing it might take more.
why_not_usable() {
  if [[ -z $(nodes_of "$CLUSTER_NAME") ]]; then
    echo "there is none"
  elif [[ ! -f $KUBECONFIG_FILE || ! -f $STATE/made-from ]]; then
    echo "there is one half made"
  elif [[ $(< "$STATE/made-from") != "$1" ]]; then
    echo "there is one of another configuration or node image"
  elif [[ $(nodes_of "$CLUSTER_NAME" --filter status=running) != "$(< "$STATE/nodes")" ]]; then
    echo "not all of its nodes are running"
  elif ! all_ready; then
    echo "not all of its nodes are Ready"
  fi
}

# A busy machine may take its time to answer, and a node that was just started again to be Ready.
all_ready() {
  kubectl --kubeconfig "$KUBECONFIG_FILE" --request-timeout 40s wait nodes --all --for condition=Ready --timeout 30s > /dev/null 2>&1
}
