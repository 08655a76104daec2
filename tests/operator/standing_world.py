"""A world in which time stands still: what a plan wants is done, and servers answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.operator import builders as build
from training_sandbox_operator.decisions.actions import (
    Action,
    AskServer,
    BindTask,
    ClaimPod,
    CreatePod,
    DeleteInstance,
    DeletePod,
    WriteStatus,
    WriteToken,
)
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.server import (
    ServerAnswer,
    ServerSilence,
    TaskRefusal,
    TaskReport,
)
from training_sandbox_operator.model.situation import Refusal, Situation


@dataclass
class World:
    """What there is around one instance; the operator acts on it by ``plan`` alone.

    Attributes:
        serves: whether the servers of pods answer.
        plays: whether they will play the task.
        accepts: whether the API server accepts pods and Secrets.
        boots: whether the server of a pod that is made serves at once.
        hides_secret: whether a Secret that the operator does not watch has the name of the token's.
    """

    situation: Situation
    now: datetime
    serves: bool
    plays: bool
    accepts: bool
    boots: bool
    hides_secret: bool
    is_finished: bool
    done: list[Action] = field(default_factory=list[Action])

    @property
    def instance(self) -> TrainingInstance:
        assert self.situation.instance is not None
        return self.situation.instance

    def apply(self, action: Action) -> None:
        self.done.append(action)
        match action:
            case WriteStatus(status=status):
                self.write_status(dict(status))
            case WriteToken():
                self.write_token(action)
            case CreatePod():
                self.create_pod()
            case ClaimPod(pod=pod):
                self.claim(pod)
            case DeletePod(uid=uid, force=force):
                self.delete_pod(uid, force=force)
            case DeleteInstance():
                self.change(instance=None)
            case AskServer(occasion=occasion):
                self.change(answer=self.answer(occasion))
            case BindTask(occasion=occasion, incarnation=incarnation):
                assert self.situation.pod is not None
                assert incarnation == self.situation.pod.incarnation
                self.change(answer=self.answer_to_bind(occasion))
            case _:
                pass

    def change(self, **parts: Any) -> None:
        self.situation = replace(self.situation, **parts)

    def write_status(self, status: dict[str, Any]) -> None:
        assert status != self.instance.status, "a write that changes nothing"
        if status["phase"] == "Ready":
            assert self.has_token(self.instance), "nobody can call its server"
        self.change(instance=replace(self.instance, status=status))

    def has_token(self, instance: TrainingInstance) -> bool:
        """Whether somebody can call the instance's server, or was told how to."""
        pod, secret, status = self.situation.pod, self.situation.token_secret, instance.status
        assert pod is not None
        if not pod.public_key or self.situation.public_key is None:
            return True
        if "tokenSecret" in status and status.get("incarnation") == pod.incarnation:
            return True
        return secret is not None and secret == build.token_secret(
            instance, pod.incarnation or "", public_key=pod.public_key, uid=secret.uid
        )

    def write_token(self, action: WriteToken) -> None:
        pod, secret = self.situation.pod, self.situation.token_secret
        assert pod is not None
        assert action.incarnation == pod.incarnation, "a token of a server that is gone"
        assert pod.public_key == self.situation.public_key, "a token that its server would refuse"
        if action.replaces is not None:
            assert action.replaces == secret
            assert secret.is_of(self.instance.key.name), "a stranger's Secret is deleted"
            secret = None
        refusal = None
        if secret is not None or self.hides_secret:
            refusal = self.once_more(self.situation.token_refusal, "TokenSecretConflict")
        elif not self.accepts:
            refusal = self.once_more(self.situation.token_refusal, "TokenRejected")
        else:
            secret = build.token_secret(
                self.instance, action.incarnation, public_key=pod.public_key, uid="written"
            )
        self.change(token_secret=secret, token_refusal=refusal)

    def create_pod(self) -> None:
        assert self.situation.pod is None, "a second pod is made"
        assert self.instance.pod_uid is None, "a lost pod is made again"
        if not self.accepts:
            self.refuse()
            return
        made = build.pod(
            self.instance,
            uid="made",
            node="worker-1" if self.boots else None,
            status=build.serving() if self.boots else None,
            created_at=self.now,
            public_key=self.situation.public_key,
        )
        self.change(pods=(*self.situation.pods, made), refusal=None, promised=None)

    def claim(self, pod: Pod) -> None:
        assert self.situation.pod is None, "a second pod is claimed"
        assert self.instance.pod_uid is None, "a lost pod is claimed again"
        if not self.accepts:
            self.refuse()
            return
        claimed = build.claimed_pod(
            self.instance, build.pool(), 7, status=build.serving(), public_key=pod.public_key
        )
        self.change(pods=(*self.situation.pods, claimed), refusal=None, promised=None)

    def refuse(self) -> None:
        self.change(refusal=self.once_more(self.situation.refusal, "PodRejected"))

    def once_more(self, before: Refusal | None, reason: str) -> Refusal:
        return Refusal.after(before, self.now, reason, "no")

    def delete_pod(self, uid: str, *, force: bool) -> None:
        pods = {pod.uid: pod for pod in self.situation.pods}
        pod = pods.pop(uid)
        is_own = pod == self.situation.pod
        if force:
            assert pod.terminates_at is not None
            assert self.now >= pod.terminates_at + timedelta(seconds=30)
        else:
            is_living = self.instance.phase != "Failed" and not self.instance.is_being_deleted
            assert not (is_own and is_living), "the pod of a living instance"
            pods[uid] = replace(pod, terminates_at=self.now + timedelta(seconds=30))
        self.change(pods=tuple(pods.values()))

    def answer(self, occasion: str) -> ServerAnswer:
        if not (self.serves and self.takes_operators_token):
            before = self.situation.answer
            failures = before.failures + 1 if isinstance(before, ServerSilence) else 1
            return ServerSilence(self.now, occasion, failures, "timed out")
        task = None
        if self.instance.task_id is not None:
            task = TaskReport("terminated", 3, 1.0, True) if self.is_finished else None
            task = task or TaskReport("running", 3, None, False)
        return build.reply(self.now, idle=400, occasion=occasion, task=task)

    @property
    def takes_operators_token(self) -> bool:
        pod = self.situation.pod
        return pod is not None and pod.public_key in {"", self.situation.public_key}

    def answer_to_bind(self, occasion: str) -> ServerAnswer:
        if self.serves and self.takes_operators_token and not self.plays:
            return TaskRefusal(self.now, occasion, "UnknownTask", "no such task")
        return self.answer(occasion)
