"""The record of everything that happened to a namespace, and what of it must never happen.

The API server gives every change a version, greater than all before it, whatever the kind of the
object: in this order the record is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from tests.faults.support import pool_history, token_history
from tests.faults.support.seen import INSTANCES, PODS, POOLS, SECRETS, Object, Seen

_TERMINAL = {"Finished", "Failed"}


@dataclass
class Wrongs:
    """What must never be, each as a sentence."""

    duplicates: list[str] = field(default_factory=list[str])
    leaks: list[str] = field(default_factory=list[str])
    early: list[str] = field(default_factory=list[str])
    double_claims: list[str] = field(default_factory=list[str])
    contradictions: list[str] = field(default_factory=list[str])
    tokens: list[str] = field(default_factory=list[str])
    over_created: list[str] = field(default_factory=list[str])

    def __iter__(self) -> Iterator[str]:
        yield from self.duplicates
        yield from self.leaks
        yield from self.early
        yield from self.double_claims
        yield from self.contradictions
        yield from self.tokens
        yield from self.over_created


@dataclass
class History:
    """What a watcher has seen, and what the test itself has done.

    Attributes:
        by_hand: UIDs of objects that the test has deleted, or edited so that they may be deleted.
        edited: UIDs of instances whose status the test has edited, so that anything may follow.
        strangers: UIDs of Secrets that the test has made under names of tokens.
        used_at: when the server of a pod was last used, as it has told the operator last, by the
            pod's UID. Whoever uses it between that and a deletion comes too late.
    """

    seen: list[Seen] = field(default_factory=list[Seen])
    by_hand: set[str] = field(default_factory=set[str])
    edited: set[str] = field(default_factory=set[str])
    strangers: set[str] = field(default_factory=set[str])
    used_at: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def of(self, kind: str) -> list[Seen]:
        return [one for one in self.seen if one.kind == kind]

    def count(self, kind: str) -> int:
        return len({one.uid for one in self.of(kind)})

    def present(self, kind: str) -> dict[str, Seen]:
        """The objects that are there, as they were seen last, by UID."""
        latest = _latest(self.of(kind))
        return {uid: one for uid, one in latest.items() if not one.is_gone}

    def write(self, path: Path) -> None:
        """Write all events in their order, one a line, for who looks into what was wrong."""
        events = sorted(self.seen, key=lambda one: one.version)
        path.write_text("".join(f"{event.line()}\n" for event in events))

    def left(self) -> list[str]:
        """All objects that are there, each as a sentence."""
        return [
            f"{kind} {one.name} is still there"
            for kind in (INSTANCES, POOLS, PODS, SECRETS)
            for one in self.present(kind).values()
        ]

    def wrongs(self) -> Wrongs:
        """Read the whole record, once everything was deleted and should be gone."""
        events = sorted(self.seen, key=lambda one: one.version)
        wrongs = Wrongs()
        wrongs.duplicates += _duplicates(events, self.by_hand)
        wrongs.double_claims += _double_claims(events)
        wrongs.leaks += self.left()
        wrongs.early += self._early_deletions(events)
        wrongs.early += self._early_endings(events)
        wrongs.contradictions += self._contradictions(events)
        wrongs.duplicates += token_history.secrets_at_once(events, self.strangers)
        wrongs.early += token_history.tokens_taken_away(events, self.by_hand, self.strangers)
        wrongs.tokens += token_history.misplaced_tokens(events, self.strangers)
        wrongs.tokens += token_history.missing_tokens(events, self.edited)
        wrongs.tokens += token_history.races(events)
        wrongs.tokens += token_history.touched_strangers(events, self.by_hand, self.strangers)
        wrongs.over_created += pool_history.over_creations(events, self.by_hand)
        return wrongs

    def _early_deletions(self, events: list[Seen]) -> Iterator[str]:
        """Instances that were deleted before their time, and not by the test."""
        for event in events:
            if event.kind != INSTANCES or not event.is_gone or event.uid in self.by_hand:
                continue
            due_at = min(self._due(event.one), default=None)
            if due_at is None or event.at < due_at:
                yield f"instance {event.name} was deleted at {event.at}, due at {due_at}"

    def _due(self, instance: Object) -> Iterator[datetime]:
        spec, status = instance["spec"], instance.get("status", {})
        created_at = datetime.fromisoformat(instance["metadata"]["creationTimestamp"])
        yield created_at + timedelta(seconds=spec["ttlSeconds"])
        phase = status.get("phase")
        if phase in _TERMINAL and not (phase == "Failed" and spec.get("retainFailed")):
            finished_at = datetime.fromisoformat(status["finishedAt"])
            yield finished_at + timedelta(seconds=spec["ttlSecondsAfterFinished"])
        used_at = self.used_at.get(status.get("podUID", ""))
        if phase == "Ready" and used_at is not None:
            yield used_at + timedelta(seconds=spec["idleTimeoutSeconds"])

    def _early_endings(self, events: list[Seen]) -> Iterator[str]:
        """Pods that were ended while their instance lived, and not by the test."""
        instances: dict[str, Seen] = {}
        ended: set[str] = set()
        for event in events:
            if event.kind == INSTANCES:
                instances[event.uid] = event
            if event.kind != PODS or not event.is_ending or event.uid in ended | self.by_hand:
                continue
            ended.add(event.uid)
            owner = event.owner
            instance = instances.get(owner["uid"]) if owner else None
            if instance is None or instance.is_ending or instance.uid in self.by_hand:
                continue
            phase = instance.one.get("status", {}).get("phase")
            if phase != "Failed" or instance.one["spec"].get("retainFailed"):
                yield f"pod {event.name} was ended while instance {instance.name} lived"

    def _contradictions(self, events: list[Seen]) -> Iterator[str]:
        """Statuses that take back what an earlier one has said."""
        said: dict[str, Object] = {}
        for event in events:
            if event.kind != INSTANCES or event.uid in self.edited:
                continue
            before, now = said.get(event.uid, {}), event.one.get("status", {})
            said[event.uid] = now
            if before.get("phase") in _TERMINAL and now.get("phase") != before["phase"]:
                yield f"instance {event.name} was {before['phase']}, then {now.get('phase')}"
            if "podUID" in before and now.get("podUID") != before["podUID"]:
                yield f"instance {event.name} was told of another pod"


def _latest(events: Iterable[Seen]) -> dict[str, Seen]:
    latest: dict[str, Seen] = {}
    for event in events:
        known = latest.get(event.uid)
        if known is None or event.version >= known.version:
            latest[event.uid] = event
    return latest


def _duplicates(events: list[Seen], by_hand: Collection[str]) -> Iterator[str]:
    """Instances that ever had two pods.

    One that a user deleted before its instance's status told of it was nobody's loss: then another
    is made. One that comes when the instance is gone, and its pod with it, is collected as well.
    """
    gone: set[str] = set()
    pods: defaultdict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    told: set[str] = set()
    for event in events:
        if event.kind == INSTANCES:
            told.add(event.one.get("status", {}).get("podUID"))
            gone |= {event.uid} if event.is_gone else set()
        owner = event.owner if event.kind == PODS else None
        if owner is not None and owner["kind"] == "TrainingInstance" and owner["uid"] not in gone:
            pods[owner["uid"]].add(event.uid)
            names[owner["uid"]] = owner["name"]
    for uid, owned in pods.items():
        lasting = [pod for pod in owned if pod in told or pod not in by_hand]
        if len(lasting) > 1:
            yield f"instance {names[uid]} had {len(lasting)} pods"


def _double_claims(events: list[Seen]) -> Iterator[str]:
    """Pods that had two instances, or went back to a pool."""
    owners: defaultdict[str, list[Object]] = defaultdict(list)
    names: dict[str, str] = {}
    for event in events:
        owner = event.owner if event.kind == PODS else None
        if owner is None:
            continue
        names[event.uid] = event.name
        if not owners[event.uid] or owners[event.uid][-1]["uid"] != owner["uid"]:
            owners[event.uid].append(owner)
    for uid, row in owners.items():
        claims = [owner["kind"] for owner in row]
        if claims.count("TrainingInstance") > 1 or "TrainingPool" in claims[1:]:
            row_of_names = ", ".join(f"{owner['kind']} {owner['name']}" for owner in row)
            yield f"pod {names[uid]} belonged to {row_of_names}"
