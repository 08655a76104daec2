"""What must never be of Secrets, as the record of a namespace tells it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from tests.faults.support.seen import INSTANCES, PODS, SECRETS, Seen
from training_sandbox_operator.model.names import INCARNATION_ANNOTATION, KIND, token_secret_name

_OFTEN = 5
"""How often the operator may write one token in a second: only a race with deletions does more."""


@dataclass
class _Now:
    """What is there at a moment of the record, by UID."""

    instances: dict[str, Seen] = field(default_factory=dict[str, Seen])
    pods: dict[str, Seen] = field(default_factory=dict[str, Seen])
    secrets: dict[str, Seen] = field(default_factory=dict[str, Seen])

    def take_in(self, event: Seen) -> None:
        kinds = {INSTANCES: self.instances, PODS: self.pods, SECRETS: self.secrets}
        known = kinds.get(event.kind, {})
        known[event.uid] = event
        if event.is_gone:
            del known[event.uid]


def replay(events: list[Seen]) -> Iterator[tuple[Seen, _Now]]:
    """Yield every event, and what was there right before it."""
    now = _Now()
    for event in events:
        yield event, now
        now.take_in(event)


def secrets_at_once(events: list[Seen], strangers: Collection[str]) -> Iterator[str]:
    """Instances that had two Secrets at a time."""
    for event, now in replay(events):
        owner = event.owner
        if event.kind != SECRETS or event.is_gone or event.uid in strangers or owner is None:
            continue
        for other in now.secrets.values():
            if other.uid not in {event.uid, *strangers} and _is_owned_by(other, owner["uid"]):
                yield f"instance {owner['name']} had the Secrets {other.name} and {event.name}"


def misplaced_tokens(events: list[Seen], strangers: Collection[str]) -> Iterator[str]:
    """Secrets that were made for nobody, or for a server of somebody else or of a pool."""
    owners: dict[str, str] = {}
    for event, now in replay(events):
        if event.kind == PODS and event.owner is not None:
            owners[event.uid] = event.owner["uid"]
        if event.kind != SECRETS or event.uid in {*now.secrets, *strangers} or event.is_gone:
            continue
        owner = event.owner
        if owner is None or (owner["kind"], event.name) != (KIND, token_secret_name(owner["name"])):
            yield f"Secret {event.name} was made and is no instance's"
            continue
        if owners.get(_pod_uid(event)) != owner["uid"]:
            yield f"Secret {event.name} opened a server that was not instance {owner['name']}'s"


def missing_tokens(events: list[Seen], edited: Collection[str]) -> Iterator[str]:
    """Instances that were told to be Ready before there was a token for their server."""
    written: defaultdict[str, set[str]] = defaultdict(set)
    told: set[tuple[str, str]] = set()
    for event in events:
        owner = event.owner
        if event.kind == SECRETS and owner is not None:
            written[owner["uid"]].add(_incarnation(event))
        if event.kind != INSTANCES or event.uid in edited:
            continue
        status = event.one.get("status", {})
        incarnation = status.get("incarnation", "")
        if status.get("phase") != "Ready" or (event.uid, incarnation) in told:
            continue
        told.add((event.uid, incarnation))
        if incarnation not in written[event.uid]:
            yield f"instance {event.name} was Ready and had no token for {incarnation}"


def races(events: list[Seen]) -> Iterator[str]:
    """Tokens that were written again and again as fast as their Secrets were deleted."""
    made = {
        event.uid: (event.name, _incarnation(event), event.one["metadata"]["creationTimestamp"])
        for event in events
        if event.kind == SECRETS
    }
    for (name, incarnation, at), times in Counter(made.values()).items():
        if times > _OFTEN:
            yield f"Secret {name} for {incarnation} was made {times} times at {at}"


def tokens_taken_away(
    events: list[Seen], by_hand: Collection[str], strangers: Collection[str]
) -> Iterator[str]:
    """Secrets that were deleted while the server that they open went on, and not by the test."""
    for event, now in replay(events):
        owner = event.owner
        if event.kind != SECRETS or not event.is_gone or event.uid in {*by_hand, *strangers}:
            continue
        instance = now.instances.get(owner["uid"]) if owner else None
        pod = now.pods.get(_pod_uid(event))
        if instance is None or instance.is_ending or pod is None or pod.is_ending:
            continue
        if _present_incarnation(pod) == _incarnation(event):
            yield f"Secret {event.name} was deleted while its server and instance lived"


def touched_strangers(
    events: list[Seen], by_hand: Collection[str], strangers: Collection[str]
) -> Iterator[str]:
    """Secrets of the test's own that somebody else has changed or deleted."""
    for event, now in replay(events):
        if event.uid not in strangers or event.uid in by_hand:
            continue
        before = now.secrets.get(event.uid)
        if before is not None and before.version != event.version:
            yield f"Secret {event.name} of a stranger was {_what_became(event)}"


def _what_became(event: Seen) -> str:
    return "deleted" if event.is_gone else "changed"


def _is_owned_by(one: Seen, uid: str) -> bool:
    return one.owner is not None and one.owner["uid"] == uid


def _incarnation(secret: Seen) -> str:
    return secret.one["metadata"].get("annotations", {}).get(INCARNATION_ANNOTATION, "")


def _pod_uid(secret: Seen) -> str:
    return _incarnation(secret).rpartition("-")[0]


def _present_incarnation(pod: Seen) -> str:
    containers = pod.one.get("status", {}).get("containerStatuses", ())
    restarts = containers[0]["restartCount"] if containers else 0
    return f"{pod.uid}-{restarts}"
