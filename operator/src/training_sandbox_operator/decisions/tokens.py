"""The decision whether an instance has its token, and what to do when not.

A server that checks tokens takes those of its incarnation. They are derived from the signing key,
the instance and the incarnation, so that two who write one write the same.
"""

from datetime import datetime, timedelta
from enum import Enum, auto

from training_sandbox_operator.decisions.actions import EmitEvent, Plan, WriteToken
from training_sandbox_operator.decisions.pod_spec import owner_reference
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import (
    INCARNATION_ANNOTATION,
    INSTANCE_LABEL,
    KIND,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PUBLIC_KEY_ANNOTATION,
    JsonObject,
    token_secret_name,
)
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.situation import Situation

TOKEN_FIELD = "token"

# The garbage collector deletes at once what belongs to an instance whose end nobody has told of.
_WRITTEN_AGAIN_AFTER = timedelta(seconds=2)


class TokenState(Enum):
    """How the token of an instance's present server stands."""

    NOT_WANTED = auto()
    """The server asks for none or has not run yet, or this operator signs none."""
    WRITTEN = auto()
    """It is in its Secret."""
    MISSING = auto()
    """It is to be written."""
    UNOBTAINABLE = auto()
    """The server checks it by another key than this operator's."""


def token_state(situation: Situation, instance: TrainingInstance, pod: Pod) -> TokenState:
    """Return how the token of the instance's present server stands."""
    if situation.public_key is None or not pod.public_key or pod.incarnation is None:
        return TokenState.NOT_WANTED
    secret = situation.token_secret
    if (
        secret is not None
        and secret.is_intact
        and secret.owner is not None
        and secret.owner.uid == instance.uid
        and (secret.incarnation, secret.public_key) == (pod.incarnation, pod.public_key)
    ):
        return TokenState.WRITTEN
    if pod.public_key != situation.public_key:
        return TokenState.UNOBTAINABLE
    return TokenState.MISSING


def awaits_token(situation: Situation, instance: TrainingInstance, pod: Pod) -> bool:
    """Return whether nobody can have been told a token of the instance's present server.

    An instance whose Secret was deleted later stays Ready: who has read it goes on.
    """
    state = token_state(situation, instance, pod)
    return state in {TokenState.MISSING, TokenState.UNOBTAINABLE} and not _was_told(instance, pod)


def audience_of(pod: Pod) -> str | None:
    """Return the incarnation that a token of the operator's own is for, None where none is."""
    return pod.incarnation if pod.public_key else None


def plan_token(situation: Situation, instance: TrainingInstance, pod: Pod, now: datetime) -> Plan:
    """Return what is to be done so that the token is in its Secret: as soon as a server runs."""
    if pod.container.running_since is None or pod.terminates_at is not None:
        return Plan()
    if token_state(situation, instance, pod) is not TokenState.MISSING:
        return Plan()
    refusal = situation.token_refusal
    if refusal is not None and now < refusal.retry_at:
        return Plan(deadline=refusal.retry_at)
    written = situation.token_written
    if written is not None and written.incarnation == pod.incarnation:
        again_at = written.at + _WRITTEN_AGAIN_AFTER
        # Unless the clock was set back since.
        if written.at <= now < again_at:
            return Plan(deadline=again_at)
    secret = situation.token_secret
    # A stranger's Secret is never deleted, whatever it is labelled: it is met when ours is created.
    replaced = secret if secret is not None and secret.is_of(instance.key.name) else None
    incarnation = pod.incarnation or ""
    write = WriteToken(instance, incarnation, replaced)
    if refusal is None or not _was_told(instance, pod):
        return Plan((write,))
    # The status does not tell of it: the instance stays Ready for who has read the token.
    event = EmitEvent(instance, "Warning", refusal.reason, refusal.message, incarnation)
    return Plan((write, event))


def build_token_secret(
    instance: TrainingInstance, incarnation: str, *, public_key: str, token: str
) -> JsonObject:
    """Return the manifest of the Secret: it cannot be edited, only be deleted."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": token_secret_name(instance.key.name),
            "namespace": instance.key.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGED_BY, INSTANCE_LABEL: instance.key.name},
            "annotations": {
                INCARNATION_ANNOTATION: incarnation,
                PUBLIC_KEY_ANNOTATION: public_key,
            },
            "ownerReferences": [owner_reference(KIND, instance.key, instance.uid)],
        },
        "stringData": {TOKEN_FIELD: token},
    }


def _was_told(instance: TrainingInstance, pod: Pod) -> bool:
    status = instance.status
    return "tokenSecret" in status and status.get("incarnation") == pod.incarnation
