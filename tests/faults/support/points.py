"""The points of the operator's work, each a kind of call that a proxy can tell from the others."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.faults.support.trial import OPERATORS
from tests.support.api_proxy import Call

Point = Callable[[Call], bool]

_INSTANCE = re.compile(r"/traininginstances/[^/]+$")
_INSTANCE_STATUS = re.compile(r"/traininginstances/[^/]+/status$")
_POOL_STATUS = re.compile(r"/trainingpools/[^/]+/status$")
_POD = re.compile(r"/pods/[^/]+$")
_SECRET = re.compile(r"/secrets/[^/]+$")
_SIGNING_KEY = re.compile(f"/{OPERATORS}/secrets/[^/]+$")
_SIGNING_KEYS = f"/{OPERATORS}/secrets"


def _creates_pod(kind: str) -> Point:
    def matches(call: Call) -> bool:
        if call.method != "POST" or not call.path.endswith("/pods"):
            return False
        return call.json()["metadata"]["ownerReferences"][0]["kind"] == kind

    return matches


def _deletes_pod(*, warm: bool) -> Point:
    def matches(call: Call) -> bool:
        if call.method != "DELETE" or not _POD.search(call.path):
            return False
        return ("resourceVersion" in call.json()["preconditions"]) == warm

    return matches


def _lists(plural: str) -> Point:
    def matches(call: Call) -> bool:
        return call.method == "GET" and call.path.endswith(f"/{plural}") and "limit=" in call.query

    return matches


def _reads_pod(*, warm: bool) -> Point:
    def matches(call: Call) -> bool:
        is_read = call.method == "GET" and bool(_POD.search(call.path))
        return is_read and ("/pods/warm-" in call.path) == warm

    return matches


def _writes_lease(call: Call) -> bool:
    return "/leases" in call.path and call.method in {"POST", "PUT"}


def _takes_lease(call: Call) -> bool:
    spec = call.json()["spec"] if _writes_lease(call) else {}
    return bool(spec.get("holderIdentity")) and spec["acquireTime"] == spec["renewTime"]


def _renews_lease(call: Call) -> bool:
    spec = call.json()["spec"] if _writes_lease(call) else {}
    return bool(spec.get("holderIdentity")) and spec["acquireTime"] != spec["renewTime"]


def _gives_lease_back(call: Call) -> bool:
    return _writes_lease(call) and not call.json()["spec"].get("holderIdentity")


def deletes_by_force(call: Call) -> bool:
    """Whether a call ends a pod without its kubelet's word."""
    is_deletion = call.method == "DELETE" and bool(_POD.search(call.path))
    return is_deletion and call.json().get("gracePeriodSeconds") == 0


def makes_signing_key(call: Call) -> bool:
    """Whether a call makes a signing key: of an operator that has found none."""
    return call.method == "POST" and call.path.endswith(_SIGNING_KEYS)


# There are no others until the next list is due.
AT_START = {
    "the signing key is read",
    "pools are listed",
    "instances are listed",
    "pods are listed",
    "Secrets are listed",
    "a watch begins",
}

POINTS: dict[str, Point] = {
    "a pod is created": _creates_pod("TrainingInstance"),
    "a warm pod is created": _creates_pod("TrainingPool"),
    "a warm pod is claimed": lambda call: call.method == "PATCH" and bool(_POD.search(call.path)),
    "a pod that exists already is read": _reads_pod(warm=False),
    "a warm pod that was changed is read": _reads_pod(warm=True),
    "a warm pod is deleted": _deletes_pod(warm=True),
    "a failed pod is deleted": _deletes_pod(warm=False),
    "an instance's status is written": lambda call: bool(_INSTANCE_STATUS.search(call.path)),
    "a pool's status is written": lambda call: bool(_POOL_STATUS.search(call.path)),
    "an instance is deleted": lambda call: (
        call.method == "DELETE" and bool(_INSTANCE.search(call.path))
    ),
    "an event is created": lambda call: call.is_event,
    "a task is bound": lambda call: call.path == "/bind",
    "a server is asked": lambda call: call.path == "/status",
    "a token is written": lambda call: (
        call.method == "POST"
        and call.path.endswith("/secrets")
        and not call.path.endswith(_SIGNING_KEYS)
    ),
    "a token is deleted": lambda call: call.method == "DELETE" and bool(_SECRET.search(call.path)),
    "the signing key is read": lambda call: (
        call.method == "GET" and bool(_SIGNING_KEY.search(call.path))
    ),
    "pools are listed": _lists("trainingpools"),
    "instances are listed": _lists("traininginstances"),
    "pods are listed": _lists("pods"),
    "Secrets are listed": _lists("secrets"),
    "a watch begins": lambda call: call.is_watch,
}

LEASE_POINTS: dict[str, Point] = {
    "the lease is taken": _takes_lease,
    "the lease is renewed": _renews_lease,
    "the lease is given back": _gives_lease_back,
}
