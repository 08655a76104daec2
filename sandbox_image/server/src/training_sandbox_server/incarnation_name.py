"""What a life of a server is called, and by which names it may be meant.

The server counts its own starts. The operator goes by the kubelet's count of the container's runs,
which has those too that ended before the server could count itself: it is never the smaller one.
"""

import re
import secrets

_NAME = re.compile(r"(?P<pod>.+)-(?P<start>[0-9]{1,9})", re.DOTALL)


def incarnation_name(pod_uid: str | None, start: int) -> str:
    """`<pod uid>-<start>`; outside a pod with a random part, so that no two servers share a name.

    Args:
        pod_uid: The pod's uid, if there is a pod.
        start: How often the server's state directory was started before.
    """
    return f"{pod_uid or f'local-{secrets.token_hex(4)}'}-{start}"


def may_mean(name: str, incarnation: str) -> bool:
    """Whether the operator may mean an incarnation by a name: same pod, start not before its own.

    Args:
        name: Whatever was sent.
        incarnation: What the server calls itself.
    """
    named, mine = _NAME.fullmatch(name), _NAME.fullmatch(incarnation)
    if named is None or mine is None:
        return False
    return named["pod"] == mine["pod"] and int(named["start"]) >= int(mine["start"])
