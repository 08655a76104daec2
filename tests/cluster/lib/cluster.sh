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

nodes_of() { "$ENGINE" ps --all --filter "label=io.x-k8s.kind.cluster=$1" --format '{{.Names}}'; }

# Whatever of these is not as expected, the cluster is made anew: that takes half a minute, finding out more than that.
cluster_is_well() { # MADE-FROM
  [[ -f $KUBECONFIG_FILE && $(cat "$STATE/made-from" 2> /dev/null) == "$1" ]] || return 1
  local expected running
  expected=$(cat "$STATE/nodes")
  running=$("$ENGINE" ps --filter "label=io.x-k8s.kind.cluster=$CLUSTER_NAME" --filter status=running --format '{{.Names}}' | sort)
  [[ $running == "$expected" ]] || return 1
  all_ready "$(wc -l <<< "$expected")"
}

all_ready() { # COUNT
  local ready
  ready=$(kubectl --kubeconfig "$KUBECONFIG_FILE" --request-timeout 5s get nodes \
    --output 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' 2> /dev/null | grep -cx True)
  [[ $ready == "$1" ]]
}
