"""What holds of the decision whatever happens, in whatever order.

A small world is made of one instance, the pods that were made for it, and its server. The operator
acts on it by ``plan`` alone; the world moves, the operator loses its memory, and after every move
the rules of the design must hold.
"""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.operator import builders as build
from training_sandbox_operator.decisions.actions import (
    Action,
    AskServer,
    CreatePod,
    DeleteInstance,
    DeletePod,
    WriteStatus,
    WriteToken,
)
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Phase
from training_sandbox_operator.model.server import ServerAnswer, ServerSilence, TaskReport
from training_sandbox_operator.model.situation import Refusal, Situation
from training_sandbox_operator.model.token_secret import TokenSecret

MOST_ROUNDS = 10


class World(RuleBasedStateMachine):
    """One instance in a cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = build.CREATED
        self.spec: dict[str, Any] = {}
        self.status: dict[str, Any] = {}
        self.exists = True
        self.pod_status: dict[str, Any] | None = None
        self.pod_terminates_at: datetime | None = None
        self.pods_made = 0
        self.quota_is_used_up = False
        self.server_answers = True
        self.active_at: datetime | None = None
        self.task_finished = False
        self.refusal: Refusal | None = None
        self.answer: ServerAnswer | None = None
        self.asks_since = self.now
        self.signing_key: str | None = None
        self.pod_key: str | None = None
        self.restarts = 0
        self.secret: TokenSecret | None = None
        self.secrets_are_refused = False
        self.token_refusal: Refusal | None = None

    # What the operator sees and does.

    def situation(self) -> Situation:
        instance = build.instance(**self.spec, status=self.status) if self.exists else None
        owner = build.instance(**self.spec)
        return build.situation(
            instance,
            *self.pods(owner),
            refusal=self.refusal,
            answer=self.answer,
            asks_since=self.asks_since,
            public_key=self.signing_key,
            token_secret=self.secret,
            token_refusal=self.token_refusal,
        )

    def pods(self, owner: Any) -> list[Pod]:
        if self.pod_status is None:
            return []
        uid = f"pod-{self.pods_made}"
        return [
            build.pod(
                owner,
                uid=uid,
                status=self.pod_status,
                terminates_at=self.pod_terminates_at,
                public_key=self.pod_key,
            )
        ]

    def apply(self, action: Action) -> None:
        match action:
            case CreatePod():
                self.create_pod()
            case WriteStatus(status=status):
                self.write_status(dict(status))
            case DeletePod(force=force):
                self.delete_pod(force=force)
            case DeleteInstance():
                self.check_deletion()
                self.exists = False
            case WriteToken():
                self.write_token(action)
            case AskServer(occasion=occasion):
                self.answer_question(occasion)
            case _:
                pass

    def create_pod(self) -> None:
        assert self.pod_status is None, "a second pod was made beside the first"
        assert "podUID" not in self.status, "a lost pod was made again"
        if self.quota_is_used_up:
            failures = self.refusal.failures + 1 if self.refusal else 1
            self.refusal = Refusal(self.now, "PodRejected", "exceeded quota", failures)
            return
        self.refusal = None
        self.pods_made += 1
        self.pod_key, self.restarts = self.signing_key, 0
        self.pod_terminates_at = None
        self.pod_status = {"phase": "Pending"}

    def write_token(self, action: WriteToken) -> None:
        assert self.pod_key == self.signing_key, "a token that its server would not take"
        assert action.incarnation == self.incarnation, "a token of another server"
        assert action.replaces == self.secret
        if self.secrets_are_refused:
            failures = self.token_refusal.failures + 1 if self.token_refusal else 1
            self.token_refusal = Refusal(self.now, "TokenRejected", "exceeded quota", failures)
            return
        self.token_refusal = None
        self.secret = self.right_secret()

    def right_secret(self) -> TokenSecret:
        key = self.pod_key or ""
        return build.token_secret(
            build.instance(**self.spec), self.incarnation or "", public_key=key
        )

    @property
    def incarnation(self) -> str | None:
        (pod,) = self.pods(build.instance(**self.spec)) or [None]
        return pod.incarnation if pod is not None else None

    def write_status(self, status: dict[str, Any]) -> None:
        assert status != self.status, "a write that changes nothing"
        is_told = status["phase"] == Phase.READY and "tokenSecret" in status
        if is_told and "tokenSecret" not in self.status:
            assert self.secret == self.right_secret(), "a token was told that is not there"
        before = self.status.get("phase")
        if before in {"Finished", "Failed"}:
            assert status["phase"] == before, "a terminal phase was left"
        self.status = status

    def delete_pod(self, *, force: bool) -> None:
        if force:
            assert self.pod_terminates_at is not None
            assert self.now >= self.pod_terminates_at + timedelta(seconds=30)
            self.pod_status = None
            return
        assert self.status["phase"] == Phase.FAILED, "a pod was deleted whose status was not told"
        assert not self.spec.get("retainFailed"), "a pod was deleted that is to be retained"
        self.pod_terminates_at = self.now + timedelta(seconds=30)

    def check_deletion(self) -> None:
        instance = build.instance(**self.spec, status=self.status)
        lived_its_ttl = self.now >= instance.created_at + timedelta(
            seconds=self.spec.get("ttlSeconds", 14400)
        )
        if lived_its_ttl:
            return
        if instance.is_terminal:
            assert not (instance.phase is Phase.FAILED and instance.retains_failed)
            assert instance.finished_at is not None
            stay = timedelta(seconds=self.spec.get("ttlSecondsAfterFinished", 60))
            assert self.now >= instance.finished_at + stay, "collected too early"
            return
        assert self.server_answers, "an instance was collected whose server could not be asked"
        assert self.active_at is not None
        assert self.now - self.active_at >= instance.idle_timeout, "collected while it was used"

    def answer_question(self, occasion: str) -> None:
        if not self.server_answers:
            before = self.answer
            failures = before.failures + 1 if isinstance(before, ServerSilence) else 1
            self.answer = ServerSilence(self.now, occasion, failures, "timed out")
            return
        assert self.active_at is not None
        task = None
        if "taskId" in self.spec:
            state = "terminated" if self.task_finished else "running"
            task = TaskReport(state, 3, 1.0 if self.task_finished else None, self.task_finished)
        idle = (self.now - self.active_at).total_seconds()
        self.answer = build.reply(self.now, idle=idle, occasion=occasion, task=task)

    @property
    def has_pod(self) -> bool:
        return self.pod_status is not None and self.pod_terminates_at is None

    # What happens.

    @initialize(
        spec=st.fixed_dictionaries(
            {},
            optional={
                "taskId": st.just("t1"),
                "retainFailed": st.booleans(),
                "ttlSeconds": st.integers(1, 3000),
                "idleTimeoutSeconds": st.integers(1, 1000),
                "ttlSecondsAfterFinished": st.integers(0, 500),
            },
        )
    )
    def is_specified(self, spec: dict[str, Any]) -> None:
        self.spec = spec

    @rule(seconds=st.sampled_from([0.3, 1, 5, 29, 61, 300, 1000]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(is_signing=st.booleans())
    def is_guarded(self, is_signing: bool) -> None:
        """Tokens are switched on or off, by an upgrade."""
        self.signing_key = build.PUBLIC_KEY if is_signing else None

    @rule()
    def the_operator_is_killed_and_started_again(self) -> None:
        self.refusal = self.answer = self.token_refusal = None
        self.asks_since = self.now

    @rule()
    def the_signing_key_is_lost(self) -> None:
        self.signing_key = f"KeyAt{self.now.timestamp()}"

    @rule()
    def the_secret_is_deleted(self) -> None:
        self.secret = None

    @precondition(lambda self: self.secret is not None)
    @rule(spoilt=st.sampled_from([{"labels": {}}, {"annotations": {}}]))
    def the_secret_is_edited(self, spoilt: dict[str, Any]) -> None:
        self.secret = build.token_secret(build.instance(**self.spec), **spoilt)

    @rule(are_refused=st.booleans())
    def secrets_are_refused_or_not(self, are_refused: bool) -> None:
        self.secrets_are_refused = are_refused

    @rule(is_used_up=st.booleans())
    def the_quota_changes(self, is_used_up: bool) -> None:
        self.quota_is_used_up = is_used_up

    @precondition(lambda self: self.has_pod)
    @rule()
    def the_server_becomes_ready(self) -> None:
        self.active_at = self.now
        self.pod_status = build.pod_status(
            ready=True,
            ready_changed_at=self.now,
            started=True,
            state=build.running(self.now),
            restartCount=self.restarts,
        )

    @precondition(lambda self: self.active_at is not None)
    @rule()
    def an_episode_is_called(self) -> None:
        self.active_at = self.now

    @precondition(lambda self: self.has_pod and self.active_at is not None)
    @rule(finished=st.booleans())
    def the_server_becomes_unready(self, finished: bool) -> None:
        self.task_finished = self.task_finished or finished
        since = self.now + timedelta(seconds=1)
        self.pod_status = build.pod_status(
            ready_changed_at=since,
            started=True,
            state=build.running(self.now),
            restartCount=self.restarts,
        )

    @rule(answers=st.booleans())
    def the_network_changes(self, answers: bool) -> None:
        self.server_answers = answers

    @precondition(lambda self: self.has_pod)
    @rule(restarts=st.integers(0, 2))
    def the_server_crashes(self, restarts: int) -> None:
        self.restarts = restarts = self.restarts + restarts
        bound = "taskId" in self.spec
        down = build.terminated(137, "OOMKilled") if bound else build.waiting("CrashLoopBackOff")
        self.pod_status = build.pod_status(
            phase="Failed" if bound else "Running",
            state=down,
            lastState=build.terminated(1),
            restartCount=restarts,
        )

    @precondition(lambda self: self.has_pod)
    @rule()
    def the_pod_is_evicted(self) -> None:
        self.pod_status = {"phase": "Failed", "reason": "Evicted", "message": "disk"}

    @precondition(lambda self: self.has_pod)
    @rule()
    def the_pod_is_deleted_by_hand(self) -> None:
        self.pod_terminates_at = self.now + timedelta(seconds=30)

    @precondition(lambda self: self.pod_terminates_at is not None)
    @rule()
    def the_kubelet_confirms_the_end_of_the_pod(self) -> None:
        self.pod_status = None

    # What must hold.

    @invariant()
    def the_operator_converges_and_then_does_nothing(self) -> None:
        for _ in range(MOST_ROUNDS):
            decided = plan(self.situation(), self.now)
            for action in decided.actions:
                self.apply(action)
            if not decided.actions:
                break
        else:
            raise AssertionError("the operator does not come to rest")
        if self.exists:
            assert decided.deadline is not None, "nobody would look at the instance again"
            assert decided.deadline > self.now, "the operator would not come to rest"

    @invariant()
    def what_is_idle_is_collected_in_time(self) -> None:
        """At its idle timeout, or within a minute after the start of the operator."""
        instance = build.instance(**self.spec, status=self.status)
        is_asked = self.server_answers and not isinstance(self.answer, ServerSilence)
        if not self.exists or instance.phase is not Phase.READY or not is_asked:
            return
        assert self.active_at is not None
        assert instance.ready_at is not None
        due_at = max(self.active_at, instance.ready_at) + instance.idle_timeout
        within_a_minute = self.asks_since + min(timedelta(seconds=60), instance.idle_timeout)
        assert self.now < max(due_at, within_a_minute)

    @invariant()
    def there_was_at_most_one_pod_since_one_was_told_of(self) -> None:
        if self.pod_status is not None and "podUID" in self.status:
            assert self.status["podUID"] == f"pod-{self.pods_made}"

    @invariant()
    def an_instance_that_is_ready_has_its_token(self) -> None:
        is_ready = self.exists and self.status.get("phase") == Phase.READY
        wants_token = self.pod_key is not None and self.pod_key == self.signing_key
        if not is_ready or not wants_token or not self.has_pod:
            return
        was_refused = self.token_refusal is not None and self.now < self.token_refusal.retry_at
        if not was_refused:
            assert self.secret == self.right_secret(), "a Ready instance without its token"
        assert self.status.get("tokenSecret") or was_refused


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=100, stateful_step_count=20)
