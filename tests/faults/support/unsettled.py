"""What objects of a namespace still wait for, as the API server tells of them."""

from __future__ import annotations

from tests.faults.support.node import Node
from tests.faults.support.objects import is_ready, token_of
from tests.faults.support.seen import Object
from training_sandbox_operator.model.names import INCARNATION_ANNOTATION

# Of what has a shorter life than this the end is waited for.
_SHORT = 60
_COUNTS = ("replicas", "readyReplicas", "updatedReplicas", "targetReplicas")


def unplayed(one: Object, alive: dict[str, str], node: Node) -> str | None:
    """Return what an instance still waits for: to be collected, to be Ready, to play."""
    status, spec = one.get("status", {}), one["spec"]
    name, phase = one["metadata"]["name"], status.get("phase")
    ends = phase in {"Finished", "Failed"} or ("taskId" in spec and "endless" not in name)
    complaint = None
    if ends or spec["ttlSeconds"] < _SHORT or spec["idleTimeoutSeconds"] < _SHORT:
        complaint = "it is not collected"
    elif phase != "Ready":
        complaint = "it is not Ready"
    elif alive.get(status["podUID"]) != one["metadata"]["uid"]:
        complaint = "it is Ready without a pod"
    elif "taskId" in spec:
        server = node.server(status["podUID"])
        plays = server is not None and server.episode == name
        complaint = None if plays else "it is Ready and its task is not played"
    return complaint


def tokenless(one: Object, tokens: dict[str, Object], node: Node) -> str | None:
    """Return what is wrong with the token of a Ready instance."""
    status = one.get("status", {})
    if status.get("phase") != "Ready":
        return None
    secret = tokens.get(status.get("tokenSecret", ""))
    if secret is None:
        return "it is Ready and its Secret is not there"
    if secret["metadata"]["ownerReferences"][0]["uid"] != one["metadata"]["uid"]:
        return f"the Secret is of another instance: {secret['metadata']}"
    of = secret["metadata"].get("annotations", {}).get(INCARNATION_ANNOTATION)
    if of != status["incarnation"]:
        return f"its token is of the incarnation {of}"
    server = node.server(status["podUID"])
    is_admitted = server is not None and server.admits(token_of(secret))
    return None if is_admitted else "its server does not take its token"


def unfilled(pool: Object, pods: list[Object]) -> str | None:
    """Return what a pool still waits for: its pods, or that its status tells of them.

    That status is a second old at times: only with the pods themselves it tells of now.
    """
    warm = [
        pod
        for pod in pods
        if pod["metadata"]["ownerReferences"][0]["uid"] == pool["metadata"]["uid"]
    ]
    unready = [pod["metadata"]["name"] for pod in warm if not is_ready(pod)]
    status, replicas = pool.get("status", {}), pool["spec"]["replicas"]
    counts = {status.get(count) for count in _COUNTS}
    is_told = status.get("observedGeneration") == pool["metadata"]["generation"]
    if is_told and counts == {replicas} == {len(warm)} and not unready:
        return None
    return f"the pool has {len(warm)} pods, of which are not ready {unready}: {pool}"
